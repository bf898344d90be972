//! The methods without threads.

use rayon_errgroup::sequential::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup};

use crate::{Ran, assert_cancelled, fail_at};

#[unsafe(no_mangle)]
pub extern "C" fn sequential_fails() -> u32 {
    let items = (0..1000_u32).into_par_iter();
    items.try_map_group(|_, n| fail_at(7)(n)).unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn sequential_sum() -> u32 {
    let items = (0..1000_u32).par_in_order();
    items
        .try_process(|_, n| fail_at(1000)(n), |values| values.sum())
        .unwrap()
}

#[unsafe(no_mangle)]
pub extern "C" fn sequential_outcome() -> u32 {
    let group = ErrGroup::new().keep_going();
    let items = (0..100_u32).into_par_iter().in_order().with_group(&group);
    let outcome = items.outcome(|_, n| fail_at(7)(n));
    assert_eq!(outcome.errors(), [(7, 7)]);
    outcome.values().iter().map(|(_, value)| value).sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn sequential_cancelled() -> u32 {
    let (ran, stop) = (Ran::default(), CancelToken::new());
    let group = ErrGroup::new().token(&stop);
    let items = (0..1000_u32).into_par_iter().with_group(&group);
    assert_cancelled(items.err_group(|_| {
        if ran.count() == 10 {
            stop.cancel();
        }
        Ok(())
    }));
    ran.total()
}
