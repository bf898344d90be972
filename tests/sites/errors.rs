//! Classes G to K: more than one error, an error by its place, partial values, and panics.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct, impossible};

pub(crate) const SHAPES: &[Shape] = &[
    direct("G", 4, counted),
    direct("G", 5, all_errors),
    contorted(
        "G",
        1,
        "not in order: the source drops items",
        Some(all_errors_of_some),
    ),
    direct("H", 6, first_in_order),
    direct("H", 1, first_in_order_of_chunks),
    contorted(
        "H",
        1,
        "values must come back with the error",
        Some(values_and_the_error),
    ),
    impossible("H", 3, "a trait or a caller wants the `Result`s as items"),
    direct("I", 2, partitions),
    contorted(
        "I",
        3,
        "items are dropped, so it is not in order",
        Some(some_of_the_items),
    ),
    direct("J", 25, stopped),
    direct("J", 4, stopped_and_processed),
    direct("K", 7, an_unwrap),
    direct("K", 2, an_unwrap_before_a_reduction),
    contorted(
        "K",
        2,
        "counted as such in the survey, which does not describe them",
        None,
    ),
];

// oxipng and rerun (3) print how many files are done and how many have failed.
fn optimize(words: &[&str]) -> String {
    let group = ErrGroup::new().keep_going();
    (words
        .par_iter()
        .in_order()
        .with_group(&group)
        .outcome(|_, word| number(word)))
    .to_string()
}

fn counted() {
    assert_eq!(optimize(&GOOD), "5 ok, 0 failed, 0 skipped");
    assert_eq!(optimize(&BAD), "4 ok, 1 failed, 0 skipped");
}

// uv looks for interpreters, typst exports documents.
fn export(words: &[&str]) -> Vec<(usize, String)> {
    let group = ErrGroup::new().keep_going();
    let words = words.par_iter().in_order().with_group(&group);
    words
        .outcome(|_, word| number(word))
        .into_errors()
        .into_iter()
        .collect()
}

fn all_errors() {
    assert_eq!(export(&GOOD), []);
    assert_eq!(
        export(&["x", "2", "y"]),
        [(0, "x".to_owned()), (2, "y".to_owned())]
    );
}

fn all_errors_of_some() {
    let group = ErrGroup::new().keep_going();
    // Instead of `filter`, the items that it would drop are `None`.
    let outcome = ["x", "", "1"]
        .par_iter()
        .in_order()
        .with_group(&group)
        .outcome(|_, word| {
            if word.is_empty() {
                Ok(None)
            } else {
                number(word).map(Some)
            }
        });
    assert_eq!(outcome.errors(), [(0, "x".to_owned())]);
    assert_eq!(outcome.values(), [(1, None), (2, Some(1))]);
}

// cargo-deny, reth (2) and meilisearch (3) collect a vector of `Result`s, and look for the first
// error in it.
fn load(words: &[&str]) -> Result<Vec<u32>, String> {
    words.par_iter().in_order().try_map(|_, word| number(word))
}

