//! The cost of the methods without threads, beside a plain loop.

mod items;
mod settings;
mod work;

use criterion::{BenchmarkId, Criterion};
use rayon_errgroup::ErrGroup;
use rayon_errgroup::sequential::prelude::*;

use items::{ITEMS, items};
use settings::group;
use work::fallible;

fn each<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let each = |x: &u64| fallible::<NANOSECONDS>(*x).map(drop);
    let mut group = group(criterion, "sequential", ITEMS);
    group.bench_function(BenchmarkId::new("loop", &cost), |b| {
        b.iter(|| {
            for item in &items {
                each(item)?;
            }
            Ok::<_, u64>(())
        });
    });
    group.bench_function(BenchmarkId::new("err_group", &cost), |b| {
        b.iter(|| items.par_iter().err_group(each));
    });
    let policy = ErrGroup::new();
    group.bench_function(BenchmarkId::new("in_order_with_group", &cost), |b| {
        b.iter(|| {
            items
                .par_iter()
                .in_order()
                .with_group(&policy)
                .err_group(each)
        });
    });
}

fn values<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let value = |x: &u64| fallible::<NANOSECONDS>(*x);
    let mut group = group(criterion, "sequential_values", ITEMS);
    group.bench_function(BenchmarkId::new("loop", &cost), |b| {
        b.iter(|| {
            let mut values = Vec::with_capacity(items.len());
            for item in &items {
                values.push(value(item)?);
            }
            Ok::<_, u64>(values)
        });
    });
    group.bench_function(BenchmarkId::new("try_map_group", &cost), |b| {
        b.iter(|| items.par_iter().try_map_group(|_, item| value(item)));
    });
}

fn sum<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let value = |x: &u64| fallible::<NANOSECONDS>(*x);
    let mut group = group(criterion, "sequential_sum", ITEMS);
    group.bench_function(BenchmarkId::new("loop", &cost), |b| {
        b.iter(|| {
            let mut sum = 0_u64;
            for item in &items {
                sum = sum.wrapping_add(value(item)?);
            }
            Ok::<_, u64>(sum)
        });
    });
    group.bench_function(BenchmarkId::new("try_process_group", &cost), |b| {
        b.iter(|| {
            let sum = |a: u64, b: u64| a.wrapping_add(b);
            let items = items.par_iter();
            items.try_process_group(|_, item| value(item), |values| values.reduce_with(sum))
        });
    });
}

fn main() {
    settings::run(&[
        each::<1>,
        each::<10>,
        values::<1>,
        values::<10>,
        sum::<1>,
        sum::<10>,
    ]);
}
