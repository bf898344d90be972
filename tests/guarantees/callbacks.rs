//! Guarantee 6, by `on_cancel`: callbacks run at most once, on the thread that cancels.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{Drops, on_pools, payload_of, watched};
use rayon::prelude::*;
use rayon_errgroup::{CancelRegistration, CancelToken, ErrGroup, GroupError, prelude::*};

/// Derived from kotlinx JobTest (Apache-2.0): testManyHandlersWithUnregister.
#[test]
fn each_callback_runs_once_unless_unregistered() {
    let (token, calls) = (CancelToken::new(), Drops::new(1000));
    let mut kept: Vec<CancelRegistration> = vec![];
    for number in 0..1000 {
        let calls = calls.clone();
        let registration = token.on_cancel(move || drop(calls.thing(number)));
        if number % 4 <= 1 {
            assert!(registration.unregister());
        } else {
            kept.push(registration);
        }
    }
    assert!(token.cancel());
    assert!(!token.cancel());
    for number in 0..1000 {
        assert_eq!(calls.of(number), usize::from(number % 4 > 1));
    }
}

/// Derived from .NET's CancellationTokenLateEnlistment.
#[test]
fn a_late_registration_runs_at_once_on_the_same_thread() {
    let token = CancelToken::new();
    token.cancel();
    let (sender, receiver) = channel();
    let registration = token.on_cancel(move || sender.send(thread::current().id()).unwrap());
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
    assert!(!registration.unregister());

    let payload = payload_of(|| token.on_cancel(|| panic!("late")));
    assert_eq!(payload.downcast_ref(), Some(&"late"));
}

/// Derived from golang/go TestAfterFuncNotCalledAfterStop and CalledAfterCancel (BSD licence).
#[test]
fn unregister_says_whether_it_prevented_the_call() {
    let token = CancelToken::new();
    let registration = token.on_cancel(|| unreachable!());
    assert!(registration.unregister());
    let called = token.on_cancel(|| ());
    token.cancel();
    assert!(!called.unregister());
}

#[test]
fn callbacks_see_the_whole_subtree_cancelled() {
    let token = CancelToken::new();
    let leaf = token.child().child();
    let seen = Arc::new(AtomicBool::new(false));
    let _registration = token.on_cancel({
        let (token, leaf, seen) = (token.clone(), leaf.clone(), Arc::clone(&seen));
        move || {
            leaf.done().recv().unwrap_err();
            seen.store(token.is_cancelled() && leaf.is_cancelled(), SeqCst);
        }
    });
    token.cancel();
    assert!(seen.load(SeqCst));
}

/// Derived from kotlinx testUnregisterInHandler, golang/go TestAfterFuncCalledAsynchronously, .NET
/// DeregisterFromWithinACallbackIsSafe: a callback may use the token in any way.
#[test]
fn callbacks_run_without_a_lock_held() {
    watched(|| {
        let token = CancelToken::new();
        let own: Arc<Mutex<Option<CancelRegistration>>> = Arc::default();
        let ran = Arc::new(AtomicUsize::new(0));
        let anything = {
            let (token, ran) = (token.clone(), Arc::clone(&ran));
            move || {
                assert!(token.child().is_cancelled());
                drop(token.on_cancel(|| ()));
                assert!(!token.cancel());
                assert!(token.cause().is_some());
                token.cancel_after(Duration::from_secs(1));
                token.done().recv().unwrap_err();
                ran.fetch_add(1, SeqCst);
            }
        };
        let registration = token.on_cancel({
            let own = Arc::clone(&own);
            move || {
                anything();
                thread::spawn(anything).join().unwrap();
                // The drop of its own registration must not wait for itself.
                drop(own.lock().unwrap().take());
            }
        });
        *own.lock().unwrap() = Some(registration);
        token.cancel();
        assert_eq!(ran.load(SeqCst), 2);
    });
}

/// Derived from libc++'s tests of stop_callback's destructor (Apache-2.0 with LLVM exception).
#[test]
fn dropping_a_registration_waits_for_a_running_call() {
    watched(|| {
        for _ in 0..50 {
            let token = CancelToken::new();
            let (running, ended) = (Arc::new(Barrier::new(2)), Arc::new(AtomicBool::new(false)));
            let registration = token.on_cancel({
                let (running, ended) = (Arc::clone(&running), Arc::clone(&ended));
                move || {
                    running.wait();
                    (0..20).for_each(|_| thread::yield_now());
                    ended.store(true, SeqCst);
                }
            });
            let other = token.on_cancel(|| ());
            thread::scope(|scope| {
                scope.spawn(|| token.cancel());
                running.wait();
                drop(registration);
                assert!(ended.load(SeqCst));
            });
            drop(other);
        }
    });
}

/// The callback ends only after `unregister` has returned, so a wait would hang.
#[test]
fn unregister_does_not_wait_for_a_running_call() {
    on_pools(|_| {
        let token = CancelToken::new();
        let ((running, is_running), (release, wait)) = (channel(), channel());
        let ended = Arc::new(AtomicBool::new(false));
        let registration = token.on_cancel({
            let ended = Arc::clone(&ended);
            move || {
                running.send(()).unwrap();
                wait.recv().unwrap();
                ended.store(true, SeqCst);
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| token.cancel());
            is_running.recv().unwrap();
            assert!(!registration.unregister());
            assert!(!ended.load(SeqCst));
            release.send(()).unwrap();
        });
        assert!(ended.load(SeqCst), "the call still ran to its end");
    });
}

