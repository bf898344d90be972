//! The timer: one thread that cancels tokens when their deadlines pass.
//!
//! The thread is started by the first deadline and then waits for the process to end. Entries are
//! taken out when their token ends, so a million runs with a timeout of an hour leave nothing.
//!
//! Lock order: the queue is the last lock taken, and is free while a token is cancelled.

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
        running: false,
    }),
    earlier: Condvar::new(),
};

/// What has a deadline.
pub(super) trait Expire: Send + Sync {
    /// Called by the timer's thread, once the deadline has passed.
    fn expire(self: Arc<Self>);
}

struct Timer {
    queue: Mutex<Queue>,
    /// Notified when an entry has become the first.
    earlier: Condvar,
}

struct Queue {
    entries: BTreeMap<Key, Weak<dyn Expire>>,
    /// Tells entries of the same instant apart.
    added: u64,
    running: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Instant,
    number: u64,
}

/// A place in the queue, which is left when the entry is dropped.
pub(super) struct Entry(Key);

impl Entry {
    /// Has `what` expire at the given time.
    ///
    /// # Panics
    ///
    /// If the timer thread cannot be started.
    pub(super) fn new(at: Instant, what: Weak<dyn Expire>) -> Entry {
        let mut queue = TIMER.queue();
        if !queue.running {
            thread::Builder::new()
                .name("errgroup-timer".into())
                .spawn(|| TIMER.serve())
                .expect("the timer thread for deadlines cannot be started");
            queue.running = true;
        }
        queue.added += 1;
        let key = Key {
            at,
            number: queue.added,
        };
        queue.entries.insert(key, what);
        if queue.entries.keys().next() == Some(&key) {
            TIMER.earlier.notify_one();
        }
        Entry(key)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let what = TIMER.queue().entries.remove(&self.0);
        drop(what);
    }
}

impl Timer {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            let due = queue.entries.first_entry().map(|first| first.key().at);
            queue = match due {
                Some(at) if at <= now => {
                    let what = queue.entries.pop_first().map(|(_, what)| what);
                    drop(queue);
                    // Callbacks' panics are kept for their run. What is caught here can only come
                    // from the drop of user data, and must not end the timer.
                    let unwound = catch_unwind(AssertUnwindSafe(|| {
                        if let Some(what) = what.and_then(|what| what.upgrade()) {
                            what.expire();
                        }
                    }));
                    if let Err(payload) = unwound {
                        drop_payload([payload]);
                    }
                    self.queue()
                }
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

/// How many entries lie an hour or so ahead.
#[cfg(test)]
pub(super) fn waiting_until(at: Instant) -> usize {
    let near = |key: &&Key| key.at <= at && at - key.at < std::time::Duration::from_secs(60);
    TIMER.queue().entries.keys().filter(near).count()
}
