//! shuttle's primitives. shuttle tries as many schedules as it is asked for.

pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use shuttle::thread_local;

pub(crate) use super::{model_channel as channel, model_pool as pool};

pub(crate) mod thread {
    pub(crate) use shuttle::thread::*;
    /// shuttle has none of its own: whether a thread unwinds does not depend on the schedule.
    pub(crate) use std::thread::panicking;
}

/// Runs a model under this many schedules. Half of them are random; the others interrupt threads at
/// a few points (probabilistic concurrency testing).
pub(crate) fn explore(name: &str, schedules: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = std::sync::Arc::new(model);
    let same = std::sync::Arc::clone(&model);
    shuttle::check_random(move || model(), schedules / 2);
    shuttle::check_pct(move || same(), schedules - schedules / 2, 3);
    println!("{name}: {schedules} schedules");
}
