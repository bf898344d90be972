//! Random sequences of every operation on a token, on up to four threads at once.
//!
//! The result depends on the schedule, but these invariants do not: a cancelled token stays
//! cancelled; when `cancel` has returned, every descendant is cancelled; each callback runs at most
//! once, and exactly once if its token is cancelled and it was not unregistered.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rayon_errgroup::{CancelRegistration, CancelToken, Cause};

use crate::common::watched;

/// How many tokens the threads share.
const SHARED: usize = 12;

#[derive(Clone, Copy, Debug)]
enum Op {
    Child,
    Clone,
    Cancel,
    CancelWith,
    Past,
    Future,
    OnCancel,
    /// The callback cancels another of the shared tokens.
    OnCancelCancel(Index),
    Unregister,
    DropRegistration,
    DropToken,
    Guard,
    Disarm,
    Look,
}

#[derive(Clone, Debug)]
struct Case {
    parents: Vec<Index>,
    threads: Vec<Vec<(Op, Index)>>,
}

fn cases() -> impl Strategy<Value = Case> {
    let op = prop_oneof![
        6 => Just(Op::Child),
        1 => Just(Op::Clone),
        2 => Just(Op::Cancel),
        1 => Just(Op::CancelWith),
        1 => Just(Op::Past),
        2 => Just(Op::Future),
        6 => Just(Op::OnCancel),
        2 => any::<Index>().prop_map(Op::OnCancelCancel),
        2 => Just(Op::Unregister),
        2 => Just(Op::DropRegistration),
        2 => Just(Op::DropToken),
        1 => Just(Op::Guard),
        1 => Just(Op::Disarm),
        4 => Just(Op::Look),
    ];
    let ops = prop::collection::vec((op, any::<Index>()), 1..40);
    let parents = prop::collection::vec(any::<Index>(), SHARED - 1);
    let threads = prop::collection::vec(ops, 1..5);
    (parents, threads).prop_map(|(parents, threads)| Case { parents, threads })
}

/// A token that a thread knows: a shared one, or a descendant of one.
struct Known {
    token: CancelToken,
    /// The index of its parent in the thread's own list.
    parent: Option<usize>,
    /// Whether the thread has seen it cancelled.
    seen: bool,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Registered, or called before it could be unregistered.
    Registered,
    Unregistered,
    /// The registration was dropped. The callback may have run before.
    Dropped,
}

struct Call {
    token: CancelToken,
    times: Arc<AtomicUsize>,
    fate: Fate,
}

/// The state of one thread.
struct Actor {
    known: Vec<Known>,
    calls: Vec<Call>,
    registrations: Vec<(CancelRegistration, usize)>,
    /// For each shared token, how often a `cancel` of this thread was the first.
    wins: [usize; SHARED],
}

impl Actor {
    fn new(shared: &[CancelToken], parents: &[Option<usize>]) -> Self {
        let known = shared.iter().zip(parents).map(|(token, parent)| Known {
            token: token.clone(),
            parent: *parent,
            seen: false,
        });
        Actor {
            known: known.collect(),
            calls: Vec::new(),
            registrations: Vec::new(),
            wins: [0; SHARED],
        }
    }

    fn look(&mut self, at: usize) {
        let known = &mut self.known[at];
        let is_cancelled = known.token.is_cancelled();
        assert!(is_cancelled || !known.seen, "it was cancelled before");
        known.seen = is_cancelled;
        if is_cancelled {
            assert!(known.token.cause().is_some() && known.token.check().is_err());
        }
    }

    /// Checks the state after a call that cancelled the token at `at`.
    fn cancelled(&mut self, at: usize, was_first: bool) {
        if at < SHARED {
            self.wins[at] += usize::from(was_first);
        }
        for mut node in 0..self.known.len() {
            let descendant = node;
            // Parents come before their children.
            while node > at {
                match self.known[node].parent {
                    Some(parent) => node = parent,
                    None => break,
                }
            }
            if node == at && (was_first || descendant == at) {
                let known = &mut self.known[descendant];
                assert!(
                    known.token.is_cancelled(),
                    "{descendant} descends from {at}"
                );
                known.seen = true;
            }
        }
        if was_first {
            let closed = self.known[at].token.done().try_recv();
            assert_eq!(closed, Err(TryRecvError::Disconnected));
        }
    }

