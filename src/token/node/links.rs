//! What hangs on a node: bookkeeping for the one who holds the node's lock.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::Node;
use crate::panic::Payload;
use crate::sync::channel::{Receiver, Sender};
use crate::token::Cause;
use crate::token::callback::Callback;
use crate::token::timer;

#[derive(Default)]
pub(super) struct Links {
    /// Why the node is cancelled, once it is.
    pub(super) cause: Option<Cause>,
    /// Boxed and made on demand: most tokens belong to a run in which nobody hangs anything on
    /// them, and that run pays for the making of its token.
    attached: Option<Box<Attached>>,
}

#[derive(Default)]
pub(super) struct Attached {
    last_key: u64,
    pub(super) children: BTreeMap<u64, Weak<Node>>,
    pub(super) callbacks: BTreeMap<u64, Arc<Callback>>,
    /// Both ends of the `done` channel; the sending end is dropped to wake those who wait at the other.
    pub(super) done: Option<(Sender<Infallible>, Receiver<Infallible>)>,
    pub(super) deadline: Option<Instant>,
    pub(super) timer: Option<timer::Entry>,
    /// A panic of a callback that was run where nobody could be told; the run takes it.
    pub(super) orphaned_panic: Option<Payload>,
}

impl Links {
    pub(super) fn get_or_insert(&mut self) -> &mut Attached {
        self.attached.get_or_insert_default()
    }

    /// `None` as long as nothing was ever attached.
    pub(super) fn get(&mut self) -> Option<&mut Attached> {
        self.attached.as_deref_mut()
    }
}

impl Attached {
    /// A key that no child and no callback of this node has had; never zero.
    pub(super) fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    pub(super) fn live_children(&self) -> impl Iterator<Item = Arc<Node>> {
        self.children.values().filter_map(Weak::upgrade)
    }

    /// Wakes the waiters, and takes what else ends with the node's activity, to be dropped or run
    /// without the lock.
    pub(super) fn close(&mut self) -> Closed {
        // With the lock: whoever has it next finds the channel closed, and no user code is run.
        self.done = None;
        Closed {
            callbacks: std::mem::take(&mut self.callbacks),
            _timer: self.timer.take(),
        }
    }
}

/// What is left of a node that is no longer active.
#[derive(Default)]
pub(super) struct Closed {
    callbacks: BTreeMap<u64, Arc<Callback>>,
    _timer: Option<timer::Entry>,
}

impl Closed {
    pub(super) fn into_callbacks(self) -> impl Iterator<Item = Arc<Callback>> {
        self.callbacks.into_values()
    }
}
