//! Locking without poison.
//!
//! Every lock in this crate guards plain bookkeeping: no user code runs while one is held, so a
//! panic cannot leave half a change behind and a poisoned lock carries no news.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
