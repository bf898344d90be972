//! Calls of every method. This file is compiled twice: with rayon and this crate's prelude, and
//! with the sequential prelude alone.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError};

use super::imports::*;

/// With their names, for the message of a failure.
pub(crate) const CHECKS: &[(&str, fn())] = &[
    ("err_group", err_group),
    ("try_for_each_group", try_for_each_group),
    ("try_map_group", try_map_group),
    ("with_group", with_group),
    ("in_order", in_order),
    ("par_in_order", par_in_order),
    ("in_order_with_group", in_order_with_group),
    ("try_stream", try_stream),
    ("try_stream_with_group", try_stream_with_group),
    ("outcome", outcome),
    ("outcome_with_group", outcome_with_group),
    ("tokens", tokens),
    (
        "a_late_cancellation_is_no_error",
        a_late_cancellation_is_no_error,
    ),
    (
        "a_cancelled_group_runs_nothing",
        a_cancelled_group_runs_nothing,
    ),
    ("timeouts_and_deadlines", timeouts_and_deadlines),
    ("error_limits", error_limits),
    ("panics", panics),
    ("caught_panics", caught_panics),
    ("beginnings", beginnings),
    ("mutable_beginnings", mutable_beginnings),
    ("adaptors", adaptors),
    ("generic_functions", generic_functions),
    ("empty_inputs", empty_inputs),
];

fn fail_at(failing: u32) -> impl Fn(u32) -> Result<u32, u32> + Sync + Send {
    move |n| if n == failing { Err(n) } else { Ok(10 * n) }
}

