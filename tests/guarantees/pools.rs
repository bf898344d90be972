//! Guarantee 8: a run blocks no pool and works on every pool, from every thread, nested or not.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ConcurrencyError, ErrGroup, Scope, TrySpawnError, prelude::*};

use crate::common::{POOLS, message_of, on_pool, on_pools, pool, shared, watched};

/// Derived from oneTBB's stack test: doubly nested runs, also on one thread.
#[test]
fn nested_runs_need_no_second_thread() {
    on_pools(|_| {
        let runs = AtomicUsize::new(0);
        let result = (0..30).into_par_iter().try_for_each_group(|token, _| {
            let group = ErrGroup::new().token(token);
            (0..30)
                .into_par_iter()
                .with_group(&group)
                .try_for_each(|_, n: usize| {
                    let values = (0..n)
                        .into_par_iter()
                        .try_map_group(|_, n| Ok::<_, ()>(n))
                        .unwrap();
                    runs.fetch_add(1, SeqCst);
                    assert_eq!(values.len(), n);
                    Ok::<_, ()>(())
                })
        });
        assert!(result.is_ok());
        assert_eq!(runs.into_inner(), 900);
    });
}

#[test]
fn a_run_may_start_anywhere() {
    watched(|| {
        let names = || {
            let name = |_: &CancelToken, _| Ok::<_, ()>(thread::current().name().map(String::from));
            (0..16)
                .into_par_iter()
                .with_group(&ErrGroup::new())
                .try_map(name)
                .unwrap()
        };
        // Outside any pool the items run on the global one.
        assert_eq!(names().len(), 16);
        // In a pool, and in one inside another, they run on the innermost.
        let named = |name: &'static str| {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(1);
            builder.thread_name(move |_| name.into()).build().unwrap()
        };
        let (one, two) = (named("one"), named("two"));
        assert!(
            one.install(names)
                .iter()
                .all(|name| name.as_deref() == Some("one"))
        );
        let inner = one.install(|| two.install(names));
        assert!(inner.iter().all(|name| name.as_deref() == Some("two")));
        // If the group has its own threads, they run there, wherever the call is made.
        let group = ErrGroup::new().concurrency(1);
        let on_own = || {
            let name = |_: &CancelToken, _| Ok::<_, ()>(thread::current().name().map(String::from));
            (0..16)
                .into_par_iter()
                .with_group(&group)
                .try_map(name)
                .unwrap()
        };
        let expected = vec![Some("errgroup-0".to_string()); 16];
        assert_eq!(on_own(), expected);
        assert_eq!(one.install(on_own), expected);
        let nested = [0]
            .par_iter()
            .with_group(&group)
            .try_map(|_, _| Ok::<_, ()>(on_own()));
        assert_eq!(nested.unwrap(), [expected]);
    });
}

