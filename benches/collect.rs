//! Collecting the values of a fallible closure.

mod collectors;
mod items;
mod settings;
mod work;

use criterion::{BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_cancel::CancelAdapter;
use rayon_errgroup::prelude::*;

use collectors::{Collector, collectors};
use items::{ITEMS, items};
use settings::group;
use work::{fallible, work};

fn indexed<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let mut group = group(criterion, "collect", ITEMS);
    group.bench_function(BenchmarkId::new("rayon_infallible", &cost), |b| {
        let values = || items.par_iter().map(|x| work::<NANOSECONDS>(*x));
        b.iter(|| values().collect::<Vec<_>>());
    });
    group.bench_function(BenchmarkId::new("rayon_result", &cost), |b| {
        let results = || items.par_iter().map(|x| fallible::<NANOSECONDS>(*x));
        b.iter(|| results().collect::<Result<Vec<_>, _>>());
    });
    group.bench_function(BenchmarkId::new("try_map_group", &cost), |b| {
        b.iter(|| {
            items
                .par_iter()
                .try_map_group(|_, x| fallible::<NANOSECONDS>(*x))
        });
    });
    let f = |x: &u64| fallible::<NANOSECONDS>(*x);
    let expected = items.iter().map(f).collect::<Result<Vec<_>, _>>();
    for Collector { name, run } in collectors() {
        assert_eq!(run(&items, f), expected, "{name}");
        group.bench_function(BenchmarkId::new(name, &cost), |b| b.iter(|| run(&items, f)));
    }
}

fn filtered<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items = items();
    let cost = format!("{NANOSECONDS}ns");
    let kept = || items.par_iter().filter(|x| *x % 8 != 0);
    let mut group = group(criterion, "collect_filtered", ITEMS);
    group.bench_function(BenchmarkId::new("rayon_infallible", &cost), |b| {
        b.iter(|| kept().map(|x| work::<NANOSECONDS>(*x)).collect::<Vec<_>>());
    });
    group.bench_function(BenchmarkId::new("rayon_result", &cost), |b| {
        let results = || kept().map(|x| fallible::<NANOSECONDS>(*x));
        b.iter(|| results().collect::<Result<Vec<_>, _>>());
    });
    group.bench_function(BenchmarkId::new("try_map_group", &cost), |b| {
        b.iter(|| kept().try_map_group(|_, x| fallible::<NANOSECONDS>(*x)));
    });
    group.bench_function(BenchmarkId::new("rayon_cancel", &cost), |b| {
        let results = || CancelAdapter::new(kept()).map(|x| fallible::<NANOSECONDS>(*x));
        b.iter(|| results().collect::<Result<Vec<_>, _>>());
    });
    group.bench_function(BenchmarkId::new("orx_parallel", &cost), |b| {
        use orx_parallel::{Par, ParCollection, ParResult};
        let kept = || items.par().filter(|x| **x % 8 != 0);
        let results = || kept().map(|x| fallible::<NANOSECONDS>(*x)).into_fallible();
        b.iter(|| results().collect::<Vec<_>>());
    });
}

fn main() {
    settings::run(&[
        indexed::<1>,
        indexed::<10>,
        indexed::<100>,
        filtered::<1>,
        filtered::<10>,
        filtered::<100>,
    ]);
}
