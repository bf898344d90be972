//! `Ended`: what a run on all ranks returns.

use std::fmt;

use crate::merge::Verdict;

/// What came of a batch that ran on all ranks: the same on each of them.
///
/// Its `Display` is the account: `3000 ok, 1 failed, 999 skipped`. After a failure it is that of
/// the sequential loop: what other ranks had run after the failure counts as skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub(super) verdict: Verdict,
    /// Ok, failed, cancelled, skipped.
    pub(super) counts: [usize; 4],
    pub(super) rank: Option<usize>,
    pub(super) stopped: Option<(usize, String)>,
}

impl Ended {
    /// Returns where the sequential loop would have stopped. Undecided only if something other than
    /// a failure has stopped a rank.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Returns the rank that ran the item at which the loop would have stopped, or the first that
    /// is known.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        self.rank
    }

    /// Returns the rank that something other than a failure has stopped first (its group's token or
    /// deadline), and what that was.
    #[must_use]
    pub fn stopped_by(&self) -> Option<(usize, &str)> {
        let stopped = self.stopped.as_ref();
        stopped.map(|(rank, reason)| (*rank, reason.as_str()))
    }

    /// Returns how many items succeeded.
    #[must_use]
    pub fn ok(&self) -> usize {
        self.counts[0]
    }

    /// Returns how many items failed on their own.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.counts[1]
    }

    /// Returns how many items returned an error after they were cancelled, in a run that was
    /// stopped.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.counts[2]
    }

    /// Returns how many items never ran, or ran for nothing.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.counts[3]
    }

    /// Returns whether every item succeeded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.verdict == Verdict::Complete
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ok, {} failed", self.ok(), self.failed())?;
        if self.cancelled() > 0 {
            write!(f, ", {} cancelled", self.cancelled())?;
        }
        write!(f, ", {} skipped", self.skipped())?;
        match &self.stopped {
            Some((rank, reason)) => write!(f, ": {reason} (rank {rank})"),
            None => Ok(()),
        }
    }
}

/// Why a batch did not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// The ranks do not run the same batch. Every rank returns this, and what has run does not
    /// count.
    #[error("the ranks do not run the same batch: {0}")]
    DifferentBatches(String),
    /// The MPI library was started without support for threads: ask for
    /// `Threading::Funneled` at least.
    #[error("MPI was started without support for threads: initialize it with Threading::Funneled")]
    NoThreads,
}
