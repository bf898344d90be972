//! Cancelling and releasing, and how both propagate down the tree.

use std::cell::LazyCell;
use std::sync::Arc;

use super::links::Held;
use super::{ACTIVE, CANCELLED, Links, Node, Owner, RELEASED, STOP};
use crate::panic::{Payload, drop_catching, first_panic};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;
use crate::token::Cause;
use crate::token::callback::Callback;

/// The lock of an active node. The node stays active while this guard lives (invariant 1).
///
/// What is recorded under the guard is recorded before any thread can see a cancellation of the
/// node (guarantee 1). The holder only moves values into place: it runs no user code, drops no user
/// data, and locks no other node.
#[must_use]
pub(crate) struct Active<'n> {
    node: &'n Arc<Node>,
    links: MutexGuard<'n, Links>,
}

impl<'n> Active<'n> {
    /// Cancels the node and everything below it. This call is the trigger.
    ///
    /// It releases the lock before it propagates to the descendants and runs callbacks. `on_panic`
    /// receives the payload of each callback that panics, and the node where that callback was
    /// registered, before the threads that wait for the callback continue.
    pub(crate) fn cancel(self, cause: &Cause, on_panic: &mut dyn FnMut(&Node, Payload)) {
        self.mark(cause).run(on_panic);
    }

    /// Cancels the node and everything below it, and leaves the callbacks to the caller.
    pub(super) fn mark(self, cause: &Cause) -> Callbacks {
        let node = self.mark_cancelled(cause.clone(), Held(false));
        node.close_subtree(cause, Held(false))
    }

    /// Marks this node alone as cancelled, and releases the lock.
    fn mark_cancelled(mut self, cause: Cause, held: Held) -> &'n Arc<Node> {
        // The cause comes first, so that every cancelled node has one (invariant 1).
        self.links.cause = Some(cause);
        self.links.held = held;
        // Before the state: whoever sees the node cancelled should see this, too. It is a hint, so
        // it is Relaxed, and if a call comes at the same time it does not matter which bit is lost.
        self.node.signal.store(STOP, Ordering::Relaxed);
        // Release pairs with the Acquire load in `Node::is_cancelled`.
        self.node.state.store(CANCELLED, Ordering::Release);
        self.node
    }
}

/// The callbacks of nodes that were cancelled, for a thread to run without a lock.
#[must_use]
pub(super) struct Callbacks(Vec<(Arc<Node>, Arc<Callback>)>);

impl Callbacks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For `on_panic` see [`Active::cancel`].
    pub(super) fn run(self, on_panic: &mut dyn FnMut(&Node, Payload)) {
        for (node, callback) in self.0 {
            callback.run(&mut |payload| on_panic(&node, payload));
        }
    }
}

