//! The tree of nodes behind the tokens.
//!
//! A node is active until it is cancelled or finished, and then stays so for ever. Cancelling
//! walks down the tree, finishing too; nothing ever goes up.
//!
//! Invariants:
//!
//! 1. `state` changes only under the lock of `links`, and only away from `ACTIVE`. Whoever changes
//!    it decides the trigger, and what the trigger leaves behind (an item's error) is stored first.
//! 2. A node stands in its parent's `children` from its birth under the parent's lock until it is
//!    dropped or *its whole subtree is flagged*. So a walk from above meets every descendant that
//!    nobody has flagged yet, even below a node that is finished or that somebody else is
//!    cancelling, and when the trigger's `cancel` returns, no descendant is active.
//! 3. A child owns its parent, a parent only knows its children: dropping a token in the middle of
//!    the tree cuts nobody off, and dropping the last handle of a leaf frees the path above it.
//! 4. Callbacks, the `done` channel and the timer's entry are taken by the first walk that comes by,
//!    so each callback runs at most once.
//!
//! Lock order: a node's `links`, then the run's failure or the timer's queue. No two nodes are ever
//! locked at once. Callbacks run, and user data is dropped, with no lock held.
//!
//! Memory order: `state` is stored with `Release` and loaded with `Acquire`, so who sees the
//! cancellation sees what its cause wrote before. Everything else is behind the lock.
//!
//! Walks and drops are loops over an explicit list: a tree may be as deep as memory allows.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use super::callback::Callback;
use super::links::Links;
use super::timer;
use crate::error::{Cause, Payload, discard, keep_first};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::channel::{Receiver, bounded};
use crate::sync::{Mutex, MutexGuard, lock};

const ACTIVE: u8 = 0;
const CANCELLED: u8 = 1;
const FINISHED: u8 = 2;

pub(crate) struct Node {
    state: AtomicU8,
    owner: Owner,
    /// The parent, and this node's key among its children.
    parent: Option<(Arc<Node>, u64)>,
    links: Mutex<Links>,
    /// The receiving end of the `done` channel, made when first asked for.
    done: OnceLock<Receiver<Infallible>>,
}

/// Whose a node is: this decides what becomes of it when the run above it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A token that the user made. It ends with the run that it hangs below.
    User,
    /// The token of a run. It goes on without its parent, as its own run does.
    Run,
    /// The token of one lane of a run: its parent's in all that a user asks of it, but for being
    /// cancelled when an item below the lane's fails.
    Lane,
}

/// Whether a node is cancelled.
#[derive(Clone, Copy)]
pub(crate) struct Flag<'n>(&'n AtomicU8);

impl Flag<'_> {
    #[inline]
    pub(crate) fn is_raised(self) -> bool {
        // Relaxed: who sees it drops an item and reads nothing that the trigger has written.
        self.0.load(Ordering::Relaxed) == CANCELLED
    }
}

/// What became of a registration.
pub(super) enum Registered {
    /// It waits, under this key.
    Waiting(u64),
    /// The node is cancelled already.
    Late,
    /// The node's run is over; nothing will ever cancel it.
    Never,
}

/// Birth and death.
impl Node {
    fn new(owner: Owner, state: u8, parent: Option<(Arc<Node>, u64)>) -> Node {
        Node {
            state: AtomicU8::new(state),
            owner,
            parent,
            links: Mutex::new(Links::default()),
            done: OnceLock::new(),
        }
    }

    pub(super) fn root() -> Arc<Node> {
        Arc::new(Node::new(Owner::User, ACTIVE, None))
    }

    pub(super) fn child(self: &Arc<Self>) -> Arc<Node> {
        self.born(Owner::User)
    }

    /// The node of a run, below the token that the policy names. The token of a run that is over
    /// can no longer cancel anything; the tokens above it can.
    pub(super) fn of_run(mut parent: Option<&Arc<Node>>) -> Arc<Node> {
        while let Some(above) = parent {
            let node = above.born(Owner::Run);
            if !node.is_finished() {
                return node;
            }
            parent = above.parent.as_ref().map(|(parent, _)| parent);
        }
        Arc::new(Node::new(Owner::Run, ACTIVE, None))
    }

    pub(super) fn lane(self: &Arc<Self>) -> Arc<Node> {
        self.born(Owner::Lane)
    }

