//! `PanicFuse`: cancels a run when a panic unwinds through rayon.

use std::cell::Cell;
use std::thread;

use super::grace_period::{Countdown, GracePeriod};
use super::user_code::{RunId, UserCode, is_too_deep};
use crate::run::Run;
use crate::token::Node;

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
    /// How many items this thread may drop before its next look at the clock, once the run is
    /// cancelled. A reference, since adaptors move the fuse through every item: a number would be
    /// stored in part and loaded as a whole, which is slow.
    countdown: Cell<Option<&'r Countdown>>,
    start: Cell<Start>,
}

/// What the thread saw when its work began.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Start {
    /// Whether a panic seen now is new. False until the work has begun.
    armed: bool,
    /// Whether the run was active, and the work has not noticed yet that it no longer is. Without
    /// meaning until the work has begun.
    active: bool,
}

impl<'r, E> PanicFuse<'r, E> {
    pub(super) fn new(grace_period: &'r GracePeriod<'r, E>) -> Self {
        PanicFuse {
            grace_period,
            countdown: Cell::new(None),
            start: Cell::new(Start {
                armed: false,
                active: false,
            }),
        }
    }

    /// For another part of the input, made on this thread.
    pub(super) fn split(&self) -> Self {
        PanicFuse {
            grace_period: self.grace_period,
            countdown: Cell::new(None),
            start: self.start.clone(),
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

    /// The node of the run's token.
    #[inline]
    pub(super) fn node(&self) -> &'r Node {
        self.grace_period.node()
    }

    /// From now on a panic of the current thread cancels the run.
    #[inline(never)]
    pub(super) fn arm(&self) {
        let start = Start {
            armed: !thread::panicking(),
            active: !self.node().is_cancelled(),
        };
        // Written only if it changes. rayon moves the consumer next, and a load of many bytes that
        // overlaps a store of a few waits until the store has left the processor's buffer.
        if self.start.get() != start {
            self.start.set(start);
        }
    }

    /// A panic that unwinds now is one that the run knows.
    #[cold]
    pub(super) fn disarm(&self) {
        let start = self.start.get();
        self.start.set(Start {
            armed: false,
            ..start
        });
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
        self.node().is_cancelled() && self.look().is_none()
    }

    /// The same for a leaf, asked after every item that it is given by itself, or that a `filter`
    /// drops.
    #[inline]
    pub(super) fn is_over_for_item(&self) -> bool {
        let countdown = &self.countdown;
        if countdown.get().is_some_and(Countdown::count) {
            // Once there is proof, whoever has found it, no item is needed any more.
            return self.run().is_incomplete();
        }
        self.node().is_cancelled() && {
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
        if self.node().is_cancelled() {
            self.notice_cancellation();
        }
    }

    #[cold]
    fn notice_cancellation(&self) {
        let start = self.start.get();
        if start.active {
            self.start.set(Start {
                active: false,
                ..start
            });
            // The item that has just ended may have begun before the cancellation.
            self.grace_period.restart();
        }
    }
}

impl<E> Drop for PanicFuse<'_, E> {
    fn drop(&mut self) {
        if self.start.get().armed && thread::panicking() {
            self.run().panic_in_flight();
        }
    }
}
