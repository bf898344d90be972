//! The smallest and the largest lengths and limits that the types allow.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::iter::{repeat, repeat_n};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{message_of, on_pools};
use crate::fixture::returned;

const MAX: usize = usize::MAX;

/// Every terminal on a finite input whose items fail from index `at` on.
fn check<I: IndexedParallelIterator<Item = usize>>(source: impl Fn() -> I, len: usize, at: usize) {
    let expected: Vec<_> = (0..len.min(at)).collect();
    let f = |_: &CancelToken, n| if n < at { Ok(n) } else { Err(n) };
    let (is_ok, group) = (at >= len, ErrGroup::new());

    let each = source().try_for_each_group(|token, n| f(token, n).map(drop));
    assert_eq!(each.is_ok(), is_ok);
    match source().with_group(&group).try_map(f) {
        Ok(values) => assert_eq!(values, expected),
        Err(error) => assert!(!is_ok && error.into_error() >= Some(at)),
    }
    match source().in_order().try_map(f) {
        Ok(values) => assert_eq!(values, expected),
        Err(n) => assert_eq!((n, is_ok), (at, false)),
    }
    let outcome = source().in_order().with_group(&group).outcome(f);
    assert_eq!(outcome.is_complete(), is_ok);
    assert_eq!(returned(&outcome) + outcome.skipped(), len);
    let mut sunk = Vec::new();
    let stream = source().in_order().with_group(&group);
    let result = stream.try_stream(f, |n| {
        sunk.push(n);
        Ok(())
    });
    assert_eq!((result.is_ok(), sunk), (is_ok, expected));
}

#[test]
fn leaves_of_one_item_and_of_more_than_there_are() {
    on_pools(|_| {
        for len in [0_usize, 1, 2, 3, 1000] {
            for at in [0, 1, len / 2, len.saturating_sub(1), MAX] {
                let items = || (0..len).into_par_iter();
                check(items, len, at);
                for (least, most) in [(0, 0), (1, 1), (1, MAX), (MAX, 1), (MAX, MAX)] {
                    check(|| items().with_min_len(least).with_max_len(most), len, at);
                    check(|| items().with_max_len(most), len, at);
                }
            }
        }
    });
}

#[test]
fn chunks_larger_than_the_input() {
    on_pools(|_| {
        for len in [0, 1, 1000] {
            for size in [1, len + 1, MAX] {
                let items = || (0..len).into_par_iter().chunks(size);
                let chunks = if size == 1 { len } else { len.min(1) };
                let stolen = items().try_map_group(|_, chunk| Ok::<_, ()>(chunk));
                let claimed = items().in_order().try_map(|_, chunk| Ok::<_, ()>(chunk));
                assert_eq!(stolen, claimed);
                assert_eq!(stolen.as_ref().map(Vec::len), Ok(chunks));
                assert!(stolen.unwrap().into_iter().flatten().eq(0..len));
            }
        }
    });
}

/// The item that fails in runs over endless inputs.
const AT: usize = 300;

fn early(n: usize) -> Result<[usize; 64], usize> {
    if n == AT { Err(n) } else { Ok([n; 64]) }
}

/// Every terminal on an input too long for its values to fit into memory, unless they are
/// zero-sized.
fn fails_early<I: IndexedParallelIterator<Item = usize>>(
    source: impl Fn() -> I,
    is_ascending: bool,
) {
    let group = ErrGroup::new();
    assert_eq!(source().err_group(|n| early(n).map(drop)), Err(AT));
    assert_eq!(source().try_map_group(|_, n| early(n)), Err(AT));
    assert_eq!(source().try_map_group(|_, n| early(n).map(drop)), Err(AT));
    if !is_ascending {
        return;
    }
    let in_order = || source().in_order();
    assert_eq!(in_order().try_map(|_, n| early(n)), Err(AT));
    assert_eq!(in_order().try_map(|_, n| early(n).map(drop)), Err(AT));
    let outcome = in_order().with_group(&group).outcome(|_, n| early(n));
    assert_eq!(outcome.errors().first(), Some(&(AT, AT)));
    let sum = returned(&outcome) + outcome.skipped();
    assert_eq!(sum, MAX, "every item is accounted for");
    let mut sunk = 0;
    let result = in_order().with_group(&group).try_stream(
        |_, n| early(n),
        |_| {
            sunk += 1;
            Ok(())
        },
    );
    assert_eq!((result.unwrap_err().index(), sunk), (Some(AT), AT));
}