    /// The node that is meant where a user cancels this one: an item that cancels does so to its
    /// whole run. `None` if the item has nothing to say any more, because one below it failed.
    pub(super) fn addressed(self: &Arc<Self>) -> Option<&Arc<Node>> {
        match (self.owner, &self.parent) {
            (Owner::Lane, Some((run, _))) => (!self.is_cancelled()).then_some(run),
            _ => Some(self),
        }
    }

    fn born(self: &Arc<Self>, owner: Owner) -> Arc<Node> {
        let mut links = self.links();
        let state = self.state_under(&links);
        if state == ACTIVE {
            let attached = links.attached();
            let key = attached.new_key();
            let child = Arc::new(Node::new(owner, ACTIVE, Some((Arc::clone(self), key))));
            attached.children.insert(key, Arc::downgrade(&child));
            return child;
        }
        let inherited = links.cause.as_ref().map(Cause::inherited);
        drop(links);
        // Key 0 is no child's: nobody above needs to reach a node that has ended.
        let child = Node::new(owner, state, Some((Arc::clone(self), 0)));
        child.links().cause = inherited;
        Arc::new(child)
    }

    fn leave_parent(&self) {
        if let Some((parent, key)) = &self.parent {
            let mut links = parent.links();
            let child = links
                .peek()
                .and_then(|attached| attached.children.remove(key));
            drop(links);
            drop(child);
        }
    }

    fn take_parent(&mut self) -> Option<Arc<Node>> {
        self.leave_parent();
        self.parent.take().map(|(parent, _)| parent)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Parents that only this node held are taken apart here, one by one, not by recursion.
        let mut next = self.take_parent();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.take_parent();
        }
    }
}

/// State and cause.
impl Node {
    fn links(&self) -> MutexGuard<'_, Links> {
        lock(&self.links)
    }

    /// The state, for one who holds the lock: stable, since every change is made under it.
    fn state_under(&self, _links: &Links) -> u8 {
        // Relaxed: the lock orders this load after the store that it reads.
        self.state.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire pairs with the Release store in `trigger`.
        self.state.load(Ordering::Acquire) == CANCELLED
    }

    /// The state alone, for a loop that asks before every item and would fetch the node each time.
    #[inline]
    pub(crate) fn flag(&self) -> Flag<'_> {
        Flag(&self.state)
    }

    pub(super) fn is_finished(&self) -> bool {
        // Relaxed: a finished node publishes nothing.
        self.state.load(Ordering::Relaxed) == FINISHED
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        self.is_cancelled().then(|| self.links().cause.clone())?
    }

    /// Of a lane: why its run is cancelled, if it is. The lane's cause is the same, whichever of
    /// several walks reaches it first.
    fn cause_of_run(&self) -> Option<Cause> {
        let run = self.above().filter(|_| self.owner == Owner::Lane)?;
        run.cause()
    }

    fn above(&self) -> Option<&Node> {
        self.parent.as_ref().map(|(parent, _)| &**parent)
    }
}

