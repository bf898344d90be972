//! `GroupError`: why a run with a group did not return its values.

use std::fmt;

use crate::failures::Failures;
use crate::panic::Panicked;
use crate::token::Cancelled;

/// The reason why a run with a group did not return its values.
///
/// It is returned by the methods of [`WithGroup`](crate::WithGroup). The calls without a group
/// ([`err_group`](crate::ErrGroupExt::err_group) and its neighbours) return the item's own error
/// type instead, since only an item can make them fail.
///
/// The message of `Failed` does not repeat the item's error: that is the
/// [`source`](std::error::Error::source), and reporters such as `anyhow` print both. To get the
/// error itself use [`into_error`](GroupError::into_error) or [`flatten`](GroupError::flatten).
///
/// [`Cancelled`] and [`Panicked`] convert into a `GroupError`, so `?` turns either into a
/// `GroupError`. For `?` with the error types of a program see [the guide](crate::guide::errors).
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
///
/// let group = ErrGroup::new();
/// let result = (1..100).into_par_iter().with_group(&group).try_for_each(|_, n| {
///     if n == 42 { Err("no") } else { Ok(()) }
/// });
/// assert!(matches!(result, Err(GroupError::Failed { error: "no", .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError<E> {
    /// An item returned an error, and that error is what cancelled the run.
    #[error("{}", Subject(*index))]
    Failed {
        /// The index of the item, in a run in order; the spawn number of the task, in a scope that
        /// tolerates errors.
        index: Option<usize>,
        /// The error, exactly as the item returned it.
        #[source]
        error: E,
    },
    /// Several items or tasks failed. Returned where errors are tolerated and kept: by
    /// [`Outcome::into_result`](crate::Outcome::into_result), by a
    /// [scope](crate::ErrGroup::scope), and by runs without an order.
    #[error(transparent)]
    Several(Failures<E>),
    /// The run was cancelled before every item had returned `Ok`.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// An item panicked, under [`catch_panics`](crate::ErrGroup::catch_panics), or something else
    /// that the run calls. In order, [`Panicked::index`] is the index of the item.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// The message of `GroupError::Failed`.
struct Subject(Option<usize>);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(index) => write!(f, "item {index} failed"),
            None => f.write_str("an item or task failed"),
        }
    }
}

impl<E> GroupError<E> {
    /// Returns the index of the item that failed or panicked, or the spawn number of the task, if
    /// it is known. If several failed, it is the lowest.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, GroupError};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let error: GroupError<()> = token.check().unwrap_err().into();
    /// assert_eq!(error.index(), None);
    /// ```
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        match self {
            GroupError::Failed { index, .. } => *index,
            GroupError::Several(failures) => failures.first_index(),
            GroupError::Panicked(panicked) => panicked.index(),
            GroupError::Cancelled(_) => None,
        }
    }

    /// Returns the item's own error, the first if there are several, or `None` for a cancellation
    /// or a panic.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let result = [1, 2, 3].par_iter().with_group(&group).try_for_each(|_, _| Err("no"));
    /// assert_eq!(result.unwrap_err().into_error(), Some("no"));
    /// ```
    pub fn into_error(self) -> Option<E> {
        match self {
            GroupError::Failed { error, .. } => Some(error),
            GroupError::Several(failures) => Some(failures.into_first()),
            GroupError::Cancelled(_) | GroupError::Panicked(_) => None,
        }
    }

    /// Turns every case into the item's error type. If several items failed, it returns the first
    /// error.
    ///
    /// For error types that take any error, such as `anyhow::Error` or
    /// `Box<dyn Error + Send + Sync>`: `.map_err(GroupError::flatten)?`.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// fn double(words: &[&str]) -> anyhow::Result<Vec<i32>> {
    ///     words
    ///         .par_iter()
    ///         .with_group(&ErrGroup::new())
    ///         .try_map(|_, word| Ok(word.parse::<i32>()? * 2))
    ///         .map_err(GroupError::flatten)
    /// }
    /// assert_eq!(double(&["1", "2"]).unwrap(), [2, 4]);
    /// assert_eq!(double(&["1", "x"]).unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    pub fn flatten(self) -> E
    where
        E: From<Cancelled> + From<Panicked>,
    {
        match self {
            GroupError::Failed { error, .. } => error,
            GroupError::Several(failures) => failures.into_first(),
            GroupError::Cancelled(cancelled) => cancelled.into(),
            GroupError::Panicked(panicked) => panicked.into(),
        }
    }
}
