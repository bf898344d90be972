//! Fallible closures whose values are collected in order, by the contenders other than rayon.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) struct Collector<F> {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u64], F) -> Result<Vec<u64>, u64>,
}

pub(crate) fn collectors<F>() -> [Collector<F>; 4]
where
    F: Fn(&u64) -> Result<u64, u64> + Copy + Sync + Send,
{
    let collector = |name, run| Collector { name, run };
    [
        collector("rayon_cancel", rayon_cancel),
        collector("orx_parallel", orx_parallel),
        collector("paralight", paralight),
        collector("scope_cursor", scope_cursor),
    ]
}

fn rayon_cancel<F>(items: &[u64], f: F) -> Result<Vec<u64>, u64>
where
    F: Fn(&u64) -> Result<u64, u64> + Sync + Send,
{
    use rayon::prelude::*;
    rayon_cancel::CancelAdapter::new(items).map(f).collect()
}

fn orx_parallel<F>(items: &[u64], f: F) -> Result<Vec<u64>, u64>
where
    F: Fn(&u64) -> Result<u64, u64> + Copy + Sync + Send,
{
    use orx_parallel::{Par, ParResult, Parallelizable};
    items.par().map(f).into_fallible().collect()
}

/// It collects into one vector per thread only, so this writes into a vector that exists already.
fn paralight<F>(items: &[u64], f: F) -> Result<Vec<u64>, u64>
where
    F: Fn(&u64) -> Result<u64, u64> + Sync,
{
    use paralight::iter::ZipableSource;
    use paralight::prelude::*;
    let threads = ThreadCount::try_from(rayon::current_num_threads()).expect("not zero");
    let pool = RayonThreadPool::new_global(threads, RangeStrategy::WorkStealing);
    let mut values = vec![0; items.len()];
    (items.par_iter(), values.par_iter_mut())
        .zip_eq()
        .with_thread_pool(&pool)
        .try_for_each(|(item, value)| {
            *value = f(item)?;
            Ok::<_, u64>(())
        })?;
    Ok(values)
}

/// What one would write without a library: chunks of values, joined in order at the end.
fn scope_cursor<F>(items: &[u64], f: F) -> Result<Vec<u64>, u64>
where
    F: Fn(&u64) -> Result<u64, u64> + Sync,
{
    const STEP: usize = 1024;
    let (cursor, chunks) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| {
                loop {
                    let start = cursor.fetch_add(STEP, Relaxed);
                    if start >= items.len() {
                        return;
                    }
                    let chunk = &items[start..items.len().min(start + STEP)];
                    let values: Result<Vec<_>, _> = chunk.iter().map(&f).collect();
                    if values.is_err() {
                        cursor.store(items.len(), Relaxed);
                    }
                    chunks.lock().unwrap().push((start, values));
                }
            });
        }
    });
    let mut chunks = chunks.into_inner().unwrap();
    chunks.sort_unstable_by_key(|(start, _)| *start);
    let mut values = Vec::with_capacity(items.len());
    for (_, chunk) in chunks {
        values.append(&mut chunk?);
    }
    Ok(values)
}
