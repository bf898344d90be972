//! The cut of a run: which of its workers are to be cancelled, because an item has failed
//! elsewhere.

use std::sync::Arc;

use super::links::Held;
use super::{LOOK_AT_CUT, Node, Owner, STOP};
use crate::sync::atomic::Ordering;
use crate::token::Cause;

impl Node {
    /// All workers of this run, from now on, compare the index of each item with the cut.
    pub(crate) fn look_at_cut(&self) {
        let _links = self.links();
        // Relaxed: `new_child` reads it under the lock.
        self.signal.fetch_or(LOOK_AT_CUT, Ordering::Relaxed);
    }

    /// The worker with this token is about to run the item at `index`. After that it looks at the
    /// cut.
    pub(crate) fn set_position(&self, index: usize) {
        // AcqRel pairs with the read-modify-write in `cut_above`: either that comes second, and
        // finds this position; or it comes first, and the worker sees the cut.
        self.position.swap(index, Ordering::AcqRel);
    }

    /// Whether the worker with this token may be cancelled for the sake of the item it had before.
    pub(crate) fn may_be_cut(&self) -> bool {
        // Relaxed: under the lock of the queue, as the claim before.
        self.signal.load(Ordering::Relaxed) & (LOOK_AT_CUT | STOP) != 0
    }

    /// Cancels the workers of this run that are at an item above `index`. The others look at the
    /// cut, which has been lowered, before their next item.
    pub(crate) fn cut_above(self: &Arc<Self>, index: usize, cause: &Cause) {
        self.look_at_cut();
        let children: Vec<_> = (self.links().get())
            .map(|attached| attached.live_children().collect())
            .unwrap_or_default();
        let workers = children.iter().filter(|node| node.owner == Owner::Worker);
        let later = workers.filter(|worker| {
            // Relaxed: a hint, as a call is.
            worker.signal.fetch_or(LOOK_AT_CUT, Ordering::Relaxed);
            // AcqRel pairs with the one in `set_position`.
            worker.position.fetch_add(0, Ordering::AcqRel) > index
        });
        let later = later.map(|worker| (worker, Held(false)));
        Node::cancel_all(later, cause, &mut |panic| self.keep_orphaned_panic(panic));
    }
}
