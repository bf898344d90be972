//! `Report`: what came of one shard.

mod file;
mod format;

use std::fmt;
use std::ops::Range;

use rayon_errgroup::{Cause, Outcome, Panicked};

pub use self::file::ReadError;

/// The results of one range of items of a batch, for [`merge`](crate::merge()), which combines the
/// reports of all processes.
///
/// Indices are those of the batch, and not of the range.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::prelude::*;
/// use rayon_errgroup_cluster::{Report, Shard};
///
/// let words = ["1", "2", "3", "4", "5", "six"];
/// let range = Shard::new(1, 2)?.range(words.len());
/// let mine = words[range.clone()].iter().par_in_order();
/// let outcome = mine.outcome(|_, word| word.parse::<u32>());
///
/// let report = Report::new(range, words.len(), &outcome);
/// assert_eq!(report.first(), Some((5, "invalid digit found in string")));
/// assert_eq!(report.known_to(), 6);
/// # Ok::<_, rayon_errgroup_cluster::ShardError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    batch: usize,
    batch_id: String,
    range: Range<usize>,
    known_to: usize,
    ok: usize,
    cancelled: usize,
    skipped: usize,
    /// Sorted by index. All of them are in the range.
    failures: Vec<(usize, String)>,
    stopped_by: Option<String>,
}

impl Report {
    /// Reports the outcome of the items in `range`, of a batch of so many items.
    ///
    /// An error is kept as the text that `{:#}` makes of it, which has the sources of an `anyhow`
    /// error. A panic that was [caught](rayon_errgroup::ErrGroup::catch_panics) is the failure of
    /// its item, `panicked: ` and its message. Errors and panics that came after something had
    /// stopped the run are left out, since they may be consequences; their items are not known.
    ///
    /// # Panics
    ///
    /// If the range is not within the batch, or the outcome has an item outside of the range: they
    /// do not belong together.
    #[track_caller]
    #[must_use]
    pub fn new<T, E: fmt::Display>(
        range: Range<usize>,
        batch: usize,
        outcome: &Outcome<T, E>,
    ) -> Self {
        assert!(
            range.start <= range.end && range.end <= batch,
            "{range:?} is no range of a batch of {batch} items"
        );
        let mut failures = failures(outcome);
        let late_errors = outcome.late_errors();
        let late = late_errors.len() + late_panics(outcome).count();
        let last = [
            outcome.values().last().map(|(index, _)| *index),
            failures.last().map(|(index, _)| *index),
            late_errors.last().map(|(index, _)| *index),
            late_panics(outcome).last(),
        ];
        assert!(
            last.iter().flatten().all(|last| *last < range.len()),
            "the outcome has an item beyond {range:?}"
        );
        let values = outcome.values().iter().map(|(index, _)| *index);
        let known = known(values, failures.iter().map(|(index, _)| *index));
        let stopped_by = stopped_by(outcome);
        for (index, _) in &mut failures {
            *index += range.start;
        }
        let (start, len) = (range.start, range.len());
        Report {
            batch,
            batch_id: String::new(),
            range,
            known_to: start + known,
            ok: outcome.values().len(),
            cancelled: late,
            // Not `Outcome::skipped`: a sequential source may not have been read to its end.
            skipped: len - outcome.values().len() - failures.len() - late,
            failures,
            stopped_by,
        }
    }

    /// Sets the id of the batch, which tells it from others of its size: a hash of the list of the
    /// items, or the name of the run. Without it a report that an earlier batch has left in the
    /// folder counts.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    /// use rayon_errgroup_cluster::{Report, merge};
    ///
    /// let outcome = (0..2).par_in_order().outcome(|_, n| Ok::<_, String>(n));
    /// let stale = Report::new(0..2, 4, &outcome).with_batch_id("monday");
    /// let fresh = Report::new(2..4, 4, &outcome).with_batch_id("tuesday");
    /// assert_eq!(
    ///     merge(&[stale, fresh], 4).unwrap_err().to_string(),
    ///     "the report of items 0 to 2 belongs to the batch \"monday\", and that of items 2 to 4 to \
    ///      the batch \"tuesday\"",
    /// );
    /// ```
    #[must_use]
    pub fn with_batch_id(mut self, id: impl Into<String>) -> Self {
        self.batch_id = id.into();
        self
    }

