//! loom's primitives, for models in which all schedules are tried that loom tells apart.

pub(crate) use ::loom::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use ::std::thread_local;

/// Whether a thread unwinds is not a matter of schedules.
pub(crate) mod thread {
    pub(crate) use ::loom::thread::*;
    pub(crate) use ::std::thread::panicking;
}

#[path = "channel.rs"]
pub(crate) mod channel;

/// Nothing runs there in these models.
#[path = "rayon.rs"]
pub(crate) mod pool;

/// Runs a model under all the schedules that loom tells apart, and says how many there were.
pub(crate) fn explore(name: &str, model: impl Fn() + Send + Sync + 'static) {
    use ::std::sync::Arc;
    use ::std::sync::atomic::{AtomicUsize, Ordering};

    let schedules = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&schedules);
    ::loom::model(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "{name}: {} schedules, all that loom tells apart",
        schedules.load(Ordering::Relaxed)
    );
}
