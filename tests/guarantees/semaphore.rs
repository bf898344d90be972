//! How many tasks of a scope run at once, and who waits for a place.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, Scope};

use crate::common::{Drops, on_pool, on_pools, pool, watched};

/// Law 8. Limit 1, and tasks that spawn tasks: it ends, and there are never two at once.
#[test]
fn one_at_a_time_and_tasks_that_spawn() {
    fn branch<'scope>(
        s: &Scope<'_, '_, 'scope, ()>,
        depth: usize,
        running: &'scope AtomicUsize,
        ran: &'scope AtomicUsize,
    ) {
        s.spawn(move |s| {
            assert_eq!(running.fetch_add(1, SeqCst), 0, "two at once");
            ran.fetch_add(1, SeqCst);
            for _ in 0..if depth > 0 { 2 } else { 0 } {
                branch(s, depth - 1, running, ran);
            }
            running.fetch_sub(1, SeqCst);
            Ok(())
        });
    }
    let body = || {
        let (running, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let result = ErrGroup::new().concurrency(1).scope(|s| {
            for _ in 0..20 {
                branch(s, 6, &running, &ran);
            }
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(ran.into_inner(), 20 * 127);
    };
    on_pools(move |_| body());
    watched(body);
}

/// Derived from golang/sync TestGoLimit and conc "limit".
#[test]
fn a_limit_is_reached_and_never_exceeded() {
    on_pools(|_| {
        for limit in [1, 2, 3, 8] {
            let (running, most, ran) = (
                AtomicUsize::new(0),
                AtomicUsize::new(0),
                AtomicUsize::new(0),
            );
            let together = Barrier::new(limit);
            let result = ErrGroup::new().concurrency(limit).scope(|s| {
                for n in 0..200 {
                    let (running, most, ran, together) = (&running, &most, &ran, &together);
                    s.spawn(move |_| {
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        if n < limit {
                            together.wait();
                        }
                        ran.fetch_add(1, SeqCst);
                        running.fetch_sub(1, SeqCst);
                        Ok::<_, ()>(())
                    });
                }
                Ok(())
            });
            assert!(result.is_ok());
            assert_eq!((most.into_inner(), ran.into_inner()), (limit, 200));
        }
    });
}

/// A submitter that waits for a place is not further ahead than one task.
#[test]
fn a_submitter_outside_the_pool_waits_for_a_place() {
    watched(|| {
        let (spawned, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let result = ErrGroup::new().concurrency(2).scope(|s| {
            for _ in 0..1000 {
                s.spawn(|_| {
                    ended.fetch_add(1, SeqCst);
                    Ok::<_, ()>(())
                });
                let ahead = spawned.fetch_add(1, SeqCst) + 1 - ended.load(SeqCst);
                assert!(ahead <= 2, "{ahead}");
            }
            Ok(())
        });
        assert!(result.is_ok());
    });
}

/// golang/go issue 27837, pond issue 138: a submitter was left waiting for ever.
#[test]
fn a_waiting_submitter_is_released_by_the_cancellation() {
    for by_deadline in [false, true] {
        for threads in [0, 1, 2] {
            let body = move || {
                let stop = CancelToken::new();
                let group = ErrGroup::new().concurrency(1).token(&stop);
                let drops = Drops::new(3);
                let (spawning, is_spawning) = channel();
                let result = group.scope(|s| {
                    let stop = &stop;
                    s.spawn(move |s| {
                        // The place is kept until the submitter is through.
                        is_spawning.recv().unwrap();
                        if by_deadline {
                            s.token().cancel_after(Duration::from_millis(20));
                        } else {
                            stop.cancel();
                        }
                        _ = s.token().done().recv();
                        assert_eq!(is_spawning.recv(), Ok("through"));
                        Ok::<_, ()>(())
                    });
                    spawning.send("waits").unwrap();
                    for thing in drops.things() {
                        s.spawn(move |_| {
                            drop(thing);
                            unreachable!()
                        });
                    }
                    spawning.send("through").unwrap();
                    Ok(())
                });
                let Err(GroupError::Cancelled(cancelled)) = result else {
                    unreachable!()
                };
                assert_eq!(matches!(cancelled.cause(), Cause::Deadline), by_deadline);
                drops.assert_each_once();
            };
            if threads == 0 {
                watched(body);
            } else {
                on_pool(threads, body);
            }
        }
    }
}

/// Several threads share a scope, and wait for its places.
#[test]
fn many_submitters_share_a_scope() {
    watched(|| {
        for limit in [1, 3] {
            let ran = AtomicUsize::new(0);
            let result = ErrGroup::new().concurrency(limit).scope(|s| {
                thread::scope(|threads| {
                    for _ in 0..8 {
                        threads.spawn(|| {
                            for _ in 0..500 {
                                s.spawn(|_| {
                                    ran.fetch_add(1, SeqCst);
                                    Ok::<_, ()>(())
                                });
                            }
                        });
                    }
                });
                Ok(())
            });
            assert!(result.is_ok());
            assert_eq!(ran.into_inner(), 8 * 500);
        }
    });
}

/// Law 8: a body on a worker of another pool does that pool's work while it waits for a place.
#[test]
fn a_waiting_body_does_not_block_its_own_pool() {
    on_pool(1, || {
        let (signal, wait) = channel();
        let result = ErrGroup::new().concurrency(1).scope(|s| {
            s.spawn(move |_| wait.recv().map_err(drop));
            // The only thread of the outer pool is this one.
            rayon::spawn(move || signal.send(()).unwrap());
            s.spawn(|_| Ok(()));
            Ok::<_, ()>(())
        });
        assert!(result.is_ok());
    });
}

/// A task has a place, so what it spawns does not wait for one, whichever thread it comes to.
#[test]
fn a_task_does_not_wait_for_its_own_place() {
    watched(|| {
        let (other, ran) = (pool(1), AtomicUsize::new(0));
        let count = |_: &Scope<'_, '_, '_, ()>| {
            ran.fetch_add(1, SeqCst);
            Ok(())
        };
        // On another pool.
        let group = ErrGroup::new().concurrency(1);
        let result = group.scope(|s| {
            s.spawn(|s| {
                other.install(|| s.spawn(count));
                Ok(())
            });
            Ok(())
        });
        assert!(result.is_ok());
        // On a thread of its own.
        let result = group.scope(|s| {
            s.spawn(|s| {
                thread::scope(|threads| {
                    threads.spawn(|| s.spawn(count));
                });
                Ok(())
            });
            Ok(())
        });
        assert!(result.is_ok());
        // From a task of another group.
        let inner = ErrGroup::new().concurrency(1);
        let result = group.scope(|s| {
            s.spawn(|outer| {
                let result = inner.scope(|s| {
                    s.spawn(|_| {
                        outer.spawn(count);
                        Ok::<_, ()>(())
                    });
                    Ok(())
                });
                result.map_err(drop)
            });
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(ran.into_inner(), 3);
    });
}

/// A worker that waits does other jobs meanwhile. If these waited too, they would be stacked until
/// the stack is used up.
#[test]
fn waiting_jobs_are_not_stacked() {
    for threads in [1, 2] {
        on_pool(threads, || {
            let ran = AtomicUsize::new(0);
            let result = ErrGroup::new().concurrency(2).scope(|s| {
                rayon::scope(|jobs| {
                    for _ in 0..20_000 {
                        jobs.spawn(|_| {
                            s.spawn(|_| {
                                ran.fetch_add(1, SeqCst);
                                thread::yield_now();
                                Ok::<_, ()>(())
                            });
                        });
                    }
                });
                Ok(())
            });
            assert!(result.is_ok());
            assert_eq!(ran.into_inner(), 20_000);
        });
    }
}
