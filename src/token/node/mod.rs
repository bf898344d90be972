//! The tree of nodes behind the tokens.
//!
//! A node is active until it is cancelled or released, and both are final. Cancelling and releasing
//! propagate down the tree. Nothing propagates up.
//!
//! Invariants:
//!
//! 1. `state` changes only under the lock of `links`, and only away from `ACTIVE`. So one call is
//!    the trigger, and it stores what belongs to the trigger (the cause, the error of an item)
//!    before it changes the state.
//! 2. A node is listed in its parent's `children` from its creation, under the parent's lock, until
//!    it is dropped or *its whole subtree is marked*. So a propagation from an ancestor reaches
//!    every descendant that is not marked yet, even below a node that is released, or that another
//!    thread is cancelling. When the `cancel` of the trigger returns, no descendant is active.
//! 3. A child owns its parent, while a parent holds its children weakly. So dropping a token in the
//!    middle of the tree cuts no descendant off, and dropping the last handle of a leaf frees the
//!    path above it.
//! 4. Callbacks, the `done` channel and the timer entry are taken by the first propagation that
//!    reaches the node. So each callback runs at most once. A propagation may hold the callbacks
//!    back (`Links::held`): then a later one takes them, and until then the node stays listed.
//!
//! Lock order: the `links` of a node, then the record of the run or the queue of the timer. No
//! thread holds the locks of two nodes. No lock is held while a callback runs or user data is
//! dropped.
//!
//! Memory order: a cancellation stores `state` with `Release`, and `is_cancelled` loads it with
//! `Acquire`. So a thread that sees the cancellation also sees what happened before it. Everything
//! apart from `state` is behind the lock.
//!
//! Propagation and drops are loops over an explicit list, because a tree may be as deep as memory
//! allows.

mod attach;
mod cancel;
mod cut;
mod keyed;
mod links;
mod spare;

use std::sync::{Arc, OnceLock, PoisonError};

use self::attach::Done;
pub(super) use self::attach::Registered;
pub(crate) use self::links::Held;
use self::links::Links;
pub(super) use self::spare::keep as keep_spare;
use crate::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::token::Cause;

const ACTIVE: u8 = 0;
const CANCELLED: u8 = 1;
const RELEASED: u8 = 2;

/// What a worker is signalled to do: see [`Signal`].
const STOP: u8 = 1;
const HAND_OVER: u8 = 2;
const LOOK_AT_CUT: u8 = 4;

pub(crate) struct Node {
    state: AtomicU8,
    signal: AtomicU8,
    /// Of a worker that looks at a cut: the index of the item that it runs, or is about to run. It
    /// only rises; a worker that goes back to earlier items has a new token.
    position: AtomicUsize,
    owner: Owner,
    /// The parent, and this node's key among its children.
    parent: Option<(Arc<Node>, u64)>,
    links: Mutex<Links>,
    /// The receiving end of the `done` channel, made by the first call of `done`.
    done: OnceLock<Box<dyn Done>>,
}

/// What a node belongs to. This decides what happens to it when the run above it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A token that the user made. It is released with the run above it.
    User,
    /// The token of a run. It stays active when a run above it ends, as its own run does.
    Run,
    /// The token of one worker of a run in order. To the user it stands for the run's token, except
    /// that it is also cancelled when an item before the worker's own fails.
    Worker,
}

/// What a loop over items checks before each of them: whether the node is cancelled, or its worker
/// is called to hand over items, or is to compare each item with a cut. One byte for all, since the
/// check is part of what an item costs.
#[derive(Clone, Copy)]
pub(crate) struct Signal<'n>(&'n AtomicU8);

impl Signal<'_> {
    #[inline]
    pub(crate) fn is_raised(self) -> bool {
        // Relaxed, so it pairs with no store. A worker that sees the signal looks at the state
        // before it drops an item (`Node::stops_worker`). An item of the stealing engine is dropped
        // at once: who learns of that has joined its job, and takes the lock of the node.
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether the worker is called, and not cancelled.
    pub(crate) fn is_call(self) -> bool {
        // Relaxed: see `is_raised`.
        self.0.load(Ordering::Relaxed) & (STOP | HAND_OVER) == HAND_OVER
    }

    /// Whether the worker should read no more of its source for now: it is cancelled or called.
    pub(crate) fn ends_reading(self) -> bool {
        // Relaxed: see `is_raised`.
        self.0.load(Ordering::Relaxed) & (STOP | HAND_OVER) != 0
    }
}

