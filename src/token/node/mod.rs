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

mod attach;
mod cancel;
mod links;

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

pub(super) use self::attach::Registered;
use self::links::Links;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::channel::Receiver;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::token::Cause;

const ACTIVE: u8 = 0;
const CANCELLED: u8 = 1;
const RELEASED: u8 = 2;

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
    Worker,
}

/// Whether a node is cancelled.
#[derive(Clone, Copy)]
pub(crate) struct Flag<'n>(&'n AtomicU8);

impl Flag<'_> {
    #[inline]
    pub(crate) fn is_set(self) -> bool {
        // Relaxed: who sees it drops an item and reads nothing that the trigger has written.
        self.0.load(Ordering::Relaxed) == CANCELLED
    }
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
        self.new_child(Owner::User)
    }

    /// The node of a run, below the token that the policy names. The token of a run that is over
    /// can no longer cancel anything; the tokens above it can.
    pub(super) fn of_run(mut parent: Option<&Arc<Node>>) -> Arc<Node> {
        while let Some(above) = parent {
            let node = above.new_child(Owner::Run);
            if !node.is_released() {
                return node;
            }
            parent = above.parent.as_ref().map(|(parent, _)| parent);
        }
        Arc::new(Node::new(Owner::Run, ACTIVE, None))
    }

    pub(super) fn worker(self: &Arc<Self>) -> Arc<Node> {
        self.new_child(Owner::Worker)
    }

    /// The node that is meant where a user cancels this one: an item that cancels does so to its
    /// whole run. `None` if the item has nothing to say any more, because one below it failed.
    pub(super) fn target(self: &Arc<Self>) -> Option<&Arc<Node>> {
        match (self.owner, &self.parent) {
            (Owner::Worker, Some((run, _))) => (!self.is_cancelled()).then_some(run),
            _ => Some(self),
        }
    }

    fn new_child(self: &Arc<Self>, owner: Owner) -> Arc<Node> {
        let mut links = self.links();
        let state = self.state_locked(&links);
        if state == ACTIVE {
            let attached = links.get_or_insert();
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

    fn unlink_from_parent(&self) {
        if let Some((parent, key)) = &self.parent {
            let mut links = parent.links();
            let child = links
                .get()
                .and_then(|attached| attached.children.remove(key));
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
    fn state_locked(&self, _links: &Links) -> u8 {
        // Relaxed: the lock orders this load after the store that it reads.
        self.state.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire pairs with the Release store in `cancel.rs`, `trigger`.
        self.state.load(Ordering::Acquire) == CANCELLED
    }

    /// The state alone, for a loop that asks before every item and would fetch the node each time.
    #[inline]
    pub(crate) fn flag(&self) -> Flag<'_> {
        Flag(&self.state)
    }

    pub(super) fn is_released(&self) -> bool {
        // Relaxed: a finished node publishes nothing.
        self.state.load(Ordering::Relaxed) == RELEASED
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        self.is_cancelled().then(|| self.links().cause.clone())?
    }

    /// Of a lane: why its run is cancelled, if it is. The lane's cause is the same, whichever of
    /// several walks reaches it first.
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
    fn a_node_forgets_what_is_gone() {
        let parent = Node::root();
        let children = |count| assert_eq!(parent.links().get_or_insert().children.len(), count);

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
