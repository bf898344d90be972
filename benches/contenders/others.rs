//! Those that are not rayon's: where their methods have the names of rayon's.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Its fallible iterator, on its own pool.
pub(super) fn orx_parallel<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    use orx_parallel::{Par, ParResult, Parallelizable};
    items.par().map(f).into_fallible().for_each(|()| ())
}

/// On rayon's pool.
pub(super) fn paralight<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync,
{
    use paralight::prelude::*;
    let threads = ThreadCount::try_from(rayon::current_num_threads()).expect("there are some");
    let pool = RayonThreadPool::new_global(threads, RangeStrategy::WorkStealing);
    items.par_iter().with_thread_pool(&pool).try_for_each(f)
}

/// What one would write without a library.
pub(super) fn scope_cursor<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync,
{
    const CHUNK: usize = 1024;
    let (cursor, lowest) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| {
                loop {
                    let start = cursor.fetch_add(CHUNK, Relaxed);
                    if start >= items.len().min(lowest.load(Relaxed)) {
                        return;
                    }
                    let chunk = &items[start..items.len().min(start + CHUNK)];
                    if let Some(failed) = chunk.iter().position(|item| f(item).is_err()) {
                        lowest.fetch_min(start + failed, Relaxed);
                    }
                }
            });
        }
    });
    items
        .get(lowest.into_inner())
        .map_or(Ok(()), |item| Err(*item))
}
