//! Where jobs run: rayon's pools.

use std::sync::{Mutex, PoisonError};
use std::thread;

pub(crate) use rayon::{
    Scope, ThreadPool, Yield, current_num_threads, in_place_scope, scope, yield_now,
};

/// Queues a job of a thread of the pool behind all other jobs of the pool.
///
/// A job that is spawned by a thread of the pool is the first that this thread runs afterwards. So
/// this spawns it on another thread, which rayon takes for one from outside. That takes some 30 µs.
pub(crate) fn inject<'s>(scope: &Scope<'s>, job: impl FnOnce(&Scope<'s>) + Send + 's) {
    let job = Mutex::new(Some(job));
    let spawn = || {
        let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(job) = job {
            scope.spawn(job);
        }
    };
    thread::scope(|threads| {
        // Without threads, as on WebAssembly, the job is spawned here.
        _ = thread::Builder::new().spawn_scoped(threads, spawn);
    });
    spawn();
}

/// As [`in_place_scope`], on this pool.
pub(crate) fn in_place_scope_on<'s, R>(pool: &ThreadPool, body: impl FnOnce(&Scope<'s>) -> R) -> R {
    pool.in_place_scope(body)
}

/// Whether this thread belongs to the given pool, or to any pool if none is given.
pub(crate) fn is_worker(pool: Option<&ThreadPool>) -> bool {
    let index = pool.map_or_else(
        rayon::current_thread_index,
        ThreadPool::current_thread_index,
    );
    index.is_some()
}
