//! `Cut`: what a run is told of failures elsewhere.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};
use crate::token::{CancelToken, Cause, Node};

/// No item is above this.
const NONE: usize = usize::MAX;

/// The lowest index known to have failed elsewhere: in another run, another process, on another
/// machine.
///
/// A run in order that is given a cut, by [`InOrder::cut`](crate::InOrder::cut), stops there as it
/// does at a failure of its own: [`lower`](Cut::lower) cancels the items above the index, and none
/// below. A cut only ever goes down. Clones share one cut, so the thread that hears of failures has
/// one clone, and the run another. One cut may serve several runs, if their indices mean the same
/// items.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{Cut, ErrGroup, prelude::*};
///
/// let (cut, group) = (Cut::new(), ErrGroup::new());
/// cut.lower(2); // another process says that its item 2 has failed
/// let items = (0..5).par_in_order().cut(&cut).with_group(&group);
/// let outcome = items.outcome(|_, n| Ok::<_, std::io::Error>(n));
/// assert_eq!(outcome.values(), [(0, 0), (1, 1), (2, 2)]);
/// assert!(!outcome.is_complete());
/// ```
#[derive(Clone)]
pub struct Cut {
    shared: Arc<Shared>,
}

struct Shared {
    lowest: AtomicUsize,
    /// The nodes of the runs. Those of runs that have ended go when the next run is added.
    runs: Mutex<Vec<Weak<Node>>>,
}

impl Cut {
    /// A cut above every item.
    ///
    /// ```
    /// assert_eq!(rayon_errgroup::Cut::new().get(), None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            lowest: AtomicUsize::new(NONE),
            runs: Mutex::new(Vec::new()),
        };
        Cut {
            shared: Arc::new(shared),
        }
    }

    /// Says that the item at `index` has failed elsewhere: cancels the items above it.
    ///
    /// Items above it that run see their token cancelled when this returns, and the run starts none
    /// of the others. Nothing happens if an index as low is known already: if another thread is
    /// just making it known, this may return before that thread has cancelled the items. What the
    /// run returns: [`InOrder::cut`](crate::InOrder::cut). May be called from any thread, also from
    /// an item.
    ///
    /// The [callbacks](CancelToken::on_cancel) of cancelled items run here, at once. They are not
    /// held back for the items below, as those after a failure of the run itself are, so they must
    /// not stop what other items use. If the cut serves several runs, these come one after another:
    /// the callbacks of one have returned before items of the next are cancelled. A panic of a
    /// callback is resumed in its run, if that has not ended meanwhile.
    ///
    /// ```
    /// let cut = rayon_errgroup::Cut::new();
    /// cut.lower(7);
    /// cut.lower(9);
    /// assert_eq!(cut.get(), Some(7));
    /// ```
    pub fn lower(&self, index: usize) {
        let runs = lock(&self.shared.runs);
        if self.lowest() <= index {
            return;
        }
        // Relaxed: under the lock, and a worker sees it by its position (`Node::cut_above`).
        self.shared.lowest.store(index, Ordering::Relaxed);
        let runs_now: Vec<_> = runs.iter().filter_map(Weak::upgrade).collect();
        drop(runs);
        let cause = cause(index);
        for run in runs_now {
            run.cut_above(index, &cause);
        }
    }

    /// The lowest index so far, if there is one.
    ///
    /// ```
    /// let (cut, other) = { let cut = rayon_errgroup::Cut::new(); (cut.clone(), cut) };
    /// other.lower(3);
    /// assert_eq!(cut.get(), Some(3));
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<usize> {
        Some(self.lowest()).filter(|lowest| *lowest != NONE)
    }

    /// Whether the item at `index` no longer counts.
    pub(crate) fn is_below(&self, index: usize) -> bool {
        self.lowest() < index
    }

    fn lowest(&self) -> usize {
        // Relaxed: see `lower`.
        self.shared.lowest.load(Ordering::Relaxed)
    }

    /// Adds a run that has not started a worker.
    pub(crate) fn add_run(&self, token: &CancelToken, see_token: bool) {
        let mut runs = lock(&self.shared.runs);
        runs.retain(|run| run.strong_count() > 0);
        runs.push(Arc::downgrade(token.node()));
        // Workers that never see a token need not say where they are until the cut is lowered.
        if see_token || self.lowest() != NONE {
            token.node().look_at_cut();
        }
    }
}

impl Default for Cut {
    fn default() -> Self {
        Cut::new()
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cut").field(&self.get()).finish()
    }
}

/// Why the items above `index` are cancelled.
pub(crate) fn cause(index: usize) -> Cause {
    Cause::Requested(Some(Arc::new(FailedElsewhere { index })))
}

/// The index that [`cause`] was given, if this cause was made there.
pub(crate) fn failed_elsewhere(cause: &Cause) -> Option<usize> {
    match cause {
        Cause::Requested(Some(reason)) => {
            let reason = reason.downcast_ref::<FailedElsewhere>()?;
            Some(reason.index)
        }
        _ => None,
    }
}

#[derive(Debug)]
struct FailedElsewhere {
    index: usize,
}

impl fmt::Display for FailedElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} failed elsewhere", self.index)
    }
}

impl Error for FailedElsewhere {}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_cut_knows_the_runs_that_have_not_ended() {
        let (cut, runs) = (Cut::new(), [CancelToken::new(), CancelToken::new()]);
        for run in &runs {
            cut.add_run(run, true);
        }
        assert_eq!(lock(&cut.shared.runs).len(), 2);
        drop(runs);
        let run = CancelToken::new();
        cut.add_run(&run, true);
        assert_eq!(
            lock(&cut.shared.runs).len(),
            1,
            "those that have ended are forgotten"
        );
    }

    #[test]
    fn workers_look_at_a_cut_that_they_see_or_that_is_lowered_already() {
        let looks = |cut: &Cut, see_token| {
            let run = CancelToken::new();
            cut.add_run(&run, see_token);
            run.node().may_be_cut()
        };
        let cut = Cut::new();
        assert!(looks(&cut, true) && !looks(&cut, false));
        cut.lower(9);
        assert!(looks(&cut, true) && looks(&cut, false));
    }
}