fn parse(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

/// The cause of the cancellation that this result must be.
#[track_caller]
fn cause<T, E>(result: Result<T, GroupError<E>>) -> Cause {
    match result {
        Err(GroupError::Cancelled(cancelled)) => cancelled.cause().clone(),
        _ => panic!("the run was not cancelled"),
    }
}

fn err_group() {
    let ran = AtomicU32::new(0);
    let result = (0..1000_u32).into_par_iter().err_group(|_| {
        ran.fetch_add(1, SeqCst);
        Ok::<_, ()>(())
    });
    assert_eq!((result, ran.into_inner()), (Ok(()), 1000));
    let result = ["1", "x", "3"]
        .par_iter()
        .err_group(|word| parse(word).map(drop));
    assert_eq!(result, Err("x is no number".to_string()));
}

fn try_for_each_group() {
    let result = (0..1000_u32)
        .into_par_iter()
        .try_for_each_group(|token, n| {
            assert_eq!(token.deadline(), None);
            fail_at(1000)(n).map(drop)
        });
    assert_eq!(result, Ok(()));
    let result = (0..1000_u32)
        .into_par_iter()
        .try_for_each_group(|token, n| {
            fail_at(0)(n).map(drop)?;
            token.check().map_err(|_| 1_u32)
        });
    assert_eq!(result, Err(0));
}

fn try_map_group() {
    let items = (0..1000_u32).into_par_iter();
    let values = items.try_map_group(|_, n| fail_at(1000)(n)).unwrap();
    assert_eq!(values, (0..1000).map(|n| 10 * n).collect::<Vec<_>>());
    let items = (0..1000_u32).into_par_iter();
    assert_eq!(items.try_map_group(|_, n| fail_at(7)(n)), Err(7));
    let words = vec!["1".to_string(), "2".to_string()];
    assert_eq!(
        words.into_par_iter().try_map_group(|_, word| parse(&word)),
        Ok(vec![1, 2])
    );
}

fn with_group() {
    let group = ErrGroup::new();
    let result = (0..9_u32)
        .into_par_iter()
        .with_group(&group)
        .err_group(|n| fail_at(9)(n).map(drop));
    assert!(result.is_ok());
    let result = (0..9_u32)
        .into_par_iter()
        .with_group(&group)
        .err_group(|n| fail_at(3)(n).map(drop));
    assert_eq!(result.unwrap_err().to_string(), "an item or task failed");
    let items = (0..9_u32).into_par_iter().with_group(&group);
    let error = items
        .try_for_each(|_, n| fail_at(3)(n).map(drop))
        .unwrap_err();
    assert_eq!((error.index(), error.into_error()), (None, Some(3)));
    let items = (0..4_u32).into_par_iter().with_group(&group);
    assert_eq!(
        items.try_map(|_, n| fail_at(9)(n)).unwrap(),
        [0, 10, 20, 30]
    );
    let items = (0..4_u32).into_par_iter().with_group(&group);
    let error = items.try_map(|_, n| fail_at(3)(n)).unwrap_err();
    assert!(matches!(
        error,
        GroupError::Failed {
            index: None,
            error: 3
        }
    ));
}

fn in_order() {
    let fail_often = |n: u32| if n % 7 == 6 { Err(n) } else { Ok(2 * n) };
    let items = || (0..1000_u32).into_par_iter().in_order();
    assert_eq!(items().err_group(|n| fail_often(n).map(drop)), Err(6));
    assert_eq!(items().err_group(|n| fail_at(1000)(n).map(drop)), Ok(()));
    assert_eq!(items().try_for_each(|_, n| fail_often(n).map(drop)), Err(6));
    assert_eq!(items().try_map(|_, n| fail_often(n)), Err(6));
    let values = items().try_map(|_, n| Ok::<_, ()>(n)).unwrap();
    assert!(values.into_iter().eq(0..1000));
}

fn par_in_order() {
    let lines = || "1\n2\nthree\nfour".lines().par_in_order();
    assert_eq!(
        lines().err_group(|line| parse(line).map(drop)),
        Err("three is no number".into())
    );
    assert_eq!(lines().try_for_each(|_, _| Ok::<_, ()>(())), Ok(()));
    assert_eq!(
        lines().try_map(|_, line| Ok::<_, ()>(line.len())),
        Ok(vec![1, 1, 5, 4])
    );
    // An endless source.
    assert_eq!(
        (0_u32..).par_in_order().try_map(|_, n| fail_at(500)(n)),
        Err(500)
    );
}

fn in_order_with_group() {
    let group = ErrGroup::new();
    let fail_often = |n: u32| if n % 7 == 6 { Err(n) } else { Ok(2 * n) };
    let items = || {
        (100..1000_u32)
            .into_par_iter()
            .in_order()
            .with_group(&group)
    };
    let lazily = || (100..1000_u32).par_in_order().with_group(&group);
    for error in [
        items().err_group(|n| fail_often(n).map(drop)).unwrap_err(),
        items()
            .try_for_each(|_, n| fail_often(n).map(drop))
            .unwrap_err(),
        items().try_map(|_, n| fail_often(n)).unwrap_err(),
        lazily().err_group(|n| fail_often(n).map(drop)).unwrap_err(),
        lazily()
            .try_for_each(|_, n| fail_often(n).map(drop))
            .unwrap_err(),
        lazily().try_map(|_, n| fail_often(n)).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "item 4 failed");
        assert_eq!((error.index(), error.into_error()), (Some(4), Some(104)));
    }
    assert_eq!(items().try_map(|_, n| Ok::<_, ()>(n)).unwrap().len(), 900);
    assert!(lazily().err_group(|_| Ok::<_, ()>(())).is_ok());
}

