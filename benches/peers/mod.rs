//! The contenders other than rayon. Their methods have the same names as rayon's, so each function
//! imports its own prelude.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) struct Contender<F> {
    pub(crate) name: &'static str,
    /// Whether it returns the error of the sequential loop.
    pub(crate) in_order: bool,
    pub(crate) run: fn(&[u64], F) -> Result<(), u64>,
}

impl<F> Contender<F> {
    pub(crate) fn new(
        name: &'static str,
        in_order: bool,
        run: fn(&[u64], F) -> Result<(), u64>,
    ) -> Self {
        Self {
            name,
            in_order,
            run,
        }
    }

    /// Panics unless it returns what the sequential loop does, as far as it promises to.
    pub(crate) fn check(&self, items: &[u64], f: F)
    where
        F: Fn(&u64) -> Result<(), u64> + Copy,
    {
        let (result, sequential) = ((self.run)(items, f), items.iter().try_for_each(f));
        assert_eq!(result.is_ok(), sequential.is_ok(), "{}", self.name);
        assert!(!self.in_order || result == sequential, "{}", self.name);
    }
}

pub(crate) fn peers<F>() -> [Contender<F>; 4]
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    [
        Contender::new("rayon_cancel", false, rayon_cancel),
        Contender::new("orx_parallel", false, orx_parallel),
        Contender::new("paralight", false, paralight),
        Contender::new("scope_cursor", true, scope_cursor),
    ]
}

/// An adapter for rayon's iterators. The failing item cancels through its handle.
fn rayon_cancel<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync + Send,
{
    use rayon::prelude::*;
    let items = rayon_cancel::CancelAdapter::new(items);
    let canceller = items.canceller();
    items.try_for_each(|item| f(item).inspect_err(|_| canceller.cancel()))
}

/// Its fallible iterator, on its own pool.
fn orx_parallel<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    use orx_parallel::{Par, ParResult, Parallelizable};
    items.par().map(f).into_fallible().for_each(|()| ())
}

/// On rayon's pool.
fn paralight<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync,
{
    use paralight::prelude::*;
    let threads = ThreadCount::try_from(rayon::current_num_threads()).expect("not zero");
    let pool = RayonThreadPool::new_global(threads, RangeStrategy::WorkStealing);
    items.par_iter().with_thread_pool(&pool).try_for_each(f)
}

/// What one would write without a library.
fn scope_cursor<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync,
{
    let step = (items.len() / 1024).clamp(1, 1024);
    let (cursor, lowest) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| {
                loop {
                    let start = cursor.fetch_add(step, Relaxed);
                    if start >= items.len().min(lowest.load(Relaxed)) {
                        return;
                    }
                    let chunk = &items[start..items.len().min(start + step)];
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
