//! Items that wait, on more threads than there are cores.

mod settings;

use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, prelude::*};

const SLEEPS: u32 = 256;
const SLEEP: Duration = Duration::from_millis(20);

fn blocking(criterion: &mut Criterion) {
    let mut group = settings::group(criterion, "blocking", SLEEPS.into());
    let sleep = || -> Result<(), ()> {
        thread::sleep(SLEEP);
        Ok(())
    };
    for concurrency in [64, 256] {
        let errgroup = ErrGroup::new().concurrency(concurrency);
        let items = || (0..SLEEPS).into_par_iter();
        group.bench_function(BenchmarkId::new("with_group", concurrency), |b| {
            b.iter(|| items().with_group(&errgroup).try_for_each(|_, _| sleep()));
        });
        group.bench_function(BenchmarkId::new("with_group_max_len_1", concurrency), |b| {
            let items = || items().with_max_len(1);
            b.iter(|| items().with_group(&errgroup).try_for_each(|_, _| sleep()));
        });
        let pool = ThreadPoolBuilder::new().num_threads(concurrency).build();
        let pool = pool.expect("the threads of the rayon pool");
        group.bench_function(BenchmarkId::new("rayon_pool", concurrency), |b| {
            b.iter(|| pool.install(|| items().with_max_len(1).try_for_each(|_| sleep())));
        });
    }
}

criterion_group!(blocked, blocking);
criterion_main!(blocked);
