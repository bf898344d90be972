//! Guarantee 2 with tolerated errors: `max_errors` and `keep_going`, for every terminal.

use std::collections::BTreeSet;
use std::hint;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::collection::btree_set;
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{POOLS, cases, on_pool, on_pools, payload_of};

/// The error of the failed item or task that `result` must be, or the first of several.
#[track_caller]
fn failed<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, GroupError<E>>) -> E {
    match result {
        Err(GroupError::Failed { error, .. }) => error,
        Err(GroupError::Several(failures)) => {
            let first = failures.into_iter().next();
            first.expect("there are several").1
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_that_keeps_going_runs_every_item() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let ran = AtomicUsize::new(0);
        let third = |n: usize| {
            ran.fetch_add(1, SeqCst);
            if n % 3 == 1 { Err(n) } else { Ok(n) }
        };
        let assert_ran = |count: usize| assert_eq!(ran.swap(0, SeqCst), count);
        let items = || (0..1000_usize).into_par_iter();

        let each = |_: &CancelToken, n| third(n).map(drop);
        assert_eq!(failed(items().with_group(&group).try_for_each(each)) % 3, 1);
        assert_ran(1000);
        assert_eq!(
            failed(items().with_group(&group).try_map(|_, n| third(n))) % 3,
            1
        );
        assert_ran(1000);
        let filtered = items().filter(|n| n % 2 == 0).with_group(&group);
        assert_eq!(failed(filtered.try_map(|_, n| third(n))) % 3, 1);
        assert_ran(500);
        let bridged = (0..1000).par_bridge().with_group(&group);
        assert_eq!(failed(bridged.try_for_each(each)) % 3, 1);
        assert_ran(1000);
        let nested = items().flat_map(|n| [n, n]).with_group(&group);
        assert_eq!(failed(nested.try_for_each(each)) % 3, 1);
        assert_ran(2000);

        let ordered = || items().in_order().with_group(&group);
        let lazy = || (0..1000).par_in_order().with_group(&group);
        assert_eq!(failed(ordered().try_for_each(each)), 1);
        assert_ran(1000);
        assert_eq!(failed(ordered().try_map(|_, n| third(n))), 1);
        assert_ran(1000);
        assert_eq!(failed(lazy().try_map(|_, n| third(n))), 1);
        assert_ran(1000);
        let mut values = Vec::new();
        let sink = |n| {
            values.push(n);
            Ok(())
        };
        assert_eq!(failed(lazy().try_stream(|_, n| third(n), sink)), 1);
        assert_ran(1000);
        let expected: Vec<_> = (0..1000).filter(|n| n % 3 != 1).collect();
        assert_eq!(values, expected, "the sink gets all values");

        let result = group.scope(|s| {
            for n in 0..1000 {
                s.spawn(move |_| third(n).map(drop));
            }
            Ok(())
        });
        assert_eq!(failed(result) % 3, 1);
        assert_ran(1000);
    });
}

#[test]
fn without_an_error_the_run_succeeds() {
    on_pools(|_| {
        for group in [ErrGroup::new().keep_going(), ErrGroup::new().max_errors(2)] {
            let items = || (0..100_u8).into_par_iter();
            let ok = |_: &CancelToken, n| Ok::<_, ()>(n);
            let expected: Vec<_> = (0..100).collect();
            assert_eq!(items().with_group(&group).try_map(ok).unwrap(), expected);
            let ordered = items().in_order().with_group(&group);
            assert_eq!(ordered.try_map(ok).unwrap(), expected);
            assert_eq!(group.scope(|_| Ok::<_, ()>(7)).unwrap(), 7);
        }
    });
}

/// The closure of an adaptor does not run for the rest of the chunk.
#[test]
fn in_order_nothing_is_read_after_the_last_counted_error() {
    on_pools(|_| {
        let read = AtomicUsize::new(0);
        let items = (0..10).into_par_iter().map(|n: usize| {
            read.fetch_add(1, SeqCst);
            n
        });
        let group = ErrGroup::new().max_errors(2);
        let chunk = items.with_min_len(10).in_order().with_group(&group);
        let result = chunk.try_for_each(|_, n| Err::<(), _>(n));
        assert_eq!(failed(result), 0);
        assert_eq!(read.into_inner(), 2);
    });
}

