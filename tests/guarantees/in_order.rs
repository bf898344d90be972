//! Guarantee 7: the result of the sequential loop, on any number of threads.

use std::collections::BTreeSet;
use std::hint;

use proptest::collection::btree_set;
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::cases;

/// An item and what it does.
#[derive(Clone, Copy, Debug)]
struct Item {
    number: usize,
    cost: u32,
    fails: bool,
}

impl Item {
    /// The value of the item, or its error.
    fn result(self) -> Result<u64, u64> {
        for _ in 0..self.cost {
            hint::spin_loop();
        }
        let value = 3 * self.number as u64 + 1;
        if self.fails { Err(value) } else { Ok(value) }
    }
}

#[derive(Clone, Debug)]
struct Case {
    items: Vec<Item>,
    /// The index of the value that the sink refuses.
    refused: Option<usize>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let len = prop_oneof![4 => 0..40_usize, 2 => 0..400_usize, 1 => 0..4000_usize];
    let cost = prop_oneof![
        8 => Just(0_u32),
        4 => 0..20_u32,
        1 => 0..400_u32,
    ];
    let costs = prop_oneof![
        cost.clone().prop_map(|cost| vec![cost]).boxed(),
        prop::collection::vec(cost, 1..20).boxed(),
    ];
    (len, costs).prop_flat_map(|(len, costs)| {
        let failing = prop_oneof![
            2 => Just(BTreeSet::new()).boxed(),
            5 => btree_set(0..len.max(1), 0..6).boxed(),
        ];
        let refused = prop::option::weighted(0.3, 0..len.max(1));
        (failing, refused).prop_map(move |(failing, refused)| Case {
            items: (0..len)
                .map(|number| Item {
                    number,
                    cost: costs[number % costs.len()],
                    fails: failing.contains(&number),
                })
                .collect(),
            refused,
        })
    })
}

/// The result of the sequential loop: the values before the first failure, and the failure.
fn sequential(items: &[Item]) -> (Vec<u64>, Option<(usize, u64)>) {
    let mut values = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.result() {
            Ok(value) => values.push(value),
            Err(error) => return (values, Some((index, error))),
        }
    }
    (values, None)
}

fn failure<T>(result: Result<T, GroupError<u64>>) -> Option<(usize, u64)> {
    match result {
        Ok(_) => None,
        Err(GroupError::Failed { index, error }) => Some((index.unwrap(), error)),
        Err(other) => panic!("{other}"),
    }
}

fn check(case: &Case) {
    let items = &case.items;
    let (values, failed) = sequential(items);
    let error = failed.map(|(_, error)| error);
    let whole = match failed {
        Some((_, error)) => Err(error),
        None => Ok(values.clone()),
    };
    let group = ErrGroup::new();

    let each = |item: &Item| item.result().map(drop);
    assert_eq!(items.par_iter().in_order().err_group(each).err(), error);
    assert_eq!(items.iter().par_in_order().err_group(each).err(), error);
    let numbers = || items.par_iter().map(|item| item.number).with_max_len(3);
    let result = numbers()
        .in_order()
        .try_for_each(|_, n| items[n].result().map(drop));
    assert_eq!(result.err(), error);

    let map = |_: &CancelToken, item: Item| item.result();
    assert_eq!(items.clone().into_par_iter().in_order().try_map(map), whole);
    assert_eq!(items.iter().copied().par_in_order().try_map(map), whole);

    let result = items
        .par_iter()
        .in_order()
        .with_group(&group)
        .try_for_each(|_, item| each(item));
    assert_eq!(failure(result), failed);
    let result = items
        .par_chunks(1)
        .in_order()
        .with_group(&group)
        .try_map(|_, item| item[0].result());
    assert_eq!(result.as_ref().ok(), whole.as_ref().ok());
    assert_eq!(failure(result), failed);

    // The sink may fail too, and an item before it.
    let refused = case.refused.filter(|refused| *refused < values.len());
    let taken = &values[..refused.unwrap_or(values.len())];
    let failed = refused.map(|index| (index, 7)).or(failed);
    let mut seen = Vec::new();
    let mut sink = |value| {
        if Some(seen.len()) == refused {
            return Err(7);
        }
        seen.push(value);
        Ok(())
    };
    let stream = items.par_iter().in_order().with_group(&group);
    assert_eq!(
        failure(stream.try_stream(|_, item| item.result(), &mut sink)),
        failed
    );
    assert_eq!(seen, taken);
    seen.clear();
    let mut sink = |value| {
        if Some(seen.len()) == refused {
            return Err(7);
        }
        seen.push(value);
        Ok(())
    };
    let stream = items.iter().par_in_order().with_group(&group);
    assert_eq!(
        failure(stream.try_stream(|_, item| item.result(), &mut sink)),
        failed
    );
    assert_eq!(seen, taken);
}

/// Derived from dotnet/runtime BreakTests (MIT licence): the lowest failing index is returned,
/// whichever item fails first.
fn equals_the_sequential_loop(threads: usize) {
    cases(2500, any_case, &[threads], |case, _| check(case));
}

#[test]
fn equals_the_sequential_loop_on_one_thread() {
    equals_the_sequential_loop(1);
}

#[test]
fn equals_the_sequential_loop_on_two_threads() {
    equals_the_sequential_loop(2);
}

#[test]
fn equals_the_sequential_loop_on_three_threads() {
    equals_the_sequential_loop(3);
}

#[test]
fn equals_the_sequential_loop_on_eight_threads() {
    equals_the_sequential_loop(8);
}
