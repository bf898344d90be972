//! Items with uneven costs.

mod peers;
mod settings;
mod work;

use criterion::{BenchmarkId, Criterion};
use pariter::IteratorExt as _;
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use peers::{Contender, peers};
use settings::group;
use work::{fallible, work};

/// The cost of each item, in microseconds.
type Costs = Vec<u64>;

fn rows() -> [(&'static str, Costs); 6] {
    let last_four = |cost| {
        (0..64)
            .map(|n| if n < 60 { cost } else { 10 * cost })
            .collect()
    };
    [
        ("last_four_of_64_2us", last_four(2)),
        ("last_four_of_64_20us", last_four(20)),
        ("last_four_of_64_200us", last_four(200)),
        ("ascending", (0..4096).map(|n| n / 400).collect()),
        ("descending", (0..4096).rev().map(|n| n / 400).collect()),
        ("heavy_tails", heavy_tails().take(4096).collect()),
    ]
}

/// Random costs, of which a few are a thousand times the usual one: the reciprocal of a uniform
/// random number between 0 and 1 (a Pareto distribution), up to a limit.
fn heavy_tails() -> impl Iterator<Item = u64> {
    let mut state = 1_u64;
    std::iter::from_fn(move || {
        state = work::<10>(state);
        Some(((1 << 20) / (state % (1 << 20) + 1)).clamp(1, 2000))
    })
}

/// An item whose cost the compiler cannot know.
fn microseconds(cost: u64) -> Result<(), u64> {
    (0..cost).try_for_each(|n| fallible::<1000>(n).map(drop))
}

fn uneven(criterion: &mut Criterion) {
    for (row, costs) in rows() {
        let mut group = group(criterion, "uneven", costs.len() as u64);
        let each = |cost: &u64| microseconds(*cost);
        group.bench_function(BenchmarkId::new("rayon_try_for_each", row), |b| {
            b.iter(|| costs.par_iter().try_for_each(each));
        });
        group.bench_function(BenchmarkId::new("rayon_max_len_1", row), |b| {
            b.iter(|| costs.par_iter().with_max_len(1).try_for_each(each));
        });
        group.bench_function(BenchmarkId::new("err_group", row), |b| {
            b.iter(|| costs.par_iter().err_group(each));
        });
        group.bench_function(BenchmarkId::new("in_order", row), |b| {
            b.iter(|| costs.par_iter().in_order().err_group(each));
        });
        group.bench_function(BenchmarkId::new("par_in_order", row), |b| {
            b.iter(|| costs.iter().par_in_order().err_group(each));
        });
        group.bench_function(BenchmarkId::new("pariter", row), |b| {
            b.iter(|| {
                let results = costs.clone().into_iter().parallel_map(microseconds);
                results.collect::<Result<(), _>>()
            });
        });
        for contender in peers() {
            contender.check(&costs, each);
            let Contender { name, run, .. } = contender;
            group.bench_function(BenchmarkId::new(name, row), |b| {
                b.iter(|| run(&costs, each));
            });
        }
    }
}

fn main() {
    settings::run(&[uneven]);
}
