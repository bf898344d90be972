//! `Outcome`: all that came of a run.

mod iter;

use std::fmt;
use std::mem;
use std::panic::resume_unwind;

pub use self::iter::{OutcomeIntoIter, OutcomeIter};
use crate::by_index::ByIndex;
use crate::engine::claim::outcome::Results;
use crate::error::GroupError;
use crate::failures::{Failures, Numbering};
use crate::panic::{Panicked, drop_catching, drop_payload};
use crate::run::{Failure, Kind, Report, Verdict};
use crate::token::{Cancelled, Cause};

/// The result of every item of a run: the values, the errors, and how many items were skipped.
///
/// It is made by [`outcome`](crate::InOrder::outcome). Each item of the input counts in exactly one
/// place: [`values`](Outcome::values), [`errors`](Outcome::errors),
/// [`late_errors`](Outcome::late_errors), the [`panics`](Outcome::panics) that have an index, and
/// [`skipped`](Outcome::skipped) add up to the number of items; for an iterator of unknown length,
/// to the number of items that were read from it.
///
/// Its `Display` is the last line of a batch job: `12 ok, 1 failed, 3 cancelled, 24 skipped`. An
/// item that returned an error after it had been cancelled counts as
/// [cancelled](Outcome::cancelled), and every other item that returned an error as failed. If items
/// were cancelled or skipped for a reason other than a failure, the cause follows: `40 ok, 0
/// failed, 60 skipped: deadline passed`.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ErrGroup, prelude::*};
///
/// let group = ErrGroup::new().keep_going();
/// let words = ["1", "x", "3", "y"].into_iter().par_in_order().with_group(&group);
/// let outcome = words.outcome(|_, word| word.parse::<i32>().map_err(|_| word));
///
/// assert_eq!(outcome.values(), [(0, 1), (2, 3)]);
/// assert_eq!(outcome.errors(), [(1, "x"), (3, "y")]);
/// assert_eq!(outcome.to_string(), "2 ok, 2 failed, 0 skipped");
/// assert!(!outcome.is_complete());
/// ```
#[derive(Debug)]
#[must_use = "the errors are in it"]
pub struct Outcome<T, E> {
    /// Each list is sorted by index.
    values: ByIndex<T>,
    errors: ByIndex<E>,
    late_errors: ByIndex<E>,
    panics: Vec<(Option<usize>, Panicked)>,
    /// How many of the late errors were returned after their item had been cancelled.
    cancelled: usize,
    skipped: usize,
    cause: Option<Cause>,
    verdict: Verdict,
    /// Which of the panics the run ended with, if it ended with one.
    first_panic: usize,
}

impl<T, E> Outcome<T, E> {
    pub(crate) fn new(mut report: Report<Results<T, E>, E>, catches_panics: bool) -> Self {
        let verdict = report.verdict;
        if verdict == Verdict::Panicked && !catches_panics {
            // One by one: two panics of a vector's drop would abort the process.
            let errors = report.result.as_mut().map(|all| mem::take(&mut all.errors));
            for error in errors.into_iter().flatten() {
                drop_payload(drop_catching(error));
            }
            if let Err(GroupError::Panicked(panicked)) = report.into_result() {
                resume_unwind(panicked.into_payload());
            }
            unreachable!("a run that has panicked ends with a payload");
        }
        let (bound, failures) = (report.bound(), report.take_failures());
        let (values, mut errors, items) = report.result.map_or_else(Default::default, |result| {
            (result.values, result.errors, result.items)
        });
        // The sequential loop would have stopped before these.
        let mut late_errors = bound.map_or_else(Vec::new, |bound| errors.split_off_after(bound));
        let (mut panics, mut cancelled) = (Vec::new(), 0);
        for failure in failures {
            let is_late = failure.is_late(bound);
            let Failure { index, kind, .. } = failure;
            match (kind, index) {
                (Kind::Panic(payload), index) => {
                    panics.push((index, Panicked::new(payload, index, is_late)));
                }
                (Kind::Error(error), Some(index)) => {
                    late_errors.push((index, error));
                    cancelled += 1;
                }
                (Kind::Error(_), None) => unreachable!("in order every error has an index"),
            }
        }
        let late_errors = ByIndex::from_unsorted(late_errors);
        // If the run ended with a panic, that one came first.
        let ending = panics.first().map(|(index, _)| *index);
        panics.sort_by_key(|(index, _)| *index);
        let first_panic = panics.iter().position(|(index, _)| Some(*index) == ending);
        let of_items = panics.iter().filter(|(index, _)| index.is_some()).count();
        let ended = values.len() + errors.len() + late_errors.len() + of_items;
        Outcome {
            values,
            errors,
            late_errors,
            panics,
            cancelled,
            skipped: items.saturating_sub(ended),
            cause: report.cause,
            verdict,
            first_panic: first_panic.unwrap_or(0),
        }
    }

