//! Trees of tokens as deep and as wide as memory allows, on a stack of 256 KiB.
//!
//! What `tests/laws/tokens.rs` does not: callbacks and waiters everywhere in the tree, cancellation
//! from its middle, drops in every order, and children that are born meanwhile.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};
use rayon_errgroup::{CancelRegistration, CancelToken, Cause};

use crate::harness::watched;

const SIZE: usize = 200_000;

/// Runs `body` on a small stack, and says how long it took.
fn on_small_stack(name: &'static str, body: impl FnOnce() + Send + 'static) {
    watched(move || {
        let began = Instant::now();
        let small = thread::Builder::new().stack_size(256 * 1024);
        small.spawn(body).unwrap().join().unwrap();
        println!("{name}: {:?}", began.elapsed());
    });
}

/// Each the child of the one before.
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

/// Each the child of a token before it, at random.
fn random() -> Vec<CancelToken> {
    let mut tokens = vec![CancelToken::new()];
    for (above, at) in shuffled(SIZE).into_iter().zip(1..) {
        tokens.push(tokens[above % at].child());
    }
    tokens
}

type Shape = fn() -> Vec<CancelToken>;

const SHAPES: [(&str, Shape); 3] = [("deep", deep), ("wide", wide), ("random", random)];

/// The numbers below `len`, in an order without order, always the same.
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
            // Only the registrations hold the tree now.
            drop(tokens);
            assert!(top.cancel());
            assert_eq!(calls.load(SeqCst), SIZE + 1);
            assert!(
                kept.into_iter()
                    .all(|registration| !registration.unregister())
            );
            assert_eq!(Arc::strong_count(&calls), 1);
        });
    }
}

/// Registrations hold their tokens: the last of a tree goes with the last of them.
#[test]
fn callbacks_that_are_never_called_hold_the_tree() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let mut kept: Vec<CancelRegistration> = tokens
                .iter()
                .map(|token| token.on_cancel(|| unreachable!()))
                .collect();
            drop(tokens);
            for at in shuffled(SIZE + 1) {
                // The order in which they are dropped is neither up nor down.
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
            // One that really waits, at the one that is farthest from the top.
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

/// From the middle of a deep tree: exactly the lower half is cancelled, and then the upper half from
/// above, which has the lower one behind it.
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
    // One token after the other, from the bottom up: none has more than itself to do.
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
            // Every other one first, so that each drop cuts out one token between two others.
            on_small_stack(name, move || {
                let mut tokens: Vec<_> = build().into_iter().map(Some).collect();
                tokens.iter_mut().step_by(2).for_each(|token| *token = None);
                drop(tokens);
            });
        }
    }
}

/// A tree that is taken apart by two threads while a third one cancels it.
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

/// Whoever is born while the tree is cancelled is cancelled when `cancel` has returned.
#[test]
fn children_that_are_born_while_it_is_cancelled() {
    for (name, shape) in SHAPES {
        on_small_stack(name, move || {
            let tokens = shape();
            let (is_over, half) = (AtomicBool::new(false), tokens.len() / 2);
            thread::scope(|threads| {
                let births = [0, half].map(|start| {
                    let (tokens, is_over) = (&tokens, &is_over);
                    let birth = move || {
                        let mut born = Vec::new();
                        for token in tokens[start..].iter().cycle() {
                            let ends = is_over.load(SeqCst);
                            born.push(token.child());
                            if born.len() >= SIZE || ends {
                                return born;
                            }
                        }
                        unreachable!()
                    };
                    let small = thread::Builder::new().stack_size(256 * 1024);
                    small.spawn_scoped(threads, birth).unwrap()
                });
                tokens[0].cancel();
                is_over.store(true, SeqCst);
                assert!(tokens.iter().all(CancelToken::is_cancelled));
                for birth in births {
                    let born = birth.join().unwrap();
                    assert!(born.iter().all(CancelToken::is_cancelled));
                    assert!(born.iter().all(|token| is_closed(token.done())));
                }
            });
        });
    }
}
