//! What a node's lock guards: plain bookkeeping.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::Node;
use super::keyed::Keyed;
use crate::panic::Payload;
use crate::token::Cause;
use crate::token::callback::Callback;

#[derive(Default)]
pub(super) struct Links {
    /// Why the node is cancelled, once it is.
    pub(super) cause: Option<Cause>,
    /// Whether the callbacks wait, although the node is cancelled.
    pub(super) held: Held,
    /// Boxed and made on demand: nothing is ever attached to most tokens, and every run pays for
    /// the creation of its token.
    attached: Option<Box<Attached>>,
}

/// Whether callbacks are held back: those of later items, while an earlier item runs that has not
/// failed, and that must not notice a failure after it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held(pub(crate) bool);

/// A value that does its work when it is dropped. Behind a `dyn`, so that a program in which no
/// token has one is linked without its code.
pub(super) type OnDrop = Box<dyn Send + Sync>;

#[derive(Default)]
pub(super) struct Attached {
    last_key: u64,
    pub(super) children: Keyed<Weak<Node>>,
    pub(super) callbacks: Keyed<Arc<Callback>>,
    /// The sender of the `done` channel. Its drop wakes the threads that wait for the receiver.
    pub(super) done: Option<OnDrop>,
    pub(super) deadline: Option<Instant>,
    /// The entry of the timer's queue.
    pub(super) timer: Option<OnDrop>,
    /// The panic of a callback that ran for a deadline. The run returns it when it ends.
    pub(super) orphaned_panic: Option<Payload>,
}

impl Links {
    /// Nothing is attached to the node, and it was never cancelled.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.cause.is_none() && self.attached.is_none()
    }

    /// What is attached to the node. `None` if nothing ever was.
    pub(super) fn get(&mut self) -> Option<&mut Attached> {
        self.attached.as_deref_mut()
    }

    pub(super) fn get_or_insert(&mut self) -> &mut Attached {
        self.attached.get_or_insert_default()
    }
}

impl Attached {
    /// A key that no child and no callback of this node has had before. Never zero.
    pub(super) fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    pub(super) fn live_children(&self) -> impl Iterator<Item = Arc<Node>> {
        self.children.values().filter_map(Weak::upgrade)
    }

    /// Closes the `done` channel, and takes the timer entry and, unless they are held back, the
    /// callbacks. The caller runs or drops them without the lock. For a node that is no longer
    /// active; later calls find only what was registered since.
    pub(super) fn close(&mut self, is_held: bool) -> Closed {
        // Under the lock, so that the next thread to take it finds the channel closed. It only
        // wakes threads: no user code runs.
        self.done = None;
        Closed {
            callbacks: (!is_held).then(|| self.callbacks.take().collect()),
            _timer: self.timer.take(),
        }
    }
}

/// What was attached to a node that is no longer active.
#[derive(Default)]
pub(super) struct Closed {
    callbacks: Option<Vec<Arc<Callback>>>,
    /// Only to be dropped: that removes the entry from the timer's queue.
    _timer: Option<OnDrop>,
}

impl Closed {
    pub(super) fn into_callbacks(self) -> impl Iterator<Item = Arc<Callback>> {
        self.callbacks.into_iter().flatten()
    }
}
