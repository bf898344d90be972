//! Guarantees 2 to 6 for runs in order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use crossbeam_channel::TryRecvError;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{Drops, Thing, on_pool, on_pools, payload_of, shared};

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

#[test]
fn a_skipped_item_is_never_success_and_a_late_cancellation_is_not_an_error() {
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
        // The last item cancels, so nothing is skipped.
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
        // For the rest, the token is cancelled beforehand.
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
            "one item proves that not all items ran"
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
                    // All other items have ended, so the cancellation skips nothing.
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
            let f = |_: &CancelToken, thing: Thing| {
                if thing.number == failing {
                    Err(thing.number)
                } else {
                    Ok(thing)
                }
            };
            let drops = Drops::new(10_000);
            let result = drops.things().into_par_iter().in_order().try_map(f);
            assert_eq!(
                result.as_ref().err(),
                Some(&failing).filter(|n| **n < 10_000)
            );
            drop(result);
            drops.assert_each_once();

            let drops = Drops::new(10_000);
            let result = drops.things().into_iter().par_in_order().try_map(f);
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

/// Each of two callbacks waits until the item of the other one has seen the cancellation, so all
/// workers must be cancelled before the first callback runs.
#[test]
fn a_slow_callback_does_not_delay_the_cancellation_of_other_workers() {
    on_pool(3, || {
        let seen = Arc::new([const { AtomicBool::new(false) }; 3]);
        let all = Barrier::new(3);
        let items = (0..3_usize).into_par_iter().with_max_len(1).in_order();
        let result = items.try_for_each(|token, n| {
            if n == 0 {
                all.wait();
                return Err("the root");
            }
            let seen_of = Arc::clone(&seen);
            let _registration = token.on_cancel(move || {
                while !seen_of[3 - n].load(SeqCst) {
                    thread::yield_now();
                }
            });
            all.wait();
            token.done().recv().unwrap_err();
            seen[n].store(true, SeqCst);
            Err("a consequence")
        });
        assert_eq!(result, Err("the root"));
    });
}

/// An error is replaced by one of an earlier item, and its drop waits until the workers in between
/// have seen the cancellation.
#[test]
fn the_drop_of_an_error_does_not_delay_the_cancellation_of_workers() {
    struct Replaced(Receiver<()>);
    impl Drop for Replaced {
        fn drop(&mut self) {
            self.0.recv().unwrap();
        }
    }
    on_pool(4, || {
        let all = Barrier::new(4);
        let (seen, is_seen) = channel();
        let replaced = Mutex::new(Some(Replaced(is_seen)));
        let (failed, has_failed) = shared();
        let items = (0..4_usize).into_par_iter().with_max_len(1).in_order();
        let result = items.try_for_each(|token, n| {
            all.wait();
            match n {
                0 => has_failed.lock().unwrap().recv().unwrap(),
                1 => {
                    token.done().recv().unwrap_err();
                    seen.send(()).unwrap();
                }
                2 => return Err(replaced.lock().unwrap().take()),
                _ => {
                    token.done().recv().unwrap_err();
                    failed.lock().unwrap().send(()).unwrap();
                }
            }
            Err(None)
        });
        assert!(matches!(result, Err(None)), "the error of item 0");
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
                .try_for_each(|token, n| {
                    kept.lock().unwrap().push(token.clone());
                    if fails && n == 999 { Err(n) } else { Ok(()) }
                });
            assert_eq!(result.is_err(), fails);
            for token in kept.into_inner().unwrap() {
                assert_eq!(
                    token.is_cancelled(),
                    fails,
                    "cancelled, since every item before the failure has ended"
                );
                assert_eq!(token.done().try_recv(), Err(TryRecvError::Disconnected));
                assert!(!token.cancel());
            }
        }
    });
}

/// Whatever the chunk size.
#[test]
fn each_other_thread_begins_at_most_one_item_after_a_cancellation() {
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

/// Guarantee 5: the run is already cancelled when the rest of the chunk is dropped.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_cancels_before_the_rest_of_the_chunk_is_dropped() {
    use std::sync::{Arc, OnceLock};
    struct ChecksToken(Arc<(OnceLock<CancelToken>, AtomicUsize)>);
    impl Drop for ChecksToken {
        fn drop(&mut self) {
            let (token, early) = &*self.0;
            if token.get().is_some_and(|token| !token.is_cancelled()) {
                early.fetch_add(1, SeqCst);
            }
        }
    }
    on_pools(|_| {
        for in_order in [false, true] {
            let shared = Arc::new((OnceLock::new(), AtomicUsize::new(0)));
            let things: Vec<_> = (0..10).map(|_| ChecksToken(Arc::clone(&shared))).collect();
            let f = |token: &CancelToken, thing: ChecksToken| -> Result<(), ()> {
                std::mem::forget(thing);
                shared.0.get_or_init(|| token.clone());
                std::panic::panic_any(7_u8)
            };
            let items = things.into_par_iter().with_min_len(10);
            let payload = payload_of(|| {
                if in_order {
                    items.in_order().try_for_each(f)
                } else {
                    items.try_for_each_group(f)
                }
            });
            assert_eq!(payload.downcast_ref(), Some(&7_u8));
            assert_eq!(shared.1.load(SeqCst), 0);
        }
    });
}
