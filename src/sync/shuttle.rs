//! shuttle's primitives, for models of which many schedules are tried.

pub(crate) use ::shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use ::shuttle::thread_local;

/// Whether a thread unwinds is not a matter of schedules.
pub(crate) mod thread {
    pub(crate) use ::shuttle::thread::*;
    pub(crate) use ::std::thread::panicking;
}

#[path = "channel.rs"]
pub(crate) mod channel;
#[path = "pool.rs"]
pub(crate) mod pool;

/// Runs a model under so many schedules, half of them chosen at random, the others so that threads
/// are interrupted at a few places (probabilistic concurrency testing).
pub(crate) fn explore(name: &str, schedules: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = ::std::sync::Arc::new(model);
    let same = ::std::sync::Arc::clone(&model);
    ::shuttle::check_random(move || model(), schedules / 2);
    ::shuttle::check_pct(move || same(), schedules - schedules / 2, 3);
    println!("{name}: {schedules} schedules");
}
