//! The timer: one thread that cancels tokens when their deadlines pass.
//!
//! The first deadline starts the thread, which then lives as long as the process. An entry is
//! removed when its token ends, so a million runs with a timeout of an hour leave nothing behind.
//!
//! Lock order: the queue is the last lock to be taken, and is not held while a token is cancelled.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use crate::panic::drop_payload;

static TIMER: Timer = Timer {
    queue: Mutex::new(Queue {
        entries: BTreeMap::new(),
        added: 0,
        is_running: false,
    }),
    earlier: Condvar::new(),
};

/// A thing with a deadline.
pub(super) trait Expire: Send + Sync {
    /// Called on the timer thread once the deadline has passed.
    fn expire(self: Arc<Self>);
}

struct Timer {
    queue: Mutex<Queue>,
    /// Notified when a new entry becomes the first, because the thread sleeps until the first is
    /// due.
    earlier: Condvar,
}

struct Queue {
    entries: BTreeMap<Key, Weak<dyn Expire>>,
    /// How many entries there have ever been: this number tells entries of the same instant apart.
    added: u64,
    /// Whether the thread has been started.
    is_running: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Instant,
    number: u64,
}

/// An entry of the queue, which the drop removes.
pub(super) struct Entry(Key);

impl Entry {
    /// Lets `expiring` expire at the given time.
    ///
    /// # Panics
    ///
    /// If the timer thread cannot be started.
    pub(super) fn new(at: Instant, expiring: Weak<dyn Expire>) -> Entry {
        let mut queue = TIMER.queue();
        if !queue.is_running {
            thread::Builder::new()
                .name("errgroup-timer".into())
                .spawn(|| TIMER.serve())
                .expect("the timer thread for deadlines cannot be started");
            queue.is_running = true;
        }
        queue.added += 1;
        let key = Key {
            at,
            number: queue.added,
        };
        queue.entries.insert(key, expiring);
        if queue.entries.keys().next() == Some(&key) {
            TIMER.earlier.notify_one();
        }
        Entry(key)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let expiring = TIMER.queue().entries.remove(&self.0);
        // Without the lock, which is free after the statement above.
        drop(expiring);
    }
}

impl Timer {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the timer thread: expires what is due, and sleeps until the next entry is.
    fn serve(&self) {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            let due = queue.entries.first_entry().map(|first| first.key().at);
            queue = match due {
                Some(at) if at <= now => {
                    let expiring = queue.entries.pop_first().map(|(_, expiring)| expiring);
                    // Callbacks run now, and may add deadlines or drop tokens with deadlines.
                    drop(queue);
                    // The panics of callbacks are kept for their run. A panic that is caught here
                    // can only come from the drop of user data, and must not end the timer.
                    let unwound = catch_unwind(AssertUnwindSafe(|| {
                        if let Some(expiring) = expiring.and_then(|weak| weak.upgrade()) {
                            expiring.expire();
                        }
                    }));
                    if let Err(payload) = unwound {
                        drop_payload([payload]);
                    }
                    self.queue()
                }
                // Woken early by an earlier entry, or without a reason: both lead to another look.
                Some(at) => {
                    let wait = self.earlier.wait_timeout(queue, at - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .earlier
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// How many entries are due in the minute before this time.
#[cfg(test)]
pub(super) fn waiting_until(at: Instant) -> usize {
    let near = |key: &&Key| key.at <= at && at - key.at < std::time::Duration::from_secs(60);
    TIMER.queue().entries.keys().filter(near).count()
}
