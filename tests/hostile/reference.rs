//! Random sequences of every operation on a token, on one thread, compared with a simple reference
//! implementation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rayon::prelude::*;
use rayon_errgroup::{CancelRegistration, CancelToken, Cause, DropGuard, ErrGroup, prelude::*};

use crate::common::watched;

#[derive(Clone, Copy, Debug)]
enum Op {
    New,
    Child,
    Clone,
    Cancel,
    CancelWith,
    /// A deadline this many hours ahead; zero is one that has passed.
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

/// Why a token of the reference is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Requested,
    Reason,
    Deadline,
    Dropped,
}

/// A token of the reference.
struct Node {
    parent: Option<usize>,
    /// Why it is cancelled, and whether by its parent.
    cancelled: Option<(Kind, bool)>,
    deadline: Option<Instant>,
}

/// A callback of the reference, with the number of calls of the real one.
struct Callback {
    node: usize,
    is_pending: bool,
    expected: usize,
    calls: Arc<AtomicUsize>,
}

#[derive(Default)]
struct World {
    nodes: Vec<Node>,
    callbacks: Vec<Callback>,
    tokens: Vec<(CancelToken, usize)>,
    guards: Vec<(DropGuard, usize)>,
    registrations: Vec<(CancelRegistration, usize)>,
}

fn pick<T>(from: &[T], index: Index) -> Option<usize> {
    (!from.is_empty()).then(|| index.index(from.len()))
}

/// Whether `node` is `top` or one of its descendants.
fn is_in(nodes: &[Node], mut node: usize, top: usize) -> bool {
    while node != top {
        match nodes[node].parent {
            Some(parent) => node = parent,
            None => return false,
        }
    }
    true
}

impl World {
    /// Cancels a token of the reference, and returns whether this call was the first.
    fn cancel(&mut self, top: usize, kind: Kind) -> bool {
        if self.nodes[top].cancelled.is_some() {
            return false;
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].cancelled.is_none() && is_in(&self.nodes, node, top) {
                self.nodes[node].cancelled = Some((kind, node != top));
                let own = self.callbacks.iter_mut().filter(|call| call.node == node);
                for call in own {
                    call.expected += usize::from(std::mem::take(&mut call.is_pending));
                }
            }
        }
        true
    }

    fn new_node(&mut self, parent: Option<usize>) -> usize {
        let cancelled = parent.and_then(|parent| self.nodes[parent].cancelled);
        self.nodes.push(Node {
            parent,
            cancelled: cancelled.map(|(kind, _)| (kind, true)),
            deadline: None,
        });
        self.nodes.len() - 1
    }

    fn deadline(&self, node: usize) -> Option<Instant> {
        let inherited = self.nodes[node]
            .parent
            .and_then(|parent| self.deadline(parent));
        self.nodes[node].deadline.into_iter().chain(inherited).min()
    }

    fn apply(&mut self, op: Op, index: Index, now: Instant) {
        if let Op::New = op {
            let node = self.new_node(None);
            self.tokens.push((CancelToken::new(), node));
            return;
        }
        if let Op::Unregister | Op::DropRegistration = op {
            let Some(at) = pick(&self.registrations, index) else {
                return;
            };
            let (registration, call) = self.registrations.swap_remove(at);
            let was_pending = std::mem::take(&mut self.callbacks[call].is_pending);
            if let Op::Unregister = op {
                assert_eq!(registration.unregister(), was_pending);
            } else {
                drop(registration);
            }
            return;
        }
        if let Op::DropGuard | Op::Disarm = op {
            let Some(at) = pick(&self.guards, index) else {
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
        let Some(at) = pick(&self.tokens, index) else {
            return;
        };
        let (token, node) = (self.tokens[at].0.clone(), self.tokens[at].1);
        match op {
            Op::Child => {
                let child = self.new_node(Some(node));
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
                let own = &mut self.nodes[node];
                if own.cancelled.is_none() {
                    own.deadline = own.deadline.into_iter().chain([at]).min();
                }
                if hours == 0 {
                    self.cancel(node, Kind::Deadline);
                }
            }
            Op::NoDeadline => token.cancel_after(Duration::MAX),
            Op::OnCancel => {
                let calls = Arc::new(AtomicUsize::new(0));
                let counter = Arc::clone(&calls);
                let registration = token.on_cancel(move || _ = counter.fetch_add(1, SeqCst));
                let is_pending = self.nodes[node].cancelled.is_none();
                self.registrations
                    .push((registration, self.callbacks.len()));
                self.callbacks.push(Callback {
                    node,
                    is_pending,
                    expected: usize::from(!is_pending),
                    calls,
                });
            }
            Op::DropToken => drop(self.tokens.swap_remove(at)),
            Op::Guard => self.guards.push((token.drop_guard(), node)),
            Op::Run => {
                let group = ErrGroup::new().token(&token);
                let items = [(); 2].par_iter().with_group(&group);
                let result = items.try_for_each(|token, ()| token.check());
                assert_eq!(result.is_err(), self.nodes[node].cancelled.is_some());
            }
            Op::New | Op::Unregister | Op::DropRegistration | Op::DropGuard | Op::Disarm => {
                unreachable!()
            }
        }
    }

    /// Asserts that the tokens are in the state of the reference.
    fn compare(&self) {
        for (token, node) in &self.tokens {
            let cancelled = self.nodes[*node].cancelled;
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
        for call in &self.callbacks {
            assert_eq!(call.calls.load(SeqCst), call.expected);
            // A callback that has run or will never run has been dropped.
            let is_held = Arc::strong_count(&call.calls) > 1;
            assert_eq!(is_held, call.is_pending);
        }
        for (left, node) in &self.tokens {
            let (right, other) = &self.tokens[0];
            assert_eq!(left == right, node == other);
        }
    }
}

#[test]
fn tokens_do_what_the_reference_does() {
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
