//! conc's pool, error pool and context pool: tasks in a scope.

use std::io;
use std::panic::panic_any;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, Scope, scope};

use crate::common::{on_pools, payload_of, watched};
use crate::everywhere;

#[derive(Debug, PartialEq)]
struct Bang(usize);

/// "basic" and "is reusable".
#[test]
fn every_task_runs_in_each_of_two_scopes() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            let ran = AtomicUsize::new(0);
            for expected in [100, 200] {
                let result = group.scope(|s| {
                    for _ in 0..100 {
                        s.spawn(|_| Ok::<_, ()>(_ = ran.fetch_add(1, SeqCst)));
                    }
                    Ok(())
                });
                assert!(result.is_ok());
                assert_eq!(ran.load(SeqCst), expected);
            }
        }
    });
}

/// conc issue 128: an error pool that was reused returned the errors of its first use, too.
#[test]
fn a_policy_that_keeps_going_is_reused_without_the_old_errors() {
    on_pools(|threads| {
        let group = ErrGroup::new().keep_going().concurrency(threads);
        for expected in [Err("one"), Err("two"), Ok(())] {
            let result = group.scope(|s| {
                s.spawn(move |_| expected);
                s.spawn(|_| Ok(()));
                Ok(())
            });
            let error = result.err().and_then(GroupError::into_error);
            assert_eq!(error, expected.err());
        }
    });
}

/// "limit", for 1, 10 and 100.
#[test]
fn the_limit_is_reached_and_never_exceeded() {
    watched(|| {
        for limit in [1, 10, 100] {
            let (all, active) = (Barrier::new(limit), AtomicUsize::new(0));
            let task = |_: &Scope<'_, _>| {
                let now = active.fetch_add(1, SeqCst) + 1;
                all.wait();
                active.fetch_sub(1, SeqCst);
                assert_eq!(rayon::current_num_threads(), limit);
                if now > limit { Err(now) } else { Ok(()) }
            };
            let result = ErrGroup::new().concurrency(limit).scope(|s| {
                for _ in 0..10 * limit {
                    s.spawn(task);
                }
                Ok(())
            });
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(active.into_inner(), 0);
        }
    });
}

/// "panics on invalid `WithMaxGoroutines`".
#[test]
fn a_limit_of_zero_panics_where_it_is_set() {
    watched(|| {
        payload_of(|| ErrGroup::new().concurrency(0));
    });
}

