//! Guarantee 8 for scopes: how many tasks run at once, and which calls wait for a permit.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cause, ErrGroup, Scope};

use crate::common::{Drops, cancelled, on_pool, on_pools, pool, watched};

/// Limit 1, and tasks that spawn tasks: the scope ends, and two never run at once.
#[test]
fn tasks_that_spawn_run_one_at_a_time() {
    fn branch<'scope>(
        s: &Scope<'scope, ()>,
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

/// A thread that spawns is never ahead by more tasks than the limit.
#[test]
fn a_spawn_outside_the_pool_waits_for_a_permit() {
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

/// golang/go issue 27837, pond issue 138: a submitter was left waiting forever.
#[test]
fn a_waiting_spawn_is_released_by_the_cancellation() {
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
                        // Keep the permit until the body has spawned everything.
                        is_spawning.recv().unwrap();
                        if by_deadline {
                            s.token().cancel_after(Duration::from_millis(20));
                        } else {
                            stop.cancel();
                        }
                        _ = s.token().done().recv();
                        assert_eq!(is_spawning.recv(), Ok("done"));
                        Ok::<_, ()>(())
                    });
                    spawning.send("waits").unwrap();
                    for thing in drops.things() {
                        s.spawn(move |_| {
                            drop(thing);
                            unreachable!()
                        });
                    }
                    spawning.send("done").unwrap();
                    Ok(())
                });
                let cause = cancelled(result);
                assert_eq!(matches!(cause, Cause::Deadline), by_deadline);
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

/// Several threads share a scope and wait for its permits.
#[test]
fn many_threads_spawn_on_one_scope() {
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

/// A body on a thread of another pool runs jobs of that pool while it waits for a permit.
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

/// A task has a permit, so a spawn from it never waits, on whatever thread.
#[test]
fn a_spawn_from_a_task_does_not_wait_for_its_own_permit() {
    watched(|| {
        let (other, ran) = (pool(1), AtomicUsize::new(0));
        let count = |_: &Scope<'_, ()>| {
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
        // On a separate thread.
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

/// While a pool thread waits it runs other jobs. If these waited too, they would pile up until the
/// stack overflows.
#[test]
fn waiting_jobs_do_not_pile_up_on_the_stack() {
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
