//! `CallbackThreads`: where the callbacks of deadlines run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::panic::drop_payload;

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// How long a thread waits for its next job before it ends.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// Threads for jobs that may block. A new one starts if all others are busy, so no job waits for
/// another one.
pub(super) struct CallbackThreads {
    /// Without room for a message: a job is sent only to a thread that waits for one.
    channel: OnceLock<(Sender<Job>, Receiver<Job>)>,
}

impl CallbackThreads {
    pub(super) const fn new() -> CallbackThreads {
        CallbackThreads {
            channel: OnceLock::new(),
        }
    }

    /// Runs a job on an idle thread or a new one. If no thread can be started, it runs here.
    pub(super) fn run(&'static self, job: Job) {
        let (sender, receiver) = self.channel.get_or_init(|| bounded(0));
        let Err(refused) = sender.try_send(job) else {
            return;
        };
        // Shared with the new thread, because the closure is lost if there is none.
        let job = Arc::new(Mutex::new(Some(refused.into_inner())));
        let take = |job: &Mutex<Option<Job>>| {
            let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
            job.take()
        };
        let first = Arc::clone(&job);
        let serve = move || {
            let mut next = take(&first);
            while let Some(job) = next {
                run(job);
                next = receiver.recv_timeout(IDLE_TIME).ok();
            }
        };
        let thread = thread::Builder::new().name("errgroup-callbacks".into());
        let spawned = thread.spawn(serve);
        if let Some(job) = spawned.err().and_then(|_| take(&job)) {
            run(job);
        }
    }
}

/// The panics of callbacks are kept for their run. One that is caught here comes from the drop of
/// user data.
fn run(job: Job) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
        drop_payload([payload]);
    }
}