/// Derived from golang/sync TestGoLimit (BSD licence) and sourcegraph/conc's "limit" tests (MIT).
#[test]
fn the_limit_is_reached_and_never_exceeded() {
    for limit in [1, 2, 3, 8, 32] {
        on_pool(4, move || {
            let (active, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let group = ErrGroup::new().concurrency(limit);
            let all = Barrier::new(limit);
            let items = (0..limit * 20)
                .into_par_iter()
                .with_max_len(1)
                .with_group(&group);
            let result = items.try_for_each(|_, _| {
                most.fetch_max(active.fetch_add(1, SeqCst) + 1, SeqCst);
                // Opens only when `limit` items run at once; their number is a multiple of it.
                all.wait();
                active.fetch_sub(1, SeqCst);
                Ok::<_, ()>(())
            });
            assert!(result.is_ok());
            assert_eq!((active.into_inner(), most.into_inner()), (0, limit));
        });
    }
}

#[test]
fn a_limit_of_zero_is_refused_at_once() {
    let message = message_of(|| ErrGroup::new().concurrency(0));
    assert!(message.contains("at least 1"), "{message}");
}

#[test]
fn try_concurrency_returns_an_error_for_zero_and_for_too_many_threads() {
    on_pools(|threads| {
        let zero = ErrGroup::new().try_concurrency(0).unwrap_err();
        assert!(matches!(zero, ConcurrencyError::Zero));
        assert!(zero.to_string().contains("at least 1"), "{zero}");

        let most = rayon::max_num_threads();
        for asked in [most + 1, usize::MAX] {
            let error = ErrGroup::new().try_concurrency(asked).unwrap_err();
            let ConcurrencyError::TooMany { n, max, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!((n, max), (asked, most));
        }

        let group = ErrGroup::new().try_concurrency(threads).unwrap();
        let all = Barrier::new(threads);
        let items = (0..threads).into_par_iter().with_max_len(1);
        let result = items.with_group(&group).try_map(|_, _| {
            // Opens only when all threads of the group are here.
            all.wait();
            Ok::<_, ()>(rayon::current_num_threads())
        });
        assert_eq!(result.unwrap(), vec![threads; threads]);
    });
}

fn parsers(threads: usize) -> Arc<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let builder = builder.thread_name(|n| format!("parser-{n}"));
    Arc::new(builder.stack_size(64 << 20).build().unwrap())
}

/// Needs the stack of a parser: in a debug build much more than the two megabytes of others.
fn is_parser() -> Result<(), String> {
    fn depth(n: u32) -> u32 {
        let frame = std::hint::black_box([1; 256]);
        if n == 0 { 0 } else { depth(n - 1) + frame[0] }
    }
    let thread = thread::current();
    let name = thread.name().unwrap_or("none");
    if !name.starts_with("parser-") {
        return Err(format!("on {name}"));
    }
    assert_eq!(depth(8_000), 8_000);
    Ok(())
}

#[test]
fn every_call_runs_on_the_pool_of_the_caller() {
    on_pools(|threads| {
        let pool = parsers(threads);
        // The last call counts.
        let group = ErrGroup::new().concurrency(1).pool(&pool);
        let here = thread::current().id();
        let items = || (0..20).into_par_iter().with_group(&group);
        let in_order = || (0..20).into_par_iter().in_order().with_group(&group);
        let lazy = || (0..20).par_in_order().with_group(&group);
        items().err_group(|_| is_parser()).unwrap();
        items().try_for_each(|_, _| is_parser()).unwrap();
        items().try_map(|_, _| is_parser()).unwrap();
        in_order().err_group(|_| is_parser()).unwrap();
        in_order().try_for_each(|_, _| is_parser()).unwrap();
        in_order().try_map(|_, _| is_parser()).unwrap();
        assert!(in_order().outcome(|_, _| is_parser()).errors().is_empty());
        lazy().err_group(|_| is_parser()).unwrap();
        lazy().try_map(|_, _| is_parser()).unwrap();
        group.join(|_| is_parser(), |_| is_parser()).unwrap();
        // The sink and the body stay here: neither they nor what they borrow is `Send`.
        let calls = Rc::new(Cell::new(0));
        let on_this_thread = || {
            calls.set(calls.get() + 1);
            assert_eq!(thread::current().id(), here);
            Ok(())
        };
        let sink = |()| on_this_thread();
        in_order().try_stream(|_, _| is_parser(), sink).unwrap();
        lazy().try_stream(|_, _| is_parser(), sink).unwrap();
        let body = |s: &Scope<'_, String>| {
            (0..20).for_each(|_| s.spawn(|_| is_parser()));
            on_this_thread()
        };
        group.scope(body).unwrap();
        assert_eq!(calls.get(), 41);
    });
}

#[test]
fn a_scope_on_the_pool_of_the_caller_has_a_permit_for_each_thread() {
    for threads in POOLS {
        watched(move || {
            let pool = parsers(threads);
            let (release, wait) = channel::<()>();
            let wait = Mutex::new(wait);
            let result = ErrGroup::new().pool(&pool).scope(|s| {
                for _ in 0..threads {
                    s.spawn(|_| wait.lock().unwrap().recv().map_err(drop));
                }
                let Err(TrySpawnError::Full(_)) = s.try_spawn(|_| Ok(())) else {
                    panic!("more tasks than threads")
                };
                (0..threads).try_for_each(|_| release.send(()).map_err(drop))
            });
            assert!(result.is_ok());
        });
    }
}

