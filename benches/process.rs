//! Any rayon call on the values of a fallible closure.

mod items;
mod settings;
mod work;

use std::collections::HashMap;

use criterion::{BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use items::{ITEMS, items};
use settings::group;
use work::{fallible, work};

/// Of few bits, so that a sum does not overflow.
fn value<const NANOSECONDS: u32>(item: u64) -> Result<u64, u64> {
    fallible::<NANOSECONDS>(item).map(|x| x >> 32)
}

fn sum<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let mut group = group(criterion, "sum", ITEMS);
    group.bench_function(BenchmarkId::new("rayon_infallible", &cost), |b| {
        let values = || items.par_iter().map(|x| work::<NANOSECONDS>(*x) >> 32);
        b.iter(|| values().sum::<u64>());
    });
    group.bench_function(BenchmarkId::new("rayon_result", &cost), |b| {
        let results = || items.par_iter().map(|x| value::<NANOSECONDS>(*x));
        b.iter(|| results().sum::<Result<u64, u64>>());
    });
    group.bench_function(BenchmarkId::new("try_process_group", &cost), |b| {
        let f = |_: &_, x: &u64| value::<NANOSECONDS>(*x);
        b.iter(|| {
            items
                .par_iter()
                .try_process_group(f, |values| values.sum::<u64>())
        });
    });
    group.bench_function(BenchmarkId::new("in_order", &cost), |b| {
        let f = |_: &_, x: &u64| value::<NANOSECONDS>(*x);
        b.iter(|| {
            let items = items.par_iter().in_order();
            items.try_process(f, |values| values.sum::<u64>())
        });
    });
    group.bench_function(BenchmarkId::new("orx_parallel", &cost), |b| {
        use orx_parallel::{Par, ParCollection, ParResult};
        let results = || items.par().map(|x| value::<NANOSECONDS>(*x));
        b.iter(|| results().into_fallible().sum::<u64>());
    });
}

fn reduce<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let mut group = group(criterion, "reduce", ITEMS);
    group.bench_function(BenchmarkId::new("rayon_try_reduce", &cost), |b| {
        let results = || items.par_iter().map(|x| fallible::<NANOSECONDS>(*x));
        b.iter(|| results().try_reduce(|| 0, |x, y| Ok(x ^ y)));
    });
    group.bench_function(BenchmarkId::new("try_process_group", &cost), |b| {
        let f = |_: &_, x: &u64| fallible::<NANOSECONDS>(*x);
        b.iter(|| {
            items
                .par_iter()
                .try_process_group(f, |values| values.reduce(|| 0, |x, y| x ^ y))
        });
    });
    group.bench_function(BenchmarkId::new("in_order", &cost), |b| {
        let f = |_: &_, x: &u64| fallible::<NANOSECONDS>(*x);
        b.iter(|| {
            let items = items.par_iter().in_order();
            items.try_process(f, |values| values.reduce(|| 0, |x, y| x ^ y))
        });
    });
    group.bench_function(BenchmarkId::new("orx_parallel", &cost), |b| {
        use orx_parallel::{Par, ParCollection, ParResult};
        let results = || items.par().map(|x| fallible::<NANOSECONDS>(*x));
        b.iter(|| results().into_fallible().reduce(|x, y| x ^ y));
    });
}

const TEXTS: u64 = 200_000;

type Counts = HashMap<String, u32>;

fn add(mut counts: Counts, text: &str) -> Counts {
    for word in text.split(' ') {
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => _ = counts.insert(word.to_owned(), 1),
        }
    }
    counts
}

/// Adds the smaller map to the larger one.
fn join(left: Counts, right: Counts) -> Counts {
    let (mut all, few) = if left.len() < right.len() {
        (right, left)
    } else {
        (left, right)
    };
    for (word, count) in few {
        *all.entry(word).or_default() += count;
    }
    all
}

/// Texts of words from a vocabulary: each of eight words, or of two, fourteen and, a few, 2000.
fn texts(vocabulary: u64, is_uneven: bool) -> Vec<String> {
    let text = |number: u64| {
        let words = match number {
            _ if !is_uneven => 8,
            _ if number.is_multiple_of(1000) => 2000,
            _ if number < TEXTS / 2 => 2,
            _ => 14,
        };
        let words = (0..words).map(|word| work::<10>(5000 * number + word) % vocabulary);
        words.map(|word| format!("w{word}")).collect::<Vec<_>>()
    };
    (0..TEXTS).map(|number| text(number).join(" ")).collect()
}

fn words<const VOCABULARY: u64, const UNEVEN: bool>(criterion: &mut Criterion) {
    let texts = &texts(VOCABULARY, UNEVEN);
    let check = |text: &'_ String| if text.is_empty() { Err(0) } else { Ok(()) };
    let name = if UNEVEN { "words_uneven" } else { "words" };
    let mut group = group(criterion, name, TEXTS);
    group.bench_function(BenchmarkId::new("rayon_infallible", VOCABULARY), |b| {
        let folds = || {
            texts
                .par_iter()
                .fold(Counts::new, |all, text| add(all, text))
        };
        b.iter(|| folds().reduce(Counts::new, join));
    });
    group.bench_function(BenchmarkId::new("rayon_try_fold", VOCABULARY), |b| {
        let folds = || {
            texts.par_iter().try_fold(Counts::new, |all, text| {
                check(text).map(|()| add(all, text))
            })
        };
        b.iter(|| folds().try_reduce(Counts::new, |left, right| Ok::<_, u64>(join(left, right))));
    });
    group.bench_function(BenchmarkId::new("try_process_group", VOCABULARY), |b| {
        b.iter(|| {
            texts.par_iter().try_process_group(
                |_, text| check(text).map(|()| text),
                |texts| {
                    texts
                        .fold(Counts::new, |all, text| add(all, text))
                        .reduce(Counts::new, join)
                },
            )
        });
    });
    group.bench_function(BenchmarkId::new("in_order", VOCABULARY), |b| {
        b.iter(|| {
            texts.par_iter().in_order().try_process(
                |_, text| check(text).map(|()| text),
                |texts| {
                    texts
                        .fold(Counts::new, |all, text| add(all, text))
                        .reduce(Counts::new, join)
                },
            )
        });
    });
}

fn collect_map(criterion: &mut Criterion) {
    let items = &items()[..1_000_000];
    let entry = |x: &u64| fallible::<100>(*x).map(|y| (*x, y));
    let mut group = group(criterion, "collect_map", 1_000_000);
    group.bench_function(BenchmarkId::new("rayon_result", "100ns"), |b| {
        b.iter(|| {
            items
                .par_iter()
                .map(entry)
                .collect::<Result<HashMap<_, _>, _>>()
        });
    });
    group.bench_function(BenchmarkId::new("try_process_group", "100ns"), |b| {
        b.iter(|| {
            items
                .par_iter()
                .try_process_group(|_, x| entry(x), |values| values.collect::<HashMap<_, _>>())
        });
    });
    group.bench_function(BenchmarkId::new("in_order", "100ns"), |b| {
        b.iter(|| {
            let items = items.par_iter().in_order();
            items.try_process(|_, x| entry(x), |values| values.collect::<HashMap<_, _>>())
        });
    });
}

fn main() {
    settings::run(&[
        sum::<1>,
        sum::<10>,
        sum::<100>,
        reduce::<1>,
        reduce::<10>,
        reduce::<100>,
        collect_map,
        words::<500, false>,
        words::<5000, false>,
        words::<50_000, false>,
        words::<500, true>,
        words::<5000, true>,
        words::<50_000, true>,
    ]);
}
