//! Random sequences of everything a token can do, on one thread, next to a model that is obvious.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, DropGuard, ErrGroup, OnCancel, prelude::*};

use crate::harness::watched;

#[derive(Clone, Copy, Debug)]
enum Op {
    New,
    Child,
    Clone,
    Cancel,
    CancelWith,
    /// A deadline so many hours ahead; zero is in the past.
    Deadline(u64),
    NoDeadline,
    OnCancel,
    Unregister,
    DropRegistration,
    DropToken,
    Guard,
    DropGuard,
    Disarm,
    Run,
}

fn ops() -> impl Strategy<Value = Vec<(Op, Index)>> {
    let op = prop_oneof![
        1 => Just(Op::New),
        8 => Just(Op::Child),
        2 => Just(Op::Clone),
        2 => Just(Op::Cancel),
        1 => Just(Op::CancelWith),
        3 => (0..5_u64).prop_map(Op::Deadline),
        1 => Just(Op::NoDeadline),
        6 => Just(Op::OnCancel),
        2 => Just(Op::Unregister),
        2 => Just(Op::DropRegistration),
        4 => Just(Op::DropToken),
        2 => Just(Op::Guard),
        1 => Just(Op::DropGuard),
        1 => Just(Op::Disarm),
        1 => Just(Op::Run),
    ];
    prop::collection::vec((op, any::<Index>()), 1..120)
}

/// Why a token is cancelled, in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Requested,
    Reason,
    Deadline,
    Dropped,
}

/// A token, in the model: its parent, whether it is cancelled (for whose cause), its deadline.
struct Plain {
    parent: Option<usize>,
    cancelled: Option<(Kind, bool)>,
    deadline: Option<Instant>,
}

/// A callback, in the model.
struct Call {
    at: usize,
    /// Whether it waits, and how often it was called.
    waits: bool,
    times: usize,
    really: Arc<AtomicUsize>,
}

#[derive(Default)]
struct World {
    plain: Vec<Plain>,
    calls: Vec<Call>,
    tokens: Vec<(CancelToken, usize)>,
    guards: Vec<(DropGuard, usize)>,
    registrations: Vec<(OnCancel, usize)>,
}

fn some<T>(of: &[T], index: Index) -> Option<usize> {
    (!of.is_empty()).then(|| index.index(of.len()))
}

/// Whether `node` is `top` or below it.
fn is_in(plain: &[Plain], mut node: usize, top: usize) -> bool {
    while node != top {
        match plain[node].parent {
            Some(parent) => node = parent,
            None => return false,
        }
    }
    true
}

impl World {
    /// Cancels in the model; whether it is the first.
    fn cancel(&mut self, top: usize, kind: Kind) -> bool {
        if self.plain[top].cancelled.is_some() {
            return false;
        }
        for node in 0..self.plain.len() {
            if self.plain[node].cancelled.is_none() && is_in(&self.plain, node, top) {
                self.plain[node].cancelled = Some((kind, node != top));
                for call in self.calls.iter_mut().filter(|call| call.at == node) {
                    call.times += usize::from(std::mem::take(&mut call.waits));
                }
            }
        }
        true
    }

    fn born(&mut self, parent: Option<usize>) -> usize {
        let cancelled = parent.and_then(|parent| self.plain[parent].cancelled);
        self.plain.push(Plain {
            parent,
            cancelled: cancelled.map(|(kind, _)| (kind, true)),
            deadline: None,
        });
        self.plain.len() - 1
    }

    fn deadline(&self, node: usize) -> Option<Instant> {
        let above = self.plain[node]
            .parent
            .and_then(|parent| self.deadline(parent));
        self.plain[node].deadline.into_iter().chain(above).min()
    }

