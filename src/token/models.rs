//! The token under the schedules of loom.
//!
//! Each model runs a few threads on one small tree. loom runs it once for each order of their
//! accesses to locks and flags, except for orders that it considers equivalent. It does not try a
//! load of a flag on the main thread both before and after a store by another thread, so such loads
//! are on threads of their own. Derived in part from tokio's `loom_cancellation_token` tests (MIT).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use super::timer::Expire;
use super::{CancelToken, Cause, Held, Node};
use crate::sync::explore;

/// Counts calls. Not part of the model, so its atomics are the standard library's.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn call(&self) -> impl FnOnce() + Send + 'static {
        let calls = Arc::clone(&self.0);
        move || _ = calls.fetch_add(1, Ordering::SeqCst)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn with<T: Clone + Send + 'static>(
    value: &T,
    body: impl FnOnce(T) + Send + 'static,
) -> thread::JoinHandle<()> {
    let value = value.clone();
    thread::spawn(move || body(value))
}

/// As an item before that of this worker does when it fails.
fn cancel_holding(worker: &CancelToken) {
    let nodes = [(worker.node(), Held(true))].into_iter();
    Node::cancel_all(nodes, &Cause::Failed, &mut |_| ());
}

/// After the `cancel` that is the trigger has returned, or after a waiter was woken.
fn assert_cancelled(token: &CancelToken) {
    assert!(token.is_cancelled());
    assert!(
        token.cause().is_some(),
        "the cause is stored before the state"
    );
    assert!(token.done().is_closed());
}

#[test]
fn a_waiter_is_woken() {
    explore("a waiter is woken", || {
        let token = CancelToken::new();
        let canceller = with(&token, |token| assert!(token.cancel()));
        let waiter = with(&token, |token| {
            assert!(token.done().recv().is_err());
            assert_cancelled(&token);
        });
        canceller.join().unwrap();
        waiter.join().unwrap();
    });
}

/// The only model that needs the memory order of the state: the others synchronise by locks.
#[test]
fn what_happened_before_the_cancellation_is_visible() {
    use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    explore("what happened before", || {
        let (token, data) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&data);
        let reader = with(&token, move |token| {
            if token.is_cancelled() {
                assert_eq!(seen.load(Relaxed), 1);
            }
        });
        data.store(1, Relaxed);
        assert!(token.cancel());
        reader.join().unwrap();
    });
}

