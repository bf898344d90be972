//! `merge`: what came of a batch, as far as its reports tell.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::ops::Range;

use crate::report::Report;

/// Returns the result of a batch of so many items, from its reports, in any order.
///
/// It is the result of the sequential loop, or says what is missing for that. A report that is
/// missing leaves its items unknown. Reports may overlap: an item is known if one of them knows it,
/// so a range that was run again counts with what was there before. If one report says that an item
/// has failed and another that it has succeeded, it has failed; to judge it anew, remove the old
/// report.
///
/// # Errors
///
/// If a report belongs to a batch of another size, or reports to batches with different
/// [ids](Report::with_batch_id): their indices mean other items.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::prelude::*;
/// use rayon_errgroup_cluster::{Report, Verdict, merge};
///
/// let run = |range: std::ops::Range<usize>| {
///     let mine = range.clone().par_in_order();
///     let outcome = mine.outcome(|_, n| if n % 40 == 39 { Err("bad") } else { Ok(n) });
///     Report::new(range, 90, &outcome)
/// };
/// // The second report is missing, and may hold an earlier failure.
/// let verdict = merge(&[run(0..30), run(60..90)], 90)?;
/// let Verdict::Undecided { first, below } = verdict else { unreachable!() };
/// assert_eq!((first, below), (Some((79, "bad".into())), vec![30..60]));
///
/// let verdict = merge(&[run(0..30), run(60..90), run(30..60)], 90)?;
/// assert_eq!(verdict, Verdict::Failed { index: 39, error: "bad".into() });
/// # Ok::<_, rayon_errgroup_cluster::MergeError>(())
/// ```
pub fn merge(reports: &[Report], items: usize) -> Result<Verdict, MergeError> {
    belong_together(reports, items)?;
    let failures = reports.iter().flat_map(Report::failures);
    let first = failures
        .min()
        .map(|(index, error)| (index, error.to_owned()));
    let end = first.as_ref().map_or(items, |(index, _)| *index);
    let below = unknown(reports, end);
    Ok(match first {
        Some((index, error)) if below.is_empty() => Verdict::Failed { index, error },
        None if below.is_empty() => Verdict::Complete,
        first => Verdict::Undecided { first, below },
    })
}

fn belong_together(reports: &[Report], items: usize) -> Result<(), MergeError> {
    if let Some(other) = reports.iter().find(|report| report.batch() != items) {
        return Err(MergeError::Size {
            items,
            range: other.range(),
            batch: other.batch(),
        });
    }
    let pairs = reports.iter().zip(reports.iter().skip(1));
    for (one, other) in pairs {
        if one.batch_id() != other.batch_id() {
            return Err(MergeError::Batch {
                range: one.range(),
                id: one.batch_id().to_owned(),
                other_range: other.range(),
                other_id: other.batch_id().to_owned(),
            });
        }
    }
    Ok(())
}

/// The ranges before `end` that no report knows, in ascending order.
fn unknown(reports: &[Report], end: usize) -> Vec<Range<usize>> {
    let known = reports
        .iter()
        .map(|report| report.range().start..report.known_to());
    let mut known: Vec<_> = known.filter(|range| !range.is_empty()).collect();
    known.sort_by_key(|range| range.start);
    let (mut holes, mut known_to) = (Vec::new(), 0);
    for range in known.into_iter().chain(iter::once(end..end)) {
        let start = range.start.min(end);
        if known_to < start {
            holes.push(known_to..start);
        }
        known_to = known_to.max(range.end);
    }
    holes
}

/// The result of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every item has succeeded.
    Complete,
    /// This is where the sequential loop would have stopped.
    Failed {
        /// The lowest index that failed. All items before it have succeeded.
        index: usize,
        /// The text of its error.
        error: String,
    },
    /// Items are not known that the sequential loop would have come to. Run these again.
    Undecided {
        /// The lowest failure that is known. One of the unknown items may fail before it.
        first: Option<(usize, String)>,
        /// The unknown items before it, or before the end of the batch.
        below: Vec<Range<usize>>,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Complete => write!(f, "complete"),
            Verdict::Failed { index, error } => write!(f, "item {index} failed: {error}"),
            Verdict::Undecided { first, below } => {
                write!(f, "undecided, run again:")?;
                for range in below {
                    write!(f, " {}..{}", range.start, range.end)?;
                }
                match first {
                    Some((index, error)) => {
                        write!(f, " (item {index} failed, maybe not as the first: {error})")
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

/// How many items of a batch succeeded, how many failed, and how many did not end: they were
/// skipped or cancelled, or their report is lost.
///
/// Each item counts once, also if reports overlap.
///
/// ```
/// use rayon_errgroup::prelude::*;
/// use rayon_errgroup_cluster::{Account, Report};
///
/// let outcome = (0..10).par_in_order().outcome(|_, n| if n == 9 { Err(n) } else { Ok(n) });
/// let account = Account::of(&[Report::new(10..20, 100, &outcome)], 100)?;
/// assert_eq!(account.to_string(), "9 ok, 1 failed, 90 not known");
/// # Ok::<_, rayon_errgroup_cluster::MergeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Succeeded.
    pub ok: usize,
    /// Failed on their own.
    pub failed: usize,
    /// All others.
    pub unknown: usize,
}

impl Account {
    /// Counts the items that the reports know: those before the first unknown one of each report.
    ///
    /// # Errors
    ///
    /// As [`merge`](crate::merge()).
    pub fn of(reports: &[Report], items: usize) -> Result<Self, MergeError> {
        belong_together(reports, items)?;
        let holes = unknown(reports, items);
        let unknown: usize = holes.iter().map(Range::len).sum();
        let failures: BTreeMap<_, _> = reports.iter().flat_map(Report::failures).collect();
        // A failure behind a hole of its own report is known all the same.
        let outside = |index: &&usize| holes.iter().any(|hole| hole.contains(*index));
        let stray = failures.keys().filter(outside).count();
        Ok(Account {
            ok: items - unknown - (failures.len() - stray),
            failed: failures.len(),
            unknown: unknown - stray,
        })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ok, {} failed, {} not known",
            self.ok, self.failed, self.unknown
        )
    }
}

/// The reason why [`merge`](crate::merge()) has no result: a report belongs to another batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// Its batch has another number of items.
    #[error(
        "the report of items {} to {} belongs to a batch of {batch} items, and not of {items}",
        range.start,
        range.end
    )]
    Size {
        /// How many items the batch has.
        items: usize,
        /// The items that the report is about.
        range: Range<usize>,
        /// How many items its batch has.
        batch: usize,
    },
    /// Two reports are of different batches.
    #[error(
        "the report of items {} to {} belongs to the batch {id:?}, and that of items {} to {} to \
         the batch {other_id:?}",
        range.start,
        range.end,
        other_range.start,
        other_range.end
    )]
    Batch {
        /// The items of one report.
        range: Range<usize>,
        /// The id of its batch.
        id: String,
        /// The items of the other report.
        other_range: Range<usize>,
        /// The id of its batch.
        other_id: String,
    },
}
