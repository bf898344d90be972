//! Items that sleep, on more threads than cores.

mod settings;
mod sleepers;

use criterion::{BenchmarkId, Criterion};
use pariter::IteratorExt as _;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, prelude::*};

use sleepers::{SLEEPS, Slept, sleep};

fn blocking(criterion: &mut Criterion) {
    let mut group = settings::group(criterion, "blocking", SLEEPS as u64);
    for threads in [64, 256] {
        let errgroup = ErrGroup::new().concurrency(threads);
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("the threads of the rayon pool");
        let items = || (0..SLEEPS).into_par_iter();
        let mut bench = |name, run: &dyn Fn() -> Slept| {
            group.bench_function(BenchmarkId::new(name, threads), |b| b.iter(run));
        };
        bench("with_group", &|| {
            let run = items().with_group(&errgroup).try_for_each(|_, _| sleep());
            run.map_err(drop)
        });
        bench("with_group_max_len_1", &|| {
            let items = items().with_max_len(1);
            let run = items.with_group(&errgroup).try_for_each(|_, _| sleep());
            run.map_err(drop)
        });
        bench("in_order_with_group", &|| {
            let items = items().in_order();
            let run = items.with_group(&errgroup).try_for_each(|_, _| sleep());
            run.map_err(drop)
        });
        bench("rayon_pool", &|| {
            pool.install(|| items().with_max_len(1).try_for_each(|_| sleep()))
        });
        bench("orx_parallel", &|| sleepers::orx_parallel(&pool));
        bench("paralight", &|| sleepers::paralight(&pool, threads));
        bench("pariter", &|| {
            let custom = |options: pariter::ParallelMapBuilder<_>| options.threads(threads);
            (0..SLEEPS)
                .parallel_map_custom(custom, |_| sleep())
                .collect()
        });
        bench("scope_cursor", &|| sleepers::scope_cursor(threads));
    }
}

fn main() {
    settings::run(&[blocking]);
}
