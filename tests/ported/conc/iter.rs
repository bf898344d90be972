//! conc's `iter`: one closure for every item of a slice.

use std::panic::panic_any;
use std::sync::Barrier;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{on_pools, payload_of};

#[derive(Debug, PartialEq)]
struct Bang;

/// Gives `check` a run of each method over the items, which returns whether it succeeded.
fn runs<E: Send>(
    group: &ErrGroup,
    items: &[i32],
    f: impl Fn(&CancelToken, &i32) -> Result<i32, E> + Sync + Send,
    check: impl Fn(&dyn Fn() -> bool),
) {
    let unit = |token: &CancelToken, item: &i32| f(token, item).map(|_| ());
    let bare = |item: &i32| unit(&CancelToken::new(), item);
    let all = || items.par_iter();
    let lazy = || items.iter().par_in_order();
    check(&|| all().err_group(bare).is_ok());
    check(&|| all().try_for_each_group(unit).is_ok());
    check(&|| {
        all()
            .try_map_group(&f)
            .is_ok_and(|values| values.len() == items.len())
    });
    check(&|| items.iter().par_bridge().try_map_group(&f).is_ok());
    check(&|| all().in_order().err_group(bare).is_ok());
    check(&|| all().in_order().try_for_each(unit).is_ok());
    check(&|| all().in_order().try_map(&f).is_ok());
    check(&|| lazy().try_map(&f).is_ok());
    check(&|| all().in_order().outcome(&f).is_complete());
    check(&|| lazy().try_stream(&f, |_| Ok(())).is_ok());
    check(&|| all().with_group(group).err_group(bare).is_ok());
    check(&|| all().with_group(group).try_for_each(unit).is_ok());
    check(&|| all().with_group(group).try_map(&f).is_ok());
    check(&|| all().in_order().with_group(group).try_map(&f).is_ok());
    check(&|| lazy().with_group(group).try_for_each(unit).is_ok());
    check(&|| lazy().with_group(group).outcome(&f).is_complete());
    let sink = |_| Ok(());
    check(&|| lazy().with_group(group).try_stream(&f, sink).is_ok());
}

/// "empty".
#[test]
fn without_items_the_closure_is_never_called() {
    on_pools(|threads| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let never = |_: &CancelToken, _: &i32| -> Result<i32, ()> { unreachable!() };
        let is_ok = |run: &dyn Fn() -> bool| assert!(run());
        runs(&group, &[], never, is_ok);
        runs(&group.clone().concurrency(threads), &[], never, is_ok);
        runs(&group.clone().keep_going(), &[], never, is_ok);
        stop.cancel();
        runs(&group, &[], never, is_ok);
    });
}

/// "panic is propagated".
#[test]
fn the_panic_of_a_single_item_goes_to_the_caller() {
    on_pools(|threads| {
        let bang = |_: &CancelToken, _: &i32| -> Result<i32, ()> { panic_any(Bang) };
        for group in [
            ErrGroup::new(),
            ErrGroup::new().keep_going(),
            ErrGroup::new().concurrency(threads),
        ] {
            runs(&group, &[1], bang, |run| {
                assert_eq!(payload_of(run).downcast_ref(), Some(&Bang));
            });
        }
    });
}

/// "mutating inputs is fine" and "huge inputs".
#[test]
fn items_may_be_written_to() {
    on_pools(|_| {
        for len in [5, 10_000] {
            let expected: Vec<_> = (1..=len).collect();

            let mut numbers: Vec<_> = (0..len).collect();
            let result = numbers.par_iter_mut().err_group(|number| {
                *number += 1;
                Ok::<_, ()>(())
            });
            assert_eq!((result, &numbers), (Ok(()), &expected));

            let mut numbers = vec![0; len];
            let items = numbers.par_iter_mut().enumerate().in_order();
            let result = items.try_map(|_, (index, number)| {
                *number = index + 1;
                Ok::<_, ()>(0)
            });
            assert_eq!((result, &numbers), (Ok(vec![0; len]), &expected));

            let mut numbers: Vec<_> = (0..len).collect();
            let result = numbers.par_iter_mut().try_map_group(|_, number| {
                *number += 1;
                Ok::<_, ()>(*number)
            });
            assert_eq!(result.as_ref(), Ok(&expected));
            assert_eq!(numbers, expected);
        }
    });
}

