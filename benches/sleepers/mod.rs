//! Items that sleep, run by the contenders other than rayon.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rayon::ThreadPool;

pub(crate) const SLEEPS: usize = 256;
const SLEEP: Duration = Duration::from_millis(20);

pub(crate) type Slept = Result<(), ()>;

pub(crate) fn sleep() -> Slept {
    thread::sleep(SLEEP);
    black_box(Ok(()))
}

/// Its own pool has no more threads than cores, so it gets rayon's.
pub(crate) fn orx_parallel(pool: &ThreadPool) -> Slept {
    use orx_parallel::{IntoParIter, Par, ParResult, Runner};
    let items = (0..SLEEPS).into_par().chunk_size(1);
    let items = items.runner(Runner::fixed_with_pool(pool));
    items.map(|_| sleep()).into_fallible().for_each(|()| ())
}

pub(crate) fn paralight(pool: &ThreadPool, threads: usize) -> Slept {
    use paralight::prelude::*;
    let threads = ThreadCount::try_from(threads).expect("not zero");
    let pool = RayonThreadPool::new(pool, threads, RangeStrategy::WorkStealing);
    let items = (0..SLEEPS).into_par_iter().with_thread_pool(&pool);
    items.try_for_each(|_| sleep())
}

/// What one would write without a library.
pub(crate) fn scope_cursor(threads: usize) -> Slept {
    let cursor = AtomicUsize::new(0);
    let worker = || {
        while cursor.fetch_add(1, Relaxed) < SLEEPS {
            sleep()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut results = workers.into_iter().map(|w| w.join().expect("no panic"));
        results.try_for_each(|slept| slept)
    })
}