    /// Returns the values, with the indices of their items, in ascending order.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values(), [(0, 1), (1, 2)]);
    /// ```
    #[must_use]
    pub fn values(&self) -> &ByIndex<T> {
        &self.values
    }

    /// Returns the errors that the sequential loop would have found, with the indices of their
    /// items, in ascending order.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let words = ["1", "x", "y"].into_iter().par_in_order();
    /// let outcome = words.outcome(|_, word| word.parse::<u8>().map_err(|_| word));
    /// assert_eq!(outcome.errors(), [(1, "x")]);
    /// ```
    #[must_use]
    pub fn errors(&self) -> &ByIndex<E> {
        &self.errors
    }

    /// Returns the other errors, with the indices of their items, in ascending order.
    ///
    /// They did not stop the run, and its cancellation may have caused them: something else had
    /// cancelled the run before, or they come after the last error that the sequential loop would
    /// have found. [`into_result`](Outcome::into_result) leaves them out.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().keep_going().token(&stop).concurrency(1);
    /// let words = ["bad", "last"].into_iter().par_in_order().with_group(&group);
    /// let outcome = words.outcome(|token, word| {
    ///     if word == "last" {
    ///         stop.cancel();
    ///         token.check().map_err(|_| "cancelled")?;
    ///     }
    ///     Err::<(), _>("its own")
    /// });
    /// assert_eq!(outcome.late_errors(), [(1, "cancelled")]);
    /// ```
    #[must_use]
    pub fn late_errors(&self) -> &ByIndex<E> {
        &self.late_errors
    }

    /// Returns the panics, with [`catch_panics`](crate::ErrGroup::catch_panics), in ascending
    /// order.
    ///
    /// A panic without an index was not an item's own: the iterator panicked, or the drop of an
    /// item, or a callback. The index is that of [`Panicked::index`], too.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going().catch_panics();
    /// let numbers = [1, 0].into_iter().par_in_order().with_group(&group);
    /// let outcome = numbers.outcome(|_, n| Ok::<_, ()>(1 / n));
    /// let [(index, panicked)] = outcome.panics() else { unreachable!() };
    /// assert_eq!(*index, Some(1));
    /// assert_eq!(panicked.message(), Some("attempt to divide by zero"));
    /// ```
    #[must_use]
    pub fn panics(&self) -> &[(Option<usize>, Panicked)] {
        &self.panics
    }