#[test]
fn inputs_as_long_as_a_length_can_be() {
    on_pools(|threads| {
        let all = || (0..MAX).into_par_iter();
        fails_early(all, true);
        fails_early(|| all().with_min_len(MAX).with_max_len(1), true);
        fails_early(|| all().with_min_len(MAX), true);
        fails_early(|| all().enumerate().map(|(n, _)| n), true);
        fails_early(|| all().zip(repeat_n((), MAX)).map(|(n, ())| n), true);
        fails_early(|| (0..AT + 1).into_par_iter().chain(AT + 1..MAX), true);
        if threads > 1 {
            // No item of the left half fails, so it never ends by itself.
            let shifted = || all().map(|n| n.wrapping_sub(MAX / 2));
            fails_early(|| shifted().with_max_len(1), false);
        }
    });
}

#[test]
fn inputs_longer_than_a_length_can_be() {
    on_pools(|_| {
        let begun = AtomicUsize::new(0);
        let f = |()| early(begun.fetch_add(1, SeqCst)).map(drop);
        assert_eq!(repeat(()).err_group(f), Err(AT));
        begun.store(0, SeqCst);
        assert_eq!(repeat(()).try_map_group(|_, ()| f(())), Err(AT));
        let wide = (0..u128::MAX).into_par_iter();
        let result = wide.try_map_group(|_, n| early((n % 1000).try_into().unwrap()));
        assert_eq!(result, Err(AT));
        let result = (0..=MAX)
            .into_par_iter()
            .err_group(|n| early(n % 1000).map(drop));
        assert_eq!(result, Err(AT));

        // rayon panics when it computes this length, which is a panic of the source.
        let overlong = || repeat_n((), MAX).chain(repeat_n((), 1));
        begun.store(0, SeqCst);
        assert_eq!(overlong().err_group(f), Err(AT));
        message_of(|| overlong().in_order().err_group(|()| Ok::<_, ()>(())));
        let group = ErrGroup::new().catch_panics();
        let result = overlong().in_order().with_group(&group);
        let result = result.try_map(|_, ()| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
    });
}

/// Zero-sized values need no memory, so an outcome over such an input is possible.
#[test]
fn a_cancelled_run_over_the_longest_input_counts_the_skipped_items() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop).max_errors(MAX - 1);
        let items = (0..MAX).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| {
            if n == AT {
                stop.cancel();
            }
            if n % 2 == 0 { Ok(()) } else { Err(()) }
        });
        let ran = returned(&outcome);
        assert!(ran > 0, "the item that cancelled");
        assert_eq!(ran + outcome.skipped(), MAX);
        assert!(matches!(outcome.cause(), Some(Cause::Parent(_))));
    });
}

#[test]
fn a_limit_of_at_least_as_many_errors_as_items() {
    const LEN: usize = 1000;
    on_pools(|_| {
        for number in [LEN, LEN + 1, MAX - 1, MAX] {
            let group = ErrGroup::new().max_errors(number).catch_panics();
            let ran = AtomicUsize::new(0);
            let f = |_: &CancelToken, n: usize| -> Result<(), usize> {
                ran.fetch_add(1, SeqCst);
                assert!(!(cfg!(panic = "unwind") && n == 500), "on purpose");
                Err(n)
            };
            let all_ran = |what| assert_eq!(ran.swap(0, SeqCst), LEN, "{what} {number}");
            let items = || (0..LEN).into_par_iter();

            let result = items().with_group(&group).try_for_each(f);
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            all_ran("stealing");
            let result = items().filter(|_| true).with_group(&group).try_map(f);
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            all_ran("after a filter");
            let result = items().in_order().with_group(&group).try_map(f);
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            all_ran("in order");
            let result = (0..LEN).par_in_order().with_group(&group).try_stream(f, Ok);
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            all_ran("a stream");
            let outcome = items().in_order().with_group(&group).outcome(f);
            assert_eq!(
                (outcome.errors().len(), outcome.panics().len()),
                (LEN - 1, 1)
            );
            // Each item is one failure, so only the last can reach the limit.
            assert_eq!(outcome.cause().is_some(), number == LEN);
            all_ran("an outcome");
            let result = group.scope(|s| {
                (0..LEN).for_each(|n| s.spawn(move |s| f(s.token(), n)));
                Ok(())
            });
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            all_ran("a scope");
        }
    });
}

#[test]
fn a_limit_of_zero_is_refused_at_once() {
    for refuse in [
        || ErrGroup::new().max_errors(0),
        || ErrGroup::new().concurrency(0),
        || ErrGroup::new().keep_going().max_errors(0),
        || ErrGroup::new().concurrency(1).concurrency(0),
    ] {
        let message = message_of(refuse);
        assert!(message.contains("at least 1"), "{message}");
    }
}
