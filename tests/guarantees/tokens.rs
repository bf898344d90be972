//! Guarantee 4: the tree of tokens.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{payload_of, watched};
use crossbeam_channel::TryRecvError;
use rayon_errgroup::{CancelToken, Cause, scope};

fn is_closed(token: &CancelToken) -> bool {
    token.done().try_recv() == Err(TryRecvError::Disconnected)
}

/// Derived from tokio-util's cancellation_token tests (MIT): cancel_child_token_through_parent,
/// cancel_child_token_without_parent.
#[test]
fn cancellation_goes_down_and_not_up() {
    let parent = CancelToken::new();
    let child = parent.child();
    assert!(child.cancel());
    assert!(!parent.is_cancelled());
    let another = parent.child();
    assert!(!another.is_cancelled());
    assert!(parent.cancel());
    assert!(another.is_cancelled());
    assert!(
        matches!(child.cause(), Some(Cause::Requested(None))),
        "its own cause stays"
    );
    assert!(matches!(another.cause(), Some(Cause::Parent(_))));
}

/// Derived from tokio-util, cancel_only_all_descendants (MIT).
#[test]
fn exactly_the_descendants_are_cancelled() {
    let parent = CancelToken::new();
    let (token, sibling) = (parent.child(), parent.child());
    let (c1, c2) = (token.child(), token.child());
    let (g1, g2) = (c1.child(), c1.child());
    let gg = g1.child();
    let early = [&token, &gg].map(|token| token.done().clone());
    token.cancel();
    for token in [&token, &c1, &c2, &g1, &g2, &gg] {
        assert!(token.is_cancelled() && is_closed(token));
    }
    for token in [&parent, &sibling] {
        assert!(!token.is_cancelled() && !is_closed(token));
    }
    assert!(early.iter().all(|done| done.recv().is_err()));
}

/// Derived from golang/go TestWithCancelCanceledParent (BSD licence).
#[test]
fn a_new_child_of_a_cancelled_token_is_cancelled() {
    let parent = CancelToken::new();
    parent.cancel_with("reason");
    for child in [parent.child(), parent.child().child()] {
        assert!(child.is_cancelled() && is_closed(&child));
        let Some(Cause::Parent(cause)) = child.cause() else {
            panic!()
        };
        assert!(
            matches!(&*cause, Cause::Requested(Some(reason)) if reason.to_string() == "reason")
        );
    }
}

/// Derived from golang/go TestWithCancelSimultaneouslyCanceledParent (BSD licence).
#[test]
fn a_child_created_during_the_cancellation_is_cancelled() {
    watched(|| {
        for _ in 0..10_000 {
            let (parent, barrier) = (CancelToken::new(), Barrier::new(2));
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    parent.cancel_with("cause");
                });
                barrier.wait();
                let child = parent.child();
                child.done().recv().unwrap_err();
                let cause = child.cause().unwrap();
                assert!(matches!(cause.root(), Cause::Requested(Some(_))));
            });
        }
    });
}

/// `cancel` returns `true` for exactly one caller, and for every caller the token is cancelled when
/// it returns.
#[test]
fn one_of_many_callers_cancels() {
    watched(|| {
        for _ in 0..500 {
            let (token, barrier) = (CancelToken::new(), Barrier::new(4));
            let child = token.child().child();
            let first = thread::scope(|scope| {
                let callers = [(); 4].map(|()| {
                    scope.spawn(|| {
                        barrier.wait();
                        let first = token.cancel();
                        assert!(token.is_cancelled());
                        assert!(!first || child.is_cancelled());
                        usize::from(first)
                    })
                });
                callers
                    .map(|caller| caller.join().unwrap())
                    .iter()
                    .sum::<usize>()
            });
            assert_eq!(first, 1);
        }
    });
}

/// When `cancel` returns, all descendants are cancelled, including those of a token that another
/// thread is cancelling at the same time.
#[test]
fn all_descendants_are_cancelled_on_return_even_in_a_race() {
    watched(|| {
        for _ in 0..2_000 {
            let top = CancelToken::new();
            let middle = top.child();
            let mut lowest = vec![middle.child()];
            for _ in 0..50 {
                lowest.push(lowest[lowest.len() - 1].child());
            }
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    middle.cancel();
                });
                barrier.wait();
                top.cancel();
                assert!(lowest.iter().all(CancelToken::is_cancelled));
            });
        }
    });
}

