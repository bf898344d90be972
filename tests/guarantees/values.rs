//! Guarantee 3 for values that are written into their slots, in blocks of items and the rest one
//! by one.

use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};

use crate::common::{Drops, Thing, on_pool, on_pools};

/// Up to two blocks of 16, and a rest.
const LENGTHS: RangeInclusive<usize> = 0..=40;

/// A value with a larger alignment.
#[repr(align(64))]
struct Wide(Thing);

/// Runs one leaf in which the item `at` fails. If the run `tolerates` that, every fifth item after
/// it fails too, and the loop over the leaf restarts after each failure.
fn stop_anywhere<V: AsRef<Thing> + Send>(
    length: usize,
    at: usize,
    by_panic: bool,
    tolerates: bool,
    in_order: bool,
    wrap: impl Fn(Thing) -> V + Sync,
) {
    let (values, ran) = (Drops::new(length), AtomicUsize::new(0));
    let fails = |number| number == at || tolerates && number > at && (number - at) % 5 == 0;
    let run = |number| {
        ran.fetch_add(1, SeqCst);
        if fails(number) {
            if by_panic {
                // No message, which thousands of panics would print, and no backtrace.
                resume_unwind(Box::new("on purpose"));
            }
            return Err(number);
        }
        Ok(wrap(values.thing(number)))
    };
    let group = ErrGroup::new().catch_panics();
    let group = if tolerates { group.keep_going() } else { group };
    let items = (0..length).into_par_iter().with_min_len(length.max(1));
    let result = if in_order {
        items.in_order().with_group(&group).try_map(|_, n| run(n))
    } else {
        items.with_group(&group).try_map(|_, n| run(n))
    };
    match result {
        Ok(vector) => {
            assert_eq!(at, length);
            let numbers = vector.iter().map(|value| value.as_ref().number);
            assert!(numbers.eq(0..length));
            assert!((0..length).all(|number| values.of(number) == 0));
        }
        Err(GroupError::Panicked(_)) => assert!(by_panic && at < length),
        Err(error) => assert_eq!((error.into_error(), by_panic), (Some(at), false)),
    }
    let last = if tolerates {
        length
    } else {
        length.min(at + 1)
    };
    assert_eq!(ran.into_inner(), last);
    for number in 0..length {
        let made = number < last && !fails(number);
        assert_eq!(values.of(number), usize::from(made), "drops of {number}");
    }
}

impl AsRef<Thing> for Thing {
    fn as_ref(&self) -> &Thing {
        self
    }
}

impl AsRef<Thing> for Wide {
    fn as_ref(&self) -> &Thing {
        &self.0
    }
}

/// One leaf runs on one thread, so more pool sizes would test nothing more.
#[test]
fn a_leaf_that_stops_anywhere_drops_its_values_once() {
    on_pool(2, || {
        for length in LENGTHS {
            for at in 0..=length {
                for shape in 0..8 {
                    let [by_panic, tolerates, in_order] = [1, 2, 4].map(|bit| shape & bit != 0);
                    stop_anywhere(length, at, by_panic, tolerates, in_order, |thing| thing);
                    stop_anywhere(length, at, by_panic, tolerates, in_order, Box::new);
                    stop_anywhere(length, at, by_panic, tolerates, in_order, Wide);
                }
            }
        }
    });
}

/// Adjacent leaves of every length are joined into one vector.
#[test]
fn leaves_of_any_length_are_joined() {
    on_pools(|_| {
        for most in LENGTHS.skip(1) {
            let items = || (0..200_u8).into_par_iter().with_max_len(most);
            let stealing = items().try_map_group(|_, n| Ok::<_, ()>(n));
            let in_order = items().in_order().try_map(|_, n| Ok::<_, ()>(n));
            let expected: Vec<u8> = (0..200).collect();
            assert_eq!(stealing.as_ref(), Ok(&expected));
            assert_eq!(in_order.as_ref(), Ok(&expected));
        }
    });
}

/// They occupy no memory, but are counted and dropped.
#[test]
fn zero_sized_values_are_counted_and_dropped_once() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Nil;
    impl Nil {
        fn new() -> Self {
            MADE.fetch_add(1, SeqCst);
            Nil
        }
    }
    impl Drop for Nil {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }

    on_pools(|_| {
        for length in [0, 1, 3, 16, 17, 1000, 100_000] {
            for failing in [None, Some(length / 2)] {
                let run = |n| {
                    if Some(n) == failing {
                        return Err(n);
                    }
                    Ok(Nil::new())
                };
                let failing = failing.filter(|at| *at < length);
                let items = || (0..length).into_par_iter();
                let stealing = items().try_map_group(|_, n| run(n));
                let in_order = items().in_order().try_map(|_, n| run(n));
                for result in [stealing, in_order] {
                    match result {
                        Ok(vector) => assert_eq!((vector.len(), failing), (length, None)),
                        Err(number) => assert_eq!(Some(number), failing),
                    }
                }
                assert_eq!(MADE.load(SeqCst), DROPPED.load(SeqCst), "{length}");
            }
        }
    });
}
