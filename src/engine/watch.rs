//! `Watch`: a stretch's view of its run.

use std::cell::Cell;
use std::thread;

use crate::run::Run;

/// Says when rayon may stop producing items, and cancels the run at once when a panic passes by on
/// its way to the caller.
///
/// It stands in everything that rayon may drop while it unwinds. Whether a drop is part of an
/// unwinding is asked of the thread, and compared with its answer when the work on the stretch
/// began: a worker that is unwinding for another reason may wait in a destructor, and run our items
/// meanwhile.
pub(super) struct Watch<'r, E> {
    run: &'r Run<E>,
    /// Whether a panic seen now is new. False until the work has begun.
    armed: Cell<bool>,
    /// Whether it is known here that the run is cancelled, if it is.
    noticed: Cell<bool>,
}

impl<'r, E> Watch<'r, E> {
    pub(super) fn new(run: &'r Run<E>) -> Self {
        Watch {
            run,
            armed: Cell::new(false),
            noticed: Cell::new(false),
        }
    }

    /// For another stretch of the same run, made on this thread.
    pub(super) fn another(&self) -> Self {
        Watch {
            run: self.run,
            armed: self.armed.clone(),
            noticed: self.noticed.clone(),
        }
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.run
    }

    /// Watches for panics of the current thread from now on.
    pub(super) fn arm(&self) {
        self.armed.set(!thread::panicking());
    }

    /// Whether rayon may stop producing items.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.run.token().is_cancelled() && self.is_settled()
    }

    #[cold]
    fn is_settled(&self) -> bool {
        if !self.noticed.replace(true) {
            // The item that has just ended may have begun before the cancellation.
            self.run.restart_grace();
        }
        self.run.is_settled()
    }
}

impl<E> Drop for Watch<'_, E> {
    fn drop(&mut self) {
        if self.armed.get() && thread::panicking() {
            self.run.unwinding();
        }
    }
}
