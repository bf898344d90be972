//! Guarantees 7 to 9 where the world is uneven: chunks decide neither which thread runs an item nor
//! how long it waits.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{Drops, on_pool, on_pools, payload_of, pool, watched};

/// The first items are quick, so a thread claims many of them, and then has all of the slow ones.
/// The other threads have run the rest long before.
const ITEMS: usize = 4000;
const SLOW: Range<usize> = 600..700;

/// The number of items of a burst.
const BURST: usize = 1000;

/// How many slow items each thread has run.
#[derive(Default)]
struct ByThread(Mutex<BTreeMap<usize, usize>>);

impl ByThread {
    fn work(&self, n: usize) -> usize {
        if SLOW.contains(&n) {
            let thread = rayon::current_thread_index().unwrap();
            *self.0.lock().unwrap().entry(thread).or_default() += 1;
            thread::sleep(Duration::from_millis(1));
        }
        n
    }

    /// No thread was left with most of the slow items.
    #[track_caller]
    fn assert_shared(self) {
        let counts = self.0.into_inner().unwrap();
        let total: usize = counts.values().sum();
        assert_eq!(total, SLOW.len());
        let most = counts.values().max().unwrap();
        assert!(*most <= total * 3 / 4, "{counts:?}");
    }
}

#[test]
fn slow_items_are_shared_whatever_came_before() {
    for threads in [2, 8] {
        on_pool(threads, || {
            shared(|by_thread| {
                let items = (0..ITEMS).into_par_iter().in_order();
                assert_eq!(items.err_group(|n| work(by_thread, n).map(drop)), Ok(()));
            });
            shared(|by_thread| {
                let values = (0..ITEMS).into_par_iter().in_order();
                let values = values.try_map(|_, n| work(by_thread, n));
                assert!(values.unwrap().into_iter().eq(0..ITEMS));
            });
            shared(|by_thread| {
                let items = (0..ITEMS).into_par_iter().in_order();
                let values = items.outcome(|_, n| work(by_thread, n)).into_values();
                assert!(values.into_iter().eq((0..ITEMS).map(|n| (n, n))));
            });
            shared(|by_thread| {
                let items = (0..ITEMS).into_par_iter().in_order();
                let mut next = 0;
                let result = items.try_stream(
                    |_, n| work(by_thread, n),
                    |n| {
                        assert_eq!(n, next);
                        next += 1;
                        Ok(())
                    },
                );
                assert_eq!((result, next), (Ok(()), ITEMS));
            });
            shared(|by_thread| {
                let items = (0..ITEMS).par_in_order();
                assert_eq!(items.err_group(|n| work(by_thread, n).map(drop)), Ok(()));
            });
            shared(|by_thread| {
                let values = (0..ITEMS).par_in_order();
                let values = values.try_map(|_, n| work(by_thread, n));
                assert!(values.unwrap().into_iter().eq(0..ITEMS));
            });
        });
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "runs take a closure that may fail"
)]
fn work(by_thread: &ByThread, n: usize) -> Result<usize, ()> {
    Ok(by_thread.work(n))
}

fn shared(run: impl Fn(&ByThread)) {
    let by_thread = ByThread::default();
    run(&by_thread);
    by_thread.assert_shared();
}

/// All items before the first failure run, once, and never see it; nothing is lost.
#[test]
fn the_first_failure_of_a_chunk_that_was_taken_over_is_returned() {
    for threads in [2, 8] {
        on_pool(threads, || {
            const FIRST: usize = SLOW.start + 40;
            let drops = Drops::new(ITEMS);
            let ran: Vec<_> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
            let items: Vec<_> = drops.things().into_iter().enumerate().collect();
            let items = items.into_par_iter().in_order();
            let by_thread = ByThread::default();
            let result = items.try_for_each(|token, (n, _thing)| {
                ran[n].fetch_add(1, SeqCst);
                by_thread.work(n);
                assert!(n > FIRST || !token.is_cancelled());
                if n == FIRST || n == FIRST + 10 {
                    Err(n)
                } else {
                    Ok(())
                }
            });
            assert_eq!(result, Err(FIRST));
            let ran: Vec<_> = ran.into_iter().map(AtomicUsize::into_inner).collect();
            assert!(ran[..=FIRST].iter().all(|times| *times == 1));
            assert!(ran.iter().all(|times| *times <= 1));
            drops.assert_each_once();
        });
    }
}