/// "propagate panic". conc wraps the payload; here it is the original one.
#[test]
fn a_panic_goes_to_the_caller() {
    on_pools(|threads| {
        let group = ErrGroup::new().concurrency(threads);
        let bang = |number| {
            if number == 5 {
                panic_any(Bang(number));
            }
            Ok::<_, ()>(())
        };
        let payload = payload_of(|| {
            scope(|s| {
                (0..10).for_each(|number| s.spawn(move |_| bang(number)));
                Ok(())
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Bang(5)));
        let payload = payload_of(|| {
            group.scope(|s| {
                (0..10).for_each(|number| s.spawn(move |_| bang(number)));
                Ok(())
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Bang(5)));
    });
}

/// "panics do not exhaust goroutines": if a permit were lost, a later spawn would wait forever.
#[test]
fn tasks_that_panic_give_their_permits_back() {
    everywhere(|| {
        let run = |group: &ErrGroup, ran: &AtomicUsize| {
            group.scope(|s| {
                for _ in 0..10 {
                    s.spawn(|_| panic_any(Bang(ran.fetch_add(1, SeqCst))));
                }
                Ok::<_, ()>(())
            })
        };
        let (group, ran) = (ErrGroup::new().concurrency(2), AtomicUsize::new(0));
        assert!(payload_of(|| run(&group, &ran)).is::<Bang>());

        let (group, ran) = (group.catch_panics().keep_going(), AtomicUsize::new(0));
        let result = run(&group, &ran);
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.into_inner(), 10);
    });
}

/// The same for a mix of tasks that panic, fail and succeed, which conc does not test.
#[test]
fn tasks_that_end_in_any_way_give_their_permits_back() {
    everywhere(|| {
        let group = ErrGroup::new().concurrency(2).catch_panics().keep_going();
        let ran = [const { AtomicUsize::new(0) }; 3];
        let result = group.scope(|s| {
            for number in 0..50 {
                let ran = &ran;
                s.spawn(move |_| {
                    ran[number % 3].fetch_add(1, SeqCst);
                    match number % 3 {
                        0 => panic_any(Bang(number)),
                        1 => Err(number),
                        _ => Ok(()),
                    }
                });
            }
            Ok(())
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.map(AtomicUsize::into_inner), [17, 17, 16]);
    });
}

/// "propagates panics" of the error pool: the collected errors do not hide the panic.
#[test]
fn a_panic_is_not_hidden_by_tolerated_errors() {
    everywhere(|| {
        // One thread runs the tasks in order.
        let group = ErrGroup::new().concurrency(1).keep_going();
        let payload = payload_of(|| {
            group.scope(|s| {
                s.spawn(|_| Err("before"));
                s.spawn(|_| panic_any(Bang(1)));
                s.spawn(|_| Err("after"));
                Ok(())
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Bang(1)));
    });
}

/// "context error propagates", cancelled. conc returns the task's error; here it is the trigger.
#[test]
fn a_cancellation_from_outside_is_what_is_returned() {
    everywhere(|| {
        let (stop, begun) = (CancelToken::new(), Barrier::new(2));
        let group = ErrGroup::new().token(&stop).concurrency(1);
        let result = group.scope(|s| {
            s.spawn(|s| {
                begun.wait();
                s.token().done().recv().unwrap_err();
                Err("a consequence")
            });
            begun.wait();
            assert!(stop.cancel());
            Ok(())
        });
        let Err(GroupError::Cancelled(cancelled)) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(cancelled.cause().root(), Cause::Requested(None)));
    });
}

/// "context error propagates", timed out.
#[test]
fn a_deadline_is_what_is_returned() {
    on_pools(|_| {
        let group = ErrGroup::new().timeout(Duration::from_millis(1));
        let result = group.scope(|s| {
            s.spawn(|s| {
                s.token().done().recv().unwrap_err();
                Err("a consequence")
            });
            Ok(())
        });
        let Err(GroupError::Cancelled(cancelled)) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(cancelled.cause(), Cause::Deadline));
        assert_eq!(io::Error::from(cancelled).kind(), io::ErrorKind::TimedOut);
    });
}

/// "`WithFirstError` and `WithCancelOnError`", with sourcegraph's pull request 38681: the root is
/// recorded before its consequences can be.
#[test]
fn a_consequence_of_the_first_error_is_never_returned() {
    everywhere(|| {
        for threads in [2, 8] {
            let group = ErrGroup::new().concurrency(threads);
            for round in 0..100 {
                let (all, woken) = (Barrier::new(threads), AtomicUsize::new(0));
                let result = group.scope(|s| {
                    for number in 0..threads {
                        let (all, woken) = (&all, &woken);
                        s.spawn(move |s| {
                            all.wait();
                            if number == round % threads {
                                return Err("the root");
                            }
                            s.token().done().recv().unwrap_err();
                            woken.fetch_add(1, SeqCst);
                            Err("a consequence")
                        });
                    }
                    Ok(())
                });
                assert_eq!(result.unwrap_err().into_error(), Some("the root"));
                assert_eq!(woken.into_inner(), threads - 1);
            }
        }
    });
}

/// "no `WithCancelOnError`": a task after the error does not see a cancellation.
#[test]
fn a_tolerated_error_cancels_nothing() {
    everywhere(|| {
        let (group, ran) = (ErrGroup::new().concurrency(1).keep_going(), Barrier::new(2));
        let result = group.scope(|s| {
            s.spawn(|_| Err("the root"));
            // One thread: the first task has ended when this one begins.
            s.spawn(|s| {
                ran.wait();
                s.token().check().map_err(|_| "a consequence")
            });
            ran.wait();
            assert!(!s.token().is_cancelled());
            Ok(())
        });
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
    });
}

/// "`WithCancelOnError` and panic" (conc issues 92 and 106): the other tasks are cancelled at once.
#[test]
fn a_panic_cancels_the_tasks_that_run() {
    everywhere(|| {
        for threads in [3, 8] {
            let group = ErrGroup::new().concurrency(threads);
            let (all, cancelled) = (Barrier::new(3), AtomicUsize::new(0));
            let payload = payload_of(|| {
                group.scope(|s| {
                    for _ in 0..2 {
                        s.spawn(|s| {
                            all.wait();
                            s.token().done().recv().unwrap_err();
                            assert!(matches!(s.token().cause(), Some(Cause::Panicked)));
                            cancelled.fetch_add(1, SeqCst);
                            Err("a consequence")
                        });
                    }
                    s.spawn(|_| {
                        all.wait();
                        panic_any(Bang(3))
                    });
                    Ok(())
                })
            });
            assert_eq!(payload.downcast_ref(), Some(&Bang(3)));
            assert_eq!(cancelled.into_inner(), 2, "before the call returns");
        }
    });
}