fn try_stream() {
    let mut seen = Vec::new();
    let items = (0..100_u32).into_par_iter().in_order();
    let result = items.try_stream(
        |_, n| fail_at(7)(n),
        |value| {
            seen.push(value);
            Ok(())
        },
    );
    assert_eq!(result, Err(7));
    assert_eq!(seen, [0, 10, 20, 30, 40, 50, 60]);

    let sum = Cell::new(0); // not `Sync`
    let result = (0..100_u32).par_in_order().try_stream(
        |_, n| Ok::<_, ()>(n),
        |value| {
            sum.set(sum.get() + value);
            Ok(())
        },
    );
    assert_eq!((result, sum.get()), (Ok(()), 4950));

    // The sink has enough, and an error behind that does not count.
    let mut head = Vec::new();
    let result = (0_u32..).par_in_order().try_stream(
        |_, n| fail_at(3)(n),
        |value| {
            head.push(value);
            Ok(if value == 20 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        },
    );
    assert_eq!((result, head), (Ok(()), vec![0, 10, 20]));
}

fn try_stream_with_group() {
    let group = ErrGroup::new();
    let mut seen = 0;
    let items = (0..100_u32).into_par_iter().in_order().with_group(&group);
    let result = items.try_stream(
        |_, n| fail_at(9)(n),
        |value| {
            seen += 1;
            if value == 30 {
                Err(1000 + value)
            } else {
                Ok(())
            }
        },
    );
    let error = result.unwrap_err();
    assert_eq!(
        (error.index(), error.into_error(), seen),
        (Some(3), Some(1030), 4)
    );

    // The error of a sink is never tolerated, and replaces one that was.
    let patient = ErrGroup::new().keep_going();
    let mut seen = Vec::new();
    let items = (0..100_u32).into_par_iter().in_order().with_group(&patient);
    let result = items.try_stream(
        |_, n| fail_at(1)(n),
        |value| {
            seen.push(value);
            if value == 30 { Err(7) } else { Ok(()) }
        },
    );
    assert_eq!(
        (result.unwrap_err().index(), seen),
        (Some(3), vec![0, 20, 30])
    );

    // After a cancellation the sink is not called again.
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let mut seen = Vec::new();
    let items = (0..100_u32).into_par_iter().in_order().with_group(&group);
    let result = items.try_stream(
        |_, n| Ok::<_, ()>(n),
        |value| {
            seen.push(value);
            if value == 2 {
                stop.cancel();
            }
            Ok(())
        },
    );
    assert!(matches!(cause(result), Cause::Parent(_)));
    assert_eq!(seen, [0, 1, 2]);
}

fn outcome() {
    let outcome = ["1", "2"]
        .par_iter()
        .in_order()
        .outcome(|_, word| parse(word));
    assert!(outcome.is_complete());
    assert_eq!(outcome.to_string(), "2 ok, 0 failed, 0 skipped");
    assert_eq!(outcome.into_result().unwrap(), [1, 2]);
    let outcome = ["1", "x"]
        .into_iter()
        .par_in_order()
        .outcome(|_, word| parse(word));
    assert_eq!(outcome.values(), [(0, 1)]);
    assert_eq!(
        outcome.errors().get(1).map(String::as_str),
        Some("x is no number")
    );
    assert!(matches!(outcome.cause(), Some(Cause::Failed)));
    assert_eq!(
        outcome.into_result().unwrap_err().to_string(),
        "item 1 failed"
    );
    // What never ran counts as skipped if the length is known.
    let outcome = (0..100_u32)
        .into_par_iter()
        .in_order()
        .outcome(|_, n| fail_at(0)(n));
    assert_eq!(outcome.errors(), [(0, 0)]);
    let ended = outcome.values().len() + outcome.late_errors().len() + 1;
    assert_eq!(ended + outcome.skipped(), 100);
}

fn outcome_with_group() {
    let group = ErrGroup::new().keep_going();
    let odd = |n: u32| if n % 2 == 1 { Err(n) } else { Ok(n) };
    let outcome = (0..6_u32)
        .into_par_iter()
        .in_order()
        .with_group(&group)
        .outcome(|_, n| odd(n));
    assert_eq!(outcome.values(), [(0, 0), (2, 2), (4, 4)]);
    assert_eq!(outcome.errors(), [(1, 1), (3, 3), (5, 5)]);
    assert_eq!(outcome.to_string(), "3 ok, 3 failed, 0 skipped");
    assert!(outcome.cause().is_none());
    let several = outcome.into_result().unwrap_err();
    assert_eq!(
        several.to_string(),
        "3 items failed, the first of them item 1"
    );

    // An item that returns an error because it was cancelled.
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let items = ["only"].par_iter().in_order().with_group(&group);
    let outcome = items.outcome(|token, _| {
        stop.cancel();
        token.check()
    });
    assert_eq!(
        outcome.to_string(),
        "0 ok, 0 failed, 1 cancelled, 0 skipped: requested"
    );
    assert_eq!((outcome.cancelled(), outcome.late_errors().len()), (1, 1));
    assert!(matches!(
        outcome.into_result(),
        Err(GroupError::Cancelled(_))
    ));
}

fn tokens() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let ran = AtomicU32::new(0);
    let items = (0..1_000_000_u32).into_par_iter().with_group(&group);
    let result = items.try_for_each(|token, n| {
        ran.fetch_add(1, SeqCst);
        if n == 0 {
            stop.cancel_with("Ctrl-C");
            assert!(token.is_cancelled());
        }
        Ok::<_, ()>(())
    });
    assert_eq!(cause(result).to_string(), "requested (parent token)");
    assert!(ran.into_inner() < 1_000_000);

    // A run never cancels the token that it was given, and one that fails cancels its own.
    let parent = CancelToken::new();
    let group = ErrGroup::new().token(&parent);
    let kept = Mutex::new(None);
    let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    let result = items.try_for_each(|token, n| {
        if n == 3 {
            *kept.lock().unwrap() = Some(token.clone());
        }
        fail_at(3)(n).map(drop)
    });
    assert_eq!(result.unwrap_err().index(), Some(3));
    assert!(!parent.is_cancelled());
    let token = kept.into_inner().unwrap().unwrap();
    assert!(matches!(token.cause(), Some(Cause::Failed)));

    // An item that cancels its own run, and an error that is a consequence of that.
    let group = ErrGroup::new();
    let items = (0..9_u32).into_par_iter().with_group(&group);
    let result = items.try_for_each(|token, _| {
        token.cancel();
        Err("a consequence")
    });
    assert!(matches!(cause(result), Cause::Requested(_)));
    let result = (0..9_u32).into_par_iter().try_for_each_group(|token, _| {
        token.cancel();
        Err("returned, as there is nothing else")
    });
    assert_eq!(result, Err("returned, as there is nothing else"));
}

