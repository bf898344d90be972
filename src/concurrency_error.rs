//! `ConcurrencyError`: why a group has no threads of its own.

use rayon::ThreadPoolBuildError;

/// The reason why [`ErrGroup::try_concurrency`](crate::ErrGroup::try_concurrency) failed.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ConcurrencyError, ErrGroup};
///
/// let error = ErrGroup::new().try_concurrency(usize::MAX).unwrap_err();
/// assert!(matches!(error, ConcurrencyError::TooMany { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConcurrencyError {
    /// The number is zero.
    #[error("a group needs a concurrency of at least 1")]
    Zero,
    /// The number is larger than [`rayon::max_num_threads`].
    #[error("a group has at most {max} threads, not {n}")]
    TooMany {
        /// The number that was asked for.
        n: usize,
        /// The largest possible number.
        max: usize,
    },
    /// The system cannot start so many threads.
    #[error("the {n} threads of a group cannot be started")]
    Threads {
        /// The number that was asked for.
        n: usize,
        /// rayon's error.
        source: ThreadPoolBuildError,
    },
}
