//! The guarantees for the tasks of a scope.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{
    CancelToken, Cause, ErrGroup, GroupError, Scope, TrySpawnError, prelude::*, scope,
};

use crate::common::{Drops, POOLS, cancelled, on_pool, on_pools, payload_of, pool, watched};

#[test]
fn tasks_borrow_and_the_body_has_a_value() {
    on_pools(|_| {
        let (mut left, mut right) = (0, String::new());
        let value = scope(|s| {
            s.spawn(|_| {
                left = 1;
                Ok(())
            });
            s.spawn(|_| {
                right.push('r');
                Ok::<_, ()>(())
            });
            Ok("value")
        });
        assert_eq!((value, left, right.as_str()), (Ok("value"), 1, "r"));
        assert_eq!(scope(|_| Err::<(), _>("the body")), Err("the body"));
    });
}

/// Derived from golang/go issue 27837: an error that was a consequence hid the useful one.
#[test]
fn the_body_does_not_hide_the_root() {
    on_pools(|_| {
        for _ in 0..100 {
            let result = ErrGroup::new().concurrency(1).scope(|s| {
                s.spawn(|_| Err("root"));
                while !s.token().is_cancelled() {
                    s.spawn(|_| Ok(()));
                }
                Err::<(), _>("stopped")
            });
            assert_eq!(result.unwrap_err().into_error(), Some("root"));
        }
    });
}

#[test]
fn the_error_of_the_body_is_the_trigger_if_it_comes_first() {
    on_pools(|_| {
        let result = ErrGroup::new().concurrency(2).scope(|s| {
            let (began, has_begun) = channel();
            s.spawn(move |s| {
                began.send(()).unwrap();
                _ = s.token().done().recv();
                assert!(matches!(s.token().cause(), Some(Cause::Failed)));
                Err("late")
            });
            has_begun.recv().unwrap();
            Err::<(), _>("the body")
        });
        assert_eq!(result.unwrap_err().into_error(), Some("the body"));
    });
}

/// Two tasks wait on the token, a thousand are queued behind them, and the body fails.
#[test]
fn a_body_that_fails_cancels_and_drops_tasks_that_have_not_begun() {
    for panics in [false, true] {
        on_pools(move |_| {
            let (drops, ended) = (Drops::new(1000), AtomicUsize::new(0));
            let (all_queued, ran) = (Barrier::new(3), AtomicUsize::new(0));
            let wait = |s: &Scope<'_, &str>| {
                all_queued.wait();
                _ = s.token().done().recv();
                ended.fetch_add(1, SeqCst);
                Ok(())
            };
            let group = ErrGroup::new().concurrency(2).catch_panics();
            let result = group.scope(|s| {
                // A task spawns without waiting for permits; the other thread steals what it
                // spawned first.
                s.spawn(|s| {
                    s.spawn(wait);
                    for thing in drops.things() {
                        let ran = &ran;
                        s.spawn(move |_| {
                            ran.fetch_add(1, SeqCst);
                            drop(thing);
                            Ok(())
                        });
                    }
                    wait(s)
                });
                all_queued.wait();
                if panics {
                    std::panic::resume_unwind(Box::new("the body"));
                }
                Err::<(), _>("the body")
            });
            assert_eq!((ran.into_inner(), ended.into_inner()), (0, 2));
            drops.assert_each_once();
            match result {
                Err(GroupError::Panicked(panicked)) => {
                    assert!(panics && panicked.message() == Some("the body"));
                }
                Err(GroupError::Failed { error, .. }) => assert!(!panics && error == "the body"),
                other => panic!("{other:?}"),
            }
        });
    }
}