#[test]
fn the_nth_error_in_time_cancels() {
    on_pools(|threads| {
        for max in [2, 3, 10] {
            let group = ErrGroup::new().max_errors(max);
            let (ran, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let each = |n: usize| {
                ran.fetch_add(1, SeqCst);
                if n % 10 == 0 {
                    failures.fetch_add(1, SeqCst);
                    return Err(n);
                }
                Ok(())
            };
            let check = |error: usize| {
                assert_eq!(error % 10, 0);
                let (ran, failures) = (ran.swap(0, SeqCst), failures.swap(0, SeqCst));
                assert!(
                    failures >= max && failures < max + threads,
                    "{failures} of {max}"
                );
                assert!(ran < 100_000, "{ran}");
                if threads == 1 {
                    assert_eq!(ran, 10 * max - 9);
                }
            };
            let items = (0..100_000).into_par_iter().with_group(&group);
            check(failed(items.try_for_each(|_, n| each(n))));
            let result = group.scope(|s| {
                for n in 0..100_000 {
                    s.spawn(move |_| each(n));
                }
                Ok(())
            });
            let error = failed(result);
            // On one thread the body spawns all tasks before one runs, and the last runs first.
            if threads > 1 {
                check(error);
            }
            ran.store(0, SeqCst);
            failures.store(0, SeqCst);
        }
    });
}

#[derive(Clone, Debug)]
struct Case {
    /// How long each item spins.
    costs: Vec<u32>,
    failing: BTreeSet<usize>,
    max: usize,
}

fn any_case() -> impl Strategy<Value = Case> {
    let len = prop_oneof![4 => 1..40_usize, 2 => 1..400_usize, 1 => 1..4000_usize];
    let cost = prop_oneof![4 => Just(0_u32), 2 => 0..20_u32, 1 => 0..2000_u32];
    let max = prop_oneof![1..5_usize, 1..60_usize, Just(usize::MAX)];
    (len, max).prop_flat_map(move |(len, max)| {
        let failing = btree_set(0..len, 0..80);
        let costs = prop::collection::vec(cost.clone(), len);
        (costs, failing).prop_map(move |(costs, failing)| Case {
            costs,
            failing,
            max,
        })
    })
}

/// In order, the run stops where a sequential loop that counts errors would stop.
fn check(case: &Case, threads: usize) {
    let Case {
        costs,
        failing,
        max,
    } = case;
    let group = ErrGroup::new().max_errors(*max);
    let each = |index: usize| {
        for _ in 0..costs[index] {
            hint::spin_loop();
        }
        if failing.contains(&index) {
            Err(index)
        } else {
            Ok(index)
        }
    };
    // The index at which the loop stops, if it does.
    let bound = failing.iter().nth(max - 1).copied();
    let end = bound.unwrap_or(costs.len());
    let expected: Vec<_> = (0..end).filter(|index| !failing.contains(index)).collect();
    let items = || {
        (0..costs.len())
            .into_par_iter()
            .in_order()
            .with_group(&group)
    };
    let lazy = || (0..costs.len()).par_in_order().with_group(&group);

    let outcomes = [
        items().outcome(|_, n| each(n)),
        lazy().outcome(|_, n| each(n)),
    ];
    for (outcome, is_lazy) in outcomes.into_iter().zip([false, true]) {
        let before: Vec<_> = outcome
            .values()
            .iter()
            .filter(|(at, _)| *at < end)
            .collect();
        assert!(before.iter().map(|(at, _)| at).eq(&expected), "{outcome:?}");
        let errors: Vec<_> = outcome.errors().iter().map(|(at, _)| *at).collect();
        assert!(errors.iter().eq(failing.iter().take(*max)), "{errors:?}");
        let late = outcome.late_errors();
        assert!(late.iter().all(|(at, _)| *at > end), "{late:?}");
        let failed = errors.len() + late.len();
        assert!(failed < max.saturating_add(threads), "{failed} failed");
        let ran = outcome.values().len() + failed;
        if !is_lazy {
            assert_eq!(ran + outcome.skipped(), costs.len());
        }
        assert_eq!(outcome.cause().is_some(), bound.is_some());
        assert_eq!(outcome.is_complete(), failing.is_empty());
    }

    let lowest = failing.first().copied();
    let index =
        |result: Result<Vec<usize>, GroupError<usize>>| result.err().and_then(|e| e.index());
    assert_eq!(index(items().try_map(|_, n| each(n))), lowest);
    assert_eq!(index(lazy().try_map(|_, n| each(n))), lowest);

    for streamed in [false, true] {
        let mut values = Vec::new();
        let sink = |n| {
            values.push(n);
            Ok(())
        };
        let result = if streamed {
            lazy().try_stream(|_, n| each(n), sink)
        } else {
            items().try_stream(|_, n| each(n), sink)
        };
        assert_eq!(result.err().and_then(|error| error.index()), lowest);
        assert_eq!(values, expected);
    }
}

#[test]
fn in_order_the_run_stops_at_the_nth_lowest_error() {
    cases(400, any_case, &[1, 2, 3, 8], check);
}

/// Derived from conc "panics do not exhaust goroutines" and kotlinx withSemaphoreOnFailureTest.
#[test]
fn a_caught_panic_is_tolerated_like_an_error() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going().catch_panics();
        let each = |n: usize| match n % 3 {
            0 => panic!("item {n}"),
            1 => Err(n),
            _ => Ok(n),
        };
        let items = || (0..50_usize).into_par_iter().in_order().with_group(&group);
        let outcome = items().outcome(|_, n| each(n));
        let counts = (
            outcome.panics().len(),
            outcome.errors().len(),
            outcome.values().len(),
        );
        assert_eq!((counts, outcome.skipped()), ((17, 17, 16), 0));
        assert!(outcome.cause().is_none());
        let panics: Vec<_> = outcome
            .panics()
            .iter()
            .map(|(index, _)| index.unwrap())
            .collect();
        assert!(panics.iter().copied().eq((0..50).step_by(3)), "{panics:?}");
        assert_eq!(outcome.panics()[1].1.message(), Some("item 3"));
        assert_eq!(
            outcome.to_string(),
            "16 ok, 17 failed, 17 panicked, 0 skipped"
        );

        // A panic outranks the errors, and every item still ran.
        let ran = AtomicUsize::new(0);
        let counted = |n| {
            ran.fetch_add(1, SeqCst);
            each(n).map(drop)
        };
        let stolen = (0..50).into_par_iter().with_group(&group);
        let result = stolen.try_for_each(|_, n| counted(n));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.swap(0, SeqCst), 50);
        let filtered = (0..100).into_par_iter().filter(|n| n % 2 == 0);
        let result = filtered
            .with_group(&group)
            .try_for_each(|_, n| counted(n / 2));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.swap(0, SeqCst), 50);
        let result = items().try_for_each(|_, n| counted(n));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.swap(0, SeqCst), 50);
        let result = group.scope(|s| {
            (0..50).for_each(|n| s.spawn(move |_| counted(n)));
            Ok(())
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.swap(0, SeqCst), 50);
    });
}

