//! Calls of crates that must also build without threads. Written against both preludes.

use std::collections::BTreeMap;

use rayon_errgroup::PerWorker;

use super::imports::*;
use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, direct};

pub(crate) const SHAPES: &[Shape] = &[
    direct("A", 14, loops),
    direct("C", 17, vectors),
    direct("C'", 1, filtered),
    direct("D", 4, maps),
    direct("F", 3, folds),
    direct("F", 2, reductions),
    direct("H", 1, first_in_order),
    direct("I", 1, partitions),
    direct("K", 4, an_unwrap_before_a_reduction),
];

// snarkVM (10), binius (4): over items, over what is written, and over chunks of both.
fn verify(words: &[&str]) -> Result<(), String> {
    words.par_iter().err_group(|word| number(word).map(drop))
}

fn transform(outputs: &mut [u32], words: &[&str]) -> Result<(), String> {
    (outputs.par_chunks_mut(2).zip(words.par_chunks(2))).err_group(|(outputs, words)| {
        outputs
            .iter_mut()
            .zip(words)
            .try_for_each(|(output, word)| Ok(*output = number(word)?))
    })
}

fn loops() {
    assert_eq!(verify(&GOOD), Ok(()));
    assert_eq!(verify(&BAD), failure());

    let mut outputs = [0; 5];
    assert_eq!(transform(&mut outputs, &GOOD), Ok(()));
    assert_eq!(outputs, [1, 2, 3, 4, 5]);
    assert_eq!(transform(&mut outputs, &BAD), failure());
}

// snarkVM (16) and another one.
fn synthesize(words: Vec<&str>) -> Result<Vec<u32>, String> {
    words.into_par_iter().try_map_group(|_, word| number(word))
}

fn vectors() {
    assert_eq!(synthesize(GOOD.to_vec()), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(synthesize(BAD.to_vec()), failure());
}

// snarkVM: some of the transactions.
fn confirmed(words: &[&str]) -> Result<Vec<u32>, String> {
    words.par_iter().try_process_group(
        |_, word| number(word).map(|n| (n > 3).then_some(n)),
        |values| values.flatten().collect(),
    )
}

fn filtered() {
    assert_eq!(confirmed(&GOOD), Ok(vec![4, 5]));
    assert_eq!(confirmed(&BAD), failure());
}

// snarkVM: the members of a committee.
fn members<'a>(words: &[&'a str]) -> Result<BTreeMap<&'a str, u32>, String> {
    words
        .par_iter()
        .try_process_group(|_, word| Ok((*word, number(word)?)), |all| all.collect())
}

fn maps() {
    assert_eq!(members(&GOOD), Ok(GOOD.into_iter().zip(1..).collect()));
    assert_eq!(members(&BAD), failure());
}

// binius has its scratch in the accumulator of a `try_fold`.
fn evaluations(words: &[&str]) -> Result<u32, String> {
    let scratch = PerWorker::new(|| Ok::<_, String>(Vec::new()));
    let sum = words.par_iter().try_process_group(
        |_, word| {
            scratch.with(|buffer| {
                buffer.push(number(word)?);
                Ok(buffer[buffer.len() - 1])
            })
        },
        |terms| terms.reduce_with(|a, b| a + b),
    )?;
    Ok(sum.unwrap_or_default())
}

fn folds() {
    assert_eq!(evaluations(&GOOD), Ok(15));
    assert_eq!(evaluations(&[]), Ok(0));
    assert_eq!(evaluations(&BAD), failure());
}

// halo2 adds up what it has verified, snarkVM by hand: `reduce(|| Ok(zero), |a, b| Ok(a? + b?))`.
fn accumulate(words: &[&str]) -> Result<Option<u32>, String> {
    words
        .par_iter()
        .try_process_group(|_, word| number(word), |all| all.reduce_with(|a, b| a + b))
}

fn reductions() {
    assert_eq!(accumulate(&GOOD), Ok(Some(15)));
    assert_eq!(accumulate(&BAD), failure());
}

// snarkVM: a vector of `Result`s, and then `?` on each.
fn rounds(words: &[&str]) -> Result<Vec<u32>, String> {
    words.par_iter().in_order().try_map(|_, word| number(word))
}

fn first_in_order() {
    assert_eq!(rounds(&GOOD), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(rounds(&["1", "x", "y"]), failure());
}

// snarkVM: the transactions that are accepted, and those that are not.
fn finalize(words: &[&str]) -> (usize, Vec<(usize, String)>) {
    let group = rayon_errgroup::ErrGroup::new().keep_going();
    let outcome = words
        .par_iter()
        .in_order()
        .with_group(&group)
        .outcome(|_, word| number(word));
    (
        outcome.values().len(),
        outcome.into_errors().into_iter().collect(),
    )
}

fn partitions() {
    assert_eq!(finalize(&GOOD), (5, vec![]));
    assert_eq!(finalize(&BAD), (4, vec![(2, "x".to_owned())]));
}

// sourmash: some of the signatures have a counter, and the counters are merged.
fn counters(words: &[&str]) -> Result<Option<u32>, String> {
    words.par_iter().try_process_group(
        |_, word| number(word).map(|n| (n > 3).then_some(n)),
        |counters| counters.flatten().reduce_with(|a, b| a + b),
    )
}

fn an_unwrap_before_a_reduction() {
    assert_eq!(counters(&GOOD), Ok(Some(9)));
    assert_eq!(counters(&BAD), failure());
}
