//! Law 7 from inside: whom a failure reaches in a run in order, and what the lanes leave.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::TryRecvError;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::harness::{Drops, on_pool, on_pools, payload_of, pool, watched};

/// A channel whose ends are shared by the items.
fn shared<T>() -> (Mutex<Sender<T>>, Mutex<Receiver<T>>) {
    let (sender, receiver) = channel();
    (Mutex::new(sender), Mutex::new(receiver))
}

/// Runs three items at once: the one in the middle fails, the last one `sees` it and says so, and
/// then the first one ends with what `below` says.
fn three_items(
    threads: usize,
    sees: fn(&CancelToken),
    below: fn(&CancelToken) -> Result<(), &'static str>,
) -> Result<(), GroupError<&'static str>> {
    on_pool(threads, move || {
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let group = ErrGroup::new();
        let result = (0..3).into_par_iter().in_order().with_group(&group);
        result.try_for_each(|token, n| {
            let called = std::sync::Arc::new(AtomicBool::new(false));
            let calling = std::sync::Arc::clone(&called);
            let _registration = token.on_cancel(move || calling.store(true, SeqCst));
            started.wait();
            match n {
                0 => {
                    wait.lock().unwrap().recv().unwrap();
                    assert!(!token.is_cancelled() && token.cause().is_none());
                    assert_eq!(token.done().try_recv(), Err(TryRecvError::Empty));
                    assert!(token.sleep(Duration::from_millis(1)).is_ok());
                    assert!(!called.load(SeqCst));
                    assert!(!token.child().is_cancelled());
                    below(token)
                }
                1 => Err("middle"),
                _ => {
                    sees(token);
                    assert!(matches!(token.cause(), Some(Cause::Failed)));
                    while !called.load(SeqCst) {
                        thread::yield_now();
                    }
                    seen.lock().unwrap().send(()).unwrap();
                    Err("a consequence")
                }
            }
        })
    })
}

#[test]
fn items_below_a_failure_never_see_it_and_items_above_do_at_once() {
    let sees: [fn(&CancelToken); 4] = [
        |token| while !token.is_cancelled() {},
        |token| assert!(token.done().recv().is_err()),
        |token| assert!(token.sleep(Duration::from_secs(3600)).is_err()),
        |token| {
            let (sender, receiver) = channel();
            let _registration = token.on_cancel(move || sender.send(()).unwrap());
            receiver.recv().unwrap();
        },
    ];
    for threads in [3, 8] {
        for sees in sees {
            let error = three_items(threads, sees, |_| Ok(())).unwrap_err();
            assert_eq!(error.index(), Some(1));
            assert_eq!(error.into_error(), Some("middle"));

            let error = three_items(threads, sees, |_| Err("below")).unwrap_err();
            assert_eq!(error.index(), Some(0));
            assert_eq!(error.into_error(), Some("below"));
        }
    }
}

#[test]
fn an_item_above_a_failure_cannot_cancel_those_below() {
    let ways: [fn(&CancelToken); 4] = [
        |token| assert!(!token.cancel()),
        |token| assert!(!token.cancel_with("nobody hears")),
        |token| token.cancel_after(Duration::ZERO),
        |token| drop(token.clone().drop_guard()),
    ];
    for cancels in ways {
        let error = on_pool(3, move || {
            let (started, (seen, wait)) = (Barrier::new(3), shared());
            let result = (0..3)
                .into_par_iter()
                .in_order()
                .try_for_each_group(|token, n| {
                    started.wait();
                    match n {
                        0 => {
                            wait.lock().unwrap().recv().unwrap();
                            assert!(!token.is_cancelled());
                            Ok(())
                        }
                        1 => Err("middle"),
                        _ => {
                            assert!(token.done().recv().is_err());
                            cancels(token);
                            seen.lock().unwrap().send(()).unwrap();
                            Err("a consequence")
                        }
                    }
                });
            result.unwrap_err()
        });
        assert_eq!(error, "middle");
    }
}