/// Creation and drop.
impl Node {
    fn new(owner: Owner, state: u8, parent: Option<(Arc<Node>, u64)>) -> Node {
        Node {
            state: AtomicU8::new(state),
            signal: AtomicU8::new(if state == CANCELLED { STOP } else { 0 }),
            position: AtomicUsize::new(0),
            owner,
            parent,
            links: Mutex::new(Links::default()),
            done: OnceLock::new(),
        }
    }

    fn with_cause(mut self, cause: Option<Cause>, held: Held) -> Node {
        let links = self.links.get_mut();
        let links = links.unwrap_or_else(PoisonError::into_inner);
        (links.cause, links.held) = (cause, held);
        self
    }

    pub(super) fn root() -> Arc<Node> {
        Arc::new(Node::new(Owner::User, ACTIVE, None))
    }

    pub(super) fn child(self: &Arc<Self>) -> Arc<Node> {
        self.new_child(Owner::User)
    }

    /// The node of a run, below the token that the policy names, if it names one.
    pub(super) fn of_run(mut parent: Option<&Arc<Node>>) -> Arc<Node> {
        while let Some(ancestor) = parent {
            let node = ancestor.new_child(Owner::Run);
            if !node.is_released() {
                return node;
            }
            // The token of a run that has ended cancels nothing any more, but its ancestors can.
            parent = ancestor.parent.as_ref().map(|(parent, _)| parent);
        }
        spare::take().unwrap_or_else(|| Arc::new(Node::new(Owner::Run, ACTIVE, None)))
    }

    pub(super) fn worker(self: &Arc<Self>) -> Arc<Node> {
        self.new_child(Owner::Worker)
    }

    /// The node to cancel when the user cancels this one: an item that cancels its token cancels
    /// its whole run. `None` if the item can no longer cancel the run, because an earlier item
    /// failed.
    pub(super) fn target(self: &Arc<Self>) -> Option<&Arc<Node>> {
        match (self.owner, &self.parent) {
            (Owner::Worker, Some((run, _))) => (!self.is_cancelled()).then_some(run),
            _ => Some(self),
        }
    }

    fn new_child(self: &Arc<Self>, owner: Owner) -> Arc<Node> {
        let mut links = self.links();
        let (state, held) = (self.state_locked(&links), links.held);
        let inherited = links.cause.as_ref().map(Cause::inherited);
        if state == ACTIVE || held == Held(true) {
            // Listed under the lock, so that a propagation that starts later finds the child
            // (invariant 2).
            let attached = links.get_or_insert();
            let key = attached.new_key();
            let child = Node::new(owner, state, Some((Arc::clone(self), key)));
            if owner == Owner::Worker {
                // Relaxed: this node's signal is set under the lock, and the child is new.
                let looks = self.signal.load(Ordering::Relaxed) & LOOK_AT_CUT;
                child.signal.fetch_or(looks, Ordering::Relaxed);
            }
            let child = Arc::new(child.with_cause(inherited, held));
            attached.children.push(key, Arc::downgrade(&child));
            return child;
        }
        // Otherwise the state of this node is final, and the child starts in it.
        drop(links);
        // Not listed, since no ancestor needs to reach it. Key 0 is never used in a list.
        let child = Node::new(owner, state, Some((Arc::clone(self), 0)));
        Arc::new(child.with_cause(inherited, held))
    }

    /// For [`CancelToken::is_untouched`](crate::CancelToken).
    #[inline]
    pub(super) fn is_untouched(&mut self) -> bool {
        let links = self.links.get_mut();
        let links = links.unwrap_or_else(PoisonError::into_inner);
        // Relaxed: nobody else has the node.
        let is_signalled = self.signal.load(Ordering::Relaxed) != 0;
        self.parent.is_none() && links.is_empty() && !is_signalled
    }

