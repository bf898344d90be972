//! Guarantee 2: `Ok` if and only if every item ran to its end and returned `Ok`.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::common::{Drops, cancelled, on_pool, on_pools, pool};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

/// Derived from the order in which rayon runs items on one thread.
#[test]
fn one_thread_runs_exactly_the_items_up_to_the_failure() {
    on_pool(1, || {
        let started = AtomicUsize::new(0);
        let result = (0..1000).into_par_iter().err_group(|n| {
            assert_eq!(started.fetch_add(1, SeqCst), n);
            if n == 7 { Err(n) } else { Ok(()) }
        });
        assert_eq!(result, Err(7));
        assert_eq!(started.into_inner(), 8);
    });
}

/// Derived from dotnet/corefx pull request 20259: a cancellation that skips nothing is not an
/// error.
#[test]
fn a_late_cancellation_is_not_an_error() {
    on_pools(|_| {
        for length in [1, 2, 10, 1000] {
            let last_cancels = |stop: &CancelToken, ended: &AtomicUsize, of: usize| {
                if ended.fetch_add(1, SeqCst) + 1 == of {
                    stop.cancel();
                }
                Ok::<_, ()>(())
            };
            let items = || (0..length).into_par_iter();

            let (stop, ended) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let result = items()
                .with_group(&group)
                .try_for_each(|_, _| last_cancels(&stop, &ended, length));
            assert!(result.is_ok(), "indexed, {length}");
            assert!(stop.is_cancelled());

            // Also behind a filter that drops everything after the last item.
            let (stop, ended) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let even = items().filter(|n| n % 2 == 0).with_group(&group);
            let result = even.try_for_each(|_, _| last_cancels(&stop, &ended, length.div_ceil(2)));
            assert!(result.is_ok(), "filter, {length}");

            let (stop, ended) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let nested = items()
                .flat_map(|n| [n, n].into_par_iter())
                .with_group(&group);
            let result = nested.try_map(|_, _| last_cancels(&stop, &ended, 2 * length));
            assert_eq!(result.unwrap().len(), 2 * length, "flat_map, {length}");

            let (stop, ended) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let bridge = (0..length).par_bridge().with_group(&group);
            let result = bridge.try_for_each(|_, _| last_cancels(&stop, &ended, length));
            assert!(result.is_ok(), "par_bridge, {length}");
        }
    });
}

fn wait_longer_than_the_grace_period() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        std::thread::yield_now();
    }
}