#[test]
fn a_nested_run_above_a_failure_is_cancelled_and_one_below_is_not() {
    on_pool(3, || {
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let result = (0..3)
            .into_par_iter()
            .in_order()
            .try_for_each_group(|token, n| {
                if n == 1 {
                    started.wait();
                    return Err("middle");
                }
                let group = ErrGroup::new().token(token);
                let nested = (n..=n).par_in_order().with_group(&group);
                let nested = nested.try_for_each(|token, n| {
                    started.wait();
                    if n == 2 {
                        assert!(token.done().recv().is_err());
                        let cause = token.cause().unwrap();
                        assert!(matches!(cause, Cause::Parent(_)));
                        assert!(matches!(cause.root(), Cause::Failed));
                        seen.lock().unwrap().send(()).unwrap();
                        return Err("a consequence");
                    }
                    wait.lock().unwrap().recv().unwrap();
                    assert!(!token.is_cancelled());
                    Ok(())
                });
                nested.map_err(|_| "nested")
            });
        assert_eq!(result, Err("middle"));
    });
}

/// Derived from dotnet/runtime BreakTests.TestFor_Break_Basic (MIT licence).
#[test]
fn every_item_up_to_the_failure_runs_once_and_none_runs_twice() {
    on_pools(|threads| {
        for failing in [0, 1, 500, 4999, 9999] {
            let begun: Vec<_> = (0..10_000).map(|_| AtomicUsize::new(0)).collect();
            let result = begun
                .par_iter()
                .enumerate()
                .in_order()
                .err_group(|(n, begun)| {
                    begun.fetch_add(1, SeqCst);
                    if n >= failing { Err(n) } else { Ok(()) }
                });
            assert_eq!(result, Err(failing));
            for (n, begun) in begun.iter().enumerate() {
                let begun = begun.load(SeqCst);
                assert!(if n <= failing { begun == 1 } else { begun <= 1 });
                assert!(threads > 1 || n <= failing || begun == 0);
            }
        }
    });
}

/// Derived from dotnet/runtime SimultaneousStopBreakTests (MIT licence): "Cancel After Break", but
/// here the first of the two decides.
#[test]
fn a_failure_before_a_cancellation_from_outside_stays_the_result() {
    on_pool(3, || {
        let stop = CancelToken::new();
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let group = ErrGroup::new().token(&stop);
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let result = items.try_for_each(|token, n| {
            started.wait();
            match n {
                0 => {
                    wait.lock().unwrap().recv().unwrap();
                    assert!(!token.is_cancelled());
                    stop.cancel();
                    assert!(token.is_cancelled(), "from outside it reaches everyone");
                    Err("a consequence")
                }
                1 => Err("middle"),
                _ => {
                    assert!(token.done().recv().is_err());
                    seen.lock().unwrap().send(()).unwrap();
                    Ok(())
                }
            }
        });
        let error = result.unwrap_err();
        assert_eq!(error.index(), Some(1), "the index is frozen");
        assert_eq!(error.into_error(), Some("middle"));
    });
}

#[test]
fn a_failure_after_a_cancellation_from_outside_is_not_the_result() {
    on_pool(2, || {
        let stop = CancelToken::new();
        let (started, (seen, wait)) = (Barrier::new(2), shared());
        let group = ErrGroup::new().token(&stop);
        let items = (0..2).into_par_iter().in_order().with_group(&group);
        let result = items.try_for_each(|_, n| {
            started.wait();
            if n == 0 {
                stop.cancel();
                seen.lock().unwrap().send(()).unwrap();
                return Ok(());
            }
            wait.lock().unwrap().recv().unwrap();
            Err("late")
        });
        assert!(
            matches!(result, Err(GroupError::Cancelled(_))),
            "{result:?}"
        );
    });
}

