//! `Budget`: how many items may be claimed, where errors are tolerated and all kept.

/// The error budget of a run that tolerates some failures, then stops, and keeps all: how many
/// items may be claimed.
///
/// Even if all items in flight fail, the failures are no more than the error limit and one for each
/// worker. So where few errors are left, each worker has one item; and while the budget is used up
/// by items that may still succeed, a worker parks until they have ended.
pub(super) struct Budget {
    left: usize,
    workers: usize,
}

impl Budget {
    pub(super) fn new(error_limit: usize, workers: usize) -> Self {
        Budget {
            left: (error_limit - 1).saturating_add(workers),
            workers,
        }
    }

    /// How many items a worker may claim.
    pub(super) fn share(&self) -> usize {
        (self.left / self.workers).max(1).min(self.left)
    }

    /// Takes the items of a claim out of the budget.
    pub(super) fn reserve(&mut self, items: usize) {
        self.left = self.left.saturating_sub(items);
    }

    /// Gives back the items of a claim that have not failed.
    pub(super) fn refund(&mut self, items: usize) {
        self.left += items;
    }
}
