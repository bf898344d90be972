//! Runs in order.

use std::iter;
use std::ops::ControlFlow;

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};

use crate::{Ran, fail_at};

#[unsafe(no_mangle)]
pub extern "C" fn in_order_err_group_ok() -> u32 {
    let ran = Ran::default();
    let result = (0..100_000_u32).into_par_iter().in_order().err_group(|_| {
        ran.count();
        Ok::<_, u32>(())
    });
    assert_eq!(result, Ok(()));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_err_group_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter().in_order();
    let result = items.err_group(|n| if n % 7 == 6 { Err(n) } else { Ok(()) });
    result.unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_try_map_ok() -> u32 {
    let items = (0..1000_u32).into_par_iter().in_order();
    let values = items.try_map(|_, n| Ok::<_, u32>(2 * n)).unwrap();
    assert!(values.is_sorted());
    values.into_iter().sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_try_map_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter().in_order();
    items.try_map(|_, n| fail_at(7)(n)).unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_try_for_each_ok() -> u32 {
    let ran = Ran::default();
    let items = (0..1000_u32).into_par_iter().in_order();
    let result = items.try_for_each(|_, _| {
        ran.count();
        Ok::<_, u32>(())
    });
    assert_eq!(result, Ok(()));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_try_for_each_fails() -> u32 {
    let group = ErrGroup::new();
    let items = (10..1000_u32).into_par_iter().in_order();
    let result = (items.with_group(&group)).try_for_each(|_, n| fail_at(17)(n).map(drop));
    let Err(GroupError::Failed { index, error }) = result else {
        panic!("it has failed")
    };
    assert_eq!(index, Some(7));
    error
}

#[unsafe(no_mangle)]
pub extern "C" fn par_in_order_ok() -> u32 {
    let items = (0..100_000_u32).filter(|n| n % 3 == 0).par_in_order();
    let values = items.try_map(|_, n| Ok::<_, u32>(n)).unwrap();
    assert!(values.is_sorted());
    u32::try_from(values.len()).unwrap()
}

/// Of an endless iterator nothing is read after the item that fails: a worker that is alone runs
/// each item before it reads the next one.
#[unsafe(no_mangle)]
pub extern "C" fn par_in_order_fails() -> u32 {
    let read = Ran::default();
    let items = iter::repeat_with(|| read.count()).par_in_order();
    let result = items.try_for_each(|_, n| fail_at(3000)(n).map(drop));
    assert_eq!(result, Err(3000));
    read.total()
}

/// The sink has each value before the next item runs.
#[unsafe(no_mangle)]
pub extern "C" fn try_stream_ok() -> u32 {
    let (ran, mut drained) = (Ran::default(), 0);
    let items = (0..3000_u32).into_par_iter().in_order();
    let result = items.try_stream(
        |_, n| {
            assert_eq!(ran.count(), n + 1);
            Ok::<_, u32>(n)
        },
        |n| {
            assert_eq!((n, ran.so_far()), (drained, n + 1));
            drained += 1;
            Ok(())
        },
    );
    assert_eq!(result, Ok(()));
    drained
}

#[unsafe(no_mangle)]
pub extern "C" fn try_stream_fails() -> u32 {
    let mut drained = 0;
    let items = (0..3000_u32).into_par_iter().in_order();
    let result = items.try_stream(
        |_, n| fail_at(2000)(n),
        |_| {
            drained += 1;
            Ok(())
        },
    );
    assert_eq!(result, Err(2000));
    drained
}

#[unsafe(no_mangle)]
pub extern "C" fn try_stream_of_an_endless_iterator() -> u32 {
    let (ran, mut sum) = (Ran::default(), 0);
    let result = (1_u32..).par_in_order().try_stream(
        |_, n| {
            ran.count();
            Ok::<_, u32>(n)
        },
        |n| {
            sum += n;
            Ok(if sum < 5000 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        },
    );
    assert_eq!(result, Ok(()));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn try_stream_whose_sink_fails() -> u32 {
    let items = (0..3000_u32).into_par_iter().in_order();
    let result = items.try_stream(|_, n| Ok(n), |n| fail_at(1500)(n).map(drop));
    result.unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn outcome_keeps_going() -> u32 {
    let group = ErrGroup::new().keep_going();
    let items = (0..1000_u32).into_par_iter().in_order().with_group(&group);
    let outcome = items.outcome(|_, n| if n % 10 == 0 { Err(n) } else { Ok(n) });
    assert_eq!(outcome.to_string(), "900 ok, 100 failed, 0 skipped");
    outcome.errors().iter().map(|(_, error)| error).sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn outcome_of_some_errors() -> u32 {
    let group = ErrGroup::new().max_errors(3);
    let items = (0..1000_u32).par_in_order().with_group(&group);
    let outcome = items.outcome(|_, n| if n % 10 == 0 { Err(n) } else { Ok(n) });
    let errors = outcome.errors();
    assert_eq!(errors, [(0, 0), (10, 10), (20, 20)]);
    u32::try_from(outcome.values().len()).unwrap()
}

/// Runs in order, and streams, inside of runs in order.
#[unsafe(no_mangle)]
pub extern "C" fn nested_in_order() -> u32 {
    let items = (0..50_u32).into_par_iter().in_order();
    let sums = items.try_map(|_, n| {
        let inner = (0..n).into_par_iter().in_order();
        let values = inner.try_map(|_, m| fail_at(99)(m))?;
        let mut sum = 0;
        (values.into_iter().par_in_order()).try_stream(
            |_, m| fail_at(99)(m),
            |m| {
                sum += m;
                Ok(())
            },
        )?;
        Ok::<_, u32>(sum)
    });
    sums.unwrap().into_iter().sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn nested_in_order_inner_fails() -> u32 {
    let items = (0..50_u32).into_par_iter().in_order();
    let result = items.err_group(|n| {
        let inner = (0..n).par_in_order();
        inner.err_group(|m| fail_at(30)(m).map(drop))
    });
    result.unwrap_err()
}
