//! The cost of stopping at the first failure when nothing fails.

mod items;
mod peers;
mod settings;
mod work;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use items::{ITEMS, items};
use peers::{Contender, peers};
use settings::group;
use work::{fallible, work};

fn many<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let each = |x: &u64| fallible::<NANOSECONDS>(*x).map(drop);
    let mut group = group(criterion, "overhead", ITEMS);
    group.bench_function(BenchmarkId::new("sequential", &cost), |b| {
        b.iter(|| items.iter().try_for_each(each));
    });
    group.bench_function(BenchmarkId::new("rayon_for_each", &cost), |b| {
        let each = |x: &u64| _ = black_box(work::<NANOSECONDS>(*x));
        b.iter(|| items.par_iter().for_each(each));
    });
    group.bench_function(BenchmarkId::new("rayon_try_for_each", &cost), |b| {
        b.iter(|| items.par_iter().try_for_each(each));
    });
    group.bench_function(BenchmarkId::new("err_group", &cost), |b| {
        b.iter(|| items.par_iter().err_group(each));
    });
    group.bench_function(BenchmarkId::new("try_for_each_group", &cost), |b| {
        b.iter(|| items.par_iter().try_for_each_group(|_, x| each(x)));
    });
    for contender in peers() {
        contender.check(&items, each);
        let Contender { name, run, .. } = contender;
        group.bench_function(BenchmarkId::new(name, &cost), |b| {
            b.iter(|| run(&items, each));
        });
    }
}

/// A hundred items at a time, from inside a pool.
fn few<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items: Vec<u64> = (0..100).collect();
    let cost = format!("{NANOSECONDS}ns");
    let each = |x: &u64| fallible::<NANOSECONDS>(*x).map(drop);
    let mut group = group(criterion, "few", 100);
    group.bench_function(BenchmarkId::new("rayon_try_for_each", &cost), |b| {
        rayon::scope(|_| b.iter(|| items.par_iter().try_for_each(each)));
    });
    group.bench_function(BenchmarkId::new("err_group", &cost), |b| {
        rayon::scope(|_| b.iter(|| items.par_iter().err_group(each)));
    });
    for Contender { name, run, .. } in peers() {
        group.bench_function(BenchmarkId::new(name, &cost), |b| {
            rayon::scope(|_| b.iter(|| run(&items, each)));
        });
    }
}

fn main() {
    settings::run(&[
        many::<1>,
        many::<10>,
        many::<100>,
        few::<1>,
        few::<10>,
        few::<100>,
    ]);
}
