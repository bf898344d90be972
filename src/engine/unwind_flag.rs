//! `UnwindFlag`: tells a panic of an item's closure from one of the iterator behind it.

use std::cell::Cell;
use std::mem;

/// Set by a closure that unwinds. A closure that returns does not touch it, so it costs nothing.
///
/// After an item's panic a run may go on with the next item. After a panic of the iterator it may
/// not: whether there is a next item is unknown.
#[derive(Default)]
pub(super) struct UnwindFlag(Cell<bool>);

struct SetOnDrop<'m>(&'m Cell<bool>);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl UnwindFlag {
    #[inline]
    pub(super) fn run<R>(&self, closure: impl FnOnce() -> R) -> R {
        let unwinding = SetOnDrop(&self.0);
        let result = closure();
        mem::forget(unwinding);
        result
    }

    /// Whether a closure has unwound since the last call of [`take`](UnwindFlag::take).
    pub(super) fn is_set(&self) -> bool {
        self.0.get()
    }

    /// Whether a closure has unwound since the last call.
    pub(super) fn take(&self) -> bool {
        self.0.take()
    }
}
