//! The timer: one thread that cancels tokens when their deadlines pass.
//!
//! The first deadline starts the thread, which then lives as long as the process. An entry is
//! removed when its token ends, so a million runs with a timeout of an hour leave nothing behind.
//!
//! The thread only marks tokens and wakes those who wait for them. Callbacks may take long, or wait
//! for another deadline, so they run on threads of their own ([`callback_threads`]).
//!
//! A forked process has a copy of the queue, but no thread that serves it, and the lock of the
//! queue may never be released there. So each process has a timer of its own.
//!
//! Lock order: the queue is the last lock to be taken, and is not held while a token is cancelled.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;
use std::{process, thread};

use super::callback_threads::{CallbackThreads, Job};
use crate::panic::drop_payload;

/// The timer of the first process that sets a deadline.
static FIRST: Timer = Timer::new();

/// A thing with a deadline.
pub(super) trait Expire: Send + Sync {
    /// Called on the timer thread once the deadline has passed. Returns the callbacks that are to
    /// run, if there are any.
    fn expire(self: Arc<Self>) -> Option<Job>;
}

struct Timer {
    /// The process that it belongs to.
    process: OnceLock<u32>,
    queue: Mutex<Queue>,
    /// Notified when a new entry becomes the first, because the thread sleeps until the first is
    /// due.
    earlier: Condvar,
    callback_threads: CallbackThreads,
    /// The timer of a process that was forked off the timer's own.
    of_fork: OnceLock<&'static Timer>,
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

/// An entry of a timer's queue, which the drop removes.
pub(super) struct Entry {
    timer: &'static Timer,
    key: Key,
}

impl Entry {
    /// Lets `expiring` expire at the given time.
    ///
    /// # Panics
    ///
    /// If the timer thread cannot be started.
    pub(super) fn new(at: Instant, expiring: Weak<dyn Expire>) -> Entry {
        let timer = Timer::current();
        let mut queue = timer.queue();
        if !queue.is_running {
            thread::Builder::new()
                .name("errgroup-timer".into())
                .spawn(|| timer.serve())
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
            timer.earlier.notify_one();
        }
        Entry { timer, key }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.timer.is_current() {
            // This process is a fork, and nothing serves the entry here.
            return;
        }
        let expiring = self.timer.queue().entries.remove(&self.key);
        // Without the lock, which is free after the statement above.
        drop(expiring);
    }
}

impl Timer {
    const fn new() -> Timer {
        Timer {
            process: OnceLock::new(),
            queue: Mutex::new(Queue {
                entries: BTreeMap::new(),
                added: 0,
                is_running: false,
            }),
            earlier: Condvar::new(),
            callback_threads: CallbackThreads::new(),
            of_fork: OnceLock::new(),
        }
    }

    /// The timer of this process.
    fn current() -> &'static Timer {
        let mut timer = &FIRST;
        while !timer.is_current() {
            timer = timer
                .of_fork
                .get_or_init(|| Box::leak(Box::new(Timer::new())));
        }
        timer
    }

    /// Whether it is the timer of this process, or can become that.
    fn is_current(&self) -> bool {
        let process = process_id();
        *self.process.get_or_init(|| process) == process
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the timer thread: expires what is due, and sleeps until the next entry is.
    fn serve(&'static self) {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            let due = queue.entries.first_entry().map(|first| first.key().at);
            queue = match due {
                Some(at) if at <= now => {
                    let expiring = queue.entries.pop_first().map(|(_, expiring)| expiring);
                    // Others may add deadlines, or drop tokens with deadlines, meanwhile.
                    drop(queue);
                    // The panics of callbacks are kept for their run. A panic that is caught here
                    // can only come from the drop of user data, and must not end the timer.
                    let unwound = catch_unwind(AssertUnwindSafe(|| {
                        let expiring = expiring.and_then(|weak| weak.upgrade());
                        if let Some(callbacks) = expiring.and_then(Expire::expire) {
                            self.callback_threads.run(callbacks);
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

fn process_id() -> u32 {
    if cfg!(target_family = "wasm") {
        // There is one process, and to ask for its number is a panic.
        0
    } else {
        process::id()
    }
}

/// How many entries are due in the minute before this time.
#[cfg(test)]
pub(super) fn waiting_until(at: Instant) -> usize {
    let near = |key: &&Key| key.at <= at && at - key.at < std::time::Duration::from_secs(60);
    Timer::current().queue().entries.keys().filter(near).count()
}