/// Derived from golang/go TestInterlockedCancels and .NET's Enlist_EarlyAndLate.
#[test]
fn interlocked_cancellations_do_not_deadlock() {
    watched(|| {
        for _ in 0..500 {
            let parent = CancelToken::new();
            let child = parent.child();
            let _again = parent.on_cancel({
                let (parent, child) = (parent.clone(), child.clone());
                move || {
                    assert!(!child.cancel());
                    assert!(!parent.cancel());
                }
            });
            thread::scope(|scope| {
                scope.spawn(|| {
                    parent.done().recv().unwrap_err();
                    child.cancel();
                });
                parent.cancel();
            });
            assert!(child.is_cancelled());
        }
    });
}

/// Derived from tokio-util (MIT): dropping handles anywhere in the tree disconnects no token.
#[test]
fn dropped_handles_change_nothing() {
    let grandparent = CancelToken::new();
    let parent = grandparent.child();
    let child = parent.child();
    drop(parent);
    assert!(!child.is_cancelled());
    grandparent.cancel();
    assert!(child.is_cancelled());

    let parent = CancelToken::new();
    let child = parent.child();
    drop(parent);
    assert!(!child.is_cancelled() && !is_closed(&child));
}

/// Derived from tokio-util (MIT): cloned_cancellation_tokens_are_considered_equal.
#[test]
fn equality_is_identity() {
    let token = CancelToken::new();
    assert_eq!(token, token.clone());
    assert_ne!(token, token.child());
    assert_ne!(token, CancelToken::new());
    #[expect(clippy::mutable_key_type, reason = "tokens hash by identity")]
    let set: HashSet<_> = [token.clone(), token.clone(), token.child()].into();
    assert_eq!(set.len(), 2);
    assert!(set.contains(&token));
    let hash = |token: &CancelToken| BuildHasherDefault::<DefaultHasher>::default().hash_one(token);
    assert_eq!(hash(&token), hash(&token.clone()));
    assert_ne!(hash(&token), hash(&token.child()));
}

/// Derived from the table of golang/go TestCause (BSD licence).
#[test]
fn the_table_of_causes() {
    let requested = |cause: &Cause, reason: Option<&str>| {
        let Cause::Requested(given) = cause else {
            panic!("{cause:?}")
        };
        assert_eq!(given.as_ref().map(ToString::to_string).as_deref(), reason);
    };
    let new = || {
        let parent = CancelToken::new();
        let child = parent.child();
        (parent, child)
    };

    let (parent, child) = new();
    assert!(parent.cause().is_none() && child.cause().is_none());
    assert!(parent.cancel());
    requested(&parent.cause().unwrap(), None);
    requested(child.cause().unwrap().root(), None);

    let (parent, child) = new();
    parent.cancel_with("parent");
    assert!(!child.cancel_with("child"));
    requested(&parent.cause().unwrap(), Some("parent"));
    requested(child.cause().unwrap().root(), Some("parent"));
    assert!(matches!(child.cause(), Some(Cause::Parent(_))));

    let (parent, child) = new();
    child.cancel_with("child");
    parent.cancel_with("parent");
    requested(&parent.cause().unwrap(), Some("parent"));
    requested(&child.cause().unwrap(), Some("child"));

    let (parent, child) = new();
    parent.cancel();
    child.cancel_with("child");
    requested(child.cause().unwrap().root(), None);

    let (parent, child) = new();
    child.cancel_after(Duration::ZERO);
    assert!(matches!(child.cause(), Some(Cause::Deadline)));
    parent.cancel_with("parent");
    assert!(matches!(child.cause(), Some(Cause::Deadline)));

    let (parent, child) = new();
    parent.cancel_at(Instant::now());
    assert!(
        matches!(child.cause().unwrap(), Cause::Parent(cause) if matches!(*cause, Cause::Deadline))
    );

    let (_, child) = new();
    child.cancel_after(Duration::from_secs(3600));
    assert!(child.cause().is_none());
    child.cancel_with("earlier");
    requested(&child.cause().unwrap(), Some("earlier"));
}

#[test]
fn a_drop_guard_cancels_unless_disarmed() {
    let token = CancelToken::new();
    let same = token.clone().drop_guard().disarm();
    assert_eq!(token, same);
    assert!(!token.is_cancelled());
    let unwinding = token.clone();
    payload_of(move || {
        let _guard = unwinding.drop_guard();
        panic!("on purpose");
    });
    assert!(matches!(token.cause(), Some(Cause::Dropped)));
}

