//! What can be hung on a node: the `done` channel, callbacks, a deadline.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::{ACTIVE, CANCELLED, Node, Owner, RELEASED};
use crate::panic::{Payload, drop_payload};
use crate::sync::channel::{Receiver, bounded};
use crate::token::Cause;
use crate::token::callback::Callback;
use crate::token::timer;

/// What became of a registration.
pub(in crate::token) enum Registered {
    /// It waits, under this key.
    Waiting(u64),
    /// The node is cancelled already.
    AlreadyCancelled,
    /// The node's run is over; nothing will ever cancel it.
    AlreadyReleased,
}

impl Node {
    pub(in crate::token) fn done(&self) -> &Receiver<Infallible> {
        if let Some(done) = self.done.get() {
            return done;
        }
        let (sender, mut receiver) = bounded(0);
        let mut links = self.links();
        if self.state_locked(&links) == ACTIVE {
            // Of two that make it at the same time, both have the same.
            let (_, first) = links.get_or_insert().done.get_or_insert((sender, receiver));
            receiver = first.clone();
        } else {
            // Closed before anybody can be given it.
            drop(sender);
        }
        drop(links);
        self.done.get_or_init(|| receiver)
    }

    pub(in crate::token) fn register(&self, callback: &Arc<Callback>) -> Registered {
        let mut links = self.links();
        match self.state_locked(&links) {
            ACTIVE => {
                let attached = links.get_or_insert();
                let key = attached.new_key();
                attached.callbacks.insert(key, Arc::clone(callback));
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
            .and_then(|attached| attached.callbacks.remove(&key));
        drop(links);
        drop(callback);
    }

    /// Makes `at` the deadline, unless an earlier one is set. `false` if it has passed already:
    /// then the caller cancels.
    pub(in crate::token) fn set_deadline(self: &Arc<Self>, at: Instant) -> bool {
        let passed = at <= Instant::now();
        let mut links = self.links();
        if self.state_locked(&links) == ACTIVE {
            let attached = links.get_or_insert();
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
    pub(in crate::token) fn deadline(&self) -> Option<Instant> {
        let (mut earliest, mut next) = (None, Some(self));
        while let Some(node) = next {
            let mut links = node.links();
            if node.state_locked(&links) != RELEASED {
                let own = links.get().and_then(|attached| attached.deadline);
                earliest = own.into_iter().chain(earliest).min();
            }
            drop(links);
            next = node.parent();
        }
        earliest
    }

    fn keep_orphaned_panic(&self, payload: Payload) {
        let mut links = self.links();
        let first = &mut links.get_or_insert().orphaned_panic;
        let later = if first.is_none() {
            first.replace(payload)
        } else {
            Some(payload)
        };
        drop(links);
        if let Some(later) = later {
            drop_payload([later]);
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
                        return node.keep_orphaned_panic(payload);
                    }
                    next = node.parent();
                }
                drop_payload([payload]);
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
            finished.release();
        }
        assert_eq!(timer::waiting_until(hour), 0);
    }
}
