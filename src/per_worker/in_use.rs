//! `InUse`: a state while a closure has it.

use crate::panic::{drop_catching, drop_payload};

/// A state while a closure has it. Its drop is for a closure that has panicked.
pub(super) struct InUse<S>(Option<Box<S>>);

impl<S> InUse<S> {
    #[inline]
    pub(super) fn new(state: Box<S>) -> Self {
        InUse(Some(state))
    }

    #[inline]
    pub(super) fn get(&mut self) -> &mut S {
        self.0.as_mut().expect("it is taken only at the end")
    }

    /// The closure has returned.
    #[inline]
    pub(super) fn into_idle(mut self) -> Box<S> {
        self.0.take().expect("it is taken only at the end")
    }
}

impl<S> Drop for InUse<S> {
    /// The thread unwinds: a second panic must not leave this function, or the process ends.
    #[inline]
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            drop_payload(drop_catching(state));
        }
    }
}
