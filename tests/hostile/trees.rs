//! Very deep and wide trees of tokens, on a stack of 256 KiB.
//!
//! In addition to `tests/guarantees/tokens.rs`: callbacks and waiters on every token, cancellation
//! from the middle, drops in every order, and children that are created during a cancellation.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};
use rayon_errgroup::{CancelRegistration, CancelToken, Cause};

use crate::common::watched;

const SIZE: usize = 200_000;

/// Runs `body` on a small stack, and prints how long it took.
fn on_small_stack(name: &'static str, body: impl FnOnce() + Send + 'static) {
    watched(move || {
        let began = Instant::now();
        let small = thread::Builder::new().stack_size(256 * 1024);
        small.spawn(body).unwrap().join().unwrap();
        println!("{name}: {:?}", began.elapsed());
    });
}

/// Each token is a child of the one before it.
fn deep() -> Vec<CancelToken> {
    let mut tokens = vec![CancelToken::new()];
    for at in 0..SIZE {
        tokens.push(tokens[at].child());
    }
    tokens
}

/// A token and its children.
fn wide() -> Vec<CancelToken> {
    let top = CancelToken::new();
    let mut tokens: Vec<_> = (0..SIZE).map(|_| top.child()).collect();
    tokens.push(top);
    tokens.swap(0, SIZE);
    tokens
}

/// Each token is a child of a random one before it.
fn random() -> Vec<CancelToken> {
    let mut tokens = vec![CancelToken::new()];
    for (parent, at) in shuffled(SIZE).into_iter().zip(1..) {
        tokens.push(tokens[parent % at].child());
    }
    tokens
}

type Shape = fn() -> Vec<CancelToken>;

const SHAPES: [(&str, Shape); 3] = [("deep", deep), ("wide", wide), ("random", random)];

/// The numbers below `len` in a shuffled order that is always the same.
fn shuffled(len: usize) -> Vec<usize> {
    let mut numbers: Vec<_> = (0..len).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..len).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = state % (at as u64 + 1);
        numbers.swap(at, usize::try_from(other).unwrap());
    }
    numbers
}

fn is_closed(done: &Receiver<Infallible>) -> bool {
    done.try_recv() == Err(TryRecvError::Disconnected)
}

#[test]
fn a_callback_on_every_token() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let (tokens, calls) = (shape(), Arc::new(AtomicUsize::new(0)));
            let kept: Vec<CancelRegistration> = tokens
                .iter()
                .map(|token| {
                    let (calls, own) = (Arc::clone(&calls), token.clone());
                    token.on_cancel(move || _ = calls.fetch_add(own.is_cancelled().into(), SeqCst))
                })
                .collect();
            let top = tokens[0].clone();
            // Now only the registrations keep the tree alive.
            drop(tokens);
            assert!(top.cancel());
            assert_eq!(calls.load(SeqCst), SIZE + 1);
            assert!(kept.into_iter().all(|kept| !kept.unregister()));
            assert_eq!(Arc::strong_count(&calls), 1);
        });
    }
}

/// Registrations keep their tokens alive, so the tree is dropped with the last registration.
#[test]
fn callbacks_that_are_never_called_keep_the_tree_alive() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let mut kept: Vec<CancelRegistration> = tokens
                .iter()
                .map(|token| token.on_cancel(|| unreachable!()))
                .collect();
            drop(tokens);
            for at in shuffled(SIZE + 1) {
                // They are dropped in no particular order.
                let last = kept.len() - 1;
                kept.swap(at % (last + 1), last);
                drop(kept.pop());
            }
        });
    }
}

#[test]
fn a_waiter_at_every_token() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let done: Vec<_> = tokens.iter().map(|token| token.done().clone()).collect();
            assert!(!done.iter().any(is_closed));
            // One thread blocks on the token that is farthest from the root.
            let bottom = tokens[SIZE].clone();
            let waiter = thread::spawn(move || bottom.done().recv());
            tokens[0].cancel_with("a reason");
            assert!(done.iter().all(is_closed));
            waiter.join().unwrap().unwrap_err();
            let cause = tokens[SIZE].cause();
            assert!(matches!(cause, Some(Cause::Parent(_))));
        });
    }
}

