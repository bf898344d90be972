//! Cancelling and finishing: the walks down the tree.

use std::sync::{Arc, OnceLock};

use super::{ACTIVE, CANCELLED, Node, Owner, RELEASED};
use crate::panic::{Payload, drop_catching, first_panic as keep_first};
use crate::sync::atomic::Ordering;
use crate::token::Cause;
use crate::token::callback::Callback;

impl Node {
    /// Cancels this node and everything below it, unless it has ended already.
    ///
    /// `record` runs if and only if this call is the trigger, before anybody can see it (law 1). It
    /// runs under the lock and only moves a value into its slot. `on_panic` is given what a
    /// callback's panic carried, and the node the callback was registered at, before whoever waits
    /// for that callback goes on.
    pub(crate) fn cancel(
        self: &Arc<Self>,
        cause: &Cause,
        record: impl FnOnce(),
        on_panic: impl FnMut(&Node, Payload),
    ) -> bool {
        let record = || {
            record();
            true
        };
        self.cancel_if(cause, record, on_panic)
    }

    /// As [`cancel`](Node::cancel), if `record` says so.
    pub(crate) fn cancel_if(
        self: &Arc<Self>,
        cause: &Cause,
        record: impl FnOnce() -> bool,
        on_panic: impl FnMut(&Node, Payload),
    ) -> bool {
        let is_trigger = self.trigger(cause, record);
        if is_trigger {
            self.propagate(cause, on_panic);
        }
        is_trigger
    }

    /// Cancels these nodes and everything below them, but for those that have ended; all of them before
    /// the first callback runs, which may take long.
    pub(crate) fn cancel_all<'n>(
        nodes: impl Iterator<Item = &'n Arc<Node>>,
        cause: &Cause,
        mut on_panic: impl FnMut(Payload),
    ) {
        let mut callbacks = Vec::new();
        for node in nodes {
            if node.trigger(cause, || true) {
                callbacks.append(&mut node.close_subtree(cause));
            }
        }
        for (_, callback) in callbacks {
            callback.run(&mut on_panic);
        }
    }

    /// Flags everything below this node, which is cancelled, and runs the callbacks.
    fn propagate(self: &Arc<Self>, cause: &Cause, mut on_panic: impl FnMut(&Node, Payload)) {
        for (node, callback) in self.close_subtree(cause) {
            callback.run(|payload| on_panic(&node, payload));
        }
    }

    /// Cancels a lane whose run is cancelled, if whoever does that has not come so far.
    pub(in crate::token) fn catch_up(self: &Arc<Self>, on_panic: impl FnMut(&Node, Payload)) {
        if let Some(cause) = self.cause_of_run() {
            self.cancel(&cause, || (), on_panic);
        }
    }

    /// Cancels this node if it is active (invariant 1) and `record` says so.
    fn trigger(&self, cause: &Cause, record: impl FnOnce() -> bool) -> bool {
        let mut links = self.links();
        let is_trigger = self.state_locked(&links) == ACTIVE && record();
        if is_trigger {
            links.cause = Some(cause.clone());
            // Release pairs with the Acquire load in `is_cancelled`.
            self.state.store(CANCELLED, Ordering::Release);
        }
        is_trigger
    }

    /// Calls `record` if and only if this node is active, before anybody can cancel it. As in
    /// [`cancel`](Node::cancel), it only moves a value into its slot.
    pub(crate) fn while_active(&self, record: impl FnOnce()) {
        let links = self.links();
        if self.state_locked(&links) == ACTIVE {
            record();
        }
    }

    /// Flags the subtree, wakes its waiters, and returns the callbacks to be run.
    fn close_subtree(self: &Arc<Self>, cause: &Cause) -> Vec<(Arc<Node>, Arc<Callback>)> {
        let inherited = OnceLock::new();
        let (mut callbacks, mut pending) = (Vec::new(), Vec::new());
        let mut next = Some(Arc::clone(self));
        while let Some(node) = next {
            if !Arc::ptr_eq(&node, self) {
                // A child that is cancelled already is walked all the same (invariant 2).
                match (node.owner, node.cause_of_run()) {
                    (Owner::Worker, Some(cause)) => node.trigger(&cause, || true),
                    // Its run has just ended, and releases it.
                    (Owner::Worker, None) => false,
                    _ => node.trigger(inherited.get_or_init(|| cause.inherited()), || true),
                };
            }
            let mut links = node.links();
            let is_active = node.state_locked(&links) == ACTIVE;
            let closed = links.get().and_then(|attached| {
                // What is upgraded is dropped without the lock, which its drop would take.
                pending.extend(attached.live_children());
                (!is_active).then(|| attached.close())
            });
            drop(links);
            for callback in closed.unwrap_or_default().into_callbacks() {
                callbacks.push((Arc::clone(&node), callback));
            }
            next = pending.pop();
        }
        self.unlink_from_parent();
        callbacks
    }

    /// Ends the token of a run: wakes the waiters, drops the callbacks unrun, and does the same to
    /// the tokens the user hung below it. Runs below it go on, and the tokens above still reach them.
    /// If it was cancelled, it stays so, and the walk of whoever cancelled it is done to its end
    /// here too, since that one may be on his way still. Returns a panic that was left here for the
    /// run, or that a callback, or its drop, ended with.
    pub(crate) fn release(self: &Arc<Self>) -> Option<Payload> {
        let mut pending = Vec::new();
        let mut first_panic = self.release_one(&mut pending);
        if let Some(cause) = self.cause() {
            self.propagate(&cause, |_, payload| {
                keep_first(&mut first_panic, Some(payload));
            });
        }
        while let Some(node) = pending.pop() {
            if node.owner != Owner::Run {
                let panic = node.release_one(&mut pending);
                keep_first(&mut first_panic, panic);
            }
        }
        first_panic
    }

    fn release_one(&self, pending: &mut Vec<Arc<Node>>) -> Option<Payload> {
        let mut links = self.links();
        let active = self.state_locked(&links) == ACTIVE;
        if active {
            // Relaxed: nothing is published with it; `is_cancelled` answers as before.
            self.state.store(RELEASED, Ordering::Relaxed);
        }
        let attached = links.get()?;
        let mut first_panic = attached.orphaned_panic.take();
        if active {
            pending.extend(attached.live_children());
            let closed = attached.close();
            drop(links);
            for callback in closed.into_callbacks() {
                // Those who wait on the other tokens must be woken whatever a callback's drop does.
                keep_first(&mut first_panic, drop_catching(callback.take()));
            }
        }
        first_panic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::node::Registered;

    /// Two walks, of which the second comes first to where the first has not been yet.
    #[test]
    fn a_lane_has_the_cause_of_its_run() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let lane = run.worker();
        assert!(run.trigger(&Cause::Deadline, || true));
        parent.cancel(&Cause::Requested(None), || (), |_, _| ());
        assert!(matches!(lane.cause(), Some(Cause::Deadline)));
    }

    /// A walk that goes on below a run which has just ended, and has not released its lanes yet.
    #[test]
    fn a_lane_of_a_run_that_has_ended_is_not_cancelled() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let lane = run.worker();
        let below = Node::of_run(Some(&lane));
        let callback = Arc::new(Callback::new(Box::new(|| unreachable!())));
        assert!(matches!(lane.register(&callback), Registered::Waiting(_)));
        assert!(run.release_one(&mut Vec::new()).is_none());
        parent.cancel(&Cause::Requested(None), || (), |_, _| ());
        assert!(!lane.is_cancelled());
        assert!(callback.take().is_some());
        assert!(below.is_cancelled(), "the tokens above reach what goes on");
    }
}
