//! Errors that a run bears: `max_errors` and `keep_going`, for every terminal.

use std::collections::BTreeSet;
use std::hint;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{POOLS, on_pool, on_pools, payload_of, pool, watched};

fn failed<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, GroupError<E>>) -> E {
    match result {
        Err(GroupError::Failed { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_keeps_going_runs_every_item() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let ran = AtomicUsize::new(0);
        let third = |n: usize| {
            ran.fetch_add(1, SeqCst);
            if n % 3 == 1 { Err(n) } else { Ok(n) }
        };
        let all = |count: usize| assert_eq!(ran.swap(0, SeqCst), count);
        let items = || (0..1000_usize).into_par_iter();

        let each = |_: &CancelToken, n| third(n).map(drop);
        assert_eq!(failed(items().with_group(&group).try_for_each(each)) % 3, 1);
        all(1000);
        assert_eq!(
            failed(items().with_group(&group).try_map(|_, n| third(n))) % 3,
            1
        );
        all(1000);
        let filtered = items().filter(|n| n % 2 == 0).with_group(&group);
        assert_eq!(failed(filtered.try_map(|_, n| third(n))) % 3, 1);
        all(500);
        let bridged = (0..1000).par_bridge().with_group(&group);
        assert_eq!(failed(bridged.try_for_each(each)) % 3, 1);
        all(1000);
        let nested = items().flat_map(|n| [n, n]).with_group(&group);
        assert_eq!(failed(nested.try_for_each(each)) % 3, 1);
        all(2000);

        let ordered = || items().in_order().with_group(&group);
        let lazy = || (0..1000).par_in_order().with_group(&group);
        assert_eq!(failed(ordered().try_for_each(each)), 1);
        all(1000);
        assert_eq!(failed(ordered().try_map(|_, n| third(n))), 1);
        all(1000);
        assert_eq!(failed(lazy().try_map(|_, n| third(n))), 1);
        all(1000);
        let mut values = Vec::new();
        let sink = |n| {
            values.push(n);
            Ok(())
        };
        assert_eq!(failed(lazy().try_stream(|_, n| third(n), sink)), 1);
        all(1000);
        let expected: Vec<_> = (0..1000).filter(|n| n % 3 != 1).collect();
        assert_eq!(
            values, expected,
            "the sink is given all values that there are"
        );

        let result = group.scope(|s| {
            for n in 0..1000 {
                s.spawn(move |_| third(n).map(drop));
            }
            Ok(())
        });
        assert_eq!(failed(result) % 3, 1);
        all(1000);
    });
}

#[test]
fn without_an_error_it_is_a_success() {
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

/// An adaptor's closure does not run for what is left of the chunk.
#[test]
fn in_order_nothing_is_read_after_the_last_error_that_counts() {
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
            // On one thread the body itself is the only one that spawns, and the last task is first.
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
    /// What each item costs.
    costs: Vec<u32>,
    failing: BTreeSet<usize>,
    max: usize,
}

fn cases() -> impl Strategy<Value = Case> {
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

/// In order, the run stops where the sequential loop would that counts its errors.
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
    // Where the loop stops, and whether it does.
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
        let below: Vec<_> = outcome.values.iter().filter(|(at, _)| *at < end).collect();
        assert!(below.iter().map(|(at, _)| at).eq(&expected), "{outcome:?}");
        let errors: Vec<_> = outcome.errors.iter().map(|(at, _)| *at).collect();
        assert!(
            errors.iter().take(*max).eq(failing.iter().take(*max)),
            "{errors:?}"
        );
        assert!(errors.len() < max.saturating_add(threads), "{errors:?}");
        let ran = outcome.values.len() + errors.len();
        if !is_lazy {
            assert_eq!(ran + outcome.skipped, costs.len());
        }
        assert_eq!(outcome.cause.is_some(), bound.is_some());
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
fn in_order_the_nth_lowest_error_is_where_it_stops() {
    for threads in [1, 2, 3, 8] {
        watched(move || {
            let pool = pool(threads);
            let mut runner = TestRunner::new(Config {
                cases: 400,
                failure_persistence: None,
                ..Config::default()
            });
            let run = runner.run(&cases(), |case| {
                pool.install(|| check(&case, threads));
                Ok(())
            });
            run.unwrap_or_else(|error| panic!("{error}"));
        });
    }
}

/// Derived from conc "panics do not exhaust goroutines" and kotlinx withSemaphoreOnFailureTest.
#[test]
fn a_caught_panic_is_borne_like_an_error() {
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
            outcome.panics.len(),
            outcome.errors.len(),
            outcome.values.len(),
        );
        assert_eq!((counts, outcome.skipped), ((17, 17, 16), 0));
        assert!(outcome.cause.is_none());
        let panics: Vec<_> = outcome
            .panics
            .iter()
            .map(|(index, _)| index.unwrap())
            .collect();
        assert!(panics.iter().copied().eq((0..50).step_by(3)), "{panics:?}");
        assert_eq!(outcome.panics[1].1.message(), Some("item 3"));
        assert_eq!(
            outcome.to_string(),
            "16 ok, 17 failed, 17 panicked, 0 skipped"
        );

        // A panic outranks the errors, and everything ran all the same.
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
        assert_eq!((outcome.panics.len(), outcome.errors.len()), (2, 2));
        assert_eq!((outcome.values.len(), outcome.skipped), (37, 59));
    });
}