/// Derived from Java's testForkAfterCancel2 and golang/go issue 61611.
#[test]
fn a_cancelled_scope_begins_nothing() {
    on_pools(|_| {
        let drops = Drops::new(11);
        let result = ErrGroup::new().scope(|s| {
            assert!(s.token().cancel());
            let mut things = drops.things();
            let last = things.pop();
            for thing in things {
                s.spawn(move |_| {
                    drop(thing);
                    unreachable!()
                });
            }
            let task = move |_: &Scope<'_, ()>| {
                drop(last);
                Ok(())
            };
            let Err(TrySpawnError::Cancelled(task)) = s.try_spawn(task) else {
                unreachable!()
            };
            assert_eq!(drops.of(10), 0, "the closure comes back");
            drop(task);
            Ok(())
        });
        assert!(matches!(cancelled(result), Cause::Requested(None)));
        drops.assert_each_once();

        // A closure that comes back is not a skipped task.
        let result = ErrGroup::new().scope(|s| {
            s.token().cancel();
            assert!(s.try_spawn(|_| Ok(())).is_err());
            Ok::<_, ()>(7)
        });
        assert_eq!(result.unwrap(), 7);
    });
}

/// The body always runs, and a scope without tasks skips nothing.
#[test]
fn an_empty_scope_is_a_success_whatever_is_cancelled() {
    on_pools(|_| {
        let stop = CancelToken::new();
        stop.cancel();
        let groups = [
            ErrGroup::new().token(&stop),
            ErrGroup::new().deadline(Instant::now()),
            ErrGroup::new().token(&stop).concurrency(1).keep_going(),
        ];
        for group in groups {
            assert_eq!(group.scope(|_| Ok::<_, ()>(7)).unwrap(), 7);
            let result = group.scope(|s| {
                s.spawn(|_| unreachable!());
                Ok::<_, ()>(())
            });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
        }
    });
}

#[test]
fn a_late_cancellation_of_a_scope_is_not_an_error() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let result = ErrGroup::new().token(&stop).scope(|s| {
            s.spawn(|s| {
                stop.cancel();
                assert!(s.token().is_cancelled());
                Ok::<_, ()>(())
            });
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn the_token_of_a_scope_is_released() {
    on_pools(|_| {
        let stop = CancelToken::new();
        for _ in 0..3 {
            let group = ErrGroup::new().token(&stop);
            let token = group.scope(|s| Ok::<_, ()>(s.token().clone())).unwrap();
            assert!(!token.is_cancelled() && token.done().recv().is_err());
            let kept = Mutex::new(None);
            let result = group.scope(|s| {
                *kept.lock().unwrap() = Some(s.token().clone());
                Err::<(), _>("no")
            });
            assert!(result.is_err());
            let kept = kept.into_inner().unwrap().unwrap();
            assert!(matches!(kept.cause(), Some(Cause::Failed)));
            assert!(!stop.is_cancelled(), "down, not up");
        }
    });
}

/// Derived from oneTBB's nested task groups and rayon's scope: a deep chain and a wide tree.
#[test]
fn tasks_spawn_tasks() {
    fn chain<'scope>(s: &Scope<'scope, ()>, left: usize, ran: &'scope AtomicUsize) {
        s.spawn(move |s| {
            ran.fetch_add(1, SeqCst);
            if left > 0 {
                chain(s, left - 1, ran);
            }
            Ok(())
        });
    }
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        scope(|s| {
            chain(s, 100_000, &ran);
            Ok(())
        })
        .unwrap();
        assert_eq!(ran.into_inner(), 100_001);
    });
}

