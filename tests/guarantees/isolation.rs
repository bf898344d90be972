//! Guarantee 4: cancellation goes down the tree of tokens and not up, and the token of an ended
//! run is released.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{on_pool, on_pools, pool, watched};

/// Derived from oneTBB's nested cancellation, test 4.
#[test]
fn an_inner_failure_that_is_handled_changes_nothing_outside() {
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        let outer = (0..50).into_par_iter().try_for_each_group(|token, i| {
            let group = ErrGroup::new().token(token);
            let inner = (0..50)
                .into_par_iter()
                .with_group(&group)
                .try_for_each(|_, j| {
                    ran.fetch_add(usize::from(i != 13), SeqCst);
                    if (i, j) == (13, 7) {
                        Err("handled")
                    } else {
                        Ok(())
                    }
                });
            assert_eq!(inner.is_err(), i == 13);
            assert!(!token.is_cancelled());
            Ok::<_, ()>(())
        });
        assert_eq!(outer, Ok(()));
        assert_eq!(ran.into_inner(), 49 * 50);
    });
}

/// Derived from oneTBB's nested cancellation, test 2.
#[test]
fn an_inner_failure_that_is_passed_on_cancels_the_outer_run() {
    on_pool(1, || {
        let entered = AtomicUsize::new(0);
        let outer = (0..50).into_par_iter().try_for_each_group(|token, i| {
            entered.fetch_add(1, SeqCst);
            let group = ErrGroup::new().token(token);
            let items = (0..50).into_par_iter().with_group(&group);
            items.try_for_each(|_, j| {
                if (i, j) == (13, 7) {
                    Err("inner")
                } else {
                    Ok(())
                }
            })
        });
        assert_eq!(outer.unwrap_err().into_error(), Some("inner"));
        assert_eq!(entered.into_inner(), 14);
    });
    on_pool(4, || {
        // The others wait inside their inner runs, and return the cancellation that wakes them.
        let (all, inner_causes) = (Barrier::new(4), Mutex::new(vec![]));
        let outer = (0..4)
            .into_par_iter()
            .with_max_len(1)
            .try_for_each_group(|token, i| {
                let group = ErrGroup::new().token(token);
                let inner = [i].par_iter().with_group(&group).try_for_each(|token, i| {
                    all.wait();
                    if *i == 2 {
                        return Err("inner");
                    }
                    token.sleep(Duration::MAX).map_err(|_| "woken")
                });
                if let Err(GroupError::Cancelled(cancelled)) = &inner {
                    inner_causes.lock().unwrap().push(cancelled.cause().clone());
                }
                inner
            });
        assert_eq!(outer.unwrap_err().into_error(), Some("inner"));
        let causes = inner_causes.into_inner().unwrap();
        assert_eq!(causes.len(), 3);
        for cause in causes {
            assert!(matches!(&cause, Cause::Parent(root) if matches!(**root, Cause::Failed)));
        }
    });
}

/// Derived from Trio's test_cancel_inheritance (MIT / Apache-2.0).
#[test]
fn a_cancellation_reaches_the_leaves_of_nested_runs() {
    on_pool(6, || {
        let (stop, started) = (CancelToken::new(), Barrier::new(5));
        let leaves = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                started.wait();
                stop.cancel();
            });
            let outer = ErrGroup::new().token(&stop);
            let pair = || (0..2).into_par_iter().with_max_len(1);
            let result = pair().with_group(&outer).try_for_each(|token, _| {
                let inner = ErrGroup::new().token(token);
                pair().with_group(&inner).try_for_each(|token, _| {
                    started.wait();
                    token.done().recv().unwrap_err();
                    leaves.fetch_add(1, SeqCst);
                    let cause = token.cause().unwrap();
                    assert!(matches!(cause.root(), Cause::Requested(None)));
                    token.check()
                })
            });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
        });
        assert_eq!(leaves.into_inner(), 4);
    });
}

