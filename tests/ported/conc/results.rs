//! conc's error pool with all errors, and its result pools: values, errors and their order.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, Outcome, prelude::*};

use super::Reverse;
use crate::common::{on_pools, watched};
use crate::everywhere;

/// The outcomes of an indexed and of a sequential iterator of this many items.
fn outcomes<E: Send>(
    group: &ErrGroup,
    items: usize,
    f: impl Fn(&CancelToken, usize) -> Result<usize, E> + Sync + Send,
) -> [Outcome<usize, E>; 2] {
    let indexed = (0..items).into_par_iter().in_order().with_group(group);
    let lazy = (0..items).par_in_order().with_group(group);
    [indexed.outcome(&f), lazy.outcome(&f)]
}

/// "wait returns no error if no errors", "wait error if func returns error", "wait error is all
/// returned errors".
#[test]
fn all_errors_are_returned() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let all = |answers: &[Result<usize, &'static str>]| {
            outcomes(&group, answers.len(), |_, n| answers[n])
        };
        for outcome in all(&[Ok(7)]) {
            assert!(outcome.is_complete());
            assert_eq!(outcome.into_result().unwrap(), [7]);
        }
        for outcome in all(&[Err("one")]) {
            assert!(outcome.values().is_empty(), "a failed item has no value");
            assert_eq!(outcome.into_result().unwrap_err().into_error(), Some("one"));
        }
        for outcome in all(&[Err("one"), Ok(7), Err("two")]) {
            assert_eq!(outcome.values(), [(1, 7)]);
            assert_eq!(outcome.errors(), [(0, "one"), (2, "two")]);
            let Err(GroupError::Several(failures)) = outcome.into_result() else {
                panic!("two errors")
            };
            let failures: Vec<_> = failures.into_iter().collect();
            assert_eq!(failures, [(0, "one"), (2, "two")]);
        }
    });
}

/// conc issue 156: the values after the last failure were lost.
#[test]
fn the_values_after_the_last_failure_are_kept() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        for items in [1, 2, 5, 1000] {
            let fails: [&(dyn Fn(usize) -> bool + Sync); 6] = [
                &|_| false,
                &|n| n == 0,
                &|n| n == items / 2,
                &|n| n + 1 == items,
                &|n| n % 3 == 1,
                &|_| true,
            ];
            for fails in fails {
                let f = |_: &CancelToken, n| if fails(n) { Err(n) } else { Ok(10 * n) };
                for outcome in outcomes(&group, items, f) {
                    let values = (0..items).filter(|n| !fails(*n)).map(|n| (n, 10 * n));
                    assert_eq!(outcome.values(), values.collect::<Vec<_>>());
                    let errors = (0..items).filter(|n| fails(*n)).map(|n| (n, n));
                    assert_eq!(outcome.errors(), errors.collect::<Vec<_>>());
                    assert_eq!(outcome.skipped(), 0);
                }
            }
        }
    });
}

/// A result pool that is reused.
#[test]
fn an_outcome_holds_nothing_of_the_one_before() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        for outcome in outcomes(&group, 10, |_, n| Err::<usize, _>(n)) {
            assert_eq!((outcome.values().len(), outcome.errors().len()), (0, 10));
        }
        for outcome in outcomes(&group, 5, |_, n| Ok::<_, usize>(n)) {
            assert_eq!((outcome.values().len(), outcome.errors().len()), (5, 0));
        }
    });
}

/// "`WithFirstError`", in order: the error with the lowest index.
#[test]
fn of_two_errors_the_first_in_order_is_returned() {
    on_pools(|_| {
        let group = ErrGroup::new();
        let fail = |_: &CancelToken, n| if n == 3 || n == 7 { Err(n) } else { Ok(n) };
        for outcome in outcomes(&group, 1000, fail) {
            let first = outcome.values().iter().take(3);
            assert!(first.eq(&[(0, 0), (1, 1), (2, 2)]));
            assert_eq!(outcome.errors().first(), Some(&(3, 3)));
            assert!(!outcome.is_complete());
        }
        let result = (0..1000).into_par_iter().in_order().try_map(fail);
        assert_eq!(result, Err(3));
    });
}

/// The same if the error with the higher index is the first in time.
#[test]
fn of_two_errors_the_first_in_order_is_returned_though_it_comes_last() {
    everywhere(|| {
        const ITEMS: usize = 8;
        let group = ErrGroup::new().concurrency(ITEMS);
        let reverse = Reverse::new(ITEMS);
        let f = |_: &CancelToken, n| {
            reverse.end(n);
            if n == 3 || n == 7 { Err(n) } else { Ok(n) }
        };
        let items = (0..ITEMS).into_par_iter().in_order().with_group(&group);
        let error = items.try_map(f).unwrap_err();
        assert_eq!((error.index(), error.into_error()), (Some(3), Some(3)));
        for outcome in outcomes(&group, ITEMS, f) {
            assert_eq!(outcome.errors(), [(3, 3)]);
            assert_eq!(outcome.late_errors(), [(7, 7)], "nothing is lost");
            assert_eq!(outcome.into_result().unwrap_err().index(), Some(3));
        }
    });
}

/// "deterministic order": the values are in the order of the items, whichever item ends first.
#[test]
fn values_are_in_the_order_of_the_items() {
    everywhere(|| {
        const ITEMS: usize = 8;
        let group = ErrGroup::new().concurrency(ITEMS);
        let expected: Vec<_> = (0..ITEMS).map(|n| 2 * n).collect();
        let reverse = Reverse::new(ITEMS);
        let f = |_: &CancelToken, n| {
            reverse.end(n);
            Ok::<_, ()>(2 * n)
        };
        let items = || (0..ITEMS).into_par_iter().with_max_len(1);
        let indexed = items().with_group(&group).try_map(f);
        assert_eq!(indexed.unwrap(), expected);
        let unindexed = items().filter(|_| true).with_group(&group).try_map(f);
        assert_eq!(unindexed.unwrap(), expected);
        let in_order = items().in_order().with_group(&group).try_map(f);
        assert_eq!(in_order.unwrap(), expected);
        for outcome in outcomes(&group, ITEMS, f) {
            assert_eq!(outcome.into_result().unwrap(), expected);
        }
    });
}

/// "limit", for 1, 10 and 100: no value is lost.
#[test]
fn the_limit_of_a_map_is_reached_and_never_exceeded() {
    watched(|| {
        for limit in [1, 10, 100] {
            let (all, active) = (Barrier::new(limit), AtomicUsize::new(0));
            let group = ErrGroup::new().concurrency(limit);
            let items = (0..10 * limit).into_par_iter().with_max_len(1);
            let result = items.with_group(&group).try_map(|_, n| {
                let now = active.fetch_add(1, SeqCst) + 1;
                all.wait();
                active.fetch_sub(1, SeqCst);
                if now > limit { Err(now) } else { Ok(n) }
            });
            assert_eq!(result.unwrap(), (0..10 * limit).collect::<Vec<_>>());

            let most = AtomicUsize::new(0);
            let f = |_: &CancelToken, n| {
                most.fetch_max(active.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::yield_now();
                active.fetch_sub(1, SeqCst);
                Ok::<_, ()>(n)
            };
            for outcome in outcomes(&group, 10 * limit, f) {
                assert_eq!(outcome.values().len(), 10 * limit);
            }
            assert!(most.into_inner() <= limit);
        }
    });
}
