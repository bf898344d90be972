//! Collecting values that might have been errors.

mod items;
mod settings;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use items::{COSTS, ITEMS, fallible, items, work};
use settings::group;

fn indexed(criterion: &mut Criterion) {
    let items = items();
    let mut group = group(criterion, "collect", ITEMS);
    for (cost, rounds) in COSTS {
        group.bench_function(BenchmarkId::new("rayon_infallible", cost), |b| {
            b.iter(|| {
                items
                    .par_iter()
                    .map(|x| work(*x, rounds))
                    .collect::<Vec<_>>()
            });
        });
        group.bench_function(BenchmarkId::new("rayon_result", cost), |b| {
            b.iter(|| {
                let results = items.par_iter().map(|x| fallible(*x, rounds));
                results.collect::<Result<Vec<_>, _>>()
            });
        });
        group.bench_function(BenchmarkId::new("try_map_group", cost), |b| {
            b.iter(|| items.par_iter().try_map_group(|_, x| fallible(*x, rounds)));
        });
    }
}

fn filtered(criterion: &mut Criterion) {
    let items = items();
    let keep = |x: &&u64| *x % 8 != 0;
    let mut group = group(criterion, "collect_filtered", ITEMS);
    for (cost, rounds) in COSTS {
        group.bench_function(BenchmarkId::new("rayon_infallible", cost), |b| {
            b.iter(|| {
                let kept = items.par_iter().filter(keep);
                kept.map(|x| work(*x, rounds)).collect::<Vec<_>>()
            });
        });
        group.bench_function(BenchmarkId::new("rayon_result", cost), |b| {
            b.iter(|| {
                let results = items.par_iter().filter(keep).map(|x| fallible(*x, rounds));
                results.collect::<Result<Vec<_>, _>>()
            });
        });
        group.bench_function(BenchmarkId::new("try_map_group", cost), |b| {
            let kept = || items.par_iter().filter(keep);
            b.iter(|| kept().try_map_group(|_, x| fallible(*x, rounds)));
        });
    }
}

criterion_group!(collect, indexed, filtered);
criterion_main!(collect);
