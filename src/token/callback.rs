//! Callbacks: what `CancelToken::on_cancel` registers.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::node::{Node, Registered};
use crate::error::Payload;
use crate::lock::lock;

/// A closure that runs at most once. The lock is never held while it runs.
pub(super) struct Callback {
    state: Mutex<State>,
    ended: Condvar,
}

enum State {
    Waiting(Box<dyn FnOnce() + Send>),
    Running(ThreadId),
    Ended,
}

impl Callback {
    fn new(call: Box<dyn FnOnce() + Send>) -> Callback {
        Callback {
            state: Mutex::new(State::Waiting(call)),
            ended: Condvar::new(),
        }
    }

    /// Runs the closure unless somebody took it. A panic is handed to `on_panic` before those who
    /// wait for the end of the call are let go.
    pub(super) fn run(&self, on_panic: impl FnOnce(Payload)) {
        let Some(call) = self.replace_waiting(State::Running(thread::current().id())) else {
            return;
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            on_panic(payload);
        }
        *lock(&self.state) = State::Ended;
        self.ended.notify_all();
    }

    /// Takes the closure, so that it never runs.
    pub(super) fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.replace_waiting(State::Ended)
    }

    fn replace_waiting(&self, next: State) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = lock(&self.state);
        if !matches!(*state, State::Waiting(_)) {
            return None;
        }
        match mem::replace(&mut *state, next) {
            State::Waiting(call) => Some(call),
            State::Running(_) | State::Ended => None,
        }
    }

    /// Waits for a call that another thread has begun.
    fn wait(&self) {
        let mine = thread::current().id();
        let mut state = lock(&self.state);
        while matches!(*state, State::Running(thread) if thread != mine) {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A callback's registration, returned by [`CancelToken::on_cancel`](crate::CancelToken::on_cancel).
///
/// Dropping it unregisters the callback, and waits if the callback is being run by another thread
/// at that moment, as the destructor of C++'s `stop_callback` does: after the drop the callback is
/// not running and never will. Dropping it from inside the callback does not wait.
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
            Registered::Late => {
                let mut panic = None;
                callback.run(|payload| panic = Some(payload));
                if let Some(payload) = panic {
                    std::panic::resume_unwind(payload);
                }
                None
            }
            Registered::Never => {
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
        let state = match *lock(&self.callback.state) {
            State::Waiting(_) => "waiting",
            State::Running(_) => "running",
            State::Ended => "ended",
        };
        f.debug_struct("OnCancel")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
