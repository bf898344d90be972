//! How many requests have come how far.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::client::{Error, Page};

/// Counted by all threads; Relaxed, since it is read when the run, which joins them, is over.
pub(crate) struct Tally {
    total: usize,
    begun: AtomicUsize,
    fetched: AtomicUsize,
    failed: AtomicUsize,
    bytes: AtomicU64,
}

impl Tally {
    pub(crate) fn new(total: usize) -> Tally {
        Tally {
            total,
            begun: AtomicUsize::new(0),
            fetched: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
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

    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Relaxed)
    }

    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Relaxed)
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.load(Relaxed)
    }

    pub(crate) fn aborted(&self) -> usize {
        self.begun() - self.fetched() - self.failed()
    }

    pub(crate) fn never_begun(&self) -> usize {
        self.total - self.begun()
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
            (self.never_begun(), "never begun"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
