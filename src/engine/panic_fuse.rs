//! `PanicFuse`: cancels a run when a panic unwinds through rayon.

use std::cell::Cell;
use std::thread;

use super::grace_period::{Countdown, GracePeriod};
use super::user_code::{RunId, UserCode, is_too_deep};
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
    /// Whether the work began before the run was cancelled, and has not noticed that yet.
    began_active: Cell<bool>,
}

impl<'r, E> PanicFuse<'r, E> {
    pub(super) fn new(grace_period: &'r GracePeriod<'r, E>) -> Self {
        PanicFuse {
            grace_period,
            armed: Cell::new(false),
            began_active: Cell::new(false),
        }
    }

    /// For another part of the input, made on this thread.
    pub(super) fn split(&self) -> Self {
        PanicFuse {
            grace_period: self.grace_period,
            armed: self.armed.clone(),
            began_active: Cell::new(false),
        }
    }

    /// For a part that waits, and may be dropped on any thread.
    pub(super) fn unarmed(&self) -> Self {
        PanicFuse::new(self.grace_period)
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.grace_period.run()
    }

    /// From now on a panic of the current thread cancels the run.
    #[inline(never)]
    pub(super) fn arm(&self) {
        self.armed.set(!thread::panicking());
        self.began_active.set(!self.run().token().is_cancelled());
    }

    /// A panic that unwinds now is one that the run knows.
    #[cold]
    pub(super) fn disarm(&self) {
        self.armed.set(false);
    }

    /// Arms the fuse, and says whether there is anything to do.
    #[inline(never)]
    pub(super) fn arm_or_end(&self) -> bool {
        self.arm();
        self.is_over()
    }

    /// Whether rayon may stop producing items.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.run().token().is_cancelled() && self.look().is_none()
    }

    /// The same, asked after every item that a `filter` drops. `countdown` is how many items this
    /// thread may drop before its next look at the clock, once the run is cancelled. A reference,
    /// since adaptors move the folder through every item: a number would be stored in part and
    /// loaded as a whole, which is slow.
    #[inline]
    pub(super) fn is_over_at(&self, countdown: &Cell<Option<&'r Countdown>>) -> bool {
        if countdown.get().is_some_and(Countdown::count) {
            return false;
        }
        self.run().token().is_cancelled() && {
            countdown.set(self.look());
            countdown.get().is_none()
        }
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> Option<&'r Countdown> {
        self.notice_cancellation();
        self.grace_period.look()
    }

    /// The items of this part begin, unless this thread has too many open.
    #[inline(never)]
    pub(super) fn begin_leaf(&self) -> Option<UserCode> {
        let run = RunId::of(self.run());
        (!is_too_deep(run)).then(|| UserCode::enter(run))
    }

    /// The items of this part have ended.
    #[inline(never)]
    pub(super) fn end_leaf(&self, user_code: UserCode) {
        drop(user_code);
        self.leaf_ended();
    }

    /// The items of this part have ended.
    #[inline]
    pub(super) fn leaf_ended(&self) {
        if self.run().token().is_cancelled() {
            self.notice_cancellation();
        }
    }

    #[cold]
    fn notice_cancellation(&self) {
        if self.began_active.take() {
            // The item that has just ended may have begun before the cancellation.
            self.grace_period.restart();
        }
    }
}

impl<E> Drop for PanicFuse<'_, E> {
    fn drop(&mut self) {
        if self.armed.get() && thread::panicking() {
            self.run().panic_in_flight();
        }
    }
}
