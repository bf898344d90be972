//! `TrySpawnError`: a closure that was not spawned.

use std::error::Error;
use std::fmt;

/// The reason why [`try_spawn`](crate::Scope::try_spawn) did not spawn a task. It contains the
/// closure.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ErrGroup, TrySpawnError};
///
/// let result = ErrGroup::new().scope(|s| {
///     s.token().cancel();
///     match s.try_spawn(|_| Ok::<_, String>(())) {
///         Err(error @ TrySpawnError::Cancelled(_)) => Ok(error.to_string()),
///         _ => unreachable!(),
///     }
/// });
/// assert_eq!(result.unwrap(), "not spawned: the scope is cancelled");
/// ```
#[non_exhaustive]
pub enum TrySpawnError<F> {
    /// As many tasks as the group's concurrency have been spawned and have not ended.
    Full(F),
    /// The scope is cancelled, and starts nothing more.
    Cancelled(F),
}

impl<F> TrySpawnError<F> {
    /// Returns the closure.
    ///
    /// ```
    /// use rayon_errgroup::scope;
    ///
    /// let result = scope(|s| {
    ///     // Without a free thread, run it here.
    ///     s.try_spawn(|_| Ok(())).or_else(|error| error.into_inner()(s))
    /// });
    /// assert_eq!(result, Ok::<_, String>(()));
    /// ```
    pub fn into_inner(self) -> F {
        match self {
            TrySpawnError::Full(f) | TrySpawnError::Cancelled(f) => f,
        }
    }
}

/// Names the case, and says nothing of the closure.
impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Full(_) => "Full(..)",
            TrySpawnError::Cancelled(_) => "Cancelled(..)",
        })
    }
}

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Full(_) => "not spawned: the scope is full",
            TrySpawnError::Cancelled(_) => "not spawned: the scope is cancelled",
        })
    }
}

impl<F> Error for TrySpawnError<F> {}
