//! `Outcome`: everything that came of a run, nothing lost.

use std::fmt;
use std::vec;

use crate::engine::claim::outcome::Values;
use crate::error::{Cancelled, Cause, GroupError, Panicked};
use crate::failures::Failures;
use crate::run::{Account, Verdict};

/// Everything that came of a run: the values, the errors, and how many items never ran.
///
/// Made by [`outcome`](crate::WithGroup::outcome). Each item of the input is found in exactly one
/// place: `values`, `errors`, `panics` that have a position (under
/// [`catch_panics`](crate::ErrGroup::catch_panics)) and `skipped` add up to the number of items; of an
/// iterator of unknown length, of those that were read from it.
///
/// Its `Display` is the last line of a batch job: `998 ok, 2 failed, 0 skipped`; and where items were
/// skipped for another cause than a failure, that cause: `40 ok, 0 failed, 60 skipped: deadline passed`.
///
/// What an item returns counts as it is, without a look at when or why: one that gives up because of a
/// cancellation, and says so with an `Err`, has failed.
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
/// assert_eq!(outcome.values, [(0, 1), (2, 3)]);
/// assert_eq!(outcome.errors, [(1, "x"), (3, "y")]);
/// assert_eq!(outcome.to_string(), "2 ok, 2 failed, 0 skipped");
/// assert!(!outcome.is_complete());
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the errors are in it"]
pub struct Outcome<T, E> {
    /// The values that were returned, with the positions of their items, in ascending order.
    pub values: Vec<(usize, T)>,
    /// The errors that were returned, with the positions of their items, in ascending order; those
    /// too that came after the run was cancelled, and may be a consequence of that.
    pub errors: Vec<(usize, E)>,
    /// The panics, under [`catch_panics`](crate::ErrGroup::catch_panics), in ascending order. One
    /// that has no position was not an item's own: the iterator panicked, or the drop of an item, or
    /// a callback.
    pub panics: Vec<(Option<usize>, Panicked)>,
    /// How many items were dropped unrun.
    pub skipped: usize,
    /// What cancelled the run, if anything did; [`Cause::Parent`] is the token that the group was
    /// given. A cancellation may have come too late to skip any item.
    pub cause: Option<Cause>,
    /// The positions of the errors that the run did not end with, in ascending order.
    secondary: Vec<usize>,
    verdict: Verdict,
    /// Which of the panics the run ended with.
    first_panic: usize,
}

impl<T, E> Outcome<T, E> {
    pub(crate) fn new(account: Account<Values<T>, E>) -> Self {
        let Account {
            result,
            errors,
            secondary,
            panics,
            first_panic,
            verdict,
            cause,
        } = account;
        let (values, items) = result.map_or((Vec::new(), 0), |found| (found.values, found.items));
        let mut late: Vec<_> = secondary.iter().filter_map(|error| error.index).collect();
        late.sort_unstable();
        let errors = errors.into_iter().chain(secondary);
        let errors = errors.filter_map(|error| Some((error.index?, error.what)));
        let errors: Vec<_> = sorted(errors).collect();
        let mut panics: Vec<_> = panics.into_iter().enumerate().collect();
        panics.sort_by_key(|(_, panic)| panic.index);
        let first_panic = panics.iter().position(|(number, _)| *number == first_panic);
        let panics = panics.into_iter().map(|(_, panic)| panic);
        let panics: Vec<_> = panics
            .map(|panic| (panic.index, Panicked::new(panic.what)))
            .collect();
        let own = panics.iter().filter(|(index, _)| index.is_some()).count();
        Outcome {
            skipped: items.saturating_sub(values.len() + errors.len() + own),
            values,
            errors,
            panics,
            cause,
            secondary: late,
            verdict,
            first_panic: first_panic.unwrap_or(0),
        }
    }

    /// The positions of the errors that did not stop the run, and may be a consequence of what did:
    /// something else had cancelled it before, or they lie above the last error that the sequential
    /// loop would have found. In ascending order.
    ///
    /// [`into_result`](Outcome::into_result) leaves them out.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().keep_going().token(&stop);
    /// let outcome = ["bad", "last"].into_iter().par_in_order().with_group(&group).outcome(|token, word| {
    ///     if word == "last" {
    ///         stop.cancel();
    ///         token.check().map_err(|_| "a consequence")?;
    ///     }
    ///     Err::<(), _>("its own")
    /// });
    /// assert_eq!(outcome.secondary(), [1]);
    /// ```
    pub fn secondary(&self) -> &[usize] {
        &self.secondary
    }