fn a_late_cancellation_is_no_error() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let last = |n: u32| {
        if n == 0 {
            stop.cancel();
        }
        Ok::<_, ()>(n)
    };
    let items = || (0..1_u32).into_par_iter();
    assert_eq!(
        items().with_group(&group).try_map(|_, n| last(n)).unwrap(),
        [0]
    );
    // And nothing was skipped where there is nothing.
    let none = (0..0_u32).into_par_iter().with_group(&group);
    assert!(none.try_map(|_, n| last(n)).unwrap().is_empty());
}

fn a_cancelled_group_runs_nothing() {
    let stop = CancelToken::new();
    stop.cancel();
    let group = ErrGroup::new().token(&stop);
    let unreachable = |_: &CancelToken, _: u32| -> Result<(), ()> { unreachable!() };
    let items = || (0..9_u32).into_par_iter();
    for result in [
        items().with_group(&group).try_for_each(unreachable),
        items()
            .in_order()
            .with_group(&group)
            .try_for_each(unreachable),
        (0..9_u32)
            .par_in_order()
            .with_group(&group)
            .try_for_each(unreachable),
        items()
            .in_order()
            .with_group(&group)
            .try_stream(unreachable, |()| Ok(())),
    ] {
        assert!(matches!(cause(result), Cause::Parent(_)));
    }
    let outcome = items().in_order().with_group(&group).outcome(unreachable);
    assert_eq!(outcome.to_string(), "0 ok, 0 failed, 9 skipped: requested");
}

fn timeouts_and_deadlines() {
    let group = ErrGroup::new().timeout(Duration::ZERO);
    let outcome = (0..100_u32).into_par_iter().in_order().with_group(&group);
    assert_eq!(outcome.outcome(|_, n| Ok::<_, ()>(n)).skipped(), 100);
    let group = ErrGroup::new().timeout(Duration::from_millis(5));
    let endless = (0_u32..).par_in_order().with_group(&group);
    assert!(matches!(
        cause(endless.err_group(|_| Ok::<_, ()>(()))),
        Cause::Deadline
    ));
    let sleepers = (0..2_u32).into_par_iter().with_group(&group);
    let result = sleepers.try_for_each(|token, _| token.sleep(Duration::from_secs(3600)));
    assert!(matches!(cause(result), Cause::Deadline));
    let group = ErrGroup::new().timeout(Duration::from_secs(3600));
    let result = (0..9_u32)
        .into_par_iter()
        .with_group(&group)
        .try_for_each(|token, _| {
            assert!(token.remaining().is_some());
            Ok::<_, ()>(())
        });
    assert!(result.is_ok());
}

