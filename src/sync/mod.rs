//! Synchronisation primitives: those of the standard library, or those of a model checker.
//!
//! All code in this crate that locks, waits or uses atomics imports its primitives from here
//! (except for what belongs to the process: the timer's thread, and the numbers of threads outside
//! of pools). So the code that users run is the code that the model checkers run: loom tries all
//! schedules (`src/token/models.rs`, `src/run/models.rs`), shuttle tries many
//! (`src/engine/claim/models.rs`, `src/scope/models.rs`), and `src/per_worker/models.rs` is for
//! both. `.ci/models` runs them.
//!
//! `Arc` and `Weak` are always those of the standard library: loom has no `Weak`, and the models do
//! not test reference counting.

mod backoff;

#[cfg(not(all(test, any(model = "loom", model = "shuttle"))))]
mod real;
#[cfg(all(test, model = "loom"))]
mod with_loom;
#[cfg(all(test, model = "shuttle"))]
mod with_shuttle;

#[cfg(all(test, any(model = "loom", model = "shuttle")))]
pub(crate) mod model_channel;
#[cfg(all(test, model = "shuttle"))]
pub(crate) mod model_pool;
#[cfg(not(all(test, model = "shuttle")))]
pub(crate) mod rayon_pool;

use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

pub(crate) use self::backoff::backoff;
#[cfg(not(all(test, any(model = "loom", model = "shuttle"))))]
pub(crate) use self::real::*;
#[cfg(all(test, model = "loom"))]
pub(crate) use self::with_loom::*;
#[cfg(all(test, model = "shuttle"))]
pub(crate) use self::with_shuttle::*;

/// Locks a mutex and ignores poisoning.
///
/// Every lock in this crate guards plain bookkeeping, and no user code runs while one is held. So a
/// panic cannot leave a change half done, and a poisoned lock guards data that is still consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], if nobody holds the lock.
#[inline]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Releases the lock until it is notified, or for at most so long. May return early.
#[cfg(not(all(test, model = "shuttle")))]
pub(crate) fn wait_at_most<'q, T>(
    _: &'q Mutex<T>,
    changed: &Condvar,
    guard: MutexGuard<'q, T>,
    time: Duration,
) -> MutexGuard<'q, T> {
    let woken = changed.wait_timeout(guard, time);
    woken.unwrap_or_else(PoisonError::into_inner).0
}

/// The same. In a model time does not pass, so it always returns early.
#[cfg(all(test, model = "shuttle"))]
pub(crate) fn wait_at_most<'q, T>(
    mutex: &'q Mutex<T>,
    _: &Condvar,
    guard: MutexGuard<'q, T>,
    _: Duration,
) -> MutexGuard<'q, T> {
    drop(guard);
    thread::yield_now();
    lock(mutex)
}
