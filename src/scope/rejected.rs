//! `Rejected`: a closure that was not spawned.

use std::error::Error;
use std::fmt;

/// Why [`try_spawn`](crate::Scope::try_spawn) did not take a task, with the task's closure.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ErrGroup, Rejected};
///
/// let result = ErrGroup::new().scope(|s| {
///     s.token().cancel();
///     match s.try_spawn(|_| Ok::<_, String>(())) {
///         Err(rejected @ Rejected::Cancelled(_)) => Ok(rejected.to_string()),
///         _ => unreachable!(),
///     }
/// });
/// assert_eq!(result.unwrap(), "not spawned: the scope is cancelled");
/// ```
#[non_exhaustive]
pub enum Rejected<F> {
    /// As many tasks as the group's concurrency are spawned and have not ended.
    Full(F),
    /// The scope is cancelled, and begins nothing more.
    Cancelled(F),
}

impl<F> Rejected<F> {
    /// The closure.
    ///
    /// ```
    /// use rayon_errgroup::scope;
    ///
    /// let result = scope(|s| {
    ///     // Where there is no free thread, do it here.
    ///     s.try_spawn(|_| Ok(())).or_else(|rejected| rejected.into_inner()(s))
    /// });
    /// assert_eq!(result, Ok::<_, String>(()));
    /// ```
    pub fn into_inner(self) -> F {
        match self {
            Rejected::Full(f) | Rejected::Cancelled(f) => f,
        }
    }
}

/// Says which case it is, and nothing of the closure.
impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejected::Full(_) => "Full(..)",
            Rejected::Cancelled(_) => "Cancelled(..)",
        })
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejected::Full(_) => "not spawned: the scope is full",
            Rejected::Cancelled(_) => "not spawned: the scope is cancelled",
        })
    }
}

impl<F> Error for Rejected<F> {}
