//! Records which worker ran which item, and when.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bars of a run, one for each item that ran.
pub(crate) struct Timeline {
    started: Instant,
    bars: Mutex<Vec<Bar>>,
}

/// An item that has ended, successfully or not. The times count from the start of the run.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) index: usize,
    pub(crate) worker: usize,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
}

impl Timeline {
    pub(crate) fn start() -> Timeline {
        Timeline {
            started: Instant::now(),
            bars: Mutex::new(Vec::new()),
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

    pub(crate) fn into_bars(self) -> Vec<Bar> {
        self.bars
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
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