/// Cancelling and finishing.
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
            self.walk(cause, on_panic);
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
                callbacks.append(&mut node.flag_descendants(cause));
            }
        }
        for (_, callback) in callbacks {
            callback.run(&mut on_panic);
        }
    }

    /// Flags everything below this node, which is cancelled, and runs the callbacks.
    fn walk(self: &Arc<Self>, cause: &Cause, mut on_panic: impl FnMut(&Node, Payload)) {
        for (node, callback) in self.flag_descendants(cause) {
            callback.run(|payload| on_panic(&node, payload));
        }
    }

    /// Cancels a lane whose run is cancelled, if whoever does that has not come so far.
    pub(super) fn follow(self: &Arc<Self>, on_panic: impl FnMut(&Node, Payload)) {
        if let Some(cause) = self.cause_of_run() {
            self.cancel(&cause, || (), on_panic);
        }
    }

    /// Cancels this node if it is active (invariant 1) and `record` says so.
    fn trigger(&self, cause: &Cause, record: impl FnOnce() -> bool) -> bool {
        let mut links = self.links();
        let is_trigger = self.state_under(&links) == ACTIVE && record();
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
        if self.state_under(&links) == ACTIVE {
            record();
        }
    }

    /// Flags the subtree, wakes its waiters, and returns the callbacks to be run.
    fn flag_descendants(self: &Arc<Self>, cause: &Cause) -> Vec<(Arc<Node>, Arc<Callback>)> {
        let inherited = OnceLock::new();
        let (mut callbacks, mut pending) = (Vec::new(), Vec::new());
        let mut next = Some(Arc::clone(self));
        while let Some(node) = next {
            if !Arc::ptr_eq(&node, self) {
                // A child that is cancelled already is walked all the same (invariant 2).
                match (node.owner, node.cause_of_run()) {
                    (Owner::Lane, Some(cause)) => node.trigger(&cause, || true),
                    // Its run has just ended, and releases it.
                    (Owner::Lane, None) => false,
                    _ => node.trigger(inherited.get_or_init(|| cause.inherited()), || true),
                };
            }
            let mut links = node.links();
            let is_active = node.state_under(&links) == ACTIVE;
            let settled = links.peek().and_then(|attached| {
                // What is upgraded is dropped without the lock, which its drop would take.
                pending.extend(attached.living_children());
                (!is_active).then(|| attached.settle())
            });
            drop(links);
            for callback in settled.unwrap_or_default().into_callbacks() {
                callbacks.push((Arc::clone(&node), callback));
            }
            next = pending.pop();
        }
        self.leave_parent();
        callbacks
    }

    /// Ends the token of a run: wakes the waiters, drops the callbacks unrun, and does the same to
    /// the tokens the user hung below it. Runs below it go on, and the tokens above still reach them.
    /// If it was cancelled, it stays so, and the walk of whoever cancelled it is done to its end
    /// here too, since that one may be on his way still. Returns a panic that was left here for the
    /// run, or that a callback, or its drop, ended with.
    pub(crate) fn finish(self: &Arc<Self>) -> Option<Payload> {
        let mut pending = Vec::new();
        let mut first_panic = self.release(&mut pending);
        if let Some(cause) = self.cause() {
            self.walk(&cause, |_, payload| {
                keep_first(&mut first_panic, Some(payload));
            });
        }
        while let Some(node) = pending.pop() {
            if node.owner != Owner::Run {
                let panic = node.release(&mut pending);
                keep_first(&mut first_panic, panic);
            }
        }
        first_panic
    }

    fn release(&self, pending: &mut Vec<Arc<Node>>) -> Option<Payload> {
        let mut links = self.links();
        let active = self.state_under(&links) == ACTIVE;
        if active {
            // Relaxed: nothing is published with it; `is_cancelled` answers as before.
            self.state.store(FINISHED, Ordering::Relaxed);
        }
        let attached = links.peek()?;
        let mut first_panic = attached.stray_panic.take();
        if active {
            pending.extend(attached.living_children());
            let settled = attached.settle();
            drop(links);
            for callback in settled.into_callbacks() {
                // Those who wait on the other tokens must be woken whatever a callback's drop does.
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(callback.take())));
                keep_first(&mut first_panic, dropped.err());
            }
        }
        first_panic
    }
}

/// What can be hung on a node.
impl Node {
    pub(super) fn done(&self) -> &Receiver<Infallible> {
        if let Some(done) = self.done.get() {
            return done;
        }
        let (sender, mut receiver) = bounded(0);
        let mut links = self.links();
        if self.state_under(&links) == ACTIVE {
            // Of two that make it at the same time, both have the same.
            let (_, first) = links.attached().done.get_or_insert((sender, receiver));
            receiver = first.clone();
        }
        drop(links);
        self.done.get_or_init(|| receiver)
    }

    pub(super) fn register(&self, callback: &Arc<Callback>) -> Registered {
        let mut links = self.links();
        match self.state_under(&links) {
            ACTIVE => {
                let attached = links.attached();
                let key = attached.new_key();
                attached.callbacks.insert(key, Arc::clone(callback));
                Registered::Waiting(key)
            }
            CANCELLED => Registered::Late,
            _ => Registered::Never,
        }
    }

    pub(super) fn unregister(&self, key: u64) {
        let mut links = self.links();
        let callback = links
            .peek()
            .and_then(|attached| attached.callbacks.remove(&key));
        drop(links);
        drop(callback);
    }