#[test]
fn caught_panics_count_as_errors() {
    on_pool(1, || {
        let group = ErrGroup::new().max_errors(4).catch_panics();
        let items = (0..100_usize).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| match n {
            10 | 30 => panic!("item {n}"),
            20 | 40 => Err(n),
            _ => Ok(n),
        });
        assert_eq!((outcome.panics().len(), outcome.errors().len()), (2, 2));
        assert_eq!((outcome.values().len(), outcome.skipped()), (37, 59));
    });
}

/// In order, the caught panic with the lowest index is returned, but none that a sequential loop
/// would not reach.
#[test]
fn caught_panics_are_in_order_too() {
    for threads in [1, 2, 8] {
        on_pool(threads, move || {
            let ended = AtomicUsize::new(0);
            // If there is another thread, item 0 ends last.
            let others = usize::from(threads > 1);
            let late = |n: usize| {
                while n == 0 && ended.load(SeqCst) < others {
                    std::thread::yield_now();
                }
                ended.fetch_add(1, SeqCst);
            };
            let panic = |n: usize| std::panic::resume_unwind(Box::new(format!("{n}")));
            let message = |result: Result<Vec<()>, GroupError<usize>>| match result {
                Err(GroupError::Panicked(panicked)) => panicked.message().unwrap().to_owned(),
                Err(GroupError::Failed { index, .. }) => format!("failed {index:?}"),
                other => panic!("{other:?}"),
            };

            let group = ErrGroup::new().keep_going().catch_panics();
            let items = || (0..2_usize).into_par_iter().in_order().with_group(&group);
            let both_panic = |_: &CancelToken, n| {
                late(n);
                panic(n)
            };
            assert_eq!(message(items().try_map(both_panic)), "0");
            ended.store(0, SeqCst);
            assert_eq!(message(items().outcome(both_panic).into_result()), "0");
            ended.store(0, SeqCst);

            // The loop ends with the errors of 0 and 1, and never reaches 2.
            let group = ErrGroup::new().max_errors(2).catch_panics();
            let items = || (0..3_usize).into_par_iter().in_order().with_group(&group);
            let last_panics = |_: &CancelToken, n| {
                late(n);
                if n == 2 { panic(n) } else { Err(n) }
            };
            assert_eq!(message(items().try_map(last_panics)), "failed Some(0)");
            ended.store(0, SeqCst);
            let result = items().outcome(last_panics).into_result();
            let Err(GroupError::Several(failures)) = result else {
                panic!("{result:?}")
            };
            assert_eq!(
                failures.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
                [0, 1]
            );
        });
    }
}

