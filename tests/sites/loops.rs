//! Classes A, B, B' and E: nothing but an error comes out.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, PerWorker, prelude::*};

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct, impossible};

pub(crate) const SHAPES: &[Shape] = &[
    direct("A", 40, plain),
    direct("A", 7, merged),
    direct("A", 1, the_first_failure),
    direct("A", 1, the_index),
    direct("A", 1, options),
    direct("B", 1, a_sender),
    direct("B", 1, a_map_by_a_sender),
    direct("B", 1, an_arena),
    contorted(
        "B",
        2,
        "the state is not `Send`: it borrows from its thread",
        None,
    ),
    impossible("B'", 1, "it runs on after the caller has returned"),
    direct("E", 10, nothing_collected),
];

// uv installs wheels by it, qdrant, zebra, candle, foundry and others do the like.
fn install(wheels: &[&str]) -> Result<(), String> {
    wheels.par_iter().err_group(|wheel| number(wheel).map(drop))
}

// wild writes the groups of an output file, polars columns into a buffer.
fn write(outputs: &mut [u32], words: &[&str]) -> Result<(), String> {
    outputs
        .par_iter_mut()
        .zip(words)
        .err_group(|(output, word)| Ok(*output = number(word)?))
}

// rustic passes a function that it has.
fn check_all(words: Vec<&str>, check: impl Fn(&str) -> Result<(), String> + Sync + Send) -> bool {
    words.into_par_iter().err_group(&check).is_ok()
}

fn plain() {
    assert_eq!(install(&GOOD), Ok(()));
    assert_eq!(install(&BAD), failure());

    let mut outputs = [0; 5];
    assert_eq!(write(&mut outputs, &GOOD), Ok(()));
    assert_eq!(outputs, [1, 2, 3, 4, 5]);
    assert_eq!(write(&mut outputs, &BAD), failure());

    assert!(check_all(GOOD.to_vec(), |word| number(word).map(drop)));
    assert!(!check_all(BAD.to_vec(), |word| number(word).map(drop)));
}

// xan has a lock around what the closures add to.
fn count(rows: &[&str]) -> Result<u32, String> {
    rows.par_iter()
        .try_process_group(|_, row| number(row), |counts| counts.reduce(|| 0, u32::max))
}

fn merged() {
    assert_eq!(count(&GOOD), Ok(5));
    assert_eq!(count(&BAD), failure());
}

// arkworks promises the first failure of a batch, and reads it by `par_bridge`.
fn check_batch<'a>(batch: impl Iterator<Item = &'a str> + Send) -> Result<(), String> {
    batch
        .par_in_order()
        .err_group(|element| number(element).map(drop))
}

fn the_first_failure() {
    assert_eq!(check_batch(GOOD.into_iter()), Ok(()));
    assert_eq!(check_batch(["1", "x", "y"].into_iter()), failure());
}

// lighthouse counts the items only to name the one that failed.
fn verify(words: &[&str]) -> Result<(), (Option<usize>, Option<String>)> {
    let group = ErrGroup::new();
    (words
        .par_iter()
        .in_order()
        .with_group(&group)
        .err_group(|word| number(word).map(drop)))
    .map_err(|error| (error.index(), error.into_error()))
}

fn the_index() {
    assert_eq!(verify(&GOOD), Ok(()));
    assert_eq!(verify(&BAD), Err((Some(2), Some("x".to_owned()))));
}

// rustic ends the loop by an `Option`, when the other end of a channel is gone.
fn send_all(numbers: &[u32], sender: &Sender<u32>) -> Result<(), ()> {
    numbers
        .par_iter()
        .err_group(|n| sender.send(*n).map_err(drop))
}

fn options() {
    let (sender, receiver) = channel();
    assert_eq!(send_all(&[1, 2], &sender), Ok(()));
    assert_eq!(receiver.try_iter().sum::<u32>(), 3);
    drop(receiver);
    assert_eq!(send_all(&[1, 2], &sender), Err(()));
}

// rspack clones a sender for each part. It is `Sync`, and can be borrowed.
fn minify(words: &[&str], sender: &Sender<u32>) -> Result<(), String> {
    words
        .par_iter()
        .err_group(|word| sender.send(number(word)?).map_err(|e| e.to_string()))
}

fn a_sender() {
    let (sender, receiver) = channel();
    assert_eq!(minify(&GOOD, &sender), Ok(()));
    assert_eq!(receiver.try_iter().sum::<u32>(), 15);
    assert_eq!(minify(&BAD, &sender), failure());
}

// jj sends what it has changed over a channel, and makes a map of it.
fn fix<'a>(words: &[&'a str]) -> Result<HashMap<&'a str, u32>, String> {
    words.par_iter().try_process_group(
        |_, word| number(word).map(|n| (n > 3).then_some((*word, n))),
        |changed| changed.flatten().collect(),
    )
}

fn a_map_by_a_sender() {
    assert_eq!(fix(&GOOD), Ok(HashMap::from([("4", 4), ("5", 5)])));
    assert_eq!(fix(&BAD), failure());
}

// wild takes an arena for each part of the groups.
fn resolve(groups: &mut [&str]) -> Result<Vec<usize>, String> {
    let arenas = PerWorker::new(|| Ok::<_, String>(Vec::new()));
    groups
        .par_iter_mut()
        .err_group(|group| arenas.with(|arena| Ok(arena.push(number(group)?))))?;
    Ok(arenas.into_states().iter().map(Vec::len).collect())
}

fn an_arena() {
    assert_eq!(
        resolve(&mut GOOD.clone()).map(|lengths| lengths.iter().sum()),
        Ok(5)
    );
    assert_eq!(resolve(&mut BAD.clone()), failure());
}

// zola (7), meilisearch and polars collect units.
fn render(pages: &[&str]) -> Result<(), String> {
    pages.par_iter().err_group(|page| number(page).map(drop))
}

fn nothing_collected() {
    assert_eq!(render(&GOOD), Ok(()));
    assert_eq!(render(&BAD), failure());
}
