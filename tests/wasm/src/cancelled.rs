//! Runs that are cancelled from outside, and callbacks.

use std::sync::Arc;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};

use crate::{Ran, assert_cancelled, fail_at};

/// A token, a group with this token, and a counter.
fn fixture() -> (CancelToken, ErrGroup, Ran) {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    (stop, group, Ran::default())
}

/// Counts an item, and cancels the token at the tenth one.
fn cancel_at_ten(stop: &CancelToken, ran: &Ran) -> Result<(), u32> {
    if ran.count() == 10 {
        stop.cancel();
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cancelled_before() -> u32 {
    let (stop, group, ran) = fixture();
    stop.cancel();
    let items = (0..1000_u32).into_par_iter().with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn cancelled_during() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0..1000_u32).into_par_iter().with_group(&group);
    assert_cancelled(items.try_for_each(|_, _| cancel_at_ten(&stop, &ran)));
    ran.total()
}

/// Too late to skip anything: no error.
#[unsafe(no_mangle)]
pub extern "C" fn cancelled_by_the_last_item() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0..10_u32).into_par_iter().with_group(&group);
    items.err_group(|_| cancel_at_ten(&stop, &ran)).unwrap();
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_cancelled_before() -> u32 {
    let (stop, group, ran) = fixture();
    stop.cancel();
    let items = (0..1000_u32).into_par_iter().in_order();
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn in_order_cancelled_during() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0..1000_u32).into_par_iter().in_order();
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn par_in_order_cancelled_during() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0_u32..).par_in_order().with_group(&group);
    assert_cancelled(items.try_map(|_, _| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn filter_cancelled_before() -> u32 {
    let (stop, group, ran) = fixture();
    stop.cancel();
    let items = (0..1000_u32).into_par_iter().filter(|n| n % 3 == 0);
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn filter_cancelled_during() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0..1000_u32).into_par_iter().filter(|n| n % 3 == 0);
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn filter_cancelled_by_the_last_item() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0..31_u32).into_par_iter().filter(|n| n % 3 == 1);
    let items = items.with_group(&group);
    items.err_group(|_| cancel_at_ten(&stop, &ran)).unwrap();
    ran.total()
}

/// No item comes through any more, and the source is endless: without a clock, too, the run ends.
#[unsafe(no_mangle)]
pub extern "C" fn endless_filter_cancelled() -> u32 {
    let (stop, group, ran) = fixture();
    let items = (0_u64..).par_bridge().filter(|n| *n < 10);
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|_| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn endless_filter_cancelled_before() -> u32 {
    let (stop, group, ran) = fixture();
    stop.cancel();
    let items = rayon::iter::repeat(()).filter(|()| false);
    let items = items.with_group(&group);
    assert_cancelled(items.err_group(|()| cancel_at_ten(&stop, &ran)));
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn callbacks() -> u32 {
    let called = Arc::new(Ran::default());
    let count = || {
        let called = Arc::clone(&called);
        move || _ = called.count()
    };
    let token = CancelToken::new();
    let child = token.child();
    let _kept = (token.on_cancel(count()), child.on_cancel(count()));
    drop(token.on_cancel(count()));
    assert!(token.cancel());
    assert!(child.is_cancelled());
    let _late = token.on_cancel(count());
    let called_outside = called.so_far();

    let result = (0..10_u32)
        .into_par_iter()
        .in_order()
        .try_for_each(|token, n| {
            let _registration = token.on_cancel(count());
            fail_at(5)(n).map(drop)
        });
    assert_eq!(result, Err(5));
    // Item 5 has ended when its failure cancels the run.
    assert_eq!(called.so_far(), called_outside);
    called_outside
}

/// The callback of an item that cancels its own run.
#[unsafe(no_mangle)]
pub extern "C" fn callback_of_an_item() -> u32 {
    let (stop, group, _) = fixture();
    let called = Arc::new(Ran::default());
    let items = (0..10_u32).into_par_iter().with_group(&group);
    let result = items.try_for_each(|token, n| {
        let counted = Arc::clone(&called);
        let _registration = token.on_cancel(move || _ = counted.count());
        if n == 5 {
            stop.cancel();
            assert!(token.check().is_err());
            assert!(token.done().recv().is_err());
        }
        Ok::<_, u32>(())
    });
    assert_cancelled(result);
    called.so_far()
}
