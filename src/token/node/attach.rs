//! What users attach to a node: the `done` channel, callbacks, a deadline.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::links::{Held, OnDrop};
use super::{ACTIVE, CANCELLED, Node, Owner, RELEASED};
use crate::panic::{Payload, drop_payload};
use crate::sync::channel::{Receiver, bounded};
use crate::token::Cause;
use crate::token::callback::Callback;
use crate::token::callback_threads::Job;
use crate::token::timer;

/// The receiving end of a `done` channel. A trait, so that a program that never asks for one is
/// linked without the code of channels.
pub(super) trait Done: Send + Sync {
    fn receiver(&self) -> &Receiver<Infallible>;
}

impl Done for Receiver<Infallible> {
    fn receiver(&self) -> &Receiver<Infallible> {
        self
    }
}

/// The result of a registration.
pub(in crate::token) enum Registered {
    /// The callback waits under this key: the node is active, or holds its callbacks back.
    Waiting(u64),
    /// The node is cancelled, so the caller runs the callback.
    AlreadyCancelled,
    /// The node is released. Nothing will ever cancel it.
    AlreadyReleased,
}

impl Node {
    /// The receiving end of the `done` channel.
    pub(in crate::token) fn done(&self) -> &Receiver<Infallible> {
        // Without a lock after the first call.
        if let Some(done) = self.done.get() {
            return done.receiver();
        }
        let mut links = self.links();
        // Under the lock, so that of two threads the second finds the channel of the first.
        let done = self.done.get_or_init(|| {
            let (sender, receiver) = bounded(0);
            // Otherwise the sender is dropped before any thread gets the receiver: `done` is never
            // seen open on a node that was cancelled or released before.
            if self.state_locked(&links) == ACTIVE {
                links.get_or_insert().done = Some(Box::new(sender));
            }
            Box::new(receiver)
        });
        done.receiver()
    }

    pub(in crate::token) fn register(&self, callback: &Arc<Callback>) -> Registered {
        let mut links = self.links();
        match self.state_locked(&links) {
            state if state == ACTIVE || links.held == Held(true) => {
                let attached = links.get_or_insert();
                let key = attached.new_key();
                attached.callbacks.push(key, Arc::clone(callback));
                Registered::Waiting(key)
            }
            CANCELLED => Registered::AlreadyCancelled,
            _ => Registered::AlreadyReleased,
        }
    }

    pub(in crate::token) fn unregister(&self, key: u64) {
        let mut links = self.links();
        let callback = links
            .get()
            .and_then(|attached| attached.callbacks.remove(key));
        // The lock first: the closure is the user's data, which is never dropped under a lock.
        drop(links);
        drop(callback);
    }

    /// Makes `at` the deadline, unless there is an earlier one. Returns `false` if it has passed
    /// already: then the caller cancels.
    pub(in crate::token) fn set_deadline(self: &Arc<Self>, at: Instant) -> bool {
        let has_passed = at <= Instant::now();
        let mut links = self.links();
        if self.state_locked(&links) == ACTIVE {
            let attached = links.get_or_insert();
            if attached.deadline.is_none_or(|earlier| at < earlier) {
                // Before `deadline` is changed, because it panics if the timer thread cannot be
                // started: then the token keeps the deadline that it had.
                let timer = (!has_passed).then(|| {
                    let node = Arc::downgrade(self) as Weak<dyn timer::Expire>;
                    Box::new(timer::Entry::new(at, node)) as OnDrop
                });
                attached.deadline = Some(at);
                attached.timer = timer;
            }
        }
        !has_passed
    }

    /// The earliest deadline of this node and its ancestors.
    pub(in crate::token) fn deadline(&self) -> Option<Instant> {
        let (mut earliest, mut next) = (None, Some(self));
        while let Some(node) = next {
            let mut links = node.links();
            // A released node does not expire any more.
            if node.state_locked(&links) != RELEASED {
                let own = links.get().and_then(|attached| attached.deadline);
                earliest = own.into_iter().chain(earliest).min();
            }
            // Before the parent is locked: no thread holds the locks of two nodes.
            drop(links);
            next = node.parent();
        }
        earliest
    }

    /// Keeps the panic of a callback until the run is released. The first one is kept.
    pub(super) fn keep_orphaned_panic(&self, payload: Payload) {
        let mut links = self.links();
        let kept = &mut links.get_or_insert().orphaned_panic;
        let later = if kept.is_none() {
            kept.replace(payload)
        } else {
            Some(payload)
        };
        // A payload is the user's data, which is never dropped under a lock.
        drop(links);
        drop_payload(later);
    }
}

impl timer::Expire for Node {
    /// Cancels the node for its deadline. The callbacks are returned, since they may take long.
    /// They have no caller that a panic could go to, so it is kept at the run where the callback
    /// was registered.
    fn expire(self: Arc<Self>) -> Option<Job> {
        let callbacks = self.lock_active()?.mark(&Cause::Deadline);
        if callbacks.is_empty() {
            return None;
        }
        Some(Box::new(move || {
            callbacks.run(&mut |node, payload| {
                let mut next = Some(node);
                while let Some(node) = next {
                    if node.owner == Owner::Run {
                        return node.keep_orphaned_panic(payload);
                    }
                    next = node.parent();
                }
                drop_payload([payload]);
            });
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_timer_forgets_nodes_that_have_ended() {
        let hour = Instant::now() + Duration::from_secs(3600);
        let sooner = hour.checked_sub(Duration::from_secs(1)).unwrap();
        let parent = Node::root();
        for _ in 0..1000 {
            let (dropped, cancelled) = (parent.child(), parent.child());
            let released = Node::of_run(Some(&parent));
            for node in [&dropped, &cancelled, &released] {
                assert!(node.set_deadline(hour));
                assert!(node.set_deadline(sooner));
            }
            cancelled.cancel(&Cause::Failed, &mut |_, _| ());
            released.release();
        }
        assert_eq!(timer::waiting_until(hour), 0);
    }
}