    /// Returns the id of the batch, set by [`with_batch_id`](Report::with_batch_id), or "".
    #[must_use]
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// Returns the range of the items that the report is about.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns the number of items of the whole batch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns the index of the first item that is not known to have succeeded or failed on its
    /// own; the end of the range, if all are known.
    #[must_use]
    pub fn known_to(&self) -> usize {
        self.known_to
    }

    /// Returns how many items succeeded.
    #[must_use]
    pub fn ok(&self) -> usize {
        self.ok
    }

    /// Returns how many items failed on their own.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// Returns how many items returned an error or panicked after something had stopped the run, or
    /// above the item at which it ended. That may be a consequence.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// Returns how many items never ran.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Returns the failure with the lowest index. It is the batch's if nothing before it has
    /// failed.
    #[must_use]
    pub fn first(&self) -> Option<(usize, &str)> {
        self.failures().next()
    }

    /// Returns the items that failed on their own, in ascending order, each with the text of its
    /// error.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &str)> {
        self.failures
            .iter()
            .map(|(index, error)| (*index, error.as_str()))
    }

    /// Returns what stopped the run before its end, if that was not a failure: a signal, a
    /// deadline, or a failure elsewhere.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&str> {
        self.stopped_by.as_deref()
    }

    /// Returns whether every item of the range has succeeded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ok == self.range.len()
    }
}

impl fmt::Display for Report {
    /// The account: `12 ok, 1 failed, 3 cancelled, 24 skipped`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ok, {} failed", self.ok, self.failed())?;
        if self.cancelled > 0 {
            write!(f, ", {} cancelled", self.cancelled)?;
        }
        write!(f, ", {} skipped", self.skipped)?;
        match &self.stopped_by {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// The items that failed on their own, in ascending order.
fn failures<T, E: fmt::Display>(outcome: &Outcome<T, E>) -> Vec<(usize, String)> {
    let errors = outcome.errors().iter();
    let errors = errors.map(|(index, error)| (*index, format!("{error:#}")));
    let own_panics = outcome
        .panics()
        .iter()
        .filter(|(_, panic)| !panic.is_late());
    let own_panics = own_panics.filter_map(|(index, panicked)| {
        Some(((*index)?, format!("panicked: {}", message(panicked))))
    });
    let mut failures: Vec<_> = errors.chain(own_panics).collect();
    failures.sort_by_key(|(index, _)| *index);
    failures
}

/// The items whose panic may be a consequence, in ascending order.
fn late_panics<T, E>(outcome: &Outcome<T, E>) -> impl Iterator<Item = usize> {
    let late = outcome.panics().iter().filter(|(_, panic)| panic.is_late());
    late.filter_map(|(index, _)| *index)
}

fn stopped_by<T, E>(outcome: &Outcome<T, E>) -> Option<String> {
    let others = (outcome.panics().iter()).find(|(index, _)| index.is_none());
    match (others, outcome.cause()) {
        (Some((_, panicked)), _) => Some(format!(
            "a panic outside of the items: {}",
            message(panicked)
        )),
        (None, None | Some(Cause::Failed | Cause::Panicked)) => None,
        (None, Some(_)) if outcome.is_complete() => None,
        (None, Some(cause)) => Some(match cause.root() {
            Cause::Requested(Some(reason)) => reason.to_string(),
            root => root.to_string(),
        }),
    }
}

fn message(panicked: &Panicked) -> &str {
    let message = panicked.message();
    message.unwrap_or("with a payload that is no text")
}

/// How many items, from the first on, are in one of two ascending lists.
fn known(values: impl Iterator<Item = usize>, failures: impl Iterator<Item = usize>) -> usize {
    let (mut values, mut failures) = (values.peekable(), failures.peekable());
    let mut known = 0;
    while values.next_if_eq(&known).is_some() || failures.next_if_eq(&known).is_some() {
        known += 1;
    }
    known
}
