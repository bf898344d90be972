//! Calls of `try_process_group` and `try_process`, and what a body may do. As `shared.rs`, it is
//! written against both preludes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError};

use super::imports::*;

pub(crate) const CHECKS: &[(&str, fn())] = &[
    ("sums", sums),
    ("ends", ends),
    ("errors", errors),
    ("indices", indices),
    ("a_body_need_not_be_send", a_body_need_not_be_send),
    ("a_body_that_asks_for_nothing", a_body_that_asks_for_nothing),
    ("a_body_that_asks_for_less", a_body_that_asks_for_less),
    ("an_error_of_the_body", an_error_of_the_body),
    ("a_panic_of_the_body", a_panic_of_the_body),
    ("a_panic_for_missing_values", a_panic_for_missing_values),
    ("a_panic_of_an_item", a_panic_of_an_item),
    ("tolerated_errors", tolerated_errors),
    (
        "a_panic_after_a_tolerated_error",
        a_panic_after_a_tolerated_error,
    ),
    ("cancellations", cancellations),
];

fn fail_at(failing: u32) -> impl Fn(&CancelToken, u32) -> Result<u32, u32> + Sync + Send {
    move |_, n| if n == failing { Err(n) } else { Ok(n) }
}

fn sums() {
    let group = ErrGroup::new();
    let items = || (0..1000_u32).into_par_iter();
    let ok = fail_at(1000);
    let sums: [u32; 6] = [
        items()
            .try_process_group(&ok, |values| values.sum())
            .unwrap(),
        items()
            .in_order()
            .try_process(&ok, |values| values.sum())
            .unwrap(),
        (0..1000_u32)
            .par_in_order()
            .try_process(&ok, |values| values.sum())
            .unwrap(),
        items()
            .with_group(&group)
            .try_process(&ok, |values| values.sum())
            .unwrap(),
        items()
            .in_order()
            .with_group(&group)
            .try_process(&ok, |values| values.sum())
            .unwrap(),
        (0..1000_u32)
            .par_in_order()
            .with_group(&group)
            .try_process(&ok, |values| values.sum())
            .unwrap(),
    ];
    assert_eq!(sums, [499_500; 6]);
}

fn ends() {
    let items = || (0..6_u32).into_par_iter().in_order();
    let ok = fail_at(6);
    assert_eq!(items().try_process(&ok, |values| values.max()), Ok(Some(5)));
    assert_eq!(items().try_process(&ok, |values| values.count()), Ok(6));
    let last = items().try_process(&ok, |values| values.reduce_with(Ord::max));
    assert_eq!(last, Ok(Some(5)));
    let even = items().try_process(&ok, |values| values.filter(|n| n % 2 == 0).count());
    assert_eq!(even, Ok(3));
    let map: BTreeMap<_, _> = items()
        .try_process(&ok, |values| values.map(|n| (n, n * n)).collect())
        .unwrap();
    assert_eq!(map.get(&5), Some(&25));
    let (even, odd): (Vec<_>, Vec<_>) = items()
        .try_process(&ok, |values| values.partition(|n| n % 2 == 0))
        .unwrap();
    assert_eq!((even.len(), odd.len()), (3, 3));
}

fn errors() {
    let items = || (0..1000_u32).into_par_iter();
    assert_eq!(
        items().try_process_group(fail_at(7), |values| values.sum::<u32>()),
        Err(7)
    );
    let fail_often = |_: &CancelToken, n: u32| if n % 7 == 6 { Err(n) } else { Ok(n) };
    assert_eq!(
        items()
            .in_order()
            .try_process(fail_often, |values| values.count()),
        Err(6)
    );
    assert_eq!(
        (0_u32..)
            .par_in_order()
            .try_process(fail_often, |v| v.max()),
        Err(6)
    );
}

fn indices() {
    let group = ErrGroup::new();
    let fail_often = |_: &CancelToken, n: u32| if n % 7 == 6 { Err(n) } else { Ok(n) };
    let items = || (100..1000_u32).into_par_iter();
    let result = items()
        .in_order()
        .with_group(&group)
        .try_process(fail_often, |v| v.count());
    assert_eq!(result.unwrap_err().index(), Some(4));
    let result = items()
        .with_group(&group)
        .try_process(fail_at(104), |v| v.count());
    assert!(matches!(
        result,
        Err(GroupError::Failed {
            index: None,
            error: 104
        })
    ));
}

fn a_body_need_not_be_send() {
    let called = Cell::new(0);
    let result = (0..9_u32)
        .into_par_iter()
        .try_process_group(fail_at(9), |values| {
            called.set(called.get() + 1);
            values.count()
        });
    assert_eq!((result, called.get()), (Ok(9), 1));
}

fn a_body_that_asks_for_nothing() {
    let ran = AtomicU32::new(0);
    let items = (0..9_u32).into_par_iter();
    let result = items.try_process_group(
        |_, n| {
            ran.fetch_add(1, SeqCst);
            Err::<(), _>(n)
        },
        |_| "untouched",
    );
    assert_eq!((result, ran.into_inner()), (Ok("untouched"), 0));
    // Not even if the run is cancelled.
    let stop = CancelToken::new();
    stop.cancel();
    let group = ErrGroup::new().token(&stop);
    let items = (0..9_u32).into_par_iter().with_group(&group);
    assert_eq!(items.try_process(fail_at(0), |_| 7).unwrap(), 7);
}

