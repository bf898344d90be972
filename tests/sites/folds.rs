//! Class F: one value out of many.

use std::collections::HashMap;

use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct};

pub(crate) const SHAPES: &[Shape] = &[
    direct("F", 6, a_merge_that_can_fail),
    direct("F", 3, folds),
    direct("F", 5, reductions),
    direct("F", 1, sums),
    contorted("F", 3, "one iterator is parallel or not at run time", None),
];

fn add(a: u32, b: u32) -> Result<u32, String> {
    let sum = a + b;
    if sum < 100 {
        Ok(sum)
    } else {
        Err(format!("{sum} is too large"))
    }
}

// polars merges columns, where merging is the work, and can fail. Two kinds of error: those of the
// items, and in them that of the merge.
fn horizontal(words: &[&str]) -> Result<Option<u32>, String> {
    words
        .par_iter()
        .try_process_group(
            |_, word| number(word),
            |columns| columns.map(Ok).try_reduce_with(add),
        )?
        .transpose()
}

fn a_merge_that_can_fail() {
    assert_eq!(horizontal(&GOOD), Ok(Some(15)));
    assert_eq!(horizontal(&[]), Ok(None));
    assert_eq!(horizontal(&BAD), failure());
    assert_eq!(
        horizontal(&["60", "50"]),
        Err("110 is too large".to_owned())
    );
}

// meilisearch (2) and rspack fold the items of a part before they merge the parts: `try_fold`, then
// `try_reduce`.
fn changes<'a>(words: &[&'a str]) -> Result<HashMap<u32, Vec<&'a str>>, String> {
    words.par_iter().try_process_group(
        |_, word| Ok((number(word)? % 2, *word)),
        |changes| {
            changes
                .fold(HashMap::new, |mut all, (key, word)| {
                    all.entry(key).or_insert_with(Vec::new).push(word);
                    all
                })
                .reduce(HashMap::new, |mut all, more| {
                    for (key, words) in more {
                        all.entry(key).or_insert_with(Vec::new).extend(words);
                    }
                    all
                })
        },
    )
}

fn folds() {
    assert_eq!(
        changes(&GOOD),
        Ok(HashMap::from([
            (0, vec!["2", "4"]),
            (1, vec!["1", "3", "5"])
        ]))
    );
    assert_eq!(changes(&BAD), failure());
}

// polars (3), meilisearch and rspack: `reduce(|| Ok(zero), |a, b| Ok(a?.merge(b?)))`, which goes on
// after a failure.
fn merge(words: &[&str]) -> Result<u32, String> {
    words
        .par_iter()
        .try_process_group(|_, word| number(word), |all| all.reduce(|| 0, u32::max))
}

fn reductions() {
    assert_eq!(merge(&GOOD), Ok(5));
    assert_eq!(merge(&BAD), failure());
}

// ruff counts what it has written into files.
fn written(words: &[&str]) -> Result<u32, String> {
    words
        .par_iter()
        .try_process_group(|_, word| number(word), |counts| counts.sum())
}

fn sums() {
    assert_eq!(written(&GOOD), Ok(15));
    assert_eq!(written(&BAD), failure());
}