/// By default a run ends with the first error or panic, so a caught panic still cancels at once
/// (guarantee 5).
#[test]
fn a_caught_panic_cancels_at_once_if_no_error_is_tolerated() {
    on_pool(1, || {
        let group = ErrGroup::new().catch_panics();
        let items = (0..100_usize).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| {
            if n == 7 {
                panic!("seven")
            } else {
                Ok::<_, ()>(n)
            }
        });
        assert_eq!(
            (
                outcome.values().len(),
                outcome.panics().len(),
                outcome.skipped()
            ),
            (7, 1, 92)
        );
        assert!(matches!(outcome.cause(), Some(Cause::Panicked)));
    });
}

/// After a panic of the iterator the next item is unknown, so the panic is not tolerated; and an
/// iterator that always panics ends the run.
#[test]
fn a_panic_of_the_iterator_is_not_tolerated() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going().catch_panics();
        let lazy = || std::iter::from_fn(|| -> Option<u8> { panic!("no next") });
        let result = lazy()
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        let result = lazy()
            .par_bridge()
            .with_group(&group)
            .try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        let mapped = (0..100)
            .into_par_iter()
            .map(|n: u8| if n == 50 { panic!("map") } else { n });
        let outcome = mapped
            .in_order()
            .with_group(&group)
            .outcome(|_, n| Ok::<_, ()>(n));
        assert_eq!(outcome.panics().len(), 1);
        assert_eq!(outcome.panics()[0].0, None);
        assert_eq!(outcome.panics()[0].1.message(), Some("map"));
        let others = outcome.values().len() + outcome.skipped();
        assert_eq!(others, 100, "the item that the iterator lost did not run");
    });
    on_pool(1, || {
        let group = ErrGroup::new().keep_going().catch_panics();
        let ran = AtomicUsize::new(0);
        let mapped = (0..100)
            .into_par_iter()
            .map(|n: u8| if n == 50 { panic!("map") } else { n });
        let result = mapped.with_group(&group).try_for_each(|_, _| {
            ran.fetch_add(1, SeqCst);
            Ok::<_, ()>(())
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_eq!(ran.into_inner(), 50, "the panic cancels the run");
    });
}

#[test]
fn errors_of_the_sink_and_the_body_are_not_tolerated() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let items = (0..100_usize).into_par_iter().in_order().with_group(&group);
        let mut sunk = Vec::new();
        let result = items.try_stream(
            |_, n| if n == 3 { Err("an item") } else { Ok(n) },
            |n| {
                sunk.push(n);
                if n == 20 { Err("the sink") } else { Ok(()) }
            },
        );
        let Err(GroupError::Failed { index, error }) = result else {
            unreachable!()
        };
        assert_eq!((index, error), (Some(20), "the sink"));
        assert!(sunk.into_iter().eq((0..=20).filter(|n| *n != 3)));

        let failed_first = Barrier::new(2);
        let result = ErrGroup::new().keep_going().concurrency(1).scope(|s| {
            s.spawn(|_| Err("a task"));
            s.spawn(|_| {
                failed_first.wait();
                Ok(())
            });
            failed_first.wait();
            Err::<(), _>("the body")
        });
        assert_eq!(failed(result), "the body");
    });
}