    fn register(&mut self, at: usize, then: Option<CancelToken>) {
        let token = self.known[at].token.clone();
        let times = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&times);
        let was_cancelled = token.is_cancelled();
        let registration = token.on_cancel(move || {
            counted.fetch_add(1, SeqCst);
            then.map(|token| token.cancel());
        });
        assert!(times.load(SeqCst) == 1 || !was_cancelled, "it runs at once");
        self.registrations.push((registration, self.calls.len()));
        self.calls.push(Call {
            token,
            times,
            fate: Fate::Registered,
        });
    }

    fn apply(&mut self, op: Op, index: Index, shared: &[CancelToken]) {
        if let Op::Unregister | Op::DropRegistration = op {
            if self.registrations.is_empty() {
                return;
            }
            let at = index.index(self.registrations.len());
            let (registration, call) = self.registrations.swap_remove(at);
            let fate = &mut self.calls[call].fate;
            if let Op::DropRegistration = op {
                drop(registration);
                *fate = Fate::Dropped;
            } else if registration.unregister() {
                *fate = Fate::Unregistered;
            }
            return;
        }
        let at = index.index(self.known.len());
        let token = self.known[at].token.clone();
        match op {
            Op::Child => {
                let was_cancelled = token.is_cancelled();
                let child = token.child();
                assert!(child.is_cancelled() || !was_cancelled);
                self.known.push(Known {
                    token: child,
                    parent: Some(at),
                    seen: was_cancelled,
                });
            }
            Op::Clone => assert_eq!(token.clone(), token),
            Op::Cancel => self.cancelled(at, token.cancel()),
            Op::CancelWith => self.cancelled(at, token.cancel_with("a reason")),
            Op::Past => {
                token.cancel_at(Instant::now());
                self.cancelled(at, false);
            }
            Op::Future => token.cancel_after(Duration::from_secs(3600)),
            Op::OnCancel => self.register(at, None),
            Op::OnCancelCancel(other) => {
                self.register(at, Some(shared[other.index(SHARED)].clone()));
            }
            // Its entry in the list stays, with the root as its token.
            Op::DropToken if at >= SHARED => {
                let known = &mut self.known[at];
                known.token = shared[0].clone();
                (known.parent, known.seen) = (Some(0), false);
            }
            Op::DropToken | Op::Look => self.look(at),
            Op::Guard => {
                drop(token.drop_guard());
                self.cancelled(at, false);
            }
            Op::Disarm => assert_eq!(token.clone().drop_guard().disarm(), token),
            Op::Unregister | Op::DropRegistration => unreachable!(),
        }
    }
}

fn check(case: &Case) {
    let (mut shared, mut parents) = (vec![CancelToken::new()], vec![None]);
    for (index, at) in case.parents.iter().zip(1..) {
        let parent = index.index(at);
        shared.push(shared[parent].child());
        parents.push(Some(parent));
    }
    let start = Barrier::new(case.threads.len());
    let actors: Vec<Actor> = thread::scope(|threads| {
        let actors = case.threads.iter().map(|ops| {
            let (shared, parents, start) = (&shared, &parents, &start);
            threads.spawn(move || {
                let mut actor = Actor::new(shared, parents);
                start.wait();
                for (op, index) in ops {
                    actor.apply(*op, *index, shared);
                }
                for at in 0..actor.known.len() {
                    actor.look(at);
                }
                actor
            })
        });
        let actors: Vec<_> = actors.collect();
        actors
            .into_iter()
            .map(|actor| actor.join().unwrap())
            .collect()
    });

    for (token, parent) in shared.iter().zip(&parents) {
        let parent = parent.map(|parent| shared[parent].is_cancelled());
        assert!(token.is_cancelled() || parent != Some(true));
        if let Some(Cause::Parent(root)) = token.cause() {
            assert!(!matches!(*root, Cause::Parent(_)));
            assert_eq!(parent, Some(true));
        }
    }
    for at in 0..SHARED {
        let wins: usize = actors.iter().map(|actor| actor.wins[at]).sum();
        assert!(wins <= 1, "{wins} calls were the first to cancel {at}");
    }
    for call in actors.iter().flat_map(|actor| &actor.calls) {
        let times = call.times.load(SeqCst);
        match call.fate {
            Fate::Registered => assert_eq!(times, usize::from(call.token.is_cancelled())),
            Fate::Unregistered => assert_eq!(times, 0),
            Fate::Dropped => assert!(times <= 1),
        }
    }
    // All threads have ended. The remaining callbacks run now, and none runs twice.
    shared[0].cancel();
    for call in actors.iter().flat_map(|actor| &actor.calls) {
        if let Fate::Registered = call.fate {
            assert_eq!(call.times.load(SeqCst), 1);
        }
    }
}

#[test]
fn whatever_the_threads_do_the_invariants_hold() {
    watched(|| {
        let run = |case: Case| {
            check(&case);
            Ok(())
        };
        TestRunner::new(Config::default())
            .run(&cases(), run)
            .unwrap();
    });
}