#[test]
fn tolerated_failures_of_a_chunk_that_was_taken_over_have_their_indices() {
    for threads in [2, 8] {
        on_pool(threads, || {
            let (group, by_thread) = (ErrGroup::new().keep_going(), ByThread::default());
            let outcome = (0..ITEMS)
                .into_par_iter()
                .in_order()
                .with_group(&group)
                .outcome(|_, n| {
                    by_thread.work(n);
                    if n % 3 == 0 { Err(n) } else { Ok(n) }
                });
            assert!(outcome.values().iter().all(|(at, n)| at == n));
            assert!(outcome.errors().iter().all(|(at, n)| at == n));
            let count = outcome.values().len() + outcome.errors().len();
            assert_eq!((count, outcome.skipped()), (ITEMS, 0));
        });
    }
}

#[test]
fn a_panic_in_a_chunk_that_was_taken_over_is_resumed() {
    for threads in [2, 8] {
        on_pool(threads, || {
            let (drops, values) = (Drops::new(ITEMS), Drops::new(ITEMS));
            let items: Vec<_> = drops.things().into_iter().enumerate().collect();
            let items = items.into_par_iter().in_order();
            let (by_thread, made) = (ByThread::default(), Mutex::new(Vec::new()));
            let payload = payload_of(|| {
                items.try_map(|_, (n, _thing)| {
                    by_thread.work(n);
                    if n == SLOW.start + 40 {
                        panic_any(n);
                    }
                    made.lock().unwrap().push(n);
                    Ok::<_, ()>(values.thing(n))
                })
            });
            assert_eq!(payload.downcast_ref(), Some(&(SLOW.start + 40)));
            drops.assert_each_once();
            for n in made.into_inner().unwrap() {
                assert_eq!(values.of(n), 1, "value {n}");
            }
        });
    }
}

