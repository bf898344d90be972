//! Class O: values for one consumer.

use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct};

pub(crate) const SHAPES: &[Shape] = &[
    direct("O", 4, consumed),
    direct("O", 4, kept_in_order),
    contorted(
        "O",
        3,
        "items are dropped before, so it is not in order",
        Some(some_consumed),
    ),
    contorted("O", 1, "by priority, not in order", None),
];

// rerun has threads, a channel and a map to sort by; rspack and reth (2) consume on one thread.
fn consume<'a>(
    words: impl Iterator<Item = &'a str> + Send,
    mut sink: impl FnMut(u32),
) -> Result<(), String> {
    words
        .par_in_order()
        .try_stream(|_, word| number(word), |n| Ok(sink(n)))
}

fn consumed() {
    let mut seen = Vec::new();
    assert_eq!(consume(GOOD.into_iter(), |n| seen.push(n)), Ok(()));
    assert_eq!(consume(BAD.into_iter(), |n| seen.push(n)), failure());
    assert_eq!(seen, [1, 2, 3, 4, 5, 1, 2]);
}

// nushell: `par_bridge`, `enumerate`, and a sort.
fn each<'a>(words: impl Iterator<Item = &'a str> + Send) -> Result<Vec<u32>, String> {
    words.par_in_order().try_map(|_, word| number(word))
}

fn kept_in_order() {
    assert_eq!(each(GOOD.into_iter()), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(each(BAD.into_iter()), failure());
}

// rspack has a `filter_map` before it consumes.
fn some_consumed() {
    let mut seen = Vec::new();
    let result = GOOD.par_iter().in_order().try_stream(
        |_, word| number(word).map(|n| (n > 3).then_some(n)),
        |value| Ok(seen.extend(value)),
    );
    assert_eq!((result, seen), (Ok(()), vec![4, 5]));
}