    /// Makes `at` the deadline, unless an earlier one is set. `false` if it has passed already:
    /// then the caller cancels.
    pub(super) fn set_deadline(self: &Arc<Self>, at: Instant) -> bool {
        let passed = at <= Instant::now();
        let mut links = self.links();
        if self.state_under(&links) == ACTIVE {
            let attached = links.attached();
            if attached.deadline.is_none_or(|earlier| at < earlier) {
                // First, since it may panic: then the token has the deadline that it had.
                let timer = (!passed).then(|| {
                    timer::Entry::new(at, Arc::downgrade(self) as Weak<dyn timer::Expire>)
                });
                attached.deadline = Some(at);
                attached.timer = timer;
            }
        }
        !passed
    }

    /// The earliest deadline on the way to the root.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (mut earliest, mut next) = (None, Some(self));
        while let Some(node) = next {
            let mut links = node.links();
            if node.state_under(&links) != FINISHED {
                let own = links.peek().and_then(|attached| attached.deadline);
                earliest = own.into_iter().chain(earliest).min();
            }
            drop(links);
            next = node.above();
        }
        earliest
    }

    fn leave_panic(&self, payload: Payload) {
        let mut links = self.links();
        let first = &mut links.attached().stray_panic;
        let later = if first.is_none() {
            first.replace(payload)
        } else {
            Some(payload)
        };
        drop(links);
        if let Some(later) = later {
            discard(later);
        }
    }
}

impl timer::Expire for Node {
    /// A panic of a callback is left at the run it was registered in: the timer cannot be told.
    fn expire(self: Arc<Self>) {
        self.cancel(
            &Cause::Deadline,
            || (),
            |node, payload| {
                let mut next = Some(node);
                while let Some(node) = next {
                    if node.owner == Owner::Run {
                        return node.leave_panic(payload);
                    }
                    next = node.above();
                }
                discard(payload);
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Derived from golang/go TestCancelRemoves and TestParentFinishesChild (BSD licence).
    #[test]
    fn a_node_forgets_what_is_gone() {
        let parent = Node::root();
        let children = |count| assert_eq!(parent.links().attached().children.len(), count);

        let (child, grandchild) = (parent.child(), parent.child().child());
        children(2);
        drop(child);
        children(1);
        drop(grandchild);
        children(0);

        let cancelled = parent.child();
        cancelled.cancel(&Cause::Failed, || (), |_, _| ());
        children(0);

        for _ in 0..1000 {
            let run = Node::of_run(Some(&parent));
            let helper = run.child();
            children(1);
            run.finish();
            assert!(helper.is_finished());
        }
        children(0);
        assert_eq!(parent.links().attached().callbacks.len(), 0);
    }

    /// Two walks, of which the second comes first to where the first has not been yet.
    #[test]
    fn a_lane_has_the_cause_of_its_run() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let lane = run.lane();
        assert!(run.trigger(&Cause::Deadline, || true));
        parent.cancel(&Cause::Requested(None), || (), |_, _| ());
        assert!(matches!(lane.cause(), Some(Cause::Deadline)));
    }

    /// A walk that goes on below a run which has just ended, and has not released its lanes yet.
    #[test]
    fn a_lane_of_a_run_that_has_ended_is_not_cancelled() {
        let parent = Node::root();
        let run = Node::of_run(Some(&parent));
        let lane = run.lane();
        let below = Node::of_run(Some(&lane));
        let callback = Arc::new(Callback::new(Box::new(|| unreachable!())));
        assert!(matches!(lane.register(&callback), Registered::Waiting(_)));
        assert!(run.release(&mut Vec::new()).is_none());
        parent.cancel(&Cause::Requested(None), || (), |_, _| ());
        assert!(!lane.is_cancelled());
        assert!(callback.take().is_some());
        assert!(below.is_cancelled(), "the tokens above reach what goes on");
    }

    #[test]
    fn the_timer_forgets_what_is_gone() {
        let hour = Instant::now() + Duration::from_secs(3600);
        let sooner = hour.checked_sub(Duration::from_secs(1)).unwrap();
        let parent = Node::root();
        for _ in 0..1000 {
            let (dropped, cancelled) = (parent.child(), parent.child());
            let finished = Node::of_run(Some(&parent));
            for node in [&dropped, &cancelled, &finished] {
                assert!(node.set_deadline(hour));
                assert!(node.set_deadline(sooner));
            }
            cancelled.cancel(&Cause::Failed, || (), |_, _| ());
            finished.finish();
        }
        assert_eq!(timer::waiting_until(hour), 0);
    }
}
