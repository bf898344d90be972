//! Counts the requests by their state.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::client::{Error, Page};

/// Counters that all threads increment. Relaxed is enough: they are read after the run, which joins
/// the threads.
pub(crate) struct Tally {
    total: usize,
    started: AtomicUsize,
    fetched: AtomicUsize,
    failed: AtomicUsize,
    bytes: AtomicU64,
}

impl Tally {
    pub(crate) fn new(total: usize) -> Tally {
        Tally {
            total,
            started: AtomicUsize::new(0),
            fetched: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn start(&self) {
        self.started.fetch_add(1, Relaxed);
    }

    pub(crate) fn end(&self, result: &Result<Page, Error>) {
        match result {
            Ok(page) => {
                self.fetched.fetch_add(1, Relaxed);
                self.bytes.fetch_add(page.bytes, Relaxed);
            }
            Err(Error::Request { .. }) => _ = self.failed.fetch_add(1, Relaxed),
            Err(Error::Cancelled(_) | Error::Output(_)) => {}
        }
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Relaxed)
    }

    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Relaxed)
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.load(Relaxed)
    }

    pub(crate) fn aborted(&self) -> usize {
        self.started() - self.fetched() - self.failed()
    }

    pub(crate) fn never_started(&self) -> usize {
        self.total - self.started()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} fetched", self.fetched(), self.total)?;
        let others = [
            (self.failed(), "failed"),
            (self.aborted(), "aborted"),
            (self.never_started(), "never started"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
