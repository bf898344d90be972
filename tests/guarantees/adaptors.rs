//! Every adaptor of rayon, under each call of this crate, compared with the sequential loop.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::common::{POOLS, on_pools, pool};
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

/// A check of the numbers `0..length`, produced by many different iterators.
trait Check {
    /// `ordered` is false where the iterator has no order.
    fn check<I>(&self, shape: &str, ordered: bool, items: I)
    where
        I: ParallelIterator<Item = usize>;
}

/// Runs the check with every kind of iterator. `length` must be even.
fn every_shape(length: usize, visitor: &impl Check) {
    let all: Vec<usize> = (0..length).collect();
    let range = || (0..length).into_par_iter();
    visitor.check("range", true, range());
    visitor.check(
        "range of u64",
        true,
        (0..length as u64)
            .into_par_iter()
            .map(|n| usize::try_from(n).unwrap()),
    );
    visitor.check("slice", true, all.par_iter().copied());
    visitor.check("vec", true, all.clone().into_par_iter());
    visitor.check("mut slice", true, all.clone().par_iter_mut().map(|n| *n));
    visitor.check("map", true, range().map(|n| n + 1).map(|n| n - 1));
    visitor.check(
        "map_init",
        true,
        range().map_init(|| 0, |zero, n| n + *zero),
    );
    visitor.check(
        "filter",
        true,
        (0..2 * length)
            .into_par_iter()
            .filter(|n| n % 2 == 0)
            .map(|n| n / 2),
    );
    visitor.check("filter_map", true, range().filter_map(Some));
    visitor.check(
        "flat_map",
        true,
        (0..length / 2)
            .into_par_iter()
            .flat_map(|n| [2 * n, 2 * n + 1]),
    );
    visitor.check(
        "flat_map_iter",
        true,
        (0..length / 2)
            .into_par_iter()
            .flat_map_iter(|n| [2 * n, 2 * n + 1]),
    );
    visitor.check(
        "flatten",
        true,
        all.chunks(7)
            .map(<[usize]>::to_vec)
            .collect::<Vec<_>>()
            .into_par_iter()
            .flatten(),
    );
    visitor.check(
        "chain",
        true,
        (0..length / 3).into_par_iter().chain(length / 3..length),
    );
    visitor.check(
        "chain of filters",
        true,
        (0..length / 3)
            .into_par_iter()
            .filter(|_| true)
            .chain((length / 3..length).into_par_iter().filter(|_| true)),
    );
    visitor.check(
        "zip",
        true,
        range().zip(range()).map(|(a, b)| a.midpoint(b)),
    );
    visitor.check(
        "enumerate",
        true,
        range().rev().enumerate().map(|(index, _)| index),
    );
    visitor.check("chunks", true, range().chunks(5).flat_map(|chunk| chunk));
    visitor.check(
        "par_chunks",
        true,
        all.par_chunks(5)
            .flat_map_iter(|chunk| chunk.iter().copied()),
    );
    visitor.check(
        "interleave",
        true,
        (0..length / 2)
            .into_par_iter()
            .map(|n| 2 * n)
            .interleave((0..length / 2).into_par_iter().map(|n| 2 * n + 1)),
    );
    visitor.check("rev", true, range().rev().map(|n| length - 1 - n));
    visitor.check(
        "step_by",
        true,
        (0..3 * length).into_par_iter().step_by(3).map(|n| n / 3),
    );
    visitor.check(
        "skip and take",
        true,
        (0..3 * length)
            .into_par_iter()
            .skip(length)
            .take(length)
            .map(|n| n - length),
    );
    visitor.check("with_min_len", true, range().with_min_len(64));
    visitor.check("with_max_len", true, range().with_max_len(1));
    visitor.check(
        "inspect and cloned",
        true,
        all.par_iter().inspect(|_| ()).cloned(),
    );
    visitor.check("panic_fuse", true, range().panic_fuse());
    visitor.check("while_some", true, range().map(Some).while_some());
    visitor.check("take_any", true, range().take_any(length));
    visitor.check("by blocks", true, range().by_uniform_blocks(10));
    visitor.check("par_bridge", false, (0..length).par_bridge());
    visitor.check(
        "hash set",
        false,
        all.iter().copied().collect::<HashSet<_>>().into_par_iter(),
    );
    visitor.check(
        "tree map",
        true,
        all.iter()
            .map(|n| (*n, *n))
            .collect::<BTreeMap<_, _>>()
            .into_par_iter()
            .map(|(n, _)| n),
    );
    visitor.check(
        "tree set",
        true,
        all.iter().copied().collect::<BTreeSet<_>>().into_par_iter(),
    );
    visitor.check(
        "string",
        true,
        "x".repeat(length).par_char_indices().map(|(n, _)| n),
    );
}