    fn apply(&mut self, op: Op, index: Index, now: Instant) {
        if let Op::New = op {
            let node = self.born(None);
            self.tokens.push((CancelToken::new(), node));
            return;
        }
        if let Op::Unregister | Op::DropRegistration = op {
            let Some(at) = some(&self.registrations, index) else {
                return;
            };
            let (registration, call) = &self.registrations[at];
            let waited = std::mem::take(&mut self.calls[*call].waits);
            if let Op::Unregister = op {
                assert_eq!(registration.unregister(), waited);
            } else {
                drop(self.registrations.swap_remove(at));
            }
            return;
        }
        if let Op::DropGuard | Op::Disarm = op {
            let Some(at) = some(&self.guards, index) else {
                return;
            };
            let (guard, node) = self.guards.swap_remove(at);
            if let Op::DropGuard = op {
                drop(guard);
                self.cancel(node, Kind::Dropped);
            } else {
                self.tokens.push((guard.disarm(), node));
            }
            return;
        }
        let Some(at) = some(&self.tokens, index) else {
            return;
        };
        let (token, node) = (self.tokens[at].0.clone(), self.tokens[at].1);
        match op {
            Op::Child => {
                let child = self.born(Some(node));
                self.tokens.push((token.child(), child));
            }
            Op::Clone => self.tokens.push((token, node)),
            Op::Cancel => assert_eq!(token.cancel(), self.cancel(node, Kind::Requested)),
            Op::CancelWith => {
                assert_eq!(
                    token.cancel_with("a reason"),
                    self.cancel(node, Kind::Reason)
                );
            }
            Op::Deadline(hours) => {
                let at = match hours {
                    0 => now,
                    hours => now + Duration::from_secs(3600 * hours),
                };
                token.cancel_at(at);
                let plain = &mut self.plain[node];
                if plain.cancelled.is_none() {
                    plain.deadline = plain.deadline.into_iter().chain([at]).min();
                }
                if hours == 0 {
                    self.cancel(node, Kind::Deadline);
                }
            }
            Op::NoDeadline => token.cancel_after(Duration::MAX),
            Op::OnCancel => {
                let really = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&really);
                let registration = token.on_cancel(move || _ = counted.fetch_add(1, SeqCst));
                let waits = self.plain[node].cancelled.is_none();
                self.registrations.push((registration, self.calls.len()));
                self.calls.push(Call {
                    at: node,
                    waits,
                    times: usize::from(!waits),
                    really,
                });
            }
            Op::DropToken => drop(self.tokens.swap_remove(at)),
            Op::Guard => self.guards.push((token.drop_guard(), node)),
            Op::Run => {
                let group = ErrGroup::new().token(&token);
                let items = [(); 2].par_iter().with_group(&group);
                let result = items.try_for_each(|token, ()| token.check());
                assert_eq!(result.is_err(), self.plain[node].cancelled.is_some());
            }
            Op::New | Op::Unregister | Op::DropRegistration | Op::DropGuard | Op::Disarm => {
                unreachable!()
            }
        }
    }

    /// Whether everything is as the model says.
    fn compare(&self) {
        for (token, node) in &self.tokens {
            let cancelled = self.plain[*node].cancelled;
            assert_eq!(token.is_cancelled(), cancelled.is_some());
            assert_eq!(token.check().is_err(), cancelled.is_some());
            let is_closed = token.done().try_recv() == Err(TryRecvError::Disconnected);
            assert_eq!(is_closed, cancelled.is_some());
            assert_eq!(token.deadline(), self.deadline(*node));
            let cause = token.cause();
            let is_inherited = matches!(cause, Some(Cause::Parent(_)));
            let kind = cause.as_ref().map(|cause| match cause.root() {
                Cause::Requested(None) => Kind::Requested,
                Cause::Requested(Some(_)) => Kind::Reason,
                Cause::Deadline => Kind::Deadline,
                Cause::Dropped => Kind::Dropped,
                _ => panic!("{cause:?}"),
            });
            assert_eq!(kind.map(|kind| (kind, is_inherited)), cancelled);
        }
        for call in &self.calls {
            assert_eq!(call.really.load(SeqCst), call.times);
            // A callback that has run or will never run is not kept.
            let is_held = Arc::strong_count(&call.really) > 1;
            assert_eq!(is_held, call.waits);
        }
        for (left, node) in &self.tokens {
            let (right, other) = &self.tokens[0];
            assert_eq!(left == right, node == other);
        }
    }
}

#[test]
fn tokens_do_what_the_model_says() {
    watched(|| {
        let now = Instant::now();
        let run = |ops: Vec<(Op, Index)>| {
            let mut world = World::default();
            for (op, index) in ops {
                world.apply(op, index, now);
                world.compare();
            }
            Ok(())
        };
        TestRunner::new(Config::default()).run(&ops(), run).unwrap();
    });
}