/// In order, of several caught panics the lowest is returned, and none that the loop would not reach.
#[test]
fn caught_panics_are_in_order_too() {
    for threads in [1, 2, 8] {
        on_pool(threads, move || {
            let ended = AtomicUsize::new(0);
            // Where there is another thread, item 0 ends last.
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

            // The loop ends with the errors of 0 and 1, and never comes to 2.
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

/// The default is one error, and one panic: what is caught still cancels at once (law 5).
#[test]
fn a_caught_panic_cancels_at_once_where_no_error_is_borne() {
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
            (outcome.values.len(), outcome.panics.len(), outcome.skipped),
            (7, 1, 92)
        );
        assert!(matches!(
            outcome.cause,
            Some(rayon_errgroup::Cause::Panicked)
        ));
    });
}

/// A panic of the iterator says nothing about the next item, so it is not borne; and an iterator
/// that always panics ends.
#[test]
fn a_panic_of_the_iterator_is_not_borne() {
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
        assert_eq!(outcome.panics.len(), 1);
        assert_eq!(outcome.panics[0].0, None);
        assert_eq!(outcome.panics[0].1.message(), Some("map"));
        let others = outcome.values.len() + outcome.skipped;
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
        assert_eq!(ran.into_inner(), 50, "it cancels the run");
    });
}

#[test]
fn the_sink_and_the_body_are_not_borne() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let items = (0..100_usize).into_par_iter().in_order().with_group(&group);
        let mut sunk = Vec::new();
        let result = items.try_stream(
            |_, n| if n == 3 { Err("an item's") } else { Ok(n) },
            |n| {
                sunk.push(n);
                if n == 20 { Err("the sink's") } else { Ok(()) }
            },
        );
        let Err(GroupError::Failed { index, error }) = result else {
            unreachable!()
        };
        assert_eq!((index, error), (Some(20), "the sink's"));
        assert!(sunk.into_iter().eq((0..=20).filter(|n| *n != 3)));

        let failed_first = Barrier::new(2);
        let result = ErrGroup::new().keep_going().concurrency(1).scope(|s| {
            s.spawn(|_| Err("a task's"));
            s.spawn(|_| {
                failed_first.wait();
                Ok(())
            });
            failed_first.wait();
            Err::<(), _>("the body's")
        });
        assert_eq!(failed(result), "the body's");
    });
}

/// Of the errors of the items 0 and 1 the second is dropped as soon as both are recorded.
#[derive(Debug)]
struct Borne<'r>(usize, &'r AtomicUsize);

impl Drop for Borne<'_> {
    fn drop(&mut self) {
        if self.0 == 1 {
            self.1.fetch_add(1, SeqCst);
        }
    }
}

/// Law 2, where errors are borne: a cancellation that skips nothing is no news.
#[test]
fn a_late_cancellation_does_not_hide_a_borne_error() {
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
                Err(Borne(n, &recorded))
            } else {
                Ok(())
            }
        };
        let items = (0..10).into_par_iter().with_max_len(1);
        let result = items.in_order().with_group(&group).try_for_each(each);
        assert_eq!(failed(result).0, 0);

        // And one that skips something is what is returned.
        let stop = CancelToken::new();
        let group = ErrGroup::new().keep_going().token(&stop);
        for in_order in [false, true] {
            let each = |_: &CancelToken, n: usize| {
                if n == 50 {
                    stop.cancel();
                }
                if n % 2 == 0 { Err("borne") } else { Ok(()) }
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
fn no_error_at_all_is_no_policy() {
    let payload = payload_of(|| ErrGroup::new().max_errors(0));
    assert!(payload.downcast::<&str>().unwrap().contains("first error"));
}

/// The policy is for each run, and the last word counts.
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
                assert_eq!(outcome.errors[..2], [(0, 0), (1, 1)]);
                assert!(outcome.skipped > 900);
            }
        });
    }
}