/// Derived from rayon's nested scopes: each waits on a thread that runs the outer one.
#[test]
fn scopes_in_scopes_in_items() {
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        let result = scope(|s| {
            for _ in 0..20 {
                s.spawn(|_| {
                    (0..20).into_par_iter().err_group(|_| {
                        scope(|s| {
                            s.spawn(|_| {
                                ran.fetch_add(1, SeqCst);
                                Ok::<_, ()>(())
                            });
                            Ok(())
                        })
                    })
                });
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(ran.into_inner(), 400);
    });
}

/// Derived from Trio's test_cancel_inheritance.
#[test]
fn a_cancellation_reaches_nested_scopes() {
    on_pool(8, || {
        let (stop, began) = (CancelToken::new(), Barrier::new(5));
        let causes = Mutex::new(Vec::new());
        let result = ErrGroup::new().token(&stop).scope(|s| {
            for _ in 0..2 {
                s.spawn(|s| {
                    let inner = ErrGroup::new().token(s.token());
                    let result = inner.scope(|s| {
                        for _ in 0..2 {
                            s.spawn(|s| {
                                began.wait();
                                s.token().sleep(Duration::MAX).map_err(|cancelled| {
                                    causes.lock().unwrap().push(cancelled.cause().clone());
                                    "woken"
                                })
                            });
                        }
                        Ok(())
                    });
                    assert!(matches!(result, Err(GroupError::Cancelled(_))));
                    Err("a consequence")
                });
            }
            thread::scope(|threads| {
                threads.spawn(|| {
                    began.wait();
                    stop.cancel_with("from outside");
                });
            });
            Ok(())
        });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        let causes = causes.into_inner().unwrap();
        assert_eq!(causes.len(), 4);
        assert!(
            causes
                .iter()
                .all(|cause| matches!(cause.root(), Cause::Requested(Some(_))))
        );
    });
}

#[derive(Debug, PartialEq)]
struct Payload(u32);

#[test]
fn the_payload_of_a_panic_is_the_same() {
    on_pools(|_| {
        let nested = || {
            scope(|s| {
                s.spawn(|_| {
                    scope(|s| {
                        s.spawn(|s| {
                            s.spawn(|_| std::panic::resume_unwind(Box::new(Payload(42))));
                            Ok::<_, ()>(())
                        });
                        Ok(())
                    })
                });
                Ok(())
            })
        };
        assert_eq!(
            *payload_of(nested).downcast::<Payload>().unwrap(),
            Payload(42)
        );
        let body =
            || scope(|_| -> Result<(), ()> { std::panic::resume_unwind(Box::new(Payload(1))) });
        assert_eq!(*payload_of(body).downcast::<Payload>().unwrap(), Payload(1));
        // A panic outranks an error that came first.
        let late = || {
            ErrGroup::new().concurrency(2).scope(|s| {
                s.spawn(|s| {
                    _ = s.token().done().recv();
                    std::panic::resume_unwind(Box::new(Payload(2)))
                });
                s.spawn(|_| Err("first"));
                Ok(())
            })
        };
        // The first task may be dropped before it begins, if the second one is faster.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(late));
        match result {
            Err(payload) => assert_eq!(*payload.downcast::<Payload>().unwrap(), Payload(2)),
            Ok(result) => assert_eq!(result.unwrap_err().into_error(), Some("first")),
        }
    });
}

#[test]
fn a_panic_wakes_the_other_tasks() {
    on_pools(|_| {
        let (woken, began) = (AtomicUsize::new(0), Barrier::new(3));
        let payload = payload_of(|| {
            ErrGroup::new().concurrency(3).scope(|s| {
                for _ in 0..2 {
                    s.spawn(|s| {
                        began.wait();
                        let woke = s.token().sleep(Duration::MAX);
                        woken.fetch_add(1, SeqCst);
                        woke.map_err(drop)
                    });
                }
                s.spawn(|_| {
                    began.wait();
                    std::panic::resume_unwind(Box::new(7_u8))
                });
                Ok(())
            })
        });
        assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
        assert_eq!(woken.into_inner(), 2);
    });
}

/// The drop of a closure that never ran may panic too.
#[test]
fn a_closure_whose_drop_panics_is_a_panic_of_the_run() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a drop"));
        }
    }
    on_pool(1, || {
        let group = ErrGroup::new().catch_panics();
        let result = group.scope(|s| {
            // On one thread the task that is spawned last runs first.
            let bomb = Bomb;
            s.spawn(move |_| {
                std::mem::forget(bomb);
                Ok(())
            });
            s.spawn(|_| Err("cancels"));
            Ok(())
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            unreachable!()
        };
        assert_eq!(panicked.message(), Some("a drop"));
    });
}

