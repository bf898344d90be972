//! Runs without an order.

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};

use crate::{Ran, fail_at};

#[unsafe(no_mangle)]
pub extern "C" fn err_group_ok() -> u32 {
    let ran = Ran::default();
    let result = (0..1000_u32).into_par_iter().err_group(|_| {
        ran.count();
        Ok::<_, u32>(())
    });
    assert_eq!(result, Ok(()));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn err_group_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter();
    let result = items.err_group(|n| fail_at(7)(n).map(drop));
    result.unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn try_map_group_ok() -> u32 {
    let values = (0..1000_u32)
        .into_par_iter()
        .try_map_group(|_, n| Ok::<_, u32>(2 * n));
    values.unwrap().into_iter().sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn try_map_group_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter();
    let result = items.try_map_group(|_, n| fail_at(7)(n));
    result.unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn keep_going_runs_every_item() -> u32 {
    let (group, ran) = (ErrGroup::new().keep_going(), Ran::default());
    let items = (0..1000_u32).into_par_iter().with_group(&group);
    let result = items.try_for_each(|_, n| {
        ran.count();
        if n % 10 == 0 { Err(n) } else { Ok(()) }
    });
    let Err(GroupError::Several(errors)) = result else {
        panic!("all errors are kept")
    };
    assert_eq!((*errors.first(), errors.iter().count()), ((0, 0), 100));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn filter_ok() -> u32 {
    let ran = Ran::default();
    let items = (0..1000_u32).into_par_iter().filter(|n| n % 3 == 0);
    let result = items.err_group(|_| {
        ran.count();
        Ok::<_, u32>(())
    });
    assert_eq!(result, Ok(()));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn filter_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter().filter(|n| n % 3 == 0);
    let result = items.err_group(|n| fail_at(9)(n).map(drop));
    result.unwrap_err()
}

/// An endless source, of which nothing comes through after the failure.
#[unsafe(no_mangle)]
pub extern "C" fn endless_filter_fails() -> u32 {
    let mut left = 8;
    let items = std::iter::repeat_with(move || {
        left = u32::saturating_sub(left, 1);
        left
    });
    let items = items.par_bridge().filter(|left| *left > 0);
    let result = items.err_group(|left| if left == 1 { Err(left) } else { Ok(()) });
    result.unwrap_err()
}

/// The items of the inner runs run on top of those of the outer run.
#[unsafe(no_mangle)]
pub extern "C" fn nested() -> u32 {
    let sums = (0..10_u32).into_par_iter().try_map_group(|_, n| {
        let inner = (0..n).into_par_iter().try_map_group(|_, m| fail_at(99)(m));
        inner.map(|values| values.into_iter().sum::<u32>())
    });
    sums.unwrap().into_iter().sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn nested_inner_fails() -> u32 {
    let result = (0..10_u32).into_par_iter().err_group(|n| {
        let inner = (0..n).into_par_iter();
        inner.err_group(|m| fail_at(4)(m).map(drop))
    });
    result.unwrap_err()
}