/// An inner run that does not get the token is not cancelled.
#[test]
fn an_independent_run_goes_on() {
    on_pools(|_| {
        let (stop, cleaned) = (CancelToken::new(), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let result = [0].par_iter().with_group(&group).try_for_each(|token, _| {
            stop.cancel();
            (0..100)
                .into_par_iter()
                .err_group(|_| Ok(_ = cleaned.fetch_add(1, SeqCst)))?;
            token.check()
        });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        assert_eq!(cleaned.into_inner(), 100);
    });
}

/// Derived from golang/go TestChildFinishesFirst (BSD licence).
#[test]
fn a_run_never_cancels_its_parent() {
    on_pools(|_| {
        let parent = CancelToken::new();
        let group = ErrGroup::new().token(&parent).catch_panics();
        let run = |f: fn() -> Result<(), u8>| {
            (0..100)
                .into_par_iter()
                .with_group(&group)
                .try_for_each(move |_, _| f())
        };
        assert!(run(|| Err(1)).is_err());
        assert!(!parent.is_cancelled());
        assert!(matches!(
            run(|| panic!("caught")),
            Err(GroupError::Panicked(_))
        ));
        assert!(!parent.is_cancelled());
        assert!(run(|| Ok(())).is_ok());
        assert!(!parent.is_cancelled());
    });
}

#[test]
fn the_token_of_a_run_that_ended_well_is_released() {
    on_pools(|_| {
        let called = std::sync::Arc::new(AtomicBool::new(false));
        let kept = Mutex::new(None);
        let result = [0].par_iter().try_for_each_group(|token, _| {
            let called = std::sync::Arc::clone(&called);
            let registration = token.on_cancel(move || called.store(true, SeqCst));
            let (waiter, child) = (token.clone(), token.child());
            let waiting = thread::spawn(move || waiter.done().recv().unwrap_err());
            *kept.lock().unwrap() = Some((token.clone(), child, registration, waiting));
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
        let (token, child, registration, waiting) = kept.into_inner().unwrap().unwrap();
        waiting.join().unwrap();
        for token in [&token, &child, &token.child()] {
            assert!(!token.is_cancelled());
            assert!(token.cause().is_none());
            token.done().recv().unwrap_err();
            let ended = token.sleep(Duration::MAX).unwrap_err();
            assert!(matches!(ended.cause(), Cause::Released));
            assert!(!token.cancel(), "the token is released");
            assert!(!token.is_cancelled());
        }
        assert!(!registration.unregister());
        assert!(!token.on_cancel(|| unreachable!()).unregister());
        assert!(!called.load(SeqCst));
    });
}

/// The token of an ended run does not shield a later run on it from the token's ancestors.
#[test]
fn a_run_on_the_token_of_an_ended_run_obeys_the_ancestors() {
    on_pools(|_| {
        let (top, kept) = (CancelToken::new(), Mutex::new(None));
        let group = ErrGroup::new().token(&top);
        let keep = |token: &CancelToken| *kept.lock().unwrap() = Some(token.clone());
        [0].par_iter()
            .with_group(&group)
            .try_for_each(|token, _| {
                keep(token);
                Ok::<_, ()>(())
            })
            .unwrap();
        let ended = kept.into_inner().unwrap().unwrap();

        let group = ErrGroup::new().token(&ended);
        let run = |f: &(dyn Fn() + Sync)| {
            (0..100)
                .into_par_iter()
                .with_group(&group)
                .try_for_each(|_, _| {
                    f();
                    Ok::<_, ()>(())
                })
        };
        assert!(run(&|| ()).is_ok());
        assert!(matches!(
            run(&|| _ = top.cancel()),
            Err(GroupError::Cancelled(_))
        ));
        assert!(matches!(
            run(&|| unreachable!()),
            Err(GroupError::Cancelled(_))
        ));
    });
}

/// Derived from .NET's linked sources.
#[test]
fn runs_that_share_a_token_fail_alone_and_are_cancelled_together() {
    watched(|| {
        let (shared, pool) = (CancelToken::new(), pool(4));
        let (failed, waiting) = (Barrier::new(2), Barrier::new(9));
        thread::scope(|scope| {
            for run in 0..8 {
                let (shared, pool, failed, waiting) = (&shared, &pool, &failed, &waiting);
                scope.spawn(move || {
                    let group = ErrGroup::new().token(shared);
                    if run == 0 {
                        let result = pool.install(|| {
                            [0].par_iter()
                                .with_group(&group)
                                .try_for_each(|_, _| Err("alone"))
                        });
                        assert_eq!(result.unwrap_err().into_error(), Some("alone"));
                        failed.wait();
                        waiting.wait();
                        return;
                    }
                    // Wait outside the pool: seven waiting items would fill its four threads.
                    waiting.wait();
                    let result = pool.install(|| {
                        rayon::iter::repeat(())
                            .with_group(&group)
                            .try_for_each(|_, ()| Ok::<_, ()>(()))
                    });
                    assert!(matches!(result, Err(GroupError::Cancelled(_))));
                });
            }
            failed.wait();
            assert!(!shared.is_cancelled());
            waiting.wait();
            shared.cancel();
        });
    });
}

/// Another thread starts runs on the token of a run; they end while that run ends.
#[test]
fn runs_that_end_together_do_not_deadlock() {
    on_pools(|_| {
        for _ in 0..500 {
            let threads = Mutex::new(vec![]);
            let result = [0].par_iter().try_for_each_group(|token, _| {
                let (token, begun) = (token.clone(), std::sync::Arc::new(Barrier::new(2)));
                let wait = std::sync::Arc::clone(&begun);
                threads.lock().unwrap().push(thread::spawn(move || {
                    let group = ErrGroup::new().token(&token);
                    begun.wait();
                    for _ in 0..20 {
                        [0].iter()
                            .par_bridge()
                            .with_group(&group)
                            .try_for_each(|_, _| Ok::<_, ()>(()))
                            .unwrap();
                    }
                }));
                wait.wait();
                Ok::<_, ()>(())
            });
            assert_eq!(result, Ok(()));
            threads
                .into_inner()
                .unwrap()
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        }
    });
}

/// A run that another thread started on the token of a run goes on after that run has ended, and
/// its own items can still stop it.
#[test]
fn a_run_outlives_the_run_whose_token_it_uses() {
    on_pool(2, || {
        let (began, begun) = channel();
        let begun = Mutex::new(begun);
        let (outer_ended, ended) = channel::<()>();
        let inner = Mutex::new(None);
        let ended = Mutex::new(ended);
        let ended = std::sync::Arc::new(ended);
        let outer = [0].par_iter().try_for_each_group(|token, _| {
            let (token, ended, began) =
                (token.clone(), std::sync::Arc::clone(&ended), began.clone());
            *inner.lock().unwrap() = Some(thread::spawn(move || {
                let group = ErrGroup::new().token(&token).concurrency(2);
                let items = (0..2).into_par_iter().with_max_len(1).with_group(&group);
                items.try_for_each(|token, n| {
                    if n == 0 {
                        began.send(()).unwrap();
                        ended.lock().unwrap().recv().unwrap();
                        return Err("own error");
                    }
                    token.done().recv().unwrap_err();
                    assert!(token.is_cancelled());
                    Ok(())
                })
            }));
            begun.lock().unwrap().recv().unwrap();
            Ok::<_, ()>(())
        });
        assert_eq!(outer, Ok(()));
        outer_ended.send(()).unwrap();
        let inner = inner.into_inner().unwrap().unwrap().join().unwrap();
        assert_eq!(inner.unwrap_err().into_error(), Some("own error"));
    });
}
