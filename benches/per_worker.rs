//! The cost of a state for each worker.

mod items;
mod settings;
mod work;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_errgroup::{PerWorker, prelude::*};

use items::{ITEMS, items};
use settings::group;
use work::fallible;

fn state<const THREADS: usize>(criterion: &mut Criterion) {
    let items = items();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(THREADS)
        .build()
        .unwrap();
    let threads = format!("{THREADS}_threads");
    let mut group = group(criterion, "per_worker", ITEMS);
    // The state is what the item works with, in both: where it lives is the difference.
    let each = |sum: &mut u64, x: &u64| fallible::<100>(*x).map(|y| *sum = black_box(*sum ^ y));
    group.bench_function(BenchmarkId::new("per_worker", &threads), |b| {
        pool.install(|| {
            b.iter(|| {
                let sums = PerWorker::new(|| Ok(0));
                let result = items
                    .par_iter()
                    .err_group(|x| sums.with(|sum| each(sum, x)));
                assert!(sums.into_states().len() <= THREADS);
                result
            });
        });
    });
    group.bench_function(BenchmarkId::new("rayon_init", &threads), |b| {
        pool.install(|| b.iter(|| items.par_iter().try_for_each_init(|| 0, each)));
    });
}

fn main() {
    settings::run(&[state::<2>, state::<64>]);
}
