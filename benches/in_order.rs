//! The cost of the sequential loop's answer, and what it saves when an item fails.

mod contenders;
mod items;
mod peers;
mod settings;
mod work;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use contenders::contenders;
use items::{ITEMS, items};
use peers::Contender;
use settings::group;
use work::{fallible, work};

fn race<F>(group: &mut BenchmarkGroup<'_, WallTime>, row: &str, items: &[u64], f: F)
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    for contender in contenders() {
        contender.check(items, f);
        let Contender { name, run, .. } = contender;
        group.bench_function(BenchmarkId::new(name, row), |b| b.iter(|| run(items, f)));
    }
}

fn all_ok(criterion: &mut Criterion) {
    let items = items();
    let mut cheap = group(criterion, "in_order", ITEMS);
    race(&mut cheap, "1ns", &items, |x| fallible::<1>(*x).map(drop));
    race(&mut cheap, "10ns", &items, |x| fallible::<10>(*x).map(drop));
    race(&mut cheap, "100ns", &items, |x| {
        fallible::<100>(*x).map(drop)
    });
    // One item in a hundred takes a thousand times as long.
    race(&mut cheap, "mixed", &items, |x| {
        if x % 100 == 0 {
            fallible::<1000>(*x)
        } else {
            fallible::<1>(*x)
        }
        .map(drop)
    });
    drop(cheap);
    let mut heavy = group(criterion, "in_order", 4000);
    race(&mut heavy, "10us", &items[..4000], |x| {
        fallible::<10_000>(*x).map(drop)
    });
}

fn values<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let f = |x: &u64| fallible::<NANOSECONDS>(*x);
    let mut group = group(criterion, "in_order_values", ITEMS);
    group.bench_function(BenchmarkId::new("rayon_infallible", &cost), |b| {
        let f = |x: &u64| work::<NANOSECONDS>(*x);
        b.iter(|| items.par_iter().map(f).collect::<Vec<_>>());
    });
    group.bench_function(BenchmarkId::new("rayon_result", &cost), |b| {
        b.iter(|| items.par_iter().map(f).collect::<Result<Vec<_>, _>>());
    });
    group.bench_function(BenchmarkId::new("try_map_group", &cost), |b| {
        b.iter(|| items.par_iter().try_map_group(|_, x| f(x)));
    });
    group.bench_function(BenchmarkId::new("in_order", &cost), |b| {
        b.iter(|| items.par_iter().in_order().try_map(|_, x| f(x)));
    });
}

/// The cost of claiming a chunk: one chunk per item, and items that do next to nothing.
fn claim(criterion: &mut Criterion) {
    let items = items();
    let items = &items[..1_000_000];
    let mut group = group(criterion, "claim", items.len() as u64);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("the threads of the pool");
        group.bench_function(BenchmarkId::new("in_order", threads), |b| {
            let chunks = || items.par_iter().with_max_len(1).in_order();
            b.iter(|| pool.install(|| chunks().err_group(|x| fallible::<1>(*x).map(drop))));
        });
    }
}

/// One item fails, at a percentage of the input.
fn failure(criterion: &mut Criterion) {
    let items = items();
    let mut group = group(criterion, "in_order_failure", ITEMS);
    for percent in [1, 10, 50, 99] {
        let first = ITEMS * percent / 100;
        let fails = move |x: u64| x == first;
        let row = format!("{percent}percent");
        let counted = |x: &u64| {
            RUN.fetch_add(1, Relaxed);
            black_box(work::<100>(*x));
            if fails(*x) { Err(*x) } else { Ok(()) }
        };
        for Contender { name, run, .. } in contenders() {
            RUN.store(0, Relaxed);
            assert!(run(&items, counted).is_err());
            let count = RUN.load(Relaxed);
            eprintln!("in_order_failure/{name}/{row}: {count} items run, the first {first} are Ok");
        }
        race(&mut group, &row, &items, |x| {
            black_box(work::<100>(*x));
            if fails(*x) { Err(*x) } else { Ok(()) }
        });
    }
}

/// The number of items that ran.
static RUN: AtomicU64 = AtomicU64::new(0);

fn main() {
    settings::run(&[
        all_ok,
        values::<1>,
        values::<10>,
        values::<100>,
        claim,
        failure,
    ]);
}
