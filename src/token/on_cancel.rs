//! `OnCancel`: a callback's registration.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::callback::Callback;
use super::node::{Node, Registered};

/// A callback's registration, returned by [`CancelToken::on_cancel`](crate::CancelToken::on_cancel).
///
/// Dropping it unregisters the callback, and waits if the callback is being run by another thread
/// at that moment, as the destructor of C++'s `stop_callback` does: after the drop the callback is
/// not running and never will. Dropping it from inside the callback does not wait. And, as there, two
/// callbacks that run on two threads and drop each other's registrations wait for ever.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::CancelToken;
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
///
/// let (token, called) = (CancelToken::new(), Arc::new(AtomicBool::new(false)));
/// let registration = token.on_cancel({
///     let called = Arc::clone(&called);
///     move || called.store(true, Ordering::Relaxed)
/// });
/// drop(registration);
/// token.cancel();
/// assert!(!called.load(Ordering::Relaxed));
/// ```
#[must_use = "dropping the registration unregisters the callback"]
pub struct OnCancel {
    callback: Arc<Callback>,
    /// Where the callback waits. Owned: a callback fires even if every other handle is gone.
    place: Option<(Arc<Node>, u64)>,
}

impl OnCancel {
    pub(super) fn register(node: &Arc<Node>, call: Box<dyn FnOnce() + Send>) -> OnCancel {
        let callback = Arc::new(Callback::new(call));
        let place = match node.register(&callback) {
            Registered::Waiting(key) => Some((Arc::clone(node), key)),
            Registered::AlreadyCancelled => {
                let mut panic = None;
                callback.run(&mut |payload| panic = Some(payload));
                if let Some(payload) = panic {
                    resume_unwind(payload);
                }
                None
            }
            Registered::AlreadyReleased => {
                drop(callback.take());
                None
            }
        };
        OnCancel { callback, place }
    }

    /// Takes the callback back: `true` if and only if this call prevented it from running.
    ///
    /// Does not wait for a call that has begun; dropping the registration does.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let registration = token.on_cancel(|| unreachable!());
    /// assert!(registration.unregister());
    /// assert!(!registration.unregister());
    /// token.cancel();
    /// ```
    pub fn unregister(&self) -> bool {
        let call = self.callback.take();
        if let Some((node, key)) = &self.place {
            node.unregister(*key);
        }
        call.is_some()
    }
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        self.unregister();
        self.callback.wait();
    }
}

impl fmt::Debug for OnCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCancel")
            .field("state", &self.callback.progress())
            .finish_non_exhaustive()
    }
}