/// The same, while the thread of the item notices the cancellation on top of it.
#[test]
fn a_late_cancellation_is_not_an_error_if_the_thread_has_seen_it_before() {
    on_pool(1, || {
        let (stop, io, seen) = (CancelToken::new(), pool(1), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let items = (0..1000).into_par_iter().with_min_len(500).filter(|n| {
            seen.fetch_add(1, SeqCst);
            *n == 0
        });
        let result = items.with_group(&group).try_for_each(|_, _| {
            stop.cancel();
            // On top of this the thread filters the second half.
            io.install(wait_longer_than_the_grace_period);
            assert_eq!(seen.load(SeqCst), 1 + 500);
            Ok::<_, ()>(())
        });
        assert!(result.is_ok());
        assert_eq!(seen.into_inner(), 1000);
    });
}

/// Behind a filter the documented grace period begins at the end of the item that ran, however
/// long it took. Here the last two items end one after the other, long after the cancellation.
#[test]
fn a_late_cancellation_is_not_an_error_however_long_the_last_item_takes() {
    fn check<I: ParallelIterator<Item = usize>>(items: I) {
        let (stop, both) = (CancelToken::new(), Barrier::new(2));
        let group = ErrGroup::new().token(&stop);
        let result = items.with_group(&group).try_for_each(|token, n| {
            both.wait();
            if n == 0 {
                stop.cancel();
                return Ok::<_, ()>(());
            }
            token.done().recv().unwrap_err();
            wait_longer_than_the_grace_period();
            Ok(())
        });
        assert!(result.is_ok());
    }
    on_pool(2, || {
        let items = || (0..2).into_par_iter().with_max_len(1);
        check(items());
        check(items().filter(|_| true));
        check(items().flat_map(|n| [n]));
        check((0..2).par_bridge());
    });
}

/// Derived from dotnet/runtime issue 47360: an incomplete run is never a success.
#[test]
fn a_skipped_item_is_never_success() {
    on_pool(1, || {
        let (stop, started) = (CancelToken::new(), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let result = (0..100)
            .into_par_iter()
            .with_group(&group)
            .try_for_each(|_, n| {
                started.fetch_add(1, SeqCst);
                if n == 10 {
                    stop.cancel();
                }
                Ok::<_, ()>(())
            });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        assert_eq!(started.into_inner(), 11);
    });
    // Whenever the cancellation happens, the result agrees with the number of items that ran.
    on_pools(|_| {
        for at in 0..200 {
            let (stop, ended) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let result = (0..200).into_par_iter().with_group(&group).try_map(|_, n| {
                if n == at {
                    stop.cancel();
                }
                ended.fetch_add(1, SeqCst);
                Ok::<_, ()>(n)
            });
            match result {
                Ok(values) => {
                    assert_eq!(ended.into_inner(), 200);
                    assert!(values.into_iter().eq(0..200));
                }
                Err(GroupError::Cancelled(_)) => assert!(ended.into_inner() < 200),
                Err(other) => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn empty_input_is_ok_whatever_the_policy() {
    on_pools(|_| {
        let cancelled = CancelToken::new();
        cancelled.cancel();
        let groups = [
            ErrGroup::new(),
            ErrGroup::new().token(&CancelToken::new()),
            ErrGroup::new().token(&cancelled),
            ErrGroup::new().deadline(Instant::now()),
            ErrGroup::new().timeout(Duration::ZERO),
            ErrGroup::new().concurrency(1),
            ErrGroup::new()
                .catch_panics()
                .concurrency(3)
                .token(&cancelled),
        ];
        for group in &groups {
            fn never(_: &CancelToken, _: u32) -> Result<u32, ()> {
                unreachable!()
            }
            let unit = |token: &CancelToken, n| never(token, n).map(drop);
            let slice: &[u32] = &[];
            assert_eq!(
                slice
                    .par_iter()
                    .copied()
                    .with_group(group)
                    .try_map(never)
                    .unwrap(),
                []
            );
            assert_eq!(
                (0..0)
                    .into_par_iter()
                    .with_group(group)
                    .try_map(never)
                    .unwrap(),
                []
            );
            assert_eq!(
                (0..0)
                    .par_bridge()
                    .with_group(group)
                    .try_map(never)
                    .unwrap(),
                []
            );
            let filtered = || (0..9_u32).into_par_iter().filter(|_| false);
            assert_eq!(filtered().with_group(group).try_map(never).unwrap(), []);
            assert!(filtered().with_group(group).try_for_each(unit).is_ok());
            let nested = (0..9).into_par_iter().flat_map(|_| rayon::iter::empty());
            assert_eq!(nested.with_group(group).try_map(never).unwrap(), []);
            let chained = rayon::iter::empty().chain(rayon::iter::empty());
            assert_eq!(chained.with_group(group).try_map(never).unwrap(), []);
        }
        assert_eq!(rayon::iter::empty::<u32>().err_group(|_| Err(())), Ok(()));
        assert_eq!(
            rayon::iter::empty::<u32>().try_map_group(|_, n| Err::<(), _>(n)),
            Ok(vec![])
        );
    });
}

/// Derived from .NET's PreCanceled tests (MIT) and tokio's `run_until_cancelled` (MIT).
#[test]
fn a_run_that_is_cancelled_before_it_starts_runs_nothing() {
    on_pools(|threads| {
        let stop = CancelToken::new();
        stop.cancel_with("no");
        for group in [
            ErrGroup::new().token(&stop),
            ErrGroup::new().deadline(Instant::now()),
            ErrGroup::new().timeout(Duration::ZERO),
            ErrGroup::new().deadline(Instant::now().checked_sub(Duration::from_secs(1)).unwrap()),
        ] {
            let drops = Drops::new(100);
            let result = drops
                .things()
                .into_par_iter()
                .with_group(&group)
                .try_for_each(|_, _| -> Result<(), ()> { unreachable!() });
            drops.assert_each_once();
            let cause = cancelled(result);
            assert!(matches!(
                (&cause, cause.root()),
                (Cause::Parent(_), Cause::Requested(Some(_))) | (Cause::Deadline, Cause::Deadline)
            ));

            // Pulling an item is the only way to find out whether one would be skipped.
            let pulled = AtomicUsize::new(0);
            let source = std::iter::repeat_with(|| pulled.fetch_add(1, SeqCst));
            let result = source
                .par_bridge()
                .with_group(&group)
                .try_map(|_, _| -> Result<(), ()> { unreachable!() });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
            assert!(pulled.into_inner() <= threads);
        }
    });
}

#[test]
fn a_group_starts_each_run_afresh() {
    on_pools(|_| {
        let (parent, group) = (CancelToken::new(), ErrGroup::new().concurrency(2));
        let group = group.token(&parent);
        let run = |result: Result<u8, &'static str>| {
            [0].par_iter().with_group(&group).try_map(|_, _| result)
        };
        assert_eq!(run(Err("one")).unwrap_err().into_error(), Some("one"));
        assert_eq!(run(Err("two")).unwrap_err().into_error(), Some("two"));
        assert_eq!(run(Ok(3)).unwrap(), [3]);
        assert!(!parent.is_cancelled());
    });
}

/// A filter that passes nothing gives no proof that an item was skipped; the run ends anyway.
#[test]
fn a_cancelled_run_behind_a_filter_that_passes_nothing_ends() {
    on_pools(|_| {
        let group = ErrGroup::new().timeout(Duration::from_millis(1));
        let nothing = (0..u64::MAX).into_par_iter().filter(|_| false);
        let result = nothing
            .with_group(&group)
            .try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        let nothing = std::iter::repeat(()).par_bridge().filter(|()| false);
        let result = nothing.with_group(&group).try_map(|_, ()| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        let nothing = (0..u64::MAX).into_par_iter().filter(|_| false);
        let sum = nothing
            .with_group(&group)
            .try_process(|_, n| Ok::<_, ()>(n), |v| v.sum::<u64>());
        assert!(matches!(sum, Err(GroupError::Cancelled(_))));
    });
}

/// The first item after the cancellation proves that the run is not complete. A source that waits
/// for another one would wait for nothing.
#[test]
fn a_run_that_is_cancelled_meanwhile_reads_one_more_item() {
    on_pool(1, || {
        let read =
            |run: &dyn Fn(&mut (dyn Iterator<Item = usize> + Send), &CancelToken) -> bool| {
                let (pulled, stop) = (AtomicUsize::new(0), CancelToken::new());
                let mut source = std::iter::repeat_with(|| pulled.fetch_add(1, SeqCst));
                assert!(run(&mut source, &stop), "it was cancelled");
                pulled.into_inner()
            };
        let item = |stop: &CancelToken, n: usize| {
            if n == 5 {
                stop.cancel();
            }
            Ok::<_, ()>(())
        };
        let is_cancelled = |error: &GroupError<()>| matches!(error, GroupError::Cancelled(_));
        let each = read(&|source, stop| {
            let group = ErrGroup::new().token(stop);
            let run = source.par_bridge().with_group(&group);
            run.try_for_each(|_, n| item(stop, n))
                .is_err_and(|e| is_cancelled(&e))
        });
        let process = read(&|source, stop| {
            let group = ErrGroup::new().token(stop);
            let run = source.par_bridge().with_group(&group);
            let count = run.try_process(|_, n| item(stop, n), |values| values.count());
            count.is_err_and(|e| is_cancelled(&e))
        });
        assert_eq!((each, process), (7, 7));
    });
}

/// A run begins even if its values would not fit into memory.
#[test]
fn an_input_longer_than_memory_may_fail_early() {
    on_pools(|_| {
        let result = (0..usize::MAX as u64)
            .into_par_iter()
            .try_map_group(|_, n| {
                if n % 1000 == 999 {
                    Err("early")
                } else {
                    Ok([n; 16])
                }
            });
        assert_eq!(result.map(|values| values.len()), Err("early"));
        let units = (0..1_000_000)
            .into_par_iter()
            .try_map_group(|_, _| Ok::<_, ()>(()));
        assert_eq!(units.unwrap().len(), 1_000_000);
    });
}
