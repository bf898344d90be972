//! `DropGuard`: cancels a token when it goes out of scope.

use std::mem;

use super::{CancelToken, Cause};

/// Cancels a token when dropped, unless disarmed.
///
/// It is made by [`CancelToken::drop_guard`](crate::CancelToken::drop_guard).
///
/// # Panics
///
/// Its drop panics if a [callback](crate::CancelToken::on_cancel) does. If the thread is unwinding
/// already, the panic of the callback is dropped instead.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{CancelToken, Cause};
///
/// let token = CancelToken::new();
/// drop(token.clone().drop_guard());
/// assert!(matches!(token.cause(), Some(Cause::Dropped)));
/// ```
#[derive(Debug)]
#[must_use = "a guard that is dropped at once cancels at once"]
pub struct DropGuard {
    token: CancelToken,
    armed: bool,
}

impl DropGuard {
    pub(super) fn new(token: CancelToken) -> DropGuard {
        DropGuard { token, armed: true }
    }

    /// Returns the token without cancelling it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    ///
    /// let token = CancelToken::new().drop_guard().disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn disarm(mut self) -> CancelToken {
        self.armed = false;
        self.token.clone()
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if mem::take(&mut self.armed) {
            self.token.cancel_for(&Cause::Dropped);
        }
    }
}