/// All items succeed: each runs once, and the values are in order.
struct AllSucceed(usize);

impl Check for AllSucceed {
    fn check<I: ParallelIterator<Item = usize>>(&self, shape: &str, ordered: bool, items: I) {
        let runs: Vec<_> = (0..self.0).map(|_| AtomicUsize::new(0)).collect();
        let group = ErrGroup::new().token(&CancelToken::new());
        let values = items.with_group(&group).try_map(|_, n| {
            runs[n].fetch_add(1, SeqCst);
            Ok::<_, ()>(n.to_string())
        });
        let mut values = values.unwrap();
        assert!(runs.iter().all(|runs| runs.load(SeqCst) == 1), "{shape}");
        if !ordered {
            values.sort_by_key(|value| value.parse::<usize>().unwrap());
        }
        assert!(
            values.into_iter().eq((0..self.0).map(|n| n.to_string())),
            "{shape}"
        );
    }
}

/// One item fails: its error is returned, and no item runs twice.
struct OneFails(usize);

impl Check for OneFails {
    fn check<I: ParallelIterator<Item = usize>>(&self, shape: &str, _: bool, items: I) {
        let runs = AtomicUsize::new(0);
        let result = items.err_group(|n| {
            runs.fetch_add(1, SeqCst);
            if n == self.0 { Err(n) } else { Ok(()) }
        });
        assert_eq!(result, Err(self.0), "{shape}");
        assert!(runs.into_inner() <= 1000, "{shape}");
    }
}

/// The token is cancelled beforehand: no item runs.
struct Cancelled;

impl Check for Cancelled {
    fn check<I: ParallelIterator<Item = usize>>(&self, shape: &str, _: bool, items: I) {
        let stop = CancelToken::new();
        stop.cancel();
        let result = items
            .with_group(&ErrGroup::new().token(&stop))
            .try_map(|_, _| -> Result<(), ()> { unreachable!("{shape}") });
        assert!(matches!(result, Err(GroupError::Cancelled(_))), "{shape}");
    }
}

#[test]
fn every_adaptor_agrees_with_the_sequential_loop() {
    on_pools(|_| {
        for length in [2, 100, 1000] {
            every_shape(length, &AllSucceed(length));
            every_shape(length, &Cancelled);
            for failing in [0, 1, length / 2, length - 1] {
                every_shape(length, &OneFails(failing));
            }
        }
    });
}

/// `once` knows its length but consumes its item without a producer, which few iterators do.
#[test]
fn an_item_without_a_producer_has_its_slot_too() {
    on_pools(|_| {
        AllSucceed(1).check("once", true, rayon::iter::once(0));
        Cancelled.check("once", true, rayon::iter::once(0));
        OneFails(0).check("once", true, rayon::iter::once(0));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// On one thread the result is that of the sequential loop. On more threads it is the same if
    /// no item fails, and the error of one of the failing items otherwise.
    #[test]
    fn agrees_with_the_sequential_model(
        length in 0_usize..2000,
        failing in prop::collection::btree_set(0_usize..2000, 0..4),
        shape in 0..4,
    ) {
        for threads in POOLS {
            let (runs, failing) = (AtomicUsize::new(0), failing.clone());
            let f = |_: &CancelToken, n: usize| {
                runs.fetch_add(1, SeqCst);
                if failing.contains(&n) { Err(n) } else { Ok(3 * n) }
            };
            let sequential: Result<Vec<_>, _> = (0..length)
                .map(|n| if failing.contains(&n) { Err(n) } else { Ok(3 * n) })
                .collect();
            let range = || (0..length).into_par_iter();
            let result = pool(threads).install(|| match shape {
                0 => range().try_map_group(f),
                1 => range().with_max_len(1).try_map_group(f),
                2 => range().filter(|_| true).try_map_group(f),
                _ => {
                    let result = range().with_group(&ErrGroup::new()).try_map(f);
                    result.map_err(|error| error.into_error().unwrap())
                }
            });
            match (&result, &sequential) {
                (Ok(values), Ok(expected)) => prop_assert_eq!(values, expected),
                (Err(error), Err(first)) => {
                    prop_assert!(failing.contains(error));
                    if threads == 1 {
                        prop_assert_eq!(error, first);
                        prop_assert_eq!(runs.into_inner(), first + 1);
                    }
                }
                _ => prop_assert!(false, "{:?} for {:?}", result.is_ok(), sequential.is_ok()),
            }
        }
    }
}