#[test]
fn the_last_call_chooses_the_pool() {
    on_pools(|threads| {
        let pool = parsers(threads);
        let group = ErrGroup::new().pool(&pool).concurrency(1);
        let name = |_: &CancelToken, _| Ok::<_, ()>(thread::current().name().map(String::from));
        let names = (0..4).into_par_iter().with_group(&group).try_map(name);
        assert_eq!(names.unwrap(), vec![Some("errgroup-0".to_string()); 4]);
        assert_eq!(Arc::strong_count(&pool), 1, "the group has forgotten it");
    });
}

/// Derived from rayon issue 1142: the source of a bridge uses rayon itself.
#[test]
fn a_bridged_source_may_run_groups() {
    on_pool(2, || {
        let source = (0..50).map(|n: usize| {
            let values = (0..n)
                .into_par_iter()
                .try_map_group(|_, n| Ok::<_, ()>(n))
                .unwrap();
            values.len()
        });
        let result = source.par_bridge().try_map_group(|_, n| {
            (0..n).into_par_iter().err_group(|_| Ok::<_, ()>(()))?;
            Ok::<_, ()>(n)
        });
        let mut values = result.unwrap();
        values.sort_unstable();
        assert!(values.into_iter().eq(0..50));
    });
}

/// Derived from oneTBB's test for stack overflow avoidance (Apache-2.0).
#[test]
fn runs_in_order_nest_on_every_pool() {
    on_pools(|_| {
        let begun = AtomicUsize::new(0);
        let result = (0..100).into_par_iter().in_order().err_group(|_| {
            (0..100).par_in_order().err_group(|_| {
                [0, 1].par_iter().in_order().err_group(|_| {
                    begun.fetch_add(1, SeqCst);
                    Ok::<_, ()>(())
                })
            })
        });
        assert_eq!(result, Ok(()));
        assert_eq!(begun.into_inner(), 20_000);
    });
}

/// The item waits in another pool, so meanwhile its thread may start the other worker on top of
/// it. That worker must return, and must let the job run first that the item waits for; otherwise
/// the item waits forever.
#[test]
fn a_worker_on_top_of_a_waiting_item_lets_it_go_on() {
    for comes_back in [false, true] {
        watched(move || {
            let (here, other) = (pool(2), pool(1));
            here.install(|| {
                let (release, wait) = channel::<()>();
                let (busy, is_busy) = channel();
                rayon::spawn(move || {
                    busy.send(()).unwrap();
                    _ = wait.recv();
                });
                // Not a wait inside rayon, so the other thread has to take the job.
                is_busy.recv().unwrap();
                let (begun, is_begun) = shared();
                let result = (0..usize::MAX).into_par_iter().in_order().err_group(|n| {
                    if n == 5 {
                        begun.lock().unwrap().send(()).unwrap();
                    }
                    if n == 0 {
                        other.install(|| {
                            is_begun.lock().unwrap().recv().unwrap();
                            if comes_back {
                                here.install(|| ());
                            }
                        });
                        return Err("back");
                    }
                    Ok(())
                });
                assert_eq!(result, Err("back"));
                drop(release);
            });
        });
    }
}