fn error_limits() {
    let odd = |n: u32| if n % 2 == 1 { Err(n) } else { Ok(n) };
    let group = ErrGroup::new().max_errors(3);
    let items = || (0..1000_u32).into_par_iter().in_order().with_group(&group);
    let error = items().try_map(|_, n| odd(n)).unwrap_err();
    assert_eq!((error.index(), error.into_error()), (Some(1), Some(1)));
    let outcome = items().outcome(|_, n| odd(n));
    assert_eq!(outcome.errors(), [(1, 1), (3, 3), (5, 5)]);
    assert_eq!(
        outcome
            .values()
            .iter()
            .filter(|(index, _)| *index < 5)
            .count(),
        3
    );
    assert!(outcome.skipped() > 0);

    let ran = AtomicU32::new(0);
    let group = ErrGroup::new().keep_going();
    let items = (0..1000_u32).into_par_iter().with_group(&group);
    let result = items.try_for_each(|_, n| {
        ran.fetch_add(1, SeqCst);
        odd(n).map(drop)
    });
    let Err(GroupError::Several(errors)) = result else {
        panic!("all of them are kept")
    };
    assert_eq!(errors.iter().count(), 500);
    assert_eq!(ran.into_inner(), 1000);

    // The items that fail have no value.
    let mut values = Vec::new();
    let items = (0..6_u32).into_par_iter().in_order().with_group(&group);
    let result = items.try_stream(
        |_, n| odd(n),
        |value| {
            values.push(value);
            Ok(())
        },
    );
    assert_eq!(
        (result.unwrap_err().index(), values),
        (Some(1), vec![0, 2, 4])
    );
}

fn panics() {
    let panic_at = |failing: u32| {
        move |n: u32| {
            if n == failing {
                std::panic::panic_any(n);
            }
            Ok::<_, ()>(n)
        }
    };
    let items = || (0..9_u32).into_par_iter();
    let group = ErrGroup::new().keep_going();
    let runs: [&dyn Fn(); 6] = [
        &|| _ = items().err_group(|n| panic_at(3)(n).map(drop)),
        &|| _ = items().try_map_group(|_, n| panic_at(3)(n)),
        &|| _ = items().in_order().try_map(|_, n| panic_at(3)(n)),
        &|| _ = items().with_group(&group).try_map(|_, n| panic_at(3)(n)),
        &|| {
            _ = items()
                .in_order()
                .with_group(&group)
                .outcome(|_, n| panic_at(3)(n));
        },
        &|| {
            _ = items()
                .in_order()
                .try_stream(|_, n| Ok::<_, ()>(n), |n| panic_at(3)(n).map(drop));
        },
    ];
    for run in runs {
        let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&3_u32));
    }
}

fn caught_panics() {
    let group = ErrGroup::new().catch_panics();
    let divide = |n: u32| Ok::<_, ()>(60 / n);
    let result = [1, 0]
        .into_par_iter()
        .with_group(&group)
        .try_map(|_, n| divide(n));
    let Err(GroupError::Panicked(panicked)) = result else {
        panic!("it has panicked");
    };
    assert_eq!(panicked.message(), Some("attempt to divide by zero"));
    assert_eq!(panicked.index(), None);
    let result = [1, 0]
        .par_iter()
        .in_order()
        .with_group(&group)
        .try_map(|_, n| divide(*n));
    assert_eq!(
        result.unwrap_err().to_string(),
        "item 1 panicked: attempt to divide by zero"
    );

    let group = ErrGroup::new().catch_panics().keep_going();
    let numbers = [1, 0, 3].par_iter().in_order().with_group(&group);
    let outcome = numbers.outcome(|_, n| divide(*n));
    assert_eq!(outcome.values(), [(0, 60), (2, 20)]);
    assert_eq!(outcome.panics()[0].0, Some(1));
    assert_eq!(outcome.skipped(), 0);
}

fn beginnings() {
    let sum = |numbers: &[u32]| numbers.iter().sum::<u32>();
    let numbers = [1, 2, 3];
    let chunks = numbers.par_chunks(2).in_order();
    assert_eq!(
        chunks.try_map(|_, pair| Ok::<_, ()>(sum(pair))),
        Ok(vec![3, 3])
    );
    let chunks = numbers.par_chunks_exact(2);
    assert_eq!(
        chunks.try_map_group(|_, pair| Ok::<_, ()>(sum(pair))),
        Ok(vec![3])
    );
    let windows = numbers.par_windows(2).in_order();
    assert_eq!(
        windows.try_map(|_, pair| Ok::<_, ()>(sum(pair))),
        Ok(vec![3, 5])
    );
    let map: BTreeMap<_, _> = [("a", 1), ("b", 2)].into();
    let result = map
        .par_iter()
        .err_group(|(name, n)| if *n < 2 { Ok(()) } else { Err(*name) });
    assert_eq!(result, Err("b"));
    let words = "1 2 x".split(' ').par_bridge();
    assert_eq!(
        words.err_group(|word| parse(word).map(drop)),
        Err("x is no number".into())
    );
    let option = Some(7).into_par_iter();
    assert_eq!(option.try_map_group(|_, n| fail_at(1)(n)), Ok(vec![70]));
}

