//! Guarantee 7, by `try_stream`: which values reach the sink, on which thread, and how far the
//! workers run ahead of it.

use std::cell::Cell;
use std::panic::panic_any;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{
    Drops, POOLS, cancelled, on_pool, on_pools, payload_of, pool, shared, watched,
};

/// The documented limit of values at once: 16 chunks of 1024 for each worker.
const WINDOW: usize = 16 * 1024;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands for a closure that can fail"
)]
fn double(_: &CancelToken, n: usize) -> Result<usize, usize> {
    Ok(2 * n)
}

/// Runs `body` outside of pools and inside, each also with the group's own threads, and passes it
/// the number of threads.
fn everywhere(body: impl Fn(&ErrGroup, usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    for threads in POOLS {
        let here = Arc::clone(&body);
        on_pool(threads, move || here(&ErrGroup::new(), threads));
        let here = Arc::clone(&body);
        on_pool(1, move || {
            here(&ErrGroup::new().concurrency(threads), threads);
        });
        let here = Arc::clone(&body);
        watched(move || here(&ErrGroup::new().concurrency(threads), threads));
    }
    let outside = rayon::current_num_threads();
    watched(move || body(&ErrGroup::new(), outside));
}

#[test]
fn the_sink_is_called_on_the_calling_thread_and_need_not_be_send() {
    everywhere(|group, _| {
        let (caller, seen) = (thread::current().id(), Rc::new(Cell::new(0)));
        let stream = (0..10_000).into_par_iter().in_order().with_group(group);
        let result = stream.try_stream(double, |value| {
            assert_eq!(thread::current().id(), caller);
            assert_eq!(value, 2 * seen.get());
            seen.set(seen.get() + 1);
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(seen.get(), 10_000);
    });
}

/// A value that counts how many of it exist.
struct Live(Arc<AtomicUsize>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Derived from GNU parallel's `-k` with a slow consumer: memory does not grow with the input.
#[test]
fn the_look_ahead_is_bounded_and_no_worker_waits_for_the_sink() {
    everywhere(|group, threads| {
        let (live, most) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let f = |_: &CancelToken, _: usize| {
            most.fetch_max(live.fetch_add(1, SeqCst) + 1, SeqCst);
            Ok::<_, ()>(Live(Arc::clone(&live)))
        };
        let mut seen = 0;
        let stream = (0..400_000).into_par_iter().in_order().with_group(group);
        let result = stream.try_stream(f, |value| {
            if seen == 0 {
                // Wait until the workers have stopped; the pool still runs other work.
                let (mut before, mut still) = (0, 0);
                while still < 20 {
                    thread::sleep(Duration::from_millis(1));
                    let now = live.load(SeqCst);
                    still = if now == before { still + 1 } else { 0 };
                    before = now;
                }
                assert_eq!((0..100).into_par_iter().sum::<usize>(), 4950);
            }
            seen += 1;
            drop(value);
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!((seen, live.load(SeqCst)), (400_000, 0));
        assert!(
            most.load(SeqCst) <= WINDOW * threads,
            "{} values at once",
            most.load(SeqCst)
        );
    });
}

#[test]
fn an_endless_source_is_streamed_as_it_is_read() {
    everywhere(|group, threads| {
        let read = AtomicUsize::new(0);
        let source = (0..).inspect(|_| _ = read.fetch_add(1, SeqCst));
        let mut seen = 0;
        let result = source
            .par_in_order()
            .with_group(group)
            .try_stream(double, |value| {
                assert_eq!(value, 2 * seen);
                seen += 1;
                assert!(read.load(SeqCst) <= seen + WINDOW * threads);
                if seen == 100_000 { Err(value) } else { Ok(()) }
            });
        let error = result.unwrap_err();
        assert_eq!(
            (error.index(), error.into_error()),
            (Some(99_999), Some(199_998))
        );
        assert_eq!(seen, 100_000);
    });
}

#[test]
fn an_item_that_fails_ends_the_stream_after_the_values_before_it() {
    everywhere(|group, _| {
        for failing in [0, 1, 1000, 9_999] {
            let mut seen = 0;
            let stream = (0..10_000).into_par_iter().in_order().with_group(group);
            let f = |_: &CancelToken, n: usize| if n >= failing { Err(n) } else { Ok(n) };
            let result = stream.try_stream(f, |value| {
                assert_eq!(value, seen);
                seen += 1;
                Ok(())
            });
            assert_eq!(result.unwrap_err().index(), Some(failing));
            assert_eq!(seen, failing);
        }
    });
}

/// The sink fails at an index before that of an item that failed earlier.
#[test]
fn of_the_failures_of_items_and_sink_the_lowest_is_returned() {
    everywhere(|group, _| {
        let stream = (0..100).into_par_iter().in_order().with_group(group);
        let result = stream.try_stream(
            |_, n| if n == 99 { Err("an item") } else { Ok(n) },
            |n| if n == 7 { Err("the sink") } else { Ok(()) },
        );
        let error = result.unwrap_err();
        assert_eq!(
            (error.index(), error.into_error()),
            (Some(7), Some("the sink"))
        );
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_sink_stops_the_run_and_is_resumed_in_the_caller() {
    everywhere(|group, _| {
        let drops = Drops::new(10_000);
        let payload = payload_of(|| {
            let mut seen = 0;
            let stream = drops.things().into_par_iter().in_order().with_group(group);
            stream.try_stream(
                |_, thing| Ok::<_, ()>(thing),
                |_| {
                    seen += 1;
                    if seen == 100 {
                        panic_any("sink");
                    }
                    Ok(())
                },
            )
        });
        assert_eq!(payload.downcast_ref(), Some(&"sink"));
        drops.assert_each_once();

        let group = group.clone().catch_panics();
        let result = (0..).par_in_order().with_group(&group);
        let result = result.try_stream(double, |_| -> Result<(), usize> { panic!("sink") });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
    });
}

/// The drops may take long, so running items must see the cancellation first.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_sink_cancels_before_the_values_are_dropped() {
    struct Value(CancelToken, Arc<AtomicUsize>);
    impl Drop for Value {
        fn drop(&mut self) {
            if !self.0.is_cancelled() {
                self.1.fetch_add(1, SeqCst);
            }
        }
    }
    everywhere(|group, _| {
        let (early, mut kept) = (Arc::new(AtomicUsize::new(0)), Vec::new());
        let stream = (0..10_000).into_par_iter().in_order().with_group(group);
        payload_of(|| {
            stream.try_stream(
                |token, _| Ok::<_, ()>(Value(token.clone(), Arc::clone(&early))),
                |value| {
                    kept.push(value);
                    if kept.len() == 5 {
                        panic_any("the sink");
                    }
                    Ok(())
                },
            )
        });
        assert_eq!(early.load(SeqCst), 0);
    });
}

#[test]
fn a_panic_of_an_item_ends_the_stream() {
    everywhere(|group, _| {
        let payload = payload_of(|| {
            let stream = (0..10_000).into_par_iter().in_order().with_group(group);
            stream.try_stream(
                |_, n| {
                    if n == 5000 {
                        panic_any(n)
                    } else {
                        Ok::<_, ()>(n)
                    }
                },
                |n| {
                    assert!(n < 5000);
                    Ok(())
                },
            )
        });
        assert_eq!(payload.downcast_ref(), Some(&5000_i32));
    });
}

#[test]
fn a_cancellation_stops_the_sink_at_once() {
    everywhere(|group, _| {
        let stop = CancelToken::new();
        let mut seen = 0;
        let stream = (0..).par_in_order();
        let result = stream
            .with_group(&group.clone().token(&stop))
            .try_stream(double, |_| {
                seen += 1;
                if seen == 1000 {
                    stop.cancel();
                }
                Ok(())
            });
        assert!(
            matches!(result, Err(GroupError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(seen, 1000);

        // After the last value nothing is skipped.
        let stop = CancelToken::new();
        let stream = (0..1000).into_par_iter().in_order();
        let result = stream
            .with_group(&group.clone().token(&stop))
            .try_stream(double, |n| {
                if n == 2 * 999 {
                    stop.cancel();
                }
                Ok(())
            });
        assert!(result.is_ok(), "{result:?}");
    });
}

#[test]
fn a_deadline_wakes_a_stream_whose_items_wait() {
    everywhere(|group, _| {
        let group = group.clone().timeout(Duration::from_millis(5));
        let stream = (0..100).into_par_iter().in_order().with_group(&group);
        let result = stream.try_stream(
            |token, n: usize| token.sleep(Duration::from_secs(3600)).map(|()| n),
            |_| Ok(()),
        );
        assert!(matches!(cancelled(result), Cause::Deadline));
    });
}

#[test]
fn streams_nest() {
    on_pools(|_| {
        let group = ErrGroup::new();
        let mut sums = Vec::new();
        let stream = (0..50_usize).into_par_iter().in_order().with_group(&group);
        let result = stream.try_stream(
            |token, n| {
                let (group, mut sum) = (ErrGroup::new().token(token), 0);
                let nested = (0..n).par_in_order().with_group(&group);
                nested
                    .try_stream(
                        |_, m| Ok::<_, ()>(m),
                        |m| {
                            sum += m;
                            Ok(())
                        },
                    )
                    .map_err(drop)?;
                Ok::<_, ()>(sum)
            },
            |sum| {
                // The sink may use the pool, too.
                assert_eq!(
                    (0..10).into_par_iter().in_order().err_group(|_| Ok(())),
                    Ok::<_, ()>(())
                );
                sums.push(sum);
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert!(
            sums.iter()
                .enumerate()
                .all(|(n, sum)| *sum == (0..n).sum::<usize>())
        );
    });
}

/// The caller is on another pool than the group: while it waits, it runs jobs of its own pool.
#[test]
fn a_caller_from_another_pool_runs_jobs_of_its_own_pool() {
    watched(|| {
        let (group, pool) = (ErrGroup::new().concurrency(1), pool(1));
        let (sender, receiver) = channel();
        let receiver = Mutex::new(receiver);
        pool.install(|| {
            rayon::scope(|scope| {
                // Runs on the caller's thread, the only one of its pool.
                scope.spawn(move |_| sender.send(()).unwrap());
                let stream = (0..1).into_par_iter().in_order().with_group(&group);
                let result = stream.try_stream(
                    |_, n: usize| receiver.lock().unwrap().recv().map(|()| n),
                    |_| Ok(()),
                );
                assert!(result.is_ok());
            });
        });
    });
}

#[test]
fn values_that_do_not_reach_the_sink_are_dropped_once() {
    everywhere(|group, _| {
        for failing in [0, 500, 9_999] {
            let drops = Drops::new(10_000);
            let stream = drops.things().into_iter().par_in_order().with_group(group);
            let result = stream.try_stream(
                |_, thing| {
                    if thing.number == failing {
                        Err(())
                    } else {
                        Ok(thing)
                    }
                },
                |_| Ok(()),
            );
            assert_eq!(result.unwrap_err().index(), Some(failing));
            drops.assert_each_once();
        }
    });
}

/// The failing item comes after the last value that reaches the sink.
#[test]
fn a_failure_that_the_sink_does_not_reach_is_not_the_result() {
    everywhere(|group, threads| {
        let (stop, failed) = (CancelToken::new(), AtomicBool::new(false));
        let group = group.clone().token(&stop);
        let stream = (0..100).into_par_iter().in_order().with_group(&group);
        let mut seen = 0;
        let f = |_: &CancelToken, n: usize| {
            failed.fetch_or(n == 50, SeqCst);
            if n == 50 { Err(n) } else { Ok(n) }
        };
        let result = stream.try_stream(f, |_| {
            while threads > 2 && !failed.load(SeqCst) {
                thread::yield_now();
            }
            seen += 1;
            stop.cancel();
            Ok(())
        });
        assert!(
            matches!(result, Err(GroupError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(seen, 1);
    });
}

/// A drop must not panic while another panic unwinds, which would abort the process.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_sink_among_values_that_panic_when_dropped() {
    struct PanicsOnDrop(bool);
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            if self.0 {
                self.0 = false;
                panic!("dropped");
            }
        }
    }
    everywhere(|group, _| {
        let payload = payload_of(|| {
            let stream = (0..3).into_par_iter().in_order().with_group(group);
            stream.try_stream(
                |_, n| Ok::<_, ()>(PanicsOnDrop(n == 2)),
                |_| -> Result<(), ()> { panic_any("sink") },
            )
        });
        assert_eq!(payload.downcast_ref(), Some(&"sink"));
    });
}

/// The second failure in time is in an earlier chunk and makes the first one the last that is
/// tolerated. The values after it, and a whole later chunk, are ready but do not reach the sink.
#[test]
fn the_sink_gets_no_value_after_the_last_tolerated_failure() {
    on_pool(2, || {
        let (third_chunk_done, wait) = shared::<()>();
        let group = ErrGroup::new().max_errors(2);
        let items = (0..24).into_par_iter().with_min_len(8).with_max_len(8);
        let mut sunk = Vec::new();
        let result = items.in_order().with_group(&group).try_stream(
            |_, n| match n {
                2 => {
                    wait.lock().unwrap().recv().unwrap();
                    Err(n)
                }
                9 => Err(n),
                23 => {
                    third_chunk_done.lock().unwrap().send(()).unwrap();
                    Ok(n)
                }
                _ => Ok(n),
            },
            |n| {
                sunk.push(n);
                Ok(())
            },
        );
        assert_eq!(result.unwrap_err().index(), Some(2));
        assert_eq!(sunk, [0, 1, 3, 4, 5, 6, 7, 8]);
    });
}

#[test]
fn a_stream_without_a_group_gives_all_values_in_order_to_the_sink() {
    fn check() {
        let (caller, mut seen) = (thread::current().id(), 0);
        let sink = |value: usize| {
            assert_eq!(thread::current().id(), caller);
            assert_eq!(value, 2 * seen);
            seen += 1;
            Ok(())
        };
        let items = (0..10_000).into_par_iter().in_order();
        assert_eq!(items.try_stream(double, sink), Ok(()));
        assert_eq!(seen, 10_000);

        let mut sunk = Vec::new();
        let sink = |value: usize| {
            sunk.push(value);
            Ok(())
        };
        assert_eq!((0..1000).par_in_order().try_stream(double, sink), Ok(()));
        assert!(sunk.into_iter().eq((0..1000).map(|n| 2 * n)));
    }
    on_pools(|_| check());
    watched(check);
}

#[test]
fn a_stream_without_a_group_returns_the_bare_error_of_an_item_or_of_the_sink() {
    fn check() {
        for failing in [0, 1, 1000, 9_999] {
            let f = |_: &CancelToken, n: usize| if n >= failing { Err(n) } else { Ok(n) };
            let mut sunk = Vec::new();
            let sink = |n: usize| {
                sunk.push(n);
                Ok(())
            };
            let items = (0..10_000).into_par_iter().in_order();
            assert_eq!(items.try_stream(f, sink), Err(failing));
            assert!(sunk.into_iter().eq(0..failing));

            // The source has no end.
            let mut seen = 0;
            let sink = |value: usize| {
                if seen == failing {
                    return Err(value);
                }
                seen += 1;
                Ok(())
            };
            let result = (0..).par_in_order().try_stream(double, sink);
            assert_eq!(result, Err(2 * failing));
            assert_eq!(seen, failing);
        }
    }
    on_pools(|_| check());
    watched(check);
}

/// It has no error for a cancellation.
#[test]
fn a_stream_without_a_group_panics_if_its_closure_cancels_and_no_item_fails() {
    on_pools(|_| {
        let payload = payload_of(|| {
            let items = (0..1000).into_par_iter().in_order();
            items.try_stream(
                |token, _| {
                    token.cancel();
                    Ok::<_, ()>(())
                },
                |()| Ok(()),
            )
        });
        assert!(payload.downcast::<String>().unwrap().contains("with_group"));

        // An error of an item is returned instead.
        let items = (0..1000).into_par_iter().in_order();
        let result = items.try_stream(
            |token, _| -> Result<(), _> {
                token.cancel();
                Err("stopped")
            },
            |()| Ok(()),
        );
        assert_eq!(result, Err("stopped"));
    });
}