/// After a burst of items that teach the workers to claim many, `next` waits for all of them.
#[test]
fn nothing_that_was_read_waits_for_the_source() {
    on_pools(|_| {
        fn after_a_burst(run: impl Fn(Box<dyn Iterator<Item = usize> + Send + '_>, &AtomicUsize)) {
            let handled = AtomicUsize::new(0);
            let source = (0..BURST + 3).inspect(|n| {
                while *n == BURST && handled.load(SeqCst) < BURST {
                    thread::yield_now();
                }
            });
            run(Box::new(source), &handled);
            assert_eq!(handled.into_inner(), BURST + 3);
        }
        let handle = |handled: &AtomicUsize| {
            handled.fetch_add(1, SeqCst);
            Ok::<_, ()>(())
        };
        after_a_burst(|source, handled| {
            let result = source.par_in_order().err_group(|_| handle(handled));
            assert_eq!(result, Ok(()));
        });
        after_a_burst(|source, handled| {
            let values = source.par_in_order().try_map(|_, _| handle(handled));
            assert_eq!(values.map(|values| values.len()), Ok(BURST + 3));
        });
        after_a_burst(|source, handled| {
            let outcome = source.par_in_order().outcome(|_, _| handle(handled));
            assert!(outcome.is_complete());
        });
        after_a_burst(|source, handled| {
            let items = source.par_in_order();
            let result = items.try_stream(|_, _| handle(handled), |()| Ok(()));
            assert_eq!(result, Ok(()));
        });
    });
}

/// Again and again, quick items teach the workers to claim many. Then, after a pause, two items
/// come together, and the first waits for the second. A thread is idle, so the second one runs.
#[test]
fn items_that_come_together_after_a_pause_do_not_wait_for_each_other() {
    fn with_pauses(run: impl Fn(Box<dyn Iterator<Item = Arrival> + Send + '_>, &Pauses)) {
        let pauses = Pauses::default();
        let mut given = 0;
        // The number of quick items varies, since the reader looks at the clock after some of them.
        let source = (1..=20).flat_map(|round| {
            let quick = (0..round * 16).map(|_| Arrival::Quick);
            let pair = [Arrival::First(round), Arrival::Second(round)];
            quick.chain(pair).chain([Arrival::Quick])
        });
        let source = source.inspect(|arrival| {
            if let Arrival::First(_) = arrival {
                while pauses.handled.load(SeqCst) < given {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(1));
            }
            if let Arrival::Quick = arrival {
                while pauses.pairs_handled.load(SeqCst) < pauses.pairs_given.load(SeqCst) {
                    thread::yield_now();
                }
            }
            if let Arrival::Second(round) = arrival {
                pauses.pairs_given.store(*round, SeqCst);
            }
            given += 1;
        });
        run(Box::new(source), &pauses);
        assert_eq!(pauses.pairs_handled.into_inner(), 20);
    }
    for threads in [4, 8] {
        on_pool(threads, || {
            with_pauses(|source, pauses| {
                let result = source.par_in_order().err_group(|item| pauses.handle(item));
                assert_eq!(result, Ok(()));
            });
            with_pauses(|source, pauses| {
                let values = source.par_in_order().try_map(|_, item| pauses.handle(item));
                assert!(values.is_ok());
            });
            with_pauses(|source, pauses| {
                let outcome = source.par_in_order().outcome(|_, item| pauses.handle(item));
                assert!(outcome.is_complete());
            });
        });
        // From outside of the pool: a thread of the pool reads, too, and the sink waits meanwhile.
        watched(move || {
            let group = ErrGroup::new().concurrency(threads);
            with_pauses(|source, pauses| {
                let items = source.par_in_order().with_group(&group);
                let result = items.try_stream(|_, item| pauses.handle(item), |()| Ok(()));
                assert!(result.is_ok());
            });
        });
    }
}

/// An item of [`items_that_come_together_after_a_pause_do_not_wait_for_each_other`].
#[derive(Clone, Copy)]
enum Arrival {
    Quick,
    /// Of the pair of this round.
    First(usize),
    Second(usize),
}

/// What has become of the items.
#[derive(Default)]
struct Pauses {
    handled: AtomicUsize,
    pairs_given: AtomicUsize,
    pairs_handled: AtomicUsize,
}

impl Pauses {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "runs take a closure that may fail"
    )]
    fn handle(&self, arrival: Arrival) -> Result<(), ()> {
        match arrival {
            Arrival::Quick => {}
            Arrival::First(round) => {
                while self.pairs_handled.load(SeqCst) < round {
                    thread::yield_now();
                }
            }
            Arrival::Second(round) => self.pairs_handled.store(round, SeqCst),
        }
        self.handled.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// Each item comes only after the one before it has ended, as where a client waits for an answer.
#[test]
fn a_source_may_wait_for_its_items() {
    on_pools(|_| {
        let handled = AtomicUsize::new(0);
        let source = (0..300).inspect(|n| {
            while handled.load(SeqCst) < *n {
                thread::yield_now();
            }
        });
        let result = source.par_in_order().err_group(|_| {
            handled.fetch_add(1, SeqCst);
            Ok::<_, ()>(())
        });
        assert_eq!((result, handled.load(SeqCst)), (Ok(()), 300));
    });
}

/// The same for the values of a stream, whose sink is on a thread of its own.
#[test]
fn a_source_may_wait_for_the_sink() {
    for threads in [1, 2, 8] {
        watched(move || {
            let group = ErrGroup::new().concurrency(threads);
            let sunk = AtomicUsize::new(0);
            let source = (0..300).inspect(|n| {
                while sunk.load(SeqCst) < *n {
                    thread::yield_now();
                }
            });
            let result = source.par_in_order().with_group(&group).try_stream(
                |_, n| Ok::<_, ()>(n),
                |_| {
                    sunk.fetch_add(1, SeqCst);
                    Ok(())
                },
            );
            assert!(result.is_ok());
            assert_eq!(sunk.into_inner(), 300);
        });
    }
}

/// While the source waits, the pool's other jobs run: one of them may be what it waits for.
#[test]
fn a_source_may_wait_for_a_job_of_the_pool() {
    for threads in [2, 8] {
        on_pool(threads, || {
            let (sender, receiver) = channel();
            let sender = Mutex::new(Some(sender));
            let items = receiver.into_iter().par_in_order();
            rayon::in_place_scope(|scope| {
                // Queued behind what the run needs, and on a thread that reads.
                scope.spawn(|_| {
                    let sender = sender.lock().unwrap().take().unwrap();
                    (0..50).for_each(|n| sender.send(n).unwrap());
                });
                let values = items.try_map(|_, n| Ok::<_, ()>(n));
                assert!(values.unwrap().into_iter().eq(0..50));
            });
        });
    }
}

/// The job is spawned by `next` itself, so no thread has it but the one that waits.
#[test]
fn a_source_may_wait_for_a_job_that_it_has_spawned() {
    for threads in [2, 8] {
        on_pool(threads, || {
            let mut next = 0;
            let source = std::iter::from_fn(move || {
                let (sender, receiver) = channel();
                rayon::spawn(move || sender.send(()).unwrap());
                receiver.recv().unwrap();
                next += 1;
                (next <= 2).then_some(next)
            });
            let values = source.par_in_order().try_map(|_, n| Ok::<_, ()>(n));
            assert_eq!(values, Ok(vec![1, 2]));
        });
    }
}

/// All items that were read have ended when the run is cancelled, and then the source ends.
#[test]
fn a_cancellation_after_the_last_item_is_too_late() {
    on_pools(|_| {
        const READ: usize = 20;
        let (stop, handled) = (CancelToken::new(), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let mut next = 0;
        let source = std::iter::from_fn(|| {
            next += 1;
            if next <= READ {
                return Some(next);
            }
            while handled.load(SeqCst) < READ {
                thread::yield_now();
            }
            stop.cancel();
            None
        });
        let result = source
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, _| {
                handled.fetch_add(1, SeqCst);
                Ok::<_, ()>(())
            });
        assert!(result.is_ok(), "{result:?}");
    });
}

/// On a pool of two, a worker runs on top of an item that waits for another pool. When it makes
/// room for the pool's other jobs, one of these waits for the run itself.
#[test]
fn a_run_does_not_wait_for_the_job_of_a_stranger() {
    for lazy in [false, true] {
        watched(move || {
            let (here, other) = (Arc::new(pool(2)), pool(1));
            let (start, is_started) = channel::<()>();
            let (release, is_released) = channel::<()>();
            let (waits, is_waiting) = channel();
            let waiting_thread = Arc::new(AtomicUsize::new(usize::MAX));
            let waiting = {
                let (here, waiting_thread) = (Arc::clone(&here), Arc::clone(&waiting_thread));
                thread::spawn(move || {
                    here.install(move || {
                        waiting_thread.store(rayon::current_thread_index().unwrap(), SeqCst);
                        waits.send(()).unwrap();
                        // Not inside of rayon, so the other thread begins the run.
                        is_started.recv().unwrap_err();
                        other.install(move || _ = is_released.recv());
                    });
                })
            };
            is_waiting.recv().unwrap();
            let (returned, has_returned) = channel::<()>();
            let is_on_top = AtomicBool::new(false);
            here.install(|| {
                // Behind this call, as long as both threads are busy.
                rayon::spawn(move || _ = has_returned.recv());
                let start = Mutex::new(Some(start));
                let f = |_n: usize| {
                    drop(start.lock().unwrap().take());
                    if rayon::current_thread_index() == Some(waiting_thread.load(SeqCst)) {
                        is_on_top.store(true, SeqCst);
                    } else {
                        // Until the other worker has begun, or has found the other job first.
                        for _ in 0..100 {
                            if is_on_top.load(SeqCst) {
                                break;
                            }
                            thread::sleep(Duration::from_micros(100));
                        }
                    }
                    Ok::<_, ()>(())
                };
                let result = if lazy {
                    (0..100).par_in_order().err_group(f)
                } else {
                    (0..100)
                        .into_par_iter()
                        .with_max_len(1)
                        .in_order()
                        .err_group(f)
                };
                assert_eq!(result, Ok(()));
            });
            drop((returned, release));
            waiting.join().unwrap();
        });
    }
}

#[test]
fn few_states_are_made_however_expensive_they_are() {
    on_pools(|threads| {
        let (inits, items) = (AtomicUsize::new(0), 2000);
        let init = || {
            thread::sleep(Duration::from_millis(1));
            inits.fetch_add(1, SeqCst)
        };
        let result = (0..items).into_par_iter().map_init(init, |_, n| n);
        assert_eq!(result.in_order().err_group(|_| Ok::<_, ()>(())), Ok(()));
        let inits = inits.into_inner();
        assert!(inits <= items / 8, "{inits} on {threads} threads");
    });
}

#[test]
fn a_sink_that_has_seen_enough_ends_the_run_successfully() {
    on_pools(|_| {
        for limit in [0, 1, 500] {
            let (drops, mut sunk) = (Drops::new(2000), 0);
            let items = drops.things().into_iter().par_in_order();
            let result = items.try_stream(
                |_, thing| {
                    // What is behind the limit does not count.
                    if thing.number == limit + 3 {
                        Err(thing.number)
                    } else {
                        Ok(thing)
                    }
                },
                |thing| {
                    assert_eq!(thing.number, sunk);
                    sunk += 1;
                    Ok(if thing.number == limit {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    })
                },
            );
            assert_eq!((result, sunk), (Ok(()), limit + 1));
            drops.assert_each_once();
        }
    });
}

#[test]
fn a_sink_that_has_seen_enough_ends_an_endless_run() {
    on_pools(|_| {
        let group = ErrGroup::new();
        let items = (0_u64..).par_in_order().with_group(&group);
        let mut sum = 0;
        let result = items.try_stream(
            |token, n| {
                if n > 100_000 {
                    // It is told to stop, too.
                    token.done().recv().unwrap_err();
                }
                Ok::<_, ()>(n)
            },
            |n| {
                sum += n;
                Ok(if n == 100 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            },
        );
        assert!(result.is_ok());
        assert_eq!(sum, 5050);
    });
}

/// An error before the end of the sink counts, and so does a panic anywhere.
#[test]
fn what_comes_before_the_end_of_the_sink_counts() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let until = |last: usize, failing: usize| {
            let items = (0..100).into_par_iter().in_order().with_group(&group);
            items.try_stream(
                move |_: &CancelToken, n| if n == failing { Err(n) } else { Ok(n) },
                |n| {
                    Ok(if n == last {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    })
                },
            )
        };
        assert!(until(9, 10).is_ok());
        assert!(matches!(
            until(9, 8),
            Err(GroupError::Failed {
                index: Some(8),
                error: 8
            })
        ));
        let begun = AtomicBool::new(false);
        let payload = payload_of(|| {
            (0..100).into_par_iter().in_order().try_stream(
                |_, n| {
                    if n == 1 {
                        begun.store(true, SeqCst);
                        panic_any("behind the end");
                    }
                    Ok::<_, ()>(n)
                },
                |_| {
                    // On one thread the item runs before the next look at the sink, or never.
                    while rayon::current_num_threads() > 1 && !begun.load(SeqCst) {
                        thread::yield_now();
                    }
                    if begun.load(SeqCst) {
                        return Ok(ControlFlow::Break(()));
                    }
                    Ok(ControlFlow::Continue(()))
                },
            )
        });
        assert_eq!(payload.downcast_ref(), Some(&"behind the end"));
    });
}
