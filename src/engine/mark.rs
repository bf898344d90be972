//! `Mark`: tells the panic of an item's closure from one of the iterator behind it.

use std::cell::Cell;
use std::mem;

/// Set by a closure that unwinds; one that returns does not touch it.
///
/// After an item's panic a run may go on with the next item. After a panic of the iterator it may
/// not: nobody knows whether there is a next one.
#[derive(Default)]
pub(super) struct Mark(Cell<bool>);

struct Unwinding<'m>(&'m Cell<bool>);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl Mark {
    #[inline]
    pub(super) fn watch<R>(&self, closure: impl FnOnce() -> R) -> R {
        let unwinding = Unwinding(&self.0);
        let result = closure();
        mem::forget(unwinding);
        result
    }

    /// Whether the closure has unwound since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.0.take()
    }
}