/// Derived from Java's StressCancellation: tasks before and after the one that cancels.
#[test]
fn tasks_that_start_while_others_cancel() {
    on_pool(16, || {
        for before in 0..8 {
            for after in 0..8 {
                let (drops, started) = (Drops::new(before + after + 1), AtomicUsize::new(0));
                let result = ErrGroup::new().scope(|s| {
                    for thing in drops.things() {
                        let (started, number) = (&started, thing.number);
                        s.spawn(move |s| {
                            started.fetch_add(1, SeqCst);
                            drop(thing);
                            if number == before {
                                return Err(());
                            }
                            s.token().sleep(Duration::MAX).map_err(drop)
                        });
                    }
                    Ok(())
                });
                assert!(matches!(result, Err(GroupError::Failed { .. })));
                assert!((1..=before + after + 1).contains(&started.into_inner()));
                drops.assert_each_once();
            }
        }
    });
}

#[test]
fn the_error_only_needs_to_be_send() {
    on_pools(|_| {
        let result = scope(|s| {
            s.spawn(|_| Err(Cell::new(7)));
            Ok(())
        });
        assert_eq!(result.unwrap_err().get(), 7);
        let text = String::from("borrowed");
        let result = scope(|s| {
            s.spawn(|_| Err(text.as_str()));
            Ok(())
        });
        assert_eq!(result, Err("borrowed"));
    });
}

/// A scope without a group has no error for a cancellation, so it panics.
#[test]
fn a_bare_scope_that_cancels_itself() {
    on_pools(|_| {
        let payload = payload_of(|| {
            scope(|s| {
                s.token().cancel();
                s.spawn(|_| Ok::<_, ()>(()));
                Ok(())
            })
        });
        assert!(
            payload
                .downcast::<String>()
                .unwrap()
                .contains("ErrGroup::scope")
        );
        let result = scope(|s| {
            s.token().cancel();
            s.spawn(|_| Ok(()));
            Err::<(), _>("there is one")
        });
        assert_eq!(result, Err("there is one"));
    });
}

/// If the call comes from outside every pool, the tasks run on the global pool; with a concurrency,
/// they run on the pool of the group.
#[test]
fn tasks_run_on_the_right_pool() {
    fn name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }
    watched(|| {
        let names = Mutex::new(Vec::new());
        scope(|s| {
            assert!(
                rayon::current_thread_index().is_none(),
                "the body runs on the calling thread"
            );
            s.spawn(|_| {
                names.lock().unwrap().push(rayon::current_thread_index());
                Ok::<_, ()>(())
            });
            Ok(())
        })
        .unwrap();
        assert!(names.into_inner().unwrap()[0].is_some());
        let names = Mutex::new(Vec::new());
        let result = ErrGroup::new().concurrency(1).scope(|s| {
            s.spawn(|_| {
                names.lock().unwrap().push(name());
                Ok::<_, ()>(())
            });
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(names.into_inner().unwrap(), ["errgroup-0"]);
    });
}

/// Groups can be used by many threads at once.
#[test]
fn groups_side_by_side_share_a_token() {
    for threads in POOLS {
        watched(move || {
            let (pool, stop) = (Arc::new(pool(threads)), CancelToken::new());
            thread::scope(|scope| {
                for number in 0..8 {
                    let (pool, group) = (&pool, ErrGroup::new().token(&stop));
                    scope.spawn(move || {
                        let result = pool.install(|| {
                            group.scope(|s| {
                                s.spawn(move |_| if number == 3 { Err(number) } else { Ok(()) });
                                Ok(())
                            })
                        });
                        assert_eq!(result.is_err(), number == 3);
                    });
                }
            });
            assert!(!stop.is_cancelled());
        });
    }
}