    /// Returns how many items returned an error after they had been cancelled. They are among the
    /// [`late_errors`](Outcome::late_errors).
    ///
    /// An error counts by the time at which it came: one that would have come anyway, but came
    /// after the cancellation, cannot be told apart.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().token(&stop);
    /// let outcome = ["only"].into_iter().par_in_order().with_group(&group).outcome(|token, _| {
    ///     stop.cancel();
    ///     token.check()
    /// });
    /// assert_eq!(outcome.cancelled(), 1);
    /// assert_eq!(outcome.to_string(), "0 ok, 0 failed, 1 cancelled, 0 skipped: requested");
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// Returns how many items were dropped without running.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use rayon::prelude::*;
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().timeout(Duration::ZERO);
    /// let items = (0..100).into_par_iter().in_order().with_group(&group);
    /// assert_eq!(items.outcome(|_, n| Ok::<_, ()>(n)).skipped(), 100);
    /// ```
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Returns what cancelled the run, if anything did. [`Cause::Parent`] is the token that the
    /// group was given.
    ///
    /// The cancellation may have come too late to skip an item.
    ///
    /// ```
    /// use rayon_errgroup::{Cause, prelude::*};
    ///
    /// let outcome = [1, 2].into_iter().par_in_order().outcome(|_, n| Err::<(), _>(n));
    /// assert!(matches!(outcome.cause(), Some(Cause::Failed)));
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns whether every item ran to its end and returned `Ok`.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = (0..3).into_par_iter().in_order().outcome(|_, n| Ok::<_, ()>(n));
    /// assert!(outcome.is_complete());
    /// ```
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let has_failed =
            !self.errors.is_empty() || !self.late_errors.is_empty() || !self.panics.is_empty();
        !has_failed && self.skipped == 0
    }

    /// Returns the values of all items, or the reason why some are missing.
    ///
    /// # Errors
    ///
    /// Returns what [`try_map`](crate::WithGroup::try_map) with the same options would have
    /// returned, but if several errors count, all of them: [`GroupError::Several`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let run = |words: &[&str]| {
    ///     let words = words.par_iter().in_order().with_group(&group);
    ///     let outcome = words.outcome(|_, word| word.parse::<u8>());
    ///     outcome.into_result().map_err(|error| error.to_string())
    /// };
    /// assert_eq!(run(&["1", "2"]).unwrap(), [1, 2]);
    /// assert_eq!(run(&["1", "x"]).unwrap_err(), "item 1 failed");
    /// assert_eq!(run(&["y", "x"]).unwrap_err(), "2 items failed, the first of them item 0");
    /// ```
    pub fn into_result(mut self) -> Result<Vec<T>, GroupError<E>> {
        match (self.verdict, self.errors.len()) {
            (Verdict::Ok, _) => Ok(self.values.into_items()),
            (Verdict::Panicked, _) => {
                let (_, panicked) = self.panics.swap_remove(self.first_panic);
                Err(GroupError::Panicked(panicked))
            }
            (Verdict::Failed, 1) => {
                let (index, error) = self.errors.into_first();
                let index = Some(index);
                Err(GroupError::Failed { index, error })
            }
            (Verdict::Failed, 2..) => Err(GroupError::Several(Failures::new(
                self.errors,
                Numbering::Index,
            ))),
            (Verdict::Failed | Verdict::Cancelled, _) => {
                let cause = self.cause.unwrap_or(Cause::Released);
                Err(GroupError::Cancelled(Cancelled::new(cause)))
            }
        }
    }

    /// Returns the values, with the indices of their items, in ascending order.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "x"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.into_values(), [(0, 1)]);
    /// ```
    #[must_use]
    pub fn into_values(self) -> ByIndex<T> {
        self.values
    }

    /// Returns all errors, including the late ones, with the indices of their items, in ascending
    /// order.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let words = ["x", "1", "y"].into_iter().par_in_order().with_group(&group);
    /// let outcome = words.outcome(|_, word| word.parse::<u8>().map_err(|_| word));
    /// assert_eq!(outcome.into_errors(), [(0, "x"), (2, "y")]);
    /// ```
    #[must_use]
    pub fn into_errors(self) -> ByIndex<E> {
        let mut errors = self.errors;
        // They are few: each worker has one at most.
        for (index, error) in self.late_errors {
            errors.insert(index, error);
        }
        errors
    }

    /// Returns the panics, with [`catch_panics`](crate::ErrGroup::catch_panics), in ascending
    /// order: for their payloads.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going().catch_panics();
    /// let numbers = [1, 0].into_iter().par_in_order().with_group(&group);
    /// let panics = numbers.outcome(|_, n| Ok::<_, ()>(1 / n)).into_panics();
    /// assert_eq!(panics.len(), 1);
    /// ```
    #[must_use]
    pub fn into_panics(self) -> Vec<(Option<usize>, Panicked)> {
        self.panics
    }

    /// Iterates over the results of the items that ran and did not panic, by index.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let words = ["1", "x"].into_iter().par_in_order();
    /// let outcome = words.outcome(|_, word| word.parse::<i32>().map_err(|_| word));
    /// let results: Vec<_> = outcome.iter().collect();
    /// assert_eq!(results, [(0, Ok(&1)), (1, Err(&"x"))]);
    /// ```
    pub fn iter(&self) -> OutcomeIter<'_, T, E> {
        OutcomeIter::new(&self.values, &self.errors, &self.late_errors)
    }
}

impl<T, E> IntoIterator for Outcome<T, E> {
    type Item = (usize, Result<T, E>);
    type IntoIter = OutcomeIntoIter<T, E>;

    /// Iterates over the results of the items that ran and did not panic, by index.
    fn into_iter(self) -> Self::IntoIter {
        OutcomeIntoIter::new(self.values, self.errors, self.late_errors)
    }
}

impl<'o, T, E> IntoIterator for &'o Outcome<T, E> {
    type Item = (usize, Result<&'o T, &'o E>);
    type IntoIter = OutcomeIter<'o, T, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T, E> fmt::Display for Outcome<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.errors.len() + self.late_errors.len() - self.cancelled;
        write!(f, "{} ok, {failed} failed", self.values.len())?;
        if self.cancelled > 0 {
            write!(f, ", {} cancelled", self.cancelled)?;
        }
        if !self.panics.is_empty() {
            write!(f, ", {} panicked", self.panics.len())?;
        }
        write!(f, ", {} skipped", self.skipped)?;
        match &self.cause {
            None | Some(Cause::Failed | Cause::Panicked) => Ok(()),
            Some(_) if self.skipped == 0 && self.cancelled == 0 => Ok(()),
            Some(cause) => match cause.root() {
                Cause::Requested(Some(reason)) => write!(f, ": {reason}"),
                root => write!(f, ": {root}"),
            },
        }
    }
}
