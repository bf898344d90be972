//! loom's primitives. loom tries every schedule that it can tell apart.

pub(crate) use std::thread_local;

pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};

pub(crate) use super::model_channel as channel;
/// The models under loom start no jobs on a pool.
pub(crate) use super::rayon_pool as pool;

pub(crate) mod thread {
    pub(crate) use loom::thread::*;
    /// loom has none of its own: whether a thread unwinds does not depend on the schedule.
    pub(crate) use std::thread::panicking;
}

/// Runs a model under every schedule that loom tells apart, and prints how many there were.
pub(crate) fn explore(name: &str, model: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let schedules = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&schedules);
    loom::model(move || {
        // Relaxed: loom runs the schedules one after another, on this thread's behalf.
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "{name}: {} schedules, all that loom tells apart",
        schedules.load(Ordering::Relaxed)
    );
}
