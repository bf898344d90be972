//! `PanicFuse`: cancels a run when a panic unwinds through rayon.

use std::cell::Cell;
use std::thread;

use super::grace_period::GracePeriod;
use crate::run::Run;

/// A part of the input holds one; rayon drops it while a panic unwinds.
///
/// A panic of the source reaches the caller of the run only when rayon has joined every job, and
/// the run must be cancelled before. So a fuse that is dropped by an unwinding thread cancels the
/// run, as the fuse of rayon's `panic_fuse` adaptor does. Here it compares with the state of the
/// thread at the time the work began: a thread that unwinds for another reason may wait in a
/// destructor, and run items of this run meanwhile.
///
/// The fuse also answers whether rayon may stop producing items.
pub(super) struct PanicFuse<'r, E> {
    grace_period: &'r GracePeriod<'r, E>,
    /// Whether a panic seen now is new. False until the work has begun.
    armed: Cell<bool>,
    /// Whether this part of the input has seen that the run is cancelled.
    saw_cancellation: Cell<bool>,
}

impl<'r, E> PanicFuse<'r, E> {
    pub(super) fn new(grace_period: &'r GracePeriod<'r, E>) -> Self {
        PanicFuse {
            grace_period,
            armed: Cell::new(false),
            saw_cancellation: Cell::new(false),
        }
    }

    /// For another part of the input, made on this thread.
    pub(super) fn split(&self) -> Self {
        PanicFuse {
            grace_period: self.grace_period,
            armed: self.armed.clone(),
            saw_cancellation: self.saw_cancellation.clone(),
        }
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.grace_period.run()
    }

    /// From now on a panic of the current thread cancels the run.
    pub(super) fn arm(&self) {
        self.armed.set(!thread::panicking());
    }

    /// Whether rayon may stop producing items.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.run().token().is_cancelled() && self.is_decided()
    }

    #[cold]
    fn is_decided(&self) -> bool {
        if !self.saw_cancellation.replace(true) {
            // The item that has just ended may have begun before the cancellation.
            self.grace_period.restart();
        }
        self.grace_period.is_decided()
    }
}

impl<E> Drop for PanicFuse<'_, E> {
    fn drop(&mut self) {
        if self.armed.get() && thread::panicking() {
            self.run().panic_in_flight();
        }
    }
}