/// A cancellation from the middle of a deep tree cancels exactly the lower half. A later one from
/// the root cancels the upper half, whose descendants are cancelled already.
#[test]
fn a_cancellation_from_the_middle() {
    on_small_stack("from the middle", || {
        let tokens = deep();
        let calls = Arc::new(AtomicUsize::new(0));
        let on_cancel = |at: usize| {
            let calls = Arc::clone(&calls);
            tokens[at].on_cancel(move || _ = calls.fetch_add(1, SeqCst))
        };
        let registrations = [0, SIZE / 2 - 1, SIZE / 2, SIZE].map(on_cancel);
        assert!(tokens[SIZE / 2].cancel());
        assert_eq!(calls.load(SeqCst), 2);
        let (upper, lower) = tokens.split_at(SIZE / 2);
        assert!(!upper.iter().any(CancelToken::is_cancelled));
        assert!(lower.iter().all(CancelToken::is_cancelled));
        assert!(tokens[0].cancel());
        assert_eq!(calls.load(SeqCst), 4);
        assert!(upper.iter().all(CancelToken::is_cancelled));
        assert!(matches!(lower[0].cause(), Some(Cause::Requested(_))));
        drop(registrations);
    });
    // One token after the other, from the bottom up: each call cancels a single token.
    on_small_stack("from the bottom", || {
        let tokens = deep();
        assert!(tokens.iter().rev().all(CancelToken::cancel));
        assert!(!tokens[0].cancel());
    });
}

#[test]
fn drops_in_every_order() {
    for (name, shape) in SHAPES {
        for cancelled in [false, true] {
            let build = move || {
                let tokens = shape();
                if cancelled {
                    tokens[SIZE / 3].cancel();
                    tokens[0].cancel();
                }
                tokens
            };
            on_small_stack(name, move || {
                let mut tokens = build();
                while let Some(token) = tokens.pop() {
                    drop(token);
                }
            });
            on_small_stack(name, move || build().into_iter().for_each(drop));
            on_small_stack(name, move || {
                let mut tokens: Vec<_> = build().into_iter().map(Some).collect();
                for at in shuffled(SIZE + 1) {
                    tokens[at] = None;
                }
            });
            // Every other token first, so that each drop removes one from between two others.
            on_small_stack(name, move || {
                let mut tokens: Vec<_> = build().into_iter().map(Some).collect();
                tokens.iter_mut().step_by(2).for_each(|token| *token = None);
                drop(tokens);
            });
        }
    }
}

/// Two threads drop the tokens of a tree while a third cancels it.
#[test]
fn drops_while_it_is_cancelled() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let top = tokens[0].clone();
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for (at, token) in tokens.into_iter().enumerate() {
                if at % 2 == 0 { &mut left } else { &mut right }.push(token);
            }
            let last = [left.last(), right.last()].map(|token| token.unwrap().clone());
            thread::scope(|threads| {
                for half in [left, right] {
                    let small = thread::Builder::new().stack_size(256 * 1024);
                    small.spawn_scoped(threads, || drop(half)).unwrap();
                }
                top.cancel();
            });
            assert!(last.iter().all(CancelToken::is_cancelled));
        });
    }
}

/// A child that is created while its tree is cancelled is cancelled when `cancel` has returned.
#[test]
fn children_that_are_created_during_a_cancellation() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let (is_over, half) = (AtomicBool::new(false), tokens.len() / 2);
            thread::scope(|threads| {
                let creators = [0, half].map(|start| {
                    let (tokens, is_over) = (&tokens, &is_over);
                    let create = move || {
                        let mut children = Vec::new();
                        for token in tokens[start..].iter().cycle() {
                            let is_last = is_over.load(SeqCst);
                            children.push(token.child());
                            if children.len() >= SIZE || is_last {
                                return children;
                            }
                        }
                        unreachable!()
                    };
                    let small = thread::Builder::new().stack_size(256 * 1024);
                    small.spawn_scoped(threads, create).unwrap()
                });
                tokens[0].cancel();
                is_over.store(true, SeqCst);
                assert!(tokens.iter().all(CancelToken::is_cancelled));
                for creator in creators {
                    let children = creator.join().unwrap();
                    assert!(children.iter().all(CancelToken::is_cancelled));
                    assert!(children.iter().all(|token| is_closed(token.done())));
                }
            });
        });
    }
}