fn first_in_order() {
    assert_eq!(load(&GOOD), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(load(&["1", "x", "y", "z"]), failure());
}

// zebra does that for each chunk of blocks, and writes the chunk.
fn migrate(words: &[&str], written: &mut Vec<u32>) -> Result<(), String> {
    words
        .par_iter()
        .in_order()
        .try_stream(|_, word| number(word), |n| Ok(written.push(n)))
}

fn first_in_order_of_chunks() {
    let mut written = Vec::new();
    assert_eq!(migrate(&GOOD, &mut written), Ok(()));
    assert_eq!(migrate(&BAD, &mut written), failure());
    assert_eq!(written, [1, 2, 3, 4, 5, 1, 2]);
}

// reth wants its buffers back.
fn values_and_the_error() {
    let outcome = BAD.par_iter().in_order().outcome(|_, word| number(word));
    assert_eq!(outcome.errors().first(), Some(&(2, "x".to_owned())));
    assert_eq!(
        outcome
            .into_values()
            .into_iter()
            .take(2)
            .collect::<Vec<_>>(),
        [(0, 1), (1, 2)]
    );
}

// czkawka. A map is no indexed iterator in rayon, and needs `par_in_order`.
fn images(files: BTreeMap<&str, u32>) -> (usize, Vec<String>) {
    let group = ErrGroup::new().keep_going();
    let files = files.into_iter().par_in_order().with_group(&group);
    let outcome = files.outcome(|_, (name, _)| number(name));
    (
        outcome.values().len(),
        outcome
            .into_errors()
            .into_iter()
            .map(|(_, name)| name)
            .collect(),
    )
}

fn partitions() {
    assert_eq!(images(GOOD.into_iter().zip(0..).collect()), (5, vec![]));
    assert_eq!(
        images(BAD.into_iter().zip(0..).collect()),
        (4, vec!["x".to_owned()])
    );
}

// ruff and czkawka (2): `filter_map`, then `partition_map`.
fn some_of_the_items() {
    let group = ErrGroup::new().keep_going();
    let outcome = ["1", "", "x"]
        .par_iter()
        .in_order()
        .with_group(&group)
        .outcome(|_, word| {
            if word.is_empty() {
                Ok(None)
            } else {
                number(word).map(Some)
            }
        });
    let values = outcome
        .into_values()
        .into_iter()
        .filter_map(|(_, value)| value);
    assert_eq!(values.collect::<Vec<_>>(), [1]);
}

// czkawka: `map` to `None` when the flag is set, then `while_some`.
fn scan(files: &[&str], stop: &CancelToken) -> Vec<usize> {
    (files
        .par_iter()
        .in_order()
        .with_group(&ErrGroup::new().token(stop)))
    .outcome(|_, file| Ok::<_, Infallible>(file.len()))
    .into_values()
    .into_iter()
    .map(|(_, length)| length)
    .collect()
}

fn stopped() {
    let stop = CancelToken::new();
    assert_eq!(scan(&GOOD, &stop), [1; 5]);
    stop.cancel();
    assert_eq!(scan(&GOOD, &stop), []);

    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let numbers = (0..1000).into_par_iter().in_order().with_group(&group);
    let outcome = numbers.outcome(|_, n| {
        stop.cancel();
        Ok::<_, Infallible>(n)
    });
    assert!((1..1000).contains(&outcome.into_values().len()));
}

// czkawka: `while_some` in the middle of a chain, behind which the values so far go on in parallel.
fn twice(numbers: Range<u32>, stop: &CancelToken) -> Vec<u32> {
    let (values, _) = numbers
        .into_par_iter()
        .with_group(&ErrGroup::new().token(stop))
        .try_process_partial(
            |_, n| {
                if n == 700 {
                    stop.cancel();
                }
                Ok::<_, Infallible>(n)
            },
            |values| values.flat_map_iter(|n| [n, n]).collect(),
        );
    values.unwrap()
}

fn stopped_and_processed() {
    assert_eq!(twice(0..2, &CancelToken::new()), [0, 0, 1, 1]);
    assert!((2..2000).contains(&twice(0..1000, &CancelToken::new()).len()));
}

// lighthouse, risc0, typst, rerun and others unwrap in a function that can return an error.
fn check(words: &[&str]) -> Result<(), String> {
    words.par_iter().err_group(|word| number(word).map(drop))
}

fn an_unwrap() {
    assert_eq!(check(&GOOD), Ok(()));
    assert_eq!(check(&BAD), failure());
}

// polars and others: values that go on.
fn flat(words: &[&str]) -> Result<Vec<u32>, String> {
    words.par_iter().try_process_group(
        |_, word| number(word),
        |numbers| numbers.flat_map_iter(|n| [n, 10 * n]).collect(),
    )
}

fn an_unwrap_before_a_reduction() {
    assert_eq!(flat(&["1", "2"]), Ok(vec![1, 10, 2, 20]));
    assert_eq!(flat(&BAD), failure());
}