impl Node {
    /// Locks this node, if it is active.
    pub(crate) fn lock_active(self: &Arc<Self>) -> Option<Active<'_>> {
        let links = self.links();
        (self.state_locked(&links) == ACTIVE).then_some(Active { node: self, links })
    }

    /// Cancels this node and everything below it. Returns whether this call is the trigger: `false`
    /// if the node was not active any more. For `on_panic` see [`Active::cancel`].
    pub(crate) fn cancel(
        self: &Arc<Self>,
        cause: &Cause,
        on_panic: &mut dyn FnMut(&Node, Payload),
    ) -> bool {
        let active = self.lock_active();
        let is_trigger = active.is_some();
        if let Some(active) = active {
            active.cancel(cause, on_panic);
        }
        is_trigger
    }

    /// Cancels those of these nodes that are active, and everything below them. All of them are
    /// cancelled before the first callback runs, because a callback may take long.
    ///
    /// Callbacks that are held back run at [`run_held`](Node::run_held), or when an ancestor is
    /// cancelled. Those that are registered meanwhile are held back, too.
    pub(crate) fn cancel_all<'n>(
        nodes: impl Iterator<Item = (&'n Arc<Node>, Held)>,
        cause: &Cause,
        on_panic: &mut dyn FnMut(Payload),
    ) {
        let mut callbacks = Callbacks(Vec::new());
        for (node, held) in nodes {
            if let Some(active) = node.lock_active() {
                let node = active.mark_cancelled(cause.clone(), held);
                (callbacks.0).append(&mut node.close_subtree(cause, held).0);
            }
        }
        callbacks.run(&mut |_, payload| on_panic(payload));
    }

    /// Runs the callbacks below this node that are held back.
    #[cold]
    pub(crate) fn run_held(self: &Arc<Self>, on_panic: &mut dyn FnMut(Payload)) {
        let children: Vec<_> = (self.links().get())
            .map(|attached| attached.live_children().collect())
            .unwrap_or_default();
        for child in children {
            let links = child.links();
            let cause = links.cause.clone().filter(|_| links.held == Held(true));
            drop(links);
            if let Some(cause) = cause {
                let callbacks = child.close_subtree(&cause, Held(false));
                callbacks.run(&mut |_, payload| on_panic(payload));
            }
        }
    }

    /// Cancels the token of a worker whose run is cancelled, in case the thread that cancels the
    /// run has not reached the worker yet.
    pub(in crate::token) fn catch_up(self: &Arc<Self>, on_panic: &mut dyn FnMut(&Node, Payload)) {
        if let Some(cause) = self.cause_of_run() {
            self.cancel(&cause, on_panic);
        }
    }

    /// Marks everything below this node, which is marked already, as cancelled. Wakes the threads
    /// that wait for any of these nodes, and returns the callbacks that are not to be held back.
    fn close_subtree(self: &Arc<Self>, cause: &Cause, held: Held) -> Callbacks {
        // Made on demand: most runs are cancelled without tokens below them.
        let inherited = LazyCell::new(|| cause.inherited());
        let (mut callbacks, mut pending) = (Vec::new(), Vec::new());
        let mut next = Some(Arc::clone(self));
        while let Some(node) = next {
            // This node is marked already. A descendant is marked here, unless another thread was
            // faster. In either case its children come next, because the other thread may not have
            // reached them yet (invariant 2).
            if !Arc::ptr_eq(&node, self) {
                let cause = match node.owner {
                    Owner::User | Owner::Run => Some(inherited.clone()),
                    // A worker has the cause of its run, whichever thread arrives first. If there
                    // is none, the run has just been released and will release its workers.
                    Owner::Worker => node.cause_of_run(),
                };
                if let (Some(cause), Some(active)) = (cause, node.lock_active()) {
                    active.mark_cancelled(cause, held);
                }
            }
            let mut links = node.links();
            // Still true for a worker that its run is about to release: it keeps what hangs on it.
            let is_active = node.state_locked(&links) == ACTIVE;
            if held == Held(false) {
                links.held = held;
            }
            let is_held = links.held == Held(true);
            let closed = links.get().and_then(|attached| {
                // Upgraded into a list that outlives the lock: the last reference to a child may be
                // among these, and the drop of a node locks its parent.
                pending.extend(attached.live_children());
                (!is_active).then(|| attached.close(is_held))
            });
            drop(links);
            for callback in closed.unwrap_or_default().into_callbacks() {
                callbacks.push((Arc::clone(&node), callback));
            }
            next = pending.pop();
        }
        if held == Held(false) {
            // The whole subtree is marked, so no thread needs to reach it from above any more.
            self.unlink_from_parent();
        }
        Callbacks(callbacks)
    }

    /// Releases the token of a run that has ended. Returns a panic that a callback left behind for
    /// the run, or one that happens here.
    ///
    /// If the token is active, this wakes its waiters and drops its callbacks without running them,
    /// and does the same to the user's tokens below it. Runs below it go on, and can still be
    /// cancelled from the tokens above. If the token is cancelled, it stays cancelled.
    pub(crate) fn release(self: &Arc<Self>) -> Option<Payload> {
        let mut pending = Vec::new();
        let mut panic = self.release_one(&mut pending);
        // The thread that cancelled the run may not have reached every descendant yet. It is not
        // waited for: this thread does the rest, so that no token of the run is left active.
        if let Some(cause) = self.cause() {
            // Callbacks that are held back are left to the run above, for an item of which this run
            // is a part.
            let held = self.links().held;
            let callbacks = self.close_subtree(&cause, held);
            callbacks.run(&mut |_, payload| first_panic(&mut panic, Some(payload)));
        }
        while let Some(node) = pending.pop() {
            // The token of a run below is released at the end of that run.
            if node.owner != Owner::Run {
                let later = node.release_one(&mut pending);
                first_panic(&mut panic, later);
            }
        }
        panic
    }

    /// Releases this node alone, if it is active, and adds its children to `pending`.
    fn release_one(&self, pending: &mut Vec<Arc<Node>>) -> Option<Payload> {
        let mut links = self.links();
        let is_active = self.state_locked(&links) == ACTIVE;
        if is_active {
            // Relaxed: a release publishes nothing, and does not change what `is_cancelled`
            // returns.
            self.state.store(RELEASED, Ordering::Relaxed);
        }
        let attached = links.get()?;
        // Taken from a cancelled node too: a deadline leaves the panics of its callbacks there.
        let mut panic = attached.orphaned_panic.take();
        if is_active {
            pending.extend(attached.live_children());
            let closed = attached.close(false);
            // The closures are the user's data, which is never dropped under a lock.
            drop(links);
            for callback in closed.into_callbacks() {
                // Caught, because the waiters of the other nodes must be woken in any case.
                first_panic(&mut panic, drop_catching(callback.take()));
            }
        }
        panic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::node::Registered;

    /// Two propagations, of which the second reaches a worker first.
    #[test]
    fn a_worker_has_the_cause_of_its_run() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let worker = run.worker();
        run.lock_active()
            .unwrap()
            .mark_cancelled(Cause::Deadline, Held(false));
        parent.cancel(&Cause::Requested(None), &mut |_, _| ());
        assert!(matches!(worker.cause(), Some(Cause::Deadline)));
    }

    /// A propagation that passes a run which has just ended, and has not released its workers yet.
    #[test]
    fn a_worker_of_a_run_that_has_ended_is_not_cancelled() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let worker = run.worker();
        let below = Node::of_run(Some(&worker));
        let callback = Arc::new(Callback::new(Box::new(|| unreachable!())));
        assert!(matches!(worker.register(&callback), Registered::Waiting(_)));
        assert!(run.release_one(&mut Vec::new()).is_none());
        parent.cancel(&Cause::Requested(None), &mut |_, _| ());
        assert!(!worker.is_cancelled());
        assert!(callback.take().is_some());
        assert!(below.is_cancelled(), "a run below can still be cancelled");
    }

    #[test]
    fn all_nodes_are_cancelled_before_a_callback_runs() {
        let (first, second) = (Node::root(), Node::root());
        let other = Arc::clone(&second);
        let callback = Arc::new(Callback::new(Box::new(move || {
            assert!(other.is_cancelled());
        })));
        assert!(matches!(first.register(&callback), Registered::Waiting(_)));
        let nodes = [(&first, Held(false)), (&second, Held(true))].into_iter();
        Node::cancel_all(nodes, &Cause::Failed, &mut |_| {
            panic!("the callback failed")
        });
        assert!(callback.take().is_none(), "it has run");
    }

    #[test]
    fn a_node_is_locked_only_while_it_is_active() {
        let (cancelled, released) = (Node::root(), Node::of_run(None));
        let active = cancelled.lock_active().expect("a new node is active");
        assert!(!cancelled.is_cancelled());
        active.cancel(&Cause::Failed, &mut |_, _| ());
        assert!(cancelled.is_cancelled() && cancelled.lock_active().is_none());
        assert!(released.release().is_none());
        assert!(!released.is_cancelled() && released.lock_active().is_none());
    }
}