/// "basic increment".
#[test]
fn items_that_are_only_read_stay_as_they_are() {
    on_pools(|_| {
        let numbers = [1, 2, 3, 4, 5];
        let result = numbers.par_iter().try_map_group(|_, n| Ok::<_, ()>(n + 1));
        assert_eq!(result, Ok(vec![2, 3, 4, 5, 6]));
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    });
}

/// "error is propagated" and "multiple errors are propagated" of `MapErr`. conc returns a zero for
/// each item that failed; an `Outcome` has no value for it.
#[test]
fn all_errors_of_a_map_are_kept_with_the_values_around_them() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let outcome = |bad: &[i32]| {
            let items = [1, 2, 3, 4, 5]
                .into_par_iter()
                .in_order()
                .with_group(&group);
            items.outcome(|_, n| if bad.contains(&n) { Err(n) } else { Ok(n + 1) })
        };
        let one = outcome(&[3]);
        assert_eq!(one.values(), [(0, 2), (1, 3), (3, 5), (4, 6)]);
        assert_eq!(one.errors(), [(2, 3)]);
        let two = outcome(&[3, 4]);
        assert_eq!(two.values(), [(0, 2), (1, 3), (4, 6)]);
        assert_eq!(two.errors(), [(2, 3), (3, 4)]);
        let error = two.into_result().unwrap_err();
        assert_eq!((error.index(), error.into_error()), (Some(2), Some(3)));
    });
}

/// "first error is propagated" of the map with a context, which stops at the error.
#[test]
fn a_map_stops_at_the_first_error_and_keeps_the_values_before_it() {
    on_pools(|threads| {
        let group = ErrGroup::new();
        let items = [1, 2, 3, 4, 5]
            .into_par_iter()
            .in_order()
            .with_group(&group);
        let outcome = items.outcome(|_, n| if n == 3 || n == 4 { Err(n) } else { Ok(n + 1) });
        assert!(outcome.values().iter().take(2).eq(&[(0, 2), (1, 3)]));
        assert_eq!(outcome.errors().first(), Some(&(2, 3)));
        if threads == 1 {
            assert_eq!(outcome.to_string(), "2 ok, 1 failed, 2 skipped");
        }
        let error = outcome.into_result().unwrap_err();
        assert_eq!(error.into_error(), Some(3), "the lowest of them");
    });
}

/// "allows more than `defaultMaxGoroutines` concurrent tasks".
#[test]
fn more_items_than_cores_run_at_once() {
    on_pools(|threads| {
        let many = 2 * threads.max(rayon::current_num_threads());
        let (group, all) = (ErrGroup::new().concurrency(many), Barrier::new(many));
        let items = (0..many).into_par_iter().with_max_len(1);
        let result = items.with_group(&group).try_for_each(|_, _| {
            all.wait();
            Ok::<_, ()>(())
        });
        assert!(result.is_ok());
    });
}

/// "safe for reuse": a run of few items does not lower the limit.
#[test]
fn the_limit_is_the_same_after_a_run_of_few_items() {
    on_pools(|_| {
        let group = ErrGroup::new().concurrency(16);
        for items in [3, 16, 1] {
            let all = Barrier::new(items);
            let few = (0..items).into_par_iter().with_max_len(1);
            let result = few.with_group(&group).try_map(|_, n| {
                all.wait();
                assert_eq!(rayon::current_num_threads(), 16);
                if n == 0 { Err("zero") } else { Ok(n) }
            });
            assert!(matches!(
                result,
                Err(GroupError::Failed { error: "zero", .. })
            ));
        }
    });
}