    /// Removes this node from its parent's list of children.
    fn unlink_from_parent(&self) {
        if let Some((parent, key)) = &self.parent {
            let mut links = parent.links();
            let child = links
                .get()
                .and_then(|attached| attached.children.remove(*key));
            drop(links);
            drop(child);
        }
    }

    fn take_parent(&mut self) -> Option<Arc<Node>> {
        self.unlink_from_parent();
        self.parent.take().map(|(parent, _)| parent)
    }
}

impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        if self.parent.is_none() {
            return;
        }
        // A parent that only this node owned is taken apart here, and then its own parent: a drop
        // of the field would recurse.
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

    /// The state, stable while the caller holds the lock: it changes only under the lock.
    fn state_locked(&self, _links: &Links) -> u8 {
        // Relaxed: the lock orders this load after every store, since stores happen under the lock.
        self.state.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire pairs with the Release store in `Active::mark_cancelled`.
        self.state.load(Ordering::Acquire) == CANCELLED
    }

    /// For a loop that checks it before every item: without the way through the token to its node
    /// each time.
    #[inline]
    pub(crate) fn signal(&self) -> Signal<'_> {
        Signal(&self.signal)
    }

    /// Whether the worker that has this token drops what it has not begun.
    #[inline]
    pub(crate) fn stops_worker(&self) -> bool {
        // The state is asked too, for its Acquire: it pairs with the Release store of the thread
        // that cancels the run. That thread has marked the run before, so whoever learns from this
        // worker that an item was dropped sees that the run is cancelled.
        self.signal().is_raised() && self.is_cancelled()
    }

    /// Asks the worker that has this token to hand over items that it has not begun.
    pub(crate) fn call(&self) {
        // Relaxed, as the stores below: see `Signal::is_raised`.
        self.signal.fetch_or(HAND_OVER, Ordering::Relaxed);
    }

    /// The worker has ended its chunk.
    pub(crate) fn end_call(&self) {
        // Relaxed: see `Signal::is_raised`.
        self.signal.fetch_and(!HAND_OVER, Ordering::Relaxed);
    }

    pub(super) fn is_released(&self) -> bool {
        // Relaxed: a release publishes nothing, and `of_run` reads the state of a node that it has
        // made itself.
        self.state.load(Ordering::Relaxed) == RELEASED
    }

    #[inline]
    pub(super) fn cause(&self) -> Option<Cause> {
        self.is_cancelled().then(|| self.links().cause.clone())?
    }

    /// For the token of a worker: why its run is cancelled, if it is. A worker that is cancelled
    /// with its run gets the cause of the run, whichever of several propagations reaches it first.
    fn cause_of_run(&self) -> Option<Cause> {
        let run = self.parent().filter(|_| self.owner == Owner::Worker)?;
        run.cause()
    }

    fn parent(&self) -> Option<&Node> {
        self.parent.as_ref().map(|(parent, _)| &**parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::callback::Callback;

    /// Derived from golang/go TestCancelRemoves and TestParentFinishesChild (BSD licence).
    #[test]
    fn a_node_forgets_what_has_ended() {
        let parent = Node::root();
        let children = |count| assert_eq!(parent.links().get_or_insert().children.len(), count);

        let (child, grandchild) = (parent.child(), parent.child().child());
        children(2);
        drop(child);
        children(1);
        drop(grandchild);
        children(0);

        let cancelled = parent.child();
        cancelled.cancel(&Cause::Failed, &mut |_, _| ());
        children(0);

        for _ in 0..1000 {
            let run = Node::of_run(Some(&parent));
            let helper = run.child();
            children(1);
            run.release();
            assert!(helper.is_released());
        }
        children(0);

        let callbacks = |count| assert_eq!(parent.links().get_or_insert().callbacks.len(), count);
        callbacks(0);
        let callback = Arc::new(Callback::new(Box::new(|| unreachable!())));
        let Registered::Waiting(key) = parent.register(&callback) else {
            unreachable!()
        };
        callbacks(1);
        parent.unregister(key);
        callbacks(0);
    }
}