/// An error that counts its drop if it is that of item 1. Of the errors of items 0 and 1 the second
/// is dropped as soon as both are recorded.
#[derive(Debug)]
struct Tolerated<'r>(usize, &'r AtomicUsize);

impl Drop for Tolerated<'_> {
    fn drop(&mut self) {
        if self.0 == 1 {
            self.1.fetch_add(1, SeqCst);
        }
    }
}

/// Guarantee 2 with tolerated errors: a cancellation that skips nothing is ignored.
#[test]
fn a_late_cancellation_does_not_hide_a_tolerated_error() {
    on_pools(|_| {
        let (stop, ended, recorded) =
            (CancelToken::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        let group = ErrGroup::new().keep_going().token(&stop);
        let each = |_: &CancelToken, n: usize| {
            if n == 9 {
                while ended.load(SeqCst) < 9 || recorded.load(SeqCst) == 0 {
                    std::thread::yield_now();
                }
                stop.cancel();
            }
            ended.fetch_add(1, SeqCst);
            if n < 2 {
                Err(Tolerated(n, &recorded))
            } else {
                Ok(())
            }
        };
        let items = (0..10).into_par_iter().with_max_len(1);
        let result = items.in_order().with_group(&group).try_for_each(each);
        assert_eq!(failed(result).0, 0);

        // A cancellation that skips an item is returned.
        let stop = CancelToken::new();
        let group = ErrGroup::new().keep_going().token(&stop);
        for in_order in [false, true] {
            let each = |_: &CancelToken, n: usize| {
                if n == 50 {
                    stop.cancel();
                }
                if n % 2 == 0 { Err("tolerated") } else { Ok(()) }
            };
            let items = (0..100_000).into_par_iter();
            let result = if in_order {
                items.in_order().with_group(&group).try_for_each(each)
            } else {
                items.with_group(&group).try_for_each(each)
            };
            assert!(
                matches!(result, Err(GroupError::Cancelled(_))),
                "{result:?}"
            );
        }
    });
}

#[test]
fn a_limit_of_zero_errors_is_refused() {
    let payload = payload_of(|| ErrGroup::new().max_errors(0));
    assert!(payload.downcast::<&str>().unwrap().contains("at least 1"));
}

/// The policy applies to each run anew, and the last setting counts.
#[test]
fn the_policy_is_reusable() {
    for threads in POOLS {
        on_pool(threads, || {
            let group = ErrGroup::new().keep_going().max_errors(2);
            for _ in 0..3 {
                let items = (0..1000_usize)
                    .into_par_iter()
                    .in_order()
                    .with_group(&group);
                let outcome = items.outcome(|_, n| Err::<(), _>(n));
                assert_eq!(outcome.errors(), [(0, 0), (1, 1)]);
                assert!(outcome.skipped() > 900);
            }
        });
    }
}
