//! What threads meet at: the standard library's primitives, or those of a model checker.
//!
//! Everything that locks, loads or waits in this crate does so by what is exported here (but for the
//! timer, whose thread belongs to the process). So the code that users run is the code that is checked
//! under all schedules by loom (`src/token/models.rs`, `src/run/models.rs`), and under many by shuttle
//! (`src/engine/claim/models.rs`). `.ci/models` runs both.
//!
//! `Arc` and `Weak` stay those of the standard library: loom has no `Weak`, and what they do is not
//! in question.

#[cfg(all(test, model = "loom"))]
mod loom;
#[cfg(all(test, model = "shuttle"))]
mod shuttle;
#[cfg(not(all(test, any(model = "loom", model = "shuttle"))))]
mod std;

#[cfg(all(test, model = "loom"))]
pub(crate) use self::loom::*;
#[cfg(all(test, model = "shuttle"))]
pub(crate) use self::shuttle::*;
#[cfg(not(all(test, any(model = "loom", model = "shuttle"))))]
pub(crate) use self::std::*;

use ::std::sync::PoisonError;

/// Locks without poison: every lock in this crate guards plain bookkeeping, and no user code runs while
/// one is held, so a panic cannot leave half a change behind, and a poisoned lock carries no news.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
