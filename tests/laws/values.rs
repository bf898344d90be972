//! Law 3 where values are written to their places: by blocks, and the rest one by one.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};

use crate::harness::{Drops, on_pools};

/// More than a few blocks, whatever their size.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=40;

/// In one stretch, of each length, and stopped at each of its items.
#[test]
fn a_stretch_that_stops_anywhere_drops_its_values_once() {
    on_pools(|_| {
        for length in LENGTHS {
            for at in 0..=length {
                for shape in 0..4 {
                    let (values, ran) = (Drops::new(length), AtomicUsize::new(0));
                    let by_panic = shape % 2 == 1;
                    let run = |number| {
                        ran.fetch_add(1, SeqCst);
                        if number == at {
                            assert!(!by_panic, "on purpose");
                            return Err(number);
                        }
                        Ok(values.thing(number))
                    };
                    let group = ErrGroup::new().catch_panics();
                    let items = (0..length).into_par_iter().with_min_len(length.max(1));
                    let result = if shape < 2 {
                        items.with_group(&group).try_map(|_, n| run(n))
                    } else {
                        items.in_order().with_group(&group).try_map(|_, n| run(n))
                    };
                    match result {
                        Ok(vector) => {
                            assert_eq!(at, length);
                            assert!(vector.iter().map(|thing| thing.number).eq(0..length));
                            assert!((0..length).all(|number| values.of(number) == 0));
                        }
                        Err(GroupError::Failed { error: number, .. }) => {
                            assert_eq!((number, by_panic), (at, false));
                        }
                        Err(error) => assert!(by_panic && at < length, "{error}"),
                    }
                    assert_eq!(ran.into_inner(), length.min(at + 1), "{shape}");
                    let dropped = (0..length).map(|number| values.of(number));
                    assert!(dropped.eq((0..length).map(|number| usize::from(number < at))));
                }
            }
        }
    });
}

/// Nothing is written for them, but they are counted, and dropped.
#[test]
fn values_without_a_size_are_counted_and_dropped_once() {
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
                let in_order = items().in_order().try_map_group(|_, n| run(n));
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