#[test]
fn a_cancellation_from_outside_or_by_an_item_reaches_every_lane() {
    for threads in [1, 2, 8] {
        for by_item in [false, true] {
            on_pool(threads, move || {
                let (stop, started) = (CancelToken::new(), Barrier::new(threads));
                let group = ErrGroup::new().token(&stop);
                let items = (0..2 * threads)
                    .into_par_iter()
                    .in_order()
                    .with_group(&group);
                let result = items.try_for_each(|token, n| {
                    started.wait();
                    if n == threads - 1 {
                        assert!(if by_item {
                            token.cancel()
                        } else {
                            stop.cancel()
                        });
                    }
                    assert!(token.done().recv().is_err());
                    Ok::<_, ()>(())
                });
                let Err(GroupError::Cancelled(cancelled)) = result else {
                    panic!("{result:?}")
                };
                assert!(matches!(cancelled.cause().root(), Cause::Requested(None)));
                assert_eq!(matches!(cancelled.cause(), Cause::Parent(_)), !by_item);
                assert_eq!(stop.is_cancelled(), !by_item, "down, not up");
            });
        }
    }
}

#[test]
fn a_deadline_of_an_item_is_one_of_the_run() {
    on_pools(|_| {
        let group = ErrGroup::new();
        let items = rayon::iter::repeat_n((), 1_000_000)
            .in_order()
            .with_group(&group);
        let result = items.try_for_each(|token, ()| {
            token.cancel_after(Duration::from_millis(1));
            assert!(token.deadline().is_some());
            token.sleep(Duration::from_secs(3600)).map_err(|_| ())
        });
        let Err(GroupError::Cancelled(cancelled)) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(cancelled.cause(), Cause::Deadline));
    });
}

