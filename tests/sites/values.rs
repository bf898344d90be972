//! Classes C, C' and D: values, and a collection of them.

use std::collections::{BTreeMap, HashSet};

use rayon::iter::Either;
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, prelude::*};

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct};

pub(crate) const SHAPES: &[Shape] = &[
    direct("C", 77, vectors),
    direct("C", 1, a_bridge),
    direct("C", 1, units),
    contorted(
        "C",
        4,
        "one iterator is parallel or not at run time",
        Some(at_run_time),
    ),
    direct("C'", 1, transposed),
    direct("C'", 1, filtered),
    direct("D", 2, maps),
    direct("D", 1, two_sets),
    direct("D", 1, unzipped),
    direct("D", 5, a_collection_of_ones_own),
];

// qdrant, foundry and many others. polars (44) mostly does it on its own pool.
fn parse(words: &[&str]) -> Result<Vec<u32>, String> {
    words.par_iter().try_map_group(|_, word| number(word))
}

fn parse_on(pool: &rayon::ThreadPool, words: Vec<&str>) -> Result<Vec<u32>, String> {
    pool.install(|| words.into_par_iter().try_map_group(|_, word| number(word)))
}

fn vectors() {
    assert_eq!(parse(&GOOD), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(parse(&BAD), failure());

    let pool = crate::common::pool(2);
    assert_eq!(parse_on(&pool, GOOD.to_vec()), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(parse_on(&pool, BAD.to_vec()), failure());
}

// rspack has the statistics of modules in no order.
fn statistics<'a>(modules: impl Iterator<Item = &'a str> + Send) -> Result<Vec<u32>, String> {
    modules
        .par_bridge()
        .try_map_group(|_, module| number(module))
}

fn a_bridge() {
    assert_eq!(statistics(GOOD.into_iter()).map(|all| all.len()), Ok(5));
    assert_eq!(statistics(BAD.into_iter()), failure());
}

// deno drops the vector.
fn copy(files: &[&str]) -> Result<(), String> {
    files.par_iter().err_group(|file| number(file).map(drop))
}

fn units() {
    assert_eq!(copy(&GOOD), Ok(()));
    assert_eq!(copy(&BAD), failure());
}

// tokenizers chooses by a variable of the environment. Its own type stands for both iterators, and
// has none of our methods: the choice is made once more, here by a pool of one thread.
fn encode(words: &[&str], parallel: bool) -> Result<Vec<u32>, String> {
    let group = if parallel {
        ErrGroup::new()
    } else {
        ErrGroup::new().concurrency(1)
    };
    (words
        .par_iter()
        .with_group(&group)
        .try_map(|_, word| number(word)))
    .map_err(|error| error.into_error().unwrap_or_default())
}

fn at_run_time() {
    for parallel in [true, false] {
        assert_eq!(encode(&GOOD, parallel), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(encode(&BAD, parallel), failure());
    }
}

/// A folder has no value, and is no failure.
fn entry(word: &str) -> Result<Option<u32>, String> {
    number(word).map(|n| (n > 2).then_some(n))
}

// uv extracts the files of an archive, and skips folders by `filter_map(Result::transpose)`.
fn extract(words: &[&str]) -> Result<Vec<u32>, String> {
    words
        .par_iter()
        .try_process_group(|_, word| entry(word), |files| files.flatten().collect())
}

fn transposed() {
    assert_eq!(extract(&GOOD), Ok(vec![3, 4, 5]));
    assert_eq!(extract(&BAD), failure());
}

// foundry has differences of some files: a closure of `filter_map` that wraps its errors in `Some`.
fn differences(words: &[&str]) -> Result<Vec<String>, String> {
    words.par_iter().try_process_group(
        |_, word| {
            Ok(if number(word)? > 4 {
                Some(format!("-{word}"))
            } else {
                None
            })
        },
        |all| all.flatten_iter().collect(),
    )
}

fn filtered() {
    assert_eq!(differences(&GOOD), Ok(vec!["-5".to_owned()]));
    assert_eq!(differences(&BAD), failure());
}

/// foundry has the map of its linker in a type of its own.
#[derive(Debug, PartialEq)]
struct Linked<'a>(BTreeMap<&'a str, u32>);

// foundry
fn link<'a>(words: &[&'a str]) -> Result<Linked<'a>, String> {
    words.par_iter().try_process_group(
        |_, word| Ok((*word, number(word)?)),
        |linked| Linked(linked.collect()),
    )
}

fn maps() {
    let all = GOOD.into_iter().zip(1..).collect();
    assert_eq!(link(&GOOD), Ok(Linked(all)));
    assert_eq!(link(&BAD), failure());
}

// jj: files and folders.
fn visit(words: &[&str]) -> Result<(HashSet<u32>, HashSet<u32>), String> {
    words.par_iter().try_process_group(
        |_, word| {
            number(word).map(|n| {
                if n < 3 {
                    Either::Left(n)
                } else {
                    Either::Right(n)
                }
            })
        },
        |entries| entries.partition_map(|entry| entry),
    )
}

fn two_sets() {
    assert_eq!(
        visit(&GOOD),
        Ok((HashSet::from([1, 2]), HashSet::from([3, 4, 5])))
    );
    assert_eq!(visit(&BAD), failure());
}

// polars reads lines of JSON.
fn read(words: &[&str]) -> Result<(Vec<u32>, Vec<usize>), String> {
    words.par_iter().try_process_group(
        |_, word| Ok((number(word)?, word.len())),
        |parts| parts.unzip(),
    )
}

fn unzipped() {
    assert_eq!(read(&GOOD), Ok((vec![1, 2, 3, 4, 5], vec![1; 5])));
    assert_eq!(read(&BAD), failure());
}

/// polars builds its arrays and groups in parallel.
#[derive(Debug, PartialEq)]
struct Column(Vec<u32>);

impl FromParallelIterator<u32> for Column {
    fn from_par_iter<I: IntoParallelIterator<Item = u32>>(values: I) -> Self {
        Column(values.into_par_iter().collect())
    }
}

// polars
fn apply(words: &[&str]) -> Result<Column, String> {
    words
        .par_iter()
        .try_process_group(|_, word| number(word), |values| values.collect())
}

fn a_collection_of_ones_own() {
    assert_eq!(apply(&GOOD), Ok(Column(vec![1, 2, 3, 4, 5])));
    assert_eq!(apply(&BAD), failure());
}