/// Once the drop of the registration has returned, the callback does not run, even in a race with
/// the cancellation.
#[test]
fn a_callback_never_runs_after_its_registration_is_dropped() {
    watched(|| {
        for _ in 0..5_000 {
            let (token, alive) = (CancelToken::new(), Arc::new(AtomicBool::new(true)));
            let registration = token.on_cancel({
                let alive = Arc::clone(&alive);
                move || assert!(alive.load(SeqCst))
            });
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    token.cancel();
                });
                barrier.wait();
                drop(registration);
                alive.store(false, SeqCst);
            });
        }
    });
}

#[test]
fn a_panic_of_a_callback_stops_no_other_callback_and_reaches_the_canceller() {
    let (token, calls) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
    let registrations: Vec<_> = (0..10)
        .map(|number| {
            let calls = Arc::clone(&calls);
            token.child().on_cancel(move || {
                calls.fetch_add(1, SeqCst);
                assert!(number % 2 == 0, "odd");
            })
        })
        .collect();
    let payload = payload_of(|| token.cancel());
    assert_eq!(payload.downcast_ref(), Some(&"odd"));
    assert_eq!(calls.load(SeqCst), 10);
    assert!(token.is_cancelled());
    drop(registrations);
}

/// The thread that waits for the run gets the panic of the callback.
#[test]
fn a_callback_that_panics_for_a_failed_item_is_a_panic_of_the_run() {
    on_pools(|threads| {
        let run = |group: &ErrGroup| {
            let kept = Mutex::new(vec![]);
            (0..threads)
                .into_par_iter()
                .with_group(group)
                .try_for_each(|token, _| {
                    // The callback may panic here, so register it before taking the lock.
                    let registration = token.on_cancel(|| panic!("in a callback"));
                    kept.lock().unwrap().push(registration);
                    Err::<(), _>("failed")
                })
        };
        let payload = payload_of(|| run(&ErrGroup::new()));
        assert_eq!(payload.downcast_ref(), Some(&"in a callback"));
        let caught = run(&ErrGroup::new().catch_panics());
        assert!(
            matches!(caught, Err(GroupError::Panicked(p)) if p.message() == Some("in a callback"))
        );
    });
}

/// The timer thread survives the panic, and the run reports it.
#[test]
fn a_callback_that_panics_at_a_deadline_is_a_panic_of_the_run() {
    on_pools(|_| {
        for _ in 0..3 {
            let group = ErrGroup::new();
            let payload = payload_of(|| {
                [0].par_iter().with_group(&group).try_for_each(|token, _| {
                    let (running, run) = channel();
                    // Start the clock here, so that it cannot expire before the item has begun.
                    token.cancel_after(Duration::from_millis(2));
                    let _registration = token.child().on_cancel(move || {
                        running.send(()).unwrap();
                        panic!("at the deadline");
                    });
                    run.recv().unwrap();
                    token.check()
                })
            });
            assert_eq!(payload.downcast_ref(), Some(&"at the deadline"));
        }
        // Without a run there is no caller to resume the panic in.
        let token = CancelToken::new();
        let _registration = token.on_cancel(|| panic!("not reported"));
        token.cancel_after(Duration::from_millis(1));
        token.done().recv().unwrap_err();
    });
}

/// A registration keeps its token in the tree, even after every handle was dropped.
#[test]
fn a_callback_outlives_the_handles_of_its_token() {
    let (token, calls) = (CancelToken::new(), Drops::new(1));
    let registration = token.child().on_cancel({
        let calls = calls.clone();
        move || drop(calls.thing(0))
    });
    token.cancel();
    calls.assert_each_once();
    drop(registration);

    // A token that is dropped drops its callbacks without running them.
    let drops = Drops::new(1);
    let thing = drops.thing(0);
    let token = CancelToken::new();
    drop(token.on_cancel(move || drop(thing)));
    drops.assert_each_once();
    drop(token);
}

/// A callback that never ran and whose drop panics must not leave waiters blocked.
#[test]
fn a_callback_whose_drop_panics_does_not_stop_the_release() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    on_pools(|_| {
        let kept = Mutex::new(vec![]);
        let group = ErrGroup::new().catch_panics();
        let result = [0].par_iter().with_group(&group).try_for_each(|token, _| {
            let bomb = Bomb;
            let registration = token.on_cancel(move || drop(bomb));
            let children = [token.child(), token.child(), token.child().child()];
            kept.lock().unwrap().push((registration, children));
            Ok::<_, ()>(())
        });
        assert!(matches!(result, Err(GroupError::Panicked(p)) if p.message() == Some("dropped")));
        for (_registration, children) in kept.into_inner().unwrap() {
            for child in children {
                child.done().recv().unwrap_err();
            }
        }
    });
}

/// The timer thread survives a payload whose drop panics.
#[test]
fn the_timer_survives_a_payload_whose_drop_panics() {
    struct Bomb(u32);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }
    watched(|| {
        let token = CancelToken::new();
        let _registration = token.on_cancel(|| std::panic::panic_any(Bomb(2)));
        token.cancel_after(Duration::from_millis(1));
        token.done().recv().unwrap_err();
        let another = CancelToken::new();
        another.cancel_after(Duration::from_millis(1));
        another.done().recv().unwrap_err();
    });
}