fn mutable_beginnings() {
    let mut numbers = [1, 2, 3];
    let result = numbers.par_iter_mut().err_group(|n| {
        *n *= 10;
        Ok::<_, ()>(())
    });
    assert_eq!((result, numbers), (Ok(()), [10, 20, 30]));
    let result = numbers.par_chunks_mut(2).in_order().err_group(|pair| {
        pair.reverse();
        Ok::<_, ()>(())
    });
    assert_eq!((result, numbers), (Ok(()), [20, 10, 30]));
}

fn adaptors() {
    let items = || (0..10_u32).into_par_iter();
    let chain = items()
        .with_min_len(1)
        .with_max_len(2)
        .zip(10..20_u32)
        .enumerate()
        .rev()
        .take(5);
    let values = chain
        .in_order()
        .try_map(|_, (at, (a, b))| Ok::<_, ()>((at, a + b)))
        .unwrap();
    assert_eq!(values, [(9, 28), (8, 26), (7, 24), (6, 22), (5, 20)]);
    let odd = items()
        .filter(|n| n % 2 == 1)
        .map(|n| n + 100)
        .chain([7].into_par_iter());
    let values = odd.try_map_group(|_, n| Ok::<_, ()>(n)).unwrap();
    assert_eq!(values, [101, 103, 105, 107, 109, 7]);
    assert_eq!(items().reduce_with(Ord::max), Some(9));
    assert_eq!(items().find_any(|n| *n == 4), Some(4));
    assert_eq!(items().sum_of_next(), 55);
}

/// A bound that both have.
trait SumOfNext: ParallelIterator<Item = u32> {
    fn sum_of_next(self) -> u32 {
        self.map(|n| n + 1).sum()
    }
}

impl<I: ParallelIterator<Item = u32>> SumOfNext for I {}

fn generic_functions() {
    fn halves(numbers: impl ErrGroupExt<Item = u32>) -> Result<Vec<u32>, u32> {
        numbers.try_map_group(|_, n| if n % 2 == 0 { Ok(n / 2) } else { Err(n) })
    }
    fn first(numbers: impl IndexedParallelIterator<Item = u32>) -> Result<(), u32> {
        numbers.in_order().err_group(Err)
    }
    fn lengths<'w>(words: InOrder<impl Ordered<Item = &'w str>>) -> Result<Vec<usize>, &'w str> {
        words.try_map(|_, word| {
            if word.is_empty() {
                Err("empty")
            } else {
                Ok(word.len())
            }
        })
    }
    fn all(words: impl IntoParallelIterator<Item = &'static str>) -> Result<(), String> {
        words
            .into_par_iter()
            .err_group(|word| parse(word).map(drop))
    }
    assert_eq!(
        halves((0..5).into_par_iter().filter(|n| n % 2 == 0)),
        Ok(vec![0, 1, 2])
    );
    assert_eq!(first(vec![3, 4].into_par_iter()), Err(3));
    assert_eq!(
        lengths(vec!["a", "bc"].into_par_iter().in_order()),
        Ok(vec![1, 2])
    );
    assert_eq!(lengths("a bc".split(' ').par_in_order()), Ok(vec![1, 2]));
    assert_eq!(all(["1", "2"]), Ok(()));
}

fn empty_inputs() {
    let none = || (0..0_u32).into_par_iter();
    let unreachable = |_: &CancelToken, _: u32| -> Result<u32, ()> { unreachable!() };
    assert_eq!(none().try_map_group(unreachable), Ok(vec![]));
    assert_eq!(none().in_order().try_map(unreachable), Ok(vec![]));
    assert_eq!((0..0_u32).par_in_order().try_map(unreachable), Ok(vec![]));
    let outcome = none().in_order().outcome(unreachable);
    assert_eq!(outcome.to_string(), "0 ok, 0 failed, 0 skipped");
    let result = none().in_order().try_stream(unreachable, |_| Ok(()));
    assert_eq!(result, Ok(()));
}