#[test]
fn two_threads_that_call_done_get_the_same_channel() {
    explore("two calls of done", || {
        let token = CancelToken::new();
        let waiters = [0, 1].map(|_| with(&token, |token| assert!(token.done().recv().is_err())));
        assert!(token.cancel());
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// The thread that is late to create the channel may get the one that the other has just created.
#[test]
fn done_is_never_open_after_the_cancellation() {
    explore("done after the cancellation", || {
        let token = CancelToken::new();
        assert!(token.cancel());
        let other = with(&token, |token| assert!(token.done().is_closed()));
        assert!(token.done().is_closed());
        other.join().unwrap();
    });
}

#[test]
fn a_waiter_of_a_child_is_woken() {
    explore("a waiter of a child is woken", || {
        let token = CancelToken::new();
        let child = token.child();
        let waiter = with(&child, |child| assert!(child.done().recv().is_err()));
        assert!(token.cancel());
        assert_cancelled(&child);
        waiter.join().unwrap();
    });
}

#[test]
fn a_child_that_is_made_meanwhile_is_cancelled() {
    explore("a child is made meanwhile", || {
        let token = CancelToken::new();
        let canceller = with(&token, |token| assert!(token.cancel()));
        let child = token.child();
        let grandchild = child.child();
        canceller.join().unwrap();
        for descendant in [child, grandchild] {
            assert_cancelled(&descendant);
            assert!(matches!(descendant.cause(), Some(Cause::Parent(_))));
        }
    });
}

#[test]
fn of_two_cancellations_one_is_the_trigger() {
    explore("two cancellations", || {
        let token = CancelToken::new();
        let other = with(&token, |token| {
            let first = token.cancel_with("other");
            // Also if it is not the trigger: then the other thread may still be closing `done`.
            assert!(token.is_cancelled());
            let Some(Cause::Requested(reason)) = token.cause() else {
                unreachable!()
            };
            assert_eq!(first, reason.is_some());
        });
        let first = token.cancel();
        assert!(token.is_cancelled());
        let Some(Cause::Requested(reason)) = token.cause() else {
            unreachable!()
        };
        assert_eq!(first, reason.is_none());
        other.join().unwrap();
        assert_cancelled(&token);
    });
}

#[test]
fn parent_and_child_are_cancelled_at_the_same_time() {
    explore("parent and child at the same time", || {
        let token = CancelToken::new();
        let child = token.child();
        let grandchild = child.child();
        let other = with(&child, |child| _ = child.cancel());
        assert!(token.cancel());
        // Whichever thread marks them, all descendants are cancelled when this returns.
        assert_cancelled(&child);
        assert_cancelled(&grandchild);
        other.join().unwrap();
    });
}

#[test]
fn a_child_is_dropped_meanwhile() {
    explore("a child is dropped meanwhile", || {
        let token = CancelToken::new();
        let (child, sibling) = (token.child(), token.child());
        let other = thread::spawn(move || drop(child));
        assert!(token.cancel());
        assert_cancelled(&sibling);
        other.join().unwrap();
        assert_cancelled(&token.child());
    });
}

#[test]
fn a_token_in_the_middle_is_dropped_meanwhile() {
    explore("a token in the middle is dropped", || {
        let token = CancelToken::new();
        let child = token.child();
        let grandchild = child.child();
        let other = thread::spawn(move || {
            drop(child);
            drop(grandchild.child());
            grandchild
        });
        assert!(token.cancel());
        assert_cancelled(&other.join().unwrap());
    });
}

#[test]
fn a_callback_runs_once_whenever_it_is_registered() {
    explore("a callback is registered meanwhile", || {
        let (token, calls) = (CancelToken::new(), Calls::default());
        let canceller = with(&token, |token| assert!(token.cancel()));
        let registration = token.on_cancel(calls.call());
        canceller.join().unwrap();
        assert_eq!(calls.count(), 1);
        assert!(!registration.unregister());
    });
}

#[test]
fn a_callback_is_unregistered_or_runs() {
    explore("a callback is unregistered", || {
        let (token, calls) = (CancelToken::new(), Calls::default());
        let registration = token.child().on_cancel(calls.call());
        let canceller = with(&token, |token| assert!(token.cancel()));
        let prevented = registration.unregister();
        canceller.join().unwrap();
        assert_eq!(calls.count(), usize::from(!prevented));
    });
}

#[test]
fn a_dropped_registration_is_not_running() {
    explore("a registration is dropped", || {
        let token = CancelToken::new();
        let (began, ended) = (Calls::default(), Calls::default());
        let (begin, end) = (began.call(), ended.call());
        let registration = token.on_cancel(|| {
            begin();
            thread::yield_now();
            end();
        });
        let canceller = with(&token, |token| assert!(token.cancel()));
        drop(registration);
        assert_eq!(began.count(), ended.count());
        let before = began.count();
        canceller.join().unwrap();
        assert_eq!(before, began.count(), "it does not begin afterwards");
    });
}

#[test]
fn two_cancellations_and_a_callback_runs_once() {
    explore("two cancellations, one callback", || {
        let (token, calls) = (CancelToken::new(), Calls::default());
        let child = token.child();
        let _registration = child.on_cancel(calls.call());
        let other = with(&child, |child| _ = child.cancel());
        assert!(token.cancel());
        other.join().unwrap();
        assert_eq!(calls.count(), 1);
    });
}

#[test]
fn a_deadline_and_a_cancellation() {
    explore("a deadline and a cancellation", || {
        let token = CancelToken::new();
        let child = token.child();
        let timer = with(token.node(), |node: Arc<Node>| {
            if let Some(callbacks) = node.expire() {
                callbacks();
            }
        });
        let first = token.cancel();
        assert!(token.is_cancelled());
        timer.join().unwrap();
        assert_cancelled(&child);
        assert_eq!(first, matches!(token.cause(), Some(Cause::Requested(_))));
        assert_eq!(!first, matches!(token.cause(), Some(Cause::Deadline)));
    });
}

#[test]
fn the_end_of_a_run_and_a_cancellation() {
    explore("the end of a run and a cancellation", || {
        let (parent, calls) = (CancelToken::new(), Calls::default());
        let run = CancelToken::of_run(Some(&parent));
        let (helper, _registration) = (run.child(), run.on_cancel(calls.call()));
        let canceller = with(&parent, |parent| assert!(parent.cancel()));
        assert!(run.node().release().is_none());
        let state = run.is_cancelled();
        assert!(helper.done().recv().is_err(), "no waiter is left behind");
        canceller.join().unwrap();
        assert_eq!(run.is_cancelled(), state, "it has ended either way");
        assert_eq!(calls.count(), usize::from(state));
        assert!(parent.is_cancelled());
    });
}

#[test]
fn the_end_of_a_run_and_a_waiter() {
    explore("the end of a run and a waiter", || {
        let run = CancelToken::of_run(None);
        let waiter = with(&run, |run| {
            assert!(run.done().recv().is_err());
            assert!(!run.is_cancelled() && run.cause().is_none());
        });
        assert!(run.node().release().is_none());
        waiter.join().unwrap();
    });
}

#[test]
fn the_end_of_a_run_and_a_child_that_is_made() {
    explore("the end of a run and a child", || {
        let run = CancelToken::of_run(None);
        let other = with(&run, |run| assert!(run.child().done().recv().is_err()));
        assert!(run.node().release().is_none());
        other.join().unwrap();
    });
}

#[test]
fn a_run_and_its_worker_are_cancelled_at_the_same_time() {
    explore("a worker and its run", || {
        let run = CancelToken::of_run(None);
        let worker = run.worker();
        let other = with(&run, |run| _ = run.cancel());
        cancel_holding(&worker);
        assert!(worker.is_cancelled());
        other.join().unwrap();
        assert_cancelled(&run);
    });
}

/// A failure, a callback that is registered meanwhile, and the end of the items before the failure.
#[test]
fn a_callback_that_is_held_back_runs_once() {
    explore("a callback that is held back", || {
        let (run, calls) = (CancelToken::of_run(None), Calls::default());
        let (worker, early) = (run.worker(), run.worker());
        let failing = with(&run, move |run| {
            cancel_holding(&worker);
            assert!(worker.is_cancelled() && worker.done().is_closed());
            run.node().run_held(&mut |_| ());
        });
        let registration = early.child().on_cancel(calls.call());
        cancel_holding(&early);
        let late = early.child();
        assert!(late.is_cancelled());
        let late = late.on_cancel(calls.call());
        failing.join().unwrap();
        run.node().run_held(&mut |_| ());
        assert_eq!(calls.count(), 2);
        drop((registration, late));
    });
}

#[test]
fn a_cancellation_of_the_run_does_not_hold_callbacks_back() {
    explore("held back, and cancelled", || {
        let (run, calls) = (CancelToken::of_run(None), Calls::default());
        let worker = run.worker();
        let registration = worker.on_cancel(calls.call());
        let failing = with(&worker, |worker| {
            cancel_holding(&worker);
        });
        assert!(run.cancel());
        failing.join().unwrap();
        assert_eq!(calls.count(), 1);
        drop(registration);
    });
}

/// A worker that sees the signal drops items. Who learns of that must see that the run is
/// cancelled: otherwise a failure after these items would be the result.
#[test]
fn an_item_is_dropped_only_after_the_run_is_seen_to_be_cancelled() {
    use loom::sync::Mutex;

    explore("an item is dropped", || {
        let run = CancelToken::of_run(None);
        let worker = run.worker();
        let dropped = Arc::new(Mutex::new(false));
        let canceller = with(&run, |run| assert!(run.cancel()));
        let by_worker = Arc::clone(&dropped);
        let worker = with(&worker, move |worker| {
            if worker.node().stops_worker() {
                *by_worker.lock().unwrap() = true;
            }
        });
        let sink = with(&run, move |run| {
            let was_dropped = *dropped.lock().unwrap();
            assert!(!was_dropped || run.is_cancelled());
        });
        canceller.join().unwrap();
        worker.join().unwrap();
        sink.join().unwrap();
    });
}