    /// Whether every item ran to its end and returned `Ok`.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let outcome = (0..3).into_par_iter().in_order().with_group(&group).outcome(|_, n| Ok::<_, ()>(n));
    /// assert!(outcome.is_complete());
    /// ```
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.panics.is_empty() && self.skipped == 0
    }

    /// The values of all items, or why there are not all of them.
    ///
    /// # Errors
    ///
    /// What [`try_map`](crate::WithGroup::try_map) would have returned, but with all the errors that
    /// count, where there are several: [`GroupError::Several`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let run = |words: &[&str]| {
    ///     let outcome = words.par_iter().in_order().with_group(&group);
    ///     outcome.outcome(|_, word| word.parse::<u8>()).into_result()
    /// };
    /// assert_eq!(run(&["1", "2"]).unwrap(), [1, 2]);
    /// assert_eq!(run(&["1", "x"]).unwrap_err().to_string(), "item 1 failed");
    /// assert_eq!(run(&["y", "x"]).unwrap_err().to_string(), "2 items failed, the first of them item 0");
    /// ```
    pub fn into_result(self) -> Result<Vec<T>, GroupError<E>> {
        let Outcome {
            values,
            mut errors,
            mut panics,
            cause,
            secondary,
            verdict,
            first_panic,
            ..
        } = self;
        errors.retain(|(index, _)| secondary.binary_search(index).is_err());
        match (verdict, errors.len()) {
            (Verdict::Ok, _) => Ok(values.into_iter().map(|(_, value)| value).collect()),
            (Verdict::Panicked, _) if first_panic < panics.len() => {
                Err(GroupError::Panicked(panics.swap_remove(first_panic).1))
            }
            (Verdict::Failed, 1) => {
                let (index, error) = errors.remove(0);
                let index = Some(index);
                Err(GroupError::Failed { index, error })
            }
            (Verdict::Failed, 2..) => Err(GroupError::Several(Failures::new(errors))),
            // Or somebody has taken out what there was.
            _ => {
                let cancelled = Cancelled::new(cause.unwrap_or(Cause::Released));
                Err(GroupError::Cancelled(cancelled))
            }
        }
    }

    /// The results of the items that ran and did not panic, by position.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let words = ["1", "x"].into_iter().par_in_order().with_group(&group);
    /// let outcome = words.outcome(|_, word| word.parse::<i32>().map_err(|_| word));
    /// let results: Vec<_> = outcome.iter().collect();
    /// assert_eq!(results, [(0, Ok(&1)), (1, Err(&"x"))]);
    /// ```
    pub fn iter(&self) -> vec::IntoIter<(usize, Result<&T, &E>)> {
        let values = self.values.iter().map(|(index, value)| (*index, Ok(value)));
        let errors = self
            .errors
            .iter()
            .map(|(index, error)| (*index, Err(error)));
        sorted(values.chain(errors))
    }
}

/// Of two stretches that are sorted already, which costs as much as to join them.
fn sorted<R>(results: impl Iterator<Item = (usize, R)>) -> vec::IntoIter<(usize, R)> {
    let mut results: Vec<_> = results.collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter()
}

impl<T, E> IntoIterator for Outcome<T, E> {
    type Item = (usize, Result<T, E>);
    type IntoIter = vec::IntoIter<Self::Item>;

    /// The results of the items that ran and did not panic, by position.
    fn into_iter(self) -> Self::IntoIter {
        let values = self
            .values
            .into_iter()
            .map(|(index, value)| (index, Ok(value)));
        let errors = self
            .errors
            .into_iter()
            .map(|(index, error)| (index, Err(error)));
        sorted(values.chain(errors))
    }
}

impl<'o, T, E> IntoIterator for &'o Outcome<T, E> {
    type Item = (usize, Result<&'o T, &'o E>);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T, E> fmt::Display for Outcome<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ok, failed) = (self.values.len(), self.errors.len());
        write!(f, "{ok} ok, {failed} failed")?;
        if !self.panics.is_empty() {
            write!(f, ", {} panicked", self.panics.len())?;
        }
        write!(f, ", {} skipped", self.skipped)?;
        match &self.cause {
            None | Some(Cause::Failed | Cause::Panicked) => Ok(()),
            Some(_) if self.skipped == 0 => Ok(()),
            Some(cause) => match cause.root() {
                Cause::Requested(Some(reason)) => write!(f, ": {reason}"),
                root => write!(f, ": {root}"),
            },
        }
    }
}