/// A callback that panics while a panic drops a guard must not abort the process.
#[test]
fn a_drop_guard_and_a_callback_may_both_panic() {
    let token = CancelToken::new();
    let _registration = token.on_cancel(|| panic!("second"));
    let payload = payload_of(|| {
        let _guard = token.clone().drop_guard();
        panic!("first");
    });
    assert_eq!(payload.downcast_ref(), Some(&"first"));
}

/// Derived from .NET's CancellationTokenWaitHandle tests and golang/go TestWithCancel.
#[test]
fn one_cancellation_wakes_all_waiters() {
    watched(|| {
        let token = CancelToken::new();
        let mut depth = vec![token.clone()];
        for _ in 0..7 {
            depth.push(depth[depth.len() - 1].child());
        }
        let ready = Barrier::new(65);
        thread::scope(|scope| {
            for waiter in 0..64 {
                let (token, ready) = (depth[waiter % 8].clone(), &ready);
                scope.spawn(move || {
                    assert_eq!(token.done().try_recv(), Err(TryRecvError::Empty));
                    ready.wait();
                    token.done().clone().recv().unwrap_err();
                    assert!(token.is_cancelled() && is_closed(&token) && is_closed(&token));
                });
            }
            ready.wait();
            token.cancel();
        });
    });
}

/// Derived from Trio's test_very_deep_cancel_scope_nesting: nothing recurses over the tree.
#[test]
fn deep_and_wide_trees_do_not_overflow_the_stack() {
    fn on_small_stack(body: impl FnOnce() + Send + 'static) {
        watched(|| {
            let small = thread::Builder::new().stack_size(256 * 1024);
            small.spawn(body).unwrap().join().unwrap();
        });
    }
    const SIZE: usize = 200_000;

    fn deep() -> (CancelToken, CancelToken) {
        let top = CancelToken::new();
        let mut bottom = top.clone();
        for _ in 0..SIZE {
            bottom = bottom.child();
        }
        (top, bottom)
    }
    on_small_stack(|| drop(deep()));
    on_small_stack(|| {
        let (top, bottom) = deep();
        drop(top);
        drop(bottom);
    });
    on_small_stack(|| {
        let (top, bottom) = deep();
        bottom.cancel_after(Duration::from_secs(3600));
        assert!(bottom.deadline().is_some());
        top.cancel();
        assert!(bottom.is_cancelled());
        assert!(matches!(bottom.cause(), Some(Cause::Parent(_))));
        drop(bottom);
        drop(top);
    });
    on_small_stack(|| {
        let top = CancelToken::new();
        let children: Vec<_> = (0..SIZE).map(|_| top.child()).collect();
        top.cancel();
        assert!(children.iter().all(CancelToken::is_cancelled));
    });
    on_small_stack(|| {
        let top = CancelToken::new();
        drop((0..SIZE).map(|_| top.child()).collect::<Vec<_>>());
    });
}

#[test]
fn debug_shows_the_state_without_the_callbacks() {
    let token = CancelToken::new();
    let registration = token.on_cancel(|| ());
    assert_eq!(
        format!("{token:?}"),
        "CancelToken { cancelled: false, cause: None, .. }"
    );
    assert_eq!(
        format!("{registration:?}"),
        r#"CancelRegistration { state: "waiting", .. }"#
    );
    token.cancel();
    assert_eq!(
        format!("{registration:?}"),
        r#"CancelRegistration { state: "ended", .. }"#
    );
    let of_a_scope = scope(|s| Ok::<_, ()>(format!("{s:?}")));
    assert_eq!(
        of_a_scope.unwrap(),
        "Scope { token: CancelToken { cancelled: false, cause: None, .. }, .. }"
    );
}

/// The reason given to `cancel_with` is dropped with the last token that refers to it.
#[test]
fn reasons_are_dropped_with_their_tokens() {
    #[derive(Debug)]
    struct Reason(Arc<AtomicUsize>);
    impl std::fmt::Display for Reason {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("reason")
        }
    }
    impl std::error::Error for Reason {}
    impl Drop for Reason {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    let drops = Arc::new(AtomicUsize::new(0));
    let token = CancelToken::new();
    let child = token.child();
    token.cancel_with(Reason(Arc::clone(&drops)));
    token.cancel_with(Reason(Arc::clone(&drops)));
    assert_eq!(drops.load(SeqCst), 1, "the second reason was too late");
    drop(token);
    assert_eq!(drops.load(SeqCst), 1);
    drop(child);
    assert_eq!(drops.load(SeqCst), 2);
}