#[test]
fn a_call_without_a_policy_has_the_error_of_who_cancels_it() {
    on_pools(|_| {
        let result = (0..100)
            .into_par_iter()
            .in_order()
            .try_for_each_group(|token, n| {
                token.cancel();
                Err(n)
            });
        assert!(result.is_err());
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_outranks_a_failure_below_it_and_reaches_everyone() {
    for threads in [2, 8] {
        let payload = on_pool(threads, || {
            let started = Barrier::new(2);
            payload_of(|| {
                (0..2)
                    .into_par_iter()
                    .in_order()
                    .try_for_each_group(|token, n| {
                        started.wait();
                        if n == 0 {
                            return Err("first in time and in order");
                        }
                        assert!(token.done().recv().is_err());
                        std::panic::panic_any(7_u8)
                    })
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&7_u8));

        let payload = on_pool(threads, || {
            let (started, cause) = (Barrier::new(2), Mutex::new(None));
            let payload = payload_of(|| {
                (0..2)
                    .into_par_iter()
                    .in_order()
                    .try_for_each_group(|token, n| {
                        started.wait();
                        if n == 1 {
                            std::panic::panic_any(7_u8)
                        }
                        _ = token.done().recv();
                        *cause.lock().unwrap() = token.cause();
                        Err("a consequence")
                    })
            });
            assert!(matches!(cause.into_inner().unwrap(), Some(Cause::Panicked)));
            payload
        });
        assert_eq!(payload.downcast_ref(), Some(&7_u8));
    }
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_source_is_the_panic_of_the_run() {
    on_pools(|_| {
        let source = || {
            (0..10_000).inspect(|n| {
                if *n == 5000 {
                    std::panic::panic_any("source")
                }
            })
        };
        let payload = payload_of(|| source().par_in_order().err_group(|_| Ok::<_, ()>(())));
        assert_eq!(payload.downcast_ref(), Some(&"source"));
        let group = ErrGroup::new().catch_panics();
        let result = source().par_in_order().with_group(&group);
        let result = result.try_stream(|_, n| Ok::<_, ()>(n), |_| Ok(()));
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("source"));

        let mapped = (0..10_000).into_par_iter().inspect(|n| {
            if *n == 5000 {
                std::panic::panic_any("source")
            }
        });
        let payload = payload_of(|| mapped.in_order().try_map_group(|_, n| Ok::<_, ()>(n)));
        assert_eq!(payload.downcast_ref(), Some(&"source"));
    });
}

#[test]
fn skipped_is_never_success_and_late_is_no_failure() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let cancels_at = |cancelling| {
            let stop = &stop;
            move |_: &CancelToken, n: usize| {
                if n == cancelling {
                    stop.cancel();
                }
                Ok::<_, ()>(n)
            }
        };
        // The last item cancels: nothing is left to be skipped.
        let one = || 0..1_usize;
        assert!(
            one()
                .into_par_iter()
                .in_order()
                .with_group(&group)
                .try_map(cancels_at(0))
                .is_ok()
        );
        assert!(stop.is_cancelled());
        // From here on the token is cancelled beforehand.
        let empty = 0..0_usize;
        assert!(
            empty
                .clone()
                .into_par_iter()
                .in_order()
                .with_group(&group)
                .try_map(cancels_at(9))
                .is_ok()
        );
        assert!(
            empty
                .clone()
                .par_in_order()
                .with_group(&group)
                .try_map(cancels_at(9))
                .is_ok()
        );
        assert!(
            empty
                .par_in_order()
                .with_group(&group)
                .try_stream(cancels_at(9), |_| Ok(()))
                .is_ok()
        );

        let untouched = |_: &CancelToken, _: usize| -> Result<(), ()> { unreachable!() };
        let result = one()
            .into_par_iter()
            .in_order()
            .with_group(&group)
            .try_for_each(untouched);
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        let read = AtomicUsize::new(0);
        let source = (0..100).inspect(|_| _ = read.fetch_add(1, SeqCst));
        let result = source
            .par_in_order()
            .with_group(&group)
            .try_for_each(untouched);
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        assert_eq!(
            read.into_inner(),
            1,
            "one item proves that not all was done"
        );
    });
    on_pools(|_| {
        for len in [1_usize, 2, 1000] {
            let stop = CancelToken::new();
            let group = ErrGroup::new().token(&stop);
            let ended = AtomicUsize::new(0);
            let items = (0..len).par_in_order().with_group(&group);
            let result = items.try_for_each(|_, n| {
                if n == len - 1 {
                    // All the others have ended, so the cancellation skips nothing.
                    while ended.load(SeqCst) < len - 1 {
                        thread::yield_now();
                    }
                    stop.cancel();
                }
                ended.fetch_add(1, SeqCst);
                Ok::<_, ()>(())
            });
            assert!(result.is_ok(), "{result:?}");
        }
    });
}

#[test]
fn items_and_values_are_dropped_once_each_before_the_return() {
    on_pools(|_| {
        for failing in [0, 100, 9_999, usize::MAX] {
            let f = |_: &CancelToken, thing: crate::harness::Thing| {
                if thing.number == failing {
                    Err(thing.number)
                } else {
                    Ok(thing)
                }
            };
            let drops = Drops::new(10_000);
            let result = drops.things().into_par_iter().in_order().try_map_group(f);
            assert_eq!(
                result.as_ref().err(),
                Some(&failing).filter(|n| **n < 10_000)
            );
            drop(result);
            drops.assert_each_once();

            let drops = Drops::new(10_000);
            let result = drops.things().into_iter().par_in_order().try_map_group(f);
            assert_eq!(
                result.as_ref().err(),
                Some(&failing).filter(|n| **n < 10_000)
            );
            drop(result);
            drops.assert_each_once();

            let drops = Drops::new(10_000);
            let group = ErrGroup::new();
            let things = drops.things().into_par_iter().in_order().with_group(&group);
            let result = things.try_stream(f, |_| Ok(()));
            assert_eq!(result.is_ok(), failing == usize::MAX);
            drops.assert_each_once();
        }
    });
}

#[test]
fn endless_sources_end() {
    on_pools(|_| {
        assert_eq!(
            (0..)
                .par_in_order()
                .err_group(|n| if n < 5000 { Ok(()) } else { Err(n) }),
            Err(5000)
        );
        let result = (0..usize::MAX).into_par_iter().in_order();
        assert_eq!(
            result.try_map_group(|_, n| if n < 5000 { Ok(n) } else { Err(n) }),
            Err(5000)
        );

        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let result = (0..)
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, n| {
                if n == 5000 {
                    stop.cancel();
                }
                Ok::<_, ()>(())
            });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));

        let group = ErrGroup::new().timeout(Duration::from_millis(5));
        let result = (0..usize::MAX)
            .into_par_iter()
            .in_order()
            .with_group(&group);
        let result = result.try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
    });
}