/// The same for a waiting item that is alone in its leaf, as behind a bridge or a `filter`.
#[test]
fn a_worker_on_top_of_a_waiting_item_of_another_run_lets_it_go_on() {
    watched(|| {
        let (here, other) = (Arc::new(pool(2)), pool(1));
        let (started, has_started) = shared();
        let (on_top, is_on_top) = shared();
        let (begun, has_begun) = channel();
        let (begun, over) = (Mutex::new(begun), Arc::new(AtomicBool::new(false)));
        let waiting_thread = Arc::new(AtomicUsize::new(usize::MAX));
        let waiting = {
            let (here, over) = (Arc::clone(&here), Arc::clone(&over));
            let waiting_thread = Arc::clone(&waiting_thread);
            thread::spawn(move || {
                here.install(|| {
                    [0].into_iter().par_bridge().err_group(|_| {
                        waiting_thread.store(rayon::current_thread_index().unwrap(), SeqCst);
                        begun.lock().unwrap().send(()).unwrap();
                        // Block this thread, so that the other one starts the second run.
                        has_started.lock().unwrap().recv().unwrap();
                        // Then wait inside rayon, which runs other jobs of the pool meanwhile.
                        other.install(|| {
                            is_on_top.lock().unwrap().recv().unwrap();
                            here.install(|| over.store(true, SeqCst));
                        });
                        Ok::<_, ()>(())
                    })
                })
            })
        };
        has_begun.recv().unwrap();
        let sent = AtomicBool::new(false);
        let result = here.install(|| {
            (0..usize::MAX).into_par_iter().in_order().err_group(|n| {
                if n == 0 {
                    started.lock().unwrap().send(()).unwrap();
                    // Busy, so this thread does not take the job that the item waits for.
                    while !over.load(SeqCst) {
                        thread::yield_now();
                    }
                }
                let thread = rayon::current_thread_index();
                if thread == Some(waiting_thread.load(SeqCst)) && !sent.swap(true, SeqCst) {
                    on_top.lock().unwrap().send(()).unwrap();
                }
                if over.load(SeqCst) {
                    Err("over")
                } else {
                    Ok(())
                }
            })
        });
        assert_eq!(result, Err("over"));
        assert_eq!(waiting.join().unwrap(), Ok(()));
    });
}

#[test]
fn blocking_items_all_run_at_once() {
    for lazy in [false, true] {
        on_pool(1, move || {
            let (group, barrier) = (ErrGroup::new().concurrency(8), Barrier::new(8));
            let f = |_: &CancelToken, n: usize| {
                barrier.wait();
                Ok::<_, ()>(n)
            };
            let result = if lazy {
                (0..64).par_in_order().with_group(&group).try_map(f)
            } else {
                (0..64)
                    .into_par_iter()
                    .in_order()
                    .with_group(&group)
                    .try_map(f)
            };
            assert_eq!(result.unwrap(), (0..64).collect::<Vec<_>>());
        });
    }
}

/// Even if an item waits inside rayon, where its thread runs other jobs meanwhile.
#[test]
fn on_one_thread_items_run_as_in_a_loop() {
    on_pool(1, || {
        let (other, running) = (pool(1), AtomicUsize::new(0));
        let result = (0..20).into_par_iter().in_order().err_group(|_| {
            assert_eq!(running.fetch_add(1, SeqCst), 0);
            other.install(|| (0..100).for_each(|_| thread::yield_now()));
            running.fetch_sub(1, SeqCst);
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
    });
}

/// Except for a single item, if the pool has more than one thread: it runs on the caller.
#[test]
fn items_run_on_the_pool_whatever_thread_calls() {
    watched(|| {
        let inside = AtomicUsize::new(0);
        let result = (0..1000).into_par_iter().in_order().err_group(|_| {
            inside.fetch_add(rayon::current_thread_index().map_or(0, |_| 1), SeqCst);
            Ok::<_, ()>(())
        });
        assert_eq!((result, inside.into_inner()), (Ok(()), 1000));
        let caller = thread::current().id();
        let alone = [0].into_par_iter().in_order().err_group(|_| {
            let on_caller = thread::current().id() == caller;
            assert!(on_caller || rayon::current_num_threads() == 1);
            Ok::<_, ()>(())
        });
        assert_eq!(alone, Ok(()));
    });
}

#[test]
fn runs_in_order_work_outside_of_pools_and_across_them() {
    watched(|| {
        let call = || {
            (0..1000)
                .into_par_iter()
                .in_order()
                .try_map(|_, n| Ok::<_, ()>(n))
        };
        let expected: Vec<_> = (0..1000).collect();
        assert_eq!(call().as_ref(), Ok(&expected));
        let (one, two) = (pool(1), pool(2));
        assert_eq!(one.install(|| two.install(call)).as_ref(), Ok(&expected));
        assert_eq!(
            (0..1000).par_in_order().try_map(|_, n| Ok::<_, ()>(n)),
            Ok(expected)
        );
    });
}
