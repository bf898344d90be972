//! `Failures`: the errors of several items or tasks.

use std::error::Error;
use std::fmt;

use crate::by_index::{ByIndex, ByIndexIntoIter, ByIndexIter};

/// The errors of several items or tasks, each with a number, in ascending order.
///
/// In an [`Outcome`](crate::Outcome) the number is the index of the item. In a
/// [scope](crate::ErrGroup::scope) it is the spawn number of the task: zero for the task that was
/// spawned first. Items of a run without an order have no index; there the number counts the
/// errors, in the order in time.
///
/// The message names the first and the count, as one line; the first error is the
/// [`source`](Error::source).
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
///
/// let group = ErrGroup::new().keep_going();
/// let words = ["1", "x", "3", "y"].into_iter().par_in_order().with_group(&group);
/// let result = words.outcome(|_, word| word.parse::<u8>()).into_result();
/// let Err(GroupError::Several(failures)) = result else { unreachable!() };
/// assert_eq!(failures.to_string(), "2 items failed, the first of them item 1");
/// for (index, error) in &failures {
///     println!("{index}: {error}");
/// }
/// ```
///
/// Tasks of a scope, where the second and the third fail:
///
/// ```
/// use rayon_errgroup::{ErrGroup, GroupError};
///
/// let result = ErrGroup::new().keep_going().scope(|s| {
///     for word in ["1", "x", "y"] {
///         s.spawn(move |_| word.parse::<u8>().map(drop).map_err(|_| word));
///     }
///     Ok(())
/// });
/// let Err(GroupError::Several(failures)) = result else { unreachable!() };
/// assert_eq!(failures.to_string(), "2 tasks failed, the first of them task 1");
/// assert_eq!(failures.into_iter().collect::<Vec<_>>(), [(1, "x"), (2, "y")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures<E> {
    /// At least two.
    errors: ByIndex<E>,
    numbering: Numbering,
}

/// What the numbers of several errors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The indices of items.
    Index,
    /// The spawn numbers of tasks.
    Spawned,
    /// The errors are counted, in the order in time.
    Time,
}

impl<E> Failures<E> {
    pub(crate) fn new(errors: ByIndex<E>, numbering: Numbering) -> Self {
        debug_assert!(errors.len() > 1);
        Failures { errors, numbering }
    }

    /// The lowest number, if it names an item or a task.
    pub(crate) fn first_index(&self) -> Option<usize> {
        (self.numbering != Numbering::Time).then_some(self.first().0)
    }

    /// Returns the error with the lowest number.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let words = ["1", "x", "y"].into_iter().par_in_order().with_group(&group);
    /// let Err(GroupError::Several(failures)) = words
    ///     .outcome(|_, word| word.parse::<u8>().map_err(|_| word))
    ///     .into_result()
    ///     else { unreachable!() };
    /// assert_eq!(*failures.first(), (1, "x"));
    /// ```
    #[must_use]
    pub fn first(&self) -> &(usize, E) {
        self.errors.first().unwrap_or_else(|| unreachable!())
    }

    pub(crate) fn into_first(self) -> E {
        self.errors.into_first().1
    }

    /// Iterates over all errors, the lowest number first. There are at least two.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let words = ["x", "y"].into_iter().par_in_order().with_group(&group);
    /// let result = words.outcome(|_, word| Err::<(), _>(word)).into_result();
    /// let Err(GroupError::Several(failures)) = result else { unreachable!() };
    /// assert_eq!(failures.iter().collect::<Vec<_>>(), [&(0, "x"), &(1, "y")]);
    /// ```
    pub fn iter(&self) -> ByIndexIter<'_, E> {
        self.errors.iter()
    }
}

impl<E> IntoIterator for Failures<E> {
    type Item = (usize, E);
    type IntoIter = ByIndexIntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<'f, E> IntoIterator for &'f Failures<E> {
    type Item = &'f (usize, E);
    type IntoIter = ByIndexIter<'f, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E> fmt::Display for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, (first, _)) = (self.errors.len(), self.first());
        match self.numbering {
            Numbering::Index => write!(f, "{count} items failed, the first of them item {first}"),
            Numbering::Spawned => write!(f, "{count} tasks failed, the first of them task {first}"),
            Numbering::Time => write!(f, "{count} items failed"),
        }
    }
}

impl<E: Error + 'static> Error for Failures<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.first().1)
    }
}
