//! `CancelRegistration`: the registration of a callback.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::callback::Callback;
use super::node::{Node, Registered};

/// The registration of a callback, returned by
/// [`CancelToken::on_cancel`](crate::CancelToken::on_cancel).
///
/// Dropping it unregisters the callback. If another thread is running the callback at that moment,
/// the drop waits for it, as the destructor of C++'s `stop_callback` does: after the drop the
/// callback is not running and never will. [`unregister`](CancelRegistration::unregister) does not
/// wait.
///
/// A drop inside the callback itself does not wait either. Two callbacks that run on two threads
/// and drop each other's registrations deadlock, as in C++. A thread of a pool that waits for more
/// than a millisecond runs other jobs of its pool meanwhile, since the callback may have called
/// rayon: do not hold a lock that they may need.
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
#[doc(alias = "CancellationTokenRegistration")]
#[doc(alias = "stop_callback")]
#[doc(alias = "AfterFunc")]
#[must_use = "dropping the registration unregisters the callback"]
pub struct CancelRegistration {
    callback: Arc<Callback>,
    /// The node where the callback waits, and its key there. The node is owned, so that a callback
    /// fires even if every other handle of the token is gone.
    key: Option<(Arc<Node>, u64)>,
    /// Nothing is left to do for the drop.
    is_unregistered: bool,
}

impl CancelRegistration {
    pub(super) fn register(node: &Arc<Node>, call: Box<dyn FnOnce() + Send>) -> CancelRegistration {
        let callback = Arc::new(Callback::new(call));
        let key = match node.register(&callback) {
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
        CancelRegistration {
            callback,
            key,
            is_unregistered: false,
        }
    }

    /// Unregisters the callback. Returns `true` if and only if this call prevented it from running.
    ///
    /// Never waits for a callback that is running, so it may be called while holding a lock that
    /// the callback takes, or where waiting is not allowed. If it returns `false`, the callback may
    /// still be running on another thread. Drop the registration instead where that matters.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let early = token.on_cancel(|| unreachable!("it is unregistered in time"));
    /// let late = token.on_cancel(|| ());
    /// assert!(early.unregister());
    /// token.cancel();
    /// assert!(!late.unregister());
    /// ```
    #[doc(alias = "stop")]
    #[expect(
        clippy::must_use_candidate,
        reason = "an action, not a getter: the answer may be ignored"
    )]
    pub fn unregister(mut self) -> bool {
        // Before anything that may panic, since the drop runs in any case and must not wait.
        self.is_unregistered = true;
        self.remove()
    }

    /// Takes the callback, so that it never runs, and removes it from its node. Returns `false` if
    /// it has been taken before.
    fn remove(&self) -> bool {
        let call = self.callback.take();
        if let Some((node, key)) = &self.key {
            node.unregister(*key);
        }
        // The closure is dropped last: its drop is the user's, and may panic.
        call.is_some()
    }
}

impl Drop for CancelRegistration {
    fn drop(&mut self) {
        if !self.is_unregistered {
            self.remove();
            self.callback.wait();
        }
    }
}

impl fmt::Debug for CancelRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelRegistration")
            .field("state", &self.callback.progress())
            .finish_non_exhaustive()
    }
}