/// How far a lazy source may be read ahead of an item, by documentation.
const LAZY_WINDOW: usize = 1024 * 1024;

#[test]
fn a_lazy_source_is_not_read_further_ahead_than_the_window() {
    on_pool(2, || {
        let read = AtomicUsize::new(0);
        let source = (0_usize..).inspect(|_| _ = read.fetch_add(1, SeqCst));
        let result = source.par_in_order().err_group(|n| {
            if n > 0 {
                return Ok(());
            }
            // Until the other lane has stopped for good.
            let (mut before, mut still) = (0, 0);
            while still < 50 {
                thread::sleep(Duration::from_millis(2));
                let now = read.load(SeqCst);
                still = if now == before { still + 1 } else { 0 };
                before = now;
                assert!(now <= 2 * LAZY_WINDOW + 1024, "{now} were read");
            }
            Err("enough")
        });
        assert_eq!(result, Err("enough"));
        assert!(read.into_inner() > 1, "the other lane went ahead");
    });
}

/// Derived from rayon issue 1142: `next` and the closure both run nested work.
#[test]
fn a_source_may_use_the_pool_itself() {
    on_pools(|_| {
        let nested = |n: usize| {
            let sum = (0..20)
                .into_par_iter()
                .in_order()
                .try_map_group(|_, m| Ok::<_, ()>(m + n));
            sum.unwrap().into_iter().sum::<usize>()
        };
        let source = (0..300).map(nested);
        let values = source
            .par_in_order()
            .try_map_group(|_, n| Ok::<_, ()>(nested(n)));
        let expected: Vec<_> = (0..300).map(|n| nested(nested(n))).collect();
        assert_eq!(values, Ok(expected));

        let mut sunk = Vec::new();
        let group = ErrGroup::new();
        let stream = (0..300).map(nested).par_in_order().with_group(&group);
        let result = stream.try_stream(
            |_, n| Ok::<_, ()>(nested(n)),
            |value| {
                sunk.push(nested(value));
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert_eq!(sunk.len(), 300);
    });
}

/// Derived from oneTBB's test for stack overflow avoidance (Apache-2.0).
#[test]
fn runs_nest_on_a_pool_of_one_thread_and_many() {
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

/// The item waits in another pool, so its thread takes up the other lane meanwhile: endlessly, if
/// that did not look up, or if it did not let the job go first that the item waits for.
#[test]
fn a_lane_on_top_of_a_waiting_item_lets_it_go_on() {
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
                // Without waiting in the pool, so that the other thread has to take it.
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

#[test]
fn items_that_block_all_run_at_once() {
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

#[test]
fn it_works_outside_of_pools_and_across_them() {
    watched(|| {
        let call = || {
            (0..1000)
                .into_par_iter()
                .in_order()
                .try_map_group(|_, n| Ok::<_, ()>(n))
        };
        let expected: Vec<_> = (0..1000).collect();
        assert_eq!(call().as_ref(), Ok(&expected));
        let (one, two) = (pool(1), pool(2));
        assert_eq!(one.install(|| two.install(call)).as_ref(), Ok(&expected));
        assert_eq!(
            (0..1000)
                .par_in_order()
                .try_map_group(|_, n| Ok::<_, ()>(n)),
            Ok(expected)
        );
    });
}

/// What the user asks rayon for is kept: no thread takes fewer items at once, but for the last.
#[test]
fn a_minimal_length_is_kept() {
    on_pools(|_| {
        for least in [1, 100, 5000, usize::MAX] {
            let begun = Mutex::new(vec![None; 1000]);
            let items = (0..1000).into_par_iter().with_min_len(least).in_order();
            let result = items.err_group(|n| {
                begun.lock().unwrap()[n] = rayon::current_thread_index();
                Ok::<_, ()>(())
            });
            assert_eq!(result, Ok(()));
            let begun = begun.into_inner().unwrap();
            let runs: Vec<_> = begun.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
            let (last, others) = runs.split_last().unwrap();
            assert!(*last > 0 && others.iter().all(|run| *run >= least));
        }
    });
}

#[test]
fn the_tokens_of_a_run_that_ended_are_released_or_stay_cancelled() {
    on_pools(|_| {
        for fails in [false, true] {
            let kept = Mutex::new(Vec::new());
            let result = (0..1000)
                .into_par_iter()
                .in_order()
                .try_for_each_group(|token, n| {
                    kept.lock().unwrap().push(token.clone());
                    if fails && n == 999 { Err(n) } else { Ok(()) }
                });
            assert_eq!(result.is_err(), fails);
            for token in kept.into_inner().unwrap() {
                assert_eq!(
                    token.is_cancelled(),
                    fails,
                    "once nothing is left below the failure"
                );
                assert_eq!(token.done().try_recv(), Err(TryRecvError::Disconnected));
                assert!(!token.cancel());
            }
        }
    });
}

/// However many items a thread has taken at once.
#[test]
fn no_item_begins_after_a_cancellation_but_one_for_each_other_thread() {
    on_pools(|threads| {
        for from_outside in [false, true] {
            let (stop, group) = (CancelToken::new(), ErrGroup::new());
            let (over, late) = (AtomicBool::new(false), AtomicUsize::new(0));
            let group = group.token(&stop);
            let items = (0..20_000).into_par_iter().with_min_len(1000).in_order();
            let result = items.with_group(&group).try_for_each(|token, n| {
                if over.load(SeqCst) {
                    late.fetch_add(1, SeqCst);
                } else if n == 100 {
                    let cancelled = if from_outside {
                        stop.cancel()
                    } else {
                        token.cancel()
                    };
                    over.store(cancelled, SeqCst);
                }
                Ok::<_, ()>(())
            });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
            assert!(late.into_inner() < threads);
        }
    });
}

/// An iterator that is not fused may begin again after its end.
#[test]
fn a_source_is_not_asked_again_after_its_end() {
    on_pools(|_| {
        for len in [0, 1, 1000] {
            let (mut next, mut ended) = (0, false);
            let source = std::iter::from_fn(|| {
                assert!(!ended, "asked again");
                next += 1;
                ended = next > len;
                (!ended).then_some(next)
            });
            assert_eq!(source.par_in_order().err_group(|_| Ok::<_, ()>(())), Ok(()));
        }
    });
}

/// The items that were read with the one that is in hand when the run is cancelled.
#[test]
fn a_source_is_not_read_on_after_a_cancellation() {
    on_pools(|_| {
        let (stop, read) = (CancelToken::new(), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let source = (0..100_000).inspect(|n| {
            if *n >= 50_000 {
                stop.cancel();
                read.fetch_add(1, SeqCst);
            }
        });
        let result = source
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        assert_eq!(read.into_inner(), 1);
    });
}

/// A panic must not meet another one on its way.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_source_among_items_that_panic_when_dropped() {
    struct Thorny(bool);
    impl Drop for Thorny {
        fn drop(&mut self) {
            assert!(!self.0, "dropped");
        }
    }
    on_pools(|_| {
        let mut next = 0;
        let source = std::iter::from_fn(move || {
            next += 1;
            assert!(next < 1000, "source");
            Some(Thorny(next == 999))
        });
        let payload = payload_of(|| {
            source.par_in_order().err_group(|thing| {
                std::mem::forget(thing);
                Ok::<_, ()>(())
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"source"));
    });
}

/// Derived from rayon's tests of `with_min_len`, and made larger than any memory.
#[test]
fn a_chunk_larger_than_the_memory_may_still_fail_early() {
    on_pools(|_| {
        let items = || {
            (0..usize::MAX)
                .into_par_iter()
                .with_min_len(usize::MAX)
                .in_order()
        };
        let f = |_: &CancelToken, n| if n < 3 { Ok(n) } else { Err(n) };
        assert_eq!(items().try_map_group(f), Err(3));
        let (group, mut sunk) = (ErrGroup::new(), Vec::new());
        let result = items().with_group(&group).try_stream(f, |n| {
            sunk.push(n);
            Ok(())
        });
        assert_eq!(result.unwrap_err().index(), Some(3));
        assert_eq!(sunk, [0, 1, 2]);
    });
}
