//! `InUse`: a state while a closure has it.

use crate::panic::{drop_catching, drop_payload};

/// A state while a closure has it. If it is dropped, the closure has panicked.
pub(super) struct InUse<B>(Option<B>);

impl<B> InUse<B> {
    #[inline]
    pub(super) fn new(state: B) -> Self {
        InUse(Some(state))
    }

    #[inline]
    pub(super) fn get(&mut self) -> &mut B {
        self.0.as_mut().expect("it is taken only at the end")
    }

    /// The closure has returned.
    #[inline]
    pub(super) fn into_idle(mut self) -> B {
        self.0.take().expect("it is taken only at the end")
    }
}

impl<B> Drop for InUse<B> {
    /// The thread unwinds: a second panic must not leave this function, or the process ends.
    #[inline]
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            drop_payload(drop_catching(state));
        }
    }
}