fn a_body_that_asks_for_less() {
    let items = (0..1_000_000_u32).into_par_iter();
    let found = items.try_process_group(fail_at(999_999), |values| values.find_any(|n| *n < 9));
    assert!(found.unwrap().is_some());
}

fn an_error_of_the_body() {
    let result = (0..9_u32)
        .into_par_iter()
        .try_process_group(fail_at(9), |values| {
            if values.count() == 9 {
                Err("too many")
            } else {
                Ok(())
            }
        });
    assert_eq!(result, Ok(Err("too many")));
}

fn a_panic_of_the_body() {
    let body = AssertUnwindSafe(|| {
        _ = (0..9_u32)
            .into_par_iter()
            .try_process_group(fail_at(9), |values| {
                assert_eq!(values.count(), 9);
                panic_any("the body");
            });
    });
    assert_eq!(
        catch_unwind(body).unwrap_err().downcast_ref(),
        Some(&"the body")
    );
    let group = ErrGroup::new().catch_panics();
    let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    let result = items.try_process(fail_at(9), |_| -> u32 { panic!("the body") });
    let Err(GroupError::Panicked(panicked)) = result else {
        panic!("it has panicked");
    };
    assert_eq!(
        (panicked.message(), panicked.index()),
        (Some("the body"), None)
    );
}

fn a_panic_for_missing_values() {
    let items = || (0..9_u32).into_par_iter().in_order();
    let result = items().try_process(fail_at(3), |values| {
        assert_eq!(values.count(), 9, "values are missing");
    });
    assert_eq!(result, Err(3));
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    stop.cancel();
    let result = items()
        .with_group(&group)
        .try_process(fail_at(9), |values| {
            assert_eq!(values.count(), 9, "values are missing");
        });
    assert!(matches!(result, Err(GroupError::Cancelled(_))));
    let group = ErrGroup::new().keep_going();
    let result = items()
        .with_group(&group)
        .try_process(fail_at(3), |values| {
            assert_eq!(values.count(), 9, "values are missing");
        });
    assert_eq!(result.unwrap_err().index(), Some(3));
}

fn a_panic_of_an_item() {
    let panic_at = |_: &CancelToken, n: u32| {
        if n == 3 {
            panic_any(n);
        }
        Ok::<_, ()>(n)
    };
    let run = AssertUnwindSafe(|| {
        _ = (0..9_u32)
            .into_par_iter()
            .try_process_group(panic_at, |values| {
                assert_eq!(values.count(), 9, "values are missing");
            });
    });
    assert_eq!(catch_unwind(run).unwrap_err().downcast_ref(), Some(&3_u32));
    let group = ErrGroup::new().catch_panics();
    let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    let error = items
        .try_process(panic_at, |values| values.count())
        .unwrap_err();
    assert_eq!(
        (error.index(), error.to_string()),
        (Some(3), "item 3 panicked".to_string())
    );
    // Tolerated: the next item runs.
    let (group, seen) = (ErrGroup::new().catch_panics().keep_going(), Cell::new(0));
    let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    let error = items
        .try_process(panic_at, |values| seen.set(values.count()))
        .unwrap_err();
    assert_eq!((error.index(), seen.get()), (Some(3), 8));
}

fn tolerated_errors() {
    let (group, seen) = (ErrGroup::new().keep_going(), Cell::new(0));
    let odd = |_: &CancelToken, n: u32| if n % 2 == 1 { Err(n) } else { Ok(n) };
    let items = (0..10_u32).into_par_iter().in_order().with_group(&group);
    let error = items
        .try_process(odd, |values| seen.set(values.sum::<u32>()))
        .unwrap_err();
    assert_eq!((error.index(), seen.get()), (Some(1), 20));
    let group = ErrGroup::new().max_errors(2);
    let items = (0..10_u32).into_par_iter().in_order().with_group(&group);
    let error = items.try_process(odd, |values| values.max()).unwrap_err();
    assert_eq!(error.index(), Some(1));
}

/// A panic in the chain behind the values outranks the errors that were tolerated before.
fn a_panic_after_a_tolerated_error() {
    let group = ErrGroup::new().keep_going();
    let odd = |_: &CancelToken, n: u32| if n % 2 == 1 { Err(n) } else { Ok(n) };
    let run = || {
        let items = (0..10_u32).into_par_iter().in_order().with_group(&group);
        items.try_process(odd, |values| {
            let values = values.map(|n| if n == 8 { panic_any("eight") } else { n });
            values.sum::<u32>()
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "eight");
}

fn cancellations() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let items = (0..1_000_000_u32).into_par_iter().with_group(&group);
    let result = items.try_process(
        |_, n| {
            stop.cancel();
            Ok::<_, ()>(n)
        },
        |values| values.count(),
    );
    let Err(GroupError::Cancelled(cancelled)) = result else {
        panic!("it was cancelled");
    };
    assert!(matches!(cancelled.cause(), Cause::Parent(_)));
}
