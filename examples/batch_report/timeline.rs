//! Records which worker ran which item, and when.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rayon_errgroup::{CancelRegistration, CancelToken};

/// The bars of a run, one for each item that ran.
pub(crate) struct Timeline {
    started: Instant,
    bars: Mutex<Vec<Bar>>,
    stop: CancelToken,
    stopped: Arc<OnceLock<Duration>>,
    /// Unregisters the callback when it is dropped.
    _on_stop: CancelRegistration,
}

/// An item that has ended, successfully or not. The times count from the start of the run.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) index: usize,
    pub(crate) worker: usize,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
}

/// What a timeline has recorded.
pub(crate) struct Recorded {
    pub(crate) bars: Vec<Bar>,
    /// When the token was cancelled, if it was.
    pub(crate) stopped: Option<Duration>,
}

impl Timeline {
    /// Also records when `stop` is cancelled.
    pub(crate) fn start(stop: &CancelToken) -> Timeline {
        let started = Instant::now();
        let stopped = Arc::new(OnceLock::new());
        let on_stop = Arc::clone(&stopped);
        Timeline {
            started,
            bars: Mutex::new(Vec::new()),
            stop: stop.clone(),
            stopped,
            _on_stop: stop.on_cancel(move || _ = on_stop.set(started.elapsed())),
        }
    }

    /// Call this on the thread that runs the item. The bar ends when the guard is dropped.
    pub(crate) fn begin(&self, index: usize) -> Running<'_> {
        Running {
            timeline: self,
            index,
            begin: self.started.elapsed(),
        }
    }

    pub(crate) fn finish(self) -> Recorded {
        // The run may end before the callback has begun.
        let now = || self.started.elapsed();
        let is_stopped = self.stop.is_cancelled();
        let stopped = is_stopped.then(|| *self.stopped.get_or_init(now));
        let bars = self.bars.into_inner();
        Recorded {
            bars: bars.unwrap_or_else(PoisonError::into_inner),
            stopped,
        }
    }
}

/// An item that is running.
#[must_use = "its bar ends when this is dropped"]
pub(crate) struct Running<'t> {
    timeline: &'t Timeline,
    index: usize,
    begin: Duration,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let bar = Bar {
            index: self.index,
            // Only a thread outside of every pool has no index.
            worker: rayon::current_thread_index().unwrap_or_default(),
            begin: self.begin,
            end: self.timeline.started.elapsed(),
        };
        // The item may be panicking, so nothing here may panic.
        let bars = self.timeline.bars.lock();
        bars.unwrap_or_else(PoisonError::into_inner).push(bar);
    }
}
