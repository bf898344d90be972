//! `CancelToken`: a cancellation flag in a tree of such flags.

mod callback;
mod callback_threads;
mod cancel_registration;
mod cause;
mod drop_guard;
#[cfg(all(test, model = "loom"))]
mod models;
mod node;
mod timer;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::cancel_registration::CancelRegistration;
pub use self::cause::{Cancelled, Cause};
pub use self::drop_guard::DropGuard;
pub(crate) use self::node::{Held, Node, Signal};
use crate::panic::{drop_payload, first_panic};
use crate::sync::channel::{Receiver, RecvTimeoutError};
use crate::sync::thread;

/// A cancellation flag that threads share, wait on, and pass down a tree.
///
/// Every run has a token and passes it to its closures, which check it if they run long
/// (cooperative cancellation). To cancel a run from outside, give it a token of your own with
/// [`ErrGroup::token`](crate::ErrGroup::token).
///
/// A clone is the same token. A [`child`](CancelToken::child) is a new one: it is cancelled
/// together with its parent, but not the other way round. Cancellation is final: the first cause
/// stays.
///
/// A token is active, cancelled, or *released*. The token of a run, and the children made from it,
/// are released when the run ends without being cancelled. Then
/// [`is_cancelled`](CancelToken::is_cancelled) stays false and callbacks are dropped without
/// running, but [`done`](CancelToken::done) is closed, so that no thread waits for a cancellation
/// that can no longer happen.
///
/// Dropping a token never cancels it; see [`drop_guard`](CancelToken::drop_guard) for that. Work
/// that must not be cancelled, such as a clean-up, uses no token or a new one.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::CancelToken;
///
/// let token = CancelToken::new();
/// let child = token.child();
/// assert!(token.cancel());
/// assert!(child.is_cancelled());
/// assert!(!token.cancel(), "it was cancelled before");
/// ```
#[derive(Clone)]
#[doc(alias = "CancellationToken")]
#[doc(alias = "CancellationTokenSource")]
#[doc(alias = "Context")]
#[doc(alias = "stop_token")]
pub struct CancelToken {
    node: Arc<Node>,
}

impl CancelToken {
    /// Makes a token without a parent.
    ///
    /// ```
    /// assert!(!rayon_errgroup::CancelToken::new().is_cancelled());
    /// ```
    #[doc(alias = "Background")]
    #[must_use]
    pub fn new() -> Self {
        CancelToken { node: Node::root() }
    }

    /// Makes a token that is cancelled when this one is, with
    /// [`Cause::Parent`](crate::Cause::Parent), and can be cancelled on its own.
    ///
    /// A child of a cancelled token is cancelled from the start. Children outlive the handles of
    /// their parent: a token cancels its grandchildren even if the child between them was dropped.
    ///
    /// For a timeout for each item, see the
    /// [recipe](crate::guide::recipes#a-timeout-for-each-item).
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let (first, second) = (token.child(), token.child());
    /// first.cancel();
    /// assert!(!token.is_cancelled() && !second.is_cancelled());
    /// ```
    #[doc(alias = "child_token")]
    #[doc(alias = "WithCancel")]
    #[must_use]
    pub fn child(&self) -> Self {
        CancelToken {
            node: self.node.child(),
        }
    }

    /// The token of a run, below `parent`.
    #[inline]
    pub(crate) fn of_run(parent: Option<&CancelToken>) -> Self {
        CancelToken {
            node: Node::of_run(parent.map(|parent| &parent.node)),
        }
    }

    /// The token of one worker of the run that this token belongs to.
    pub(crate) fn worker(&self) -> Self {
        CancelToken {
            node: self.node.worker(),
        }
    }

    /// Whether this is the only handle of an active token without a parent, and nothing hangs on
    /// it: then a drop is enough to end its run.
    #[inline]
    pub(crate) fn is_untouched(&mut self) -> bool {
        Arc::get_mut(&mut self.node).is_some_and(Node::is_untouched)
    }

    /// Ends a token that [is untouched](CancelToken::is_untouched): another run gets its memory.
    #[inline]
    pub(crate) fn recycle(self) {
        node::keep_spare(self.node);
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Cancels this token and all its descendants. Returns `true` to exactly one caller.
    ///
    /// When it returns `true`, this token and all its descendants are cancelled, their
    /// [`done`](CancelToken::done) is closed, and this thread has run their
    /// [callbacks](CancelToken::on_cancel). The exception is a callback that another thread is
    /// running because it cancels an ancestor or a descendant at the same time. When it returns
    /// `false`, this token was cancelled before, and the thread that did so may still be running
    /// callbacks; or it is [released](CancelToken).
    ///
    /// Not async-signal-safe: see the recipe for
    /// [signals](crate::guide::recipes#ctrl-c-and-sigterm).
    ///
    /// # Panics
    ///
    /// If a callback panics. The other callbacks still run, and then the first panic is resumed.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = rayon_errgroup::CancelToken::new();
    /// assert!(token.cancel());
    /// assert!(!token.cancel());
    /// ```
    #[doc(alias = "CancelFunc")]
    #[doc(alias = "request_stop")]
    #[expect(
        clippy::must_use_candidate,
        reason = "an action, not a getter: the answer may be ignored"
    )]
    pub fn cancel(&self) -> bool {
        self.cancel_for(&Cause::Requested(None))
    }

    /// Like [`cancel`](CancelToken::cancel), with a reason: Go's `CancelCauseFunc`.
    ///
    /// The reason is part of the [`cause`](CancelToken::cause), and the source of [`Cancelled`]. If
    /// the token is cancelled several times, the first reason stays, and each later call drops its
    /// own.
    ///
    /// # Panics
    ///
    /// See [`cancel`](CancelToken::cancel).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    ///
    /// let token = CancelToken::new();
    /// token.cancel_with("the disk is full");
    /// let Some(Cause::Requested(Some(reason))) = token.cause() else { unreachable!() };
    /// assert_eq!(reason.to_string(), "the disk is full");
    /// ```
    #[doc(alias = "WithCancelCause")]
    #[doc(alias = "CancelCauseFunc")]
    pub fn cancel_with(&self, reason: impl Into<Box<dyn Error + Send + Sync>>) -> bool {
        self.cancel_for(&Cause::Requested(Some(reason.into().into())))
    }

    fn cancel_for(&self, cause: &Cause) -> bool {
        let mut panic = None;
        let mut on_panic = |_: &Node, payload| first_panic(&mut panic, Some(payload));
        let target = self.node.target();
        let is_trigger = target.is_some_and(|node| node.cancel(cause, &mut on_panic));
        if !is_trigger {
            // The item of a worker has cancelled a run that was cancelled before: its own token
            // must be cancelled too when this call returns.
            self.node.catch_up(&mut on_panic);
        }
        match panic {
            // A guard that is dropped while the thread unwinds must not panic: that would abort.
            Some(payload) if thread::panicking() => drop_payload([payload]),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
        is_trigger
    }

    /// Cancels this token at the given time, with [`Cause::Deadline`](crate::Cause::Deadline).
    ///
    /// No thread needs to check the time: one timer thread per process cancels the tokens. If there
    /// are several deadlines, the earliest counts. If `at` has passed, the token is cancelled
    /// before this call returns.
    ///
    /// # Panics
    ///
    /// If the timer thread cannot be started. If `at` has passed, see
    /// [`cancel`](CancelToken::cancel). On wasm32-unknown-unknown there is no clock: `Instant::now`
    /// panics, so no `at` can exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    /// use std::time::Instant;
    ///
    /// let token = CancelToken::new();
    /// token.cancel_at(Instant::now());
    /// assert!(matches!(token.cause(), Some(Cause::Deadline)));
    /// ```
    #[doc(alias = "WithDeadline")]
    #[doc(alias = "WithDeadlineCause")]
    pub fn cancel_at(&self, at: Instant) {
        let target = self.node.target();
        if target.is_some_and(|node| !node.set_deadline(at)) {
            self.cancel_for(&Cause::Deadline);
        }
    }

    /// Like [`cancel_at`](CancelToken::cancel_at), counted from now. A time that is too far away to
    /// be represented is ignored.
    ///
    /// # Panics
    ///
    /// See [`cancel_at`](CancelToken::cancel_at). It always panics on wasm32-unknown-unknown, which
    /// has no clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::new();
    /// token.cancel_after(Duration::MAX);
    /// assert_eq!(token.deadline(), None);
    /// token.cancel_after(Duration::ZERO);
    /// assert!(token.is_cancelled());
    /// ```
    #[doc(alias = "WithTimeout")]
    #[doc(alias = "WithTimeoutCause")]
    pub fn cancel_after(&self, limit: Duration) {
        if let Some(at) = Instant::now().checked_add(limit) {
            self.cancel_at(at);
        }
    }

    /// Returns whether this token has been cancelled, with one atomic load and no lock.
    ///
    /// A call that returns `true` synchronizes with the cancellation: everything that happened
    /// before it is visible. [`cancel`](CancelToken::cancel) and `is_cancelled` are linearizable
    /// for each token: the cancellation takes effect at one instant.
    ///
    /// ```
    /// let token = rayon_errgroup::CancelToken::new();
    /// assert!(!token.is_cancelled());
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[doc(alias = "IsCancellationRequested")]
    #[doc(alias = "stop_requested")]
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Returns `Err` if this token has been cancelled: for `token.check()?` inside long work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], which contains the cause.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cancelled};
    ///
    /// fn sum(token: &CancelToken, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for chunk in numbers.chunks(4096) {
    ///         token.check()?;
    ///         sum += chunk.iter().sum::<u64>();
    ///     }
    ///     Ok(sum)
    /// }
    /// assert_eq!(sum(&CancelToken::new(), &[1, 2, 3]).unwrap(), 6);
    /// ```
    #[doc(alias = "Err")]
    #[doc(alias = "ThrowIfCancellationRequested")]
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            return Err(self.cancelled());
        }
        Ok(())
    }

    #[cold]
    fn cancelled(&self) -> Cancelled {
        Cancelled::new(self.cause().unwrap_or(Cause::Released))
    }

    /// Returns what cancelled this token, or `None` while it is not cancelled.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    ///
    /// let token = CancelToken::new();
    /// assert!(token.cause().is_none());
    /// token.cancel();
    /// assert!(matches!(token.cause(), Some(Cause::Requested(None))));
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.node.cause()
    }

    /// Returns when this token will be cancelled at the latest: the earliest deadline of this token
    /// and its ancestors.
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    /// use std::time::{Duration, Instant};
    ///
    /// let (soon, late) = (Duration::from_secs(60), Duration::from_secs(3600));
    /// let token = CancelToken::new();
    /// token.cancel_after(soon);
    /// let child = token.child();
    /// child.cancel_after(late);
    /// assert_eq!(child.deadline(), token.deadline());
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.node.deadline()
    }

    /// Returns the time left until the [`deadline`](CancelToken::deadline), for example as the
    /// timeout of a socket. It is zero once the deadline has passed, and sockets reject a timeout
    /// of zero: call [`check`](CancelToken::check) first.
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::new();
    /// assert_eq!(token.remaining(), None);
    /// token.cancel_after(Duration::from_secs(60));
    /// assert!(token.remaining().unwrap() <= Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns a channel that closes when this token is cancelled or [released](CancelToken), for
    /// crossbeam's `select!`. No message is ever sent. Once closed, the channel stays ready.
    ///
    /// If several arms are ready, `select!` takes any of them. Where that matters, call
    /// [`check`](CancelToken::check) before starting work. Leave the loop in the arm of `done`: on
    /// a token that was released, not cancelled, `check` returns `Ok` and the channel stays ready.
    ///
    /// Clone the token, not the receiver: the token owns the sender, so a receiver that outlives
    /// every handle of its token is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use crossbeam_channel::{never, select};
    /// use rayon_errgroup::CancelToken;
    ///
    /// let (token, work) = (CancelToken::new(), never::<u32>());
    /// token.cancel();
    /// let stopped = select! {
    ///     recv(work) -> _ => false,
    ///     recv(token.done()) -> _ => true,
    /// };
    /// assert!(stopped);
    /// ```
    #[doc(alias = "cancelled")]
    #[doc(alias = "WaitHandle")]
    #[must_use]
    pub fn done(&self) -> &Receiver<Infallible> {
        self.node.done()
    }

    /// Calls `f` when this token is cancelled, to stop work that cannot check a token itself: shut
    /// down a socket, kill a child process.
    ///
    /// `f` runs at most once, after this token and its descendants are cancelled. It runs on the
    /// thread that cancels this token or an ancestor, or on the thread that ends the run of a
    /// cancelled token; for a deadline, on a thread of its own. If the token is cancelled already,
    /// `f` runs before this call returns, unless it is held back (see below); then the thread that
    /// cancels may not have reached all descendants yet. `f` is dropped without running if the
    /// registration is dropped first, or if the run ends without being cancelled. Callbacks run in
    /// no particular order.
    ///
    /// In order, a failure cancels the items after it, and their callbacks are *held back*: they
    /// run when every item before the failure has ended, on the thread of the last one. So if items
    /// share what `f` stops, such as an HTTP client, no earlier item is stopped because of a later
    /// failure. [`is_cancelled`](CancelToken::is_cancelled), [`done`](CancelToken::done) and
    /// [`sleep`](CancelToken::sleep) react at once. Each item registers its own callback for as
    /// long as it uses the client, and stopping it more than once must be harmless. An item that
    /// only its callback can wake must not hold what an earlier item waits for, such as a lock. `f`
    /// is not held back for an item that has started on top of a waiting one, on the same thread:
    /// the waiting one may be an earlier item that needs `f` to run.
    ///
    /// `f` may use the token in any way, and may block, but the cancelling thread blocks until it
    /// returns. It may call rayon: a thread of a pool that drops the registration meanwhile runs
    /// other jobs of the pool until `f` has ended. One case hangs: a job that `f` waits for itself
    /// waits in a nested rayon call, and on top of it, on the same thread, a registration of `f` is
    /// dropped.
    ///
    /// For a child process, see the [recipe](crate::guide::recipes#a-child-process).
    ///
    /// # Panics
    ///
    /// If the token is cancelled already and `f` panics. Otherwise the panic goes to the caller of
    /// [`cancel`](CancelToken::cancel), or to the caller of the run if an item failed or a deadline
    /// passed. For a deadline this holds if the callback ends before the run does. To make sure of
    /// that, drop the registration inside the item.
    ///
    /// # Examples
    ///
    /// Abort a blocking read by shutting its socket down:
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    /// use std::io::Read;
    /// use std::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// let (token, handle) = (CancelToken::new(), stream.try_clone()?);
    /// let _abort = token.on_cancel(move || _ = handle.shutdown(Shutdown::Both));
    /// std::thread::spawn(move || token.cancel());
    /// assert_eq!(stream.read(&mut [0])?, 0, "no peer ever writes");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "AfterFunc")]
    #[doc(alias = "Register")]
    #[doc(alias = "stop_callback")]
    pub fn on_cancel(&self, f: impl FnOnce() + Send + 'static) -> CancelRegistration {
        CancelRegistration::register(&self.node, Box::new(f))
    }

    /// Sleeps for this time, but wakes at once when this token is cancelled.
    ///
    /// # Panics
    ///
    /// Always on wasm32-unknown-unknown, which has no clock.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the token is cancelled before the time has passed, or if its run ends
    /// before ([`Cause::Released`](crate::Cause::Released)).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::new();
    /// assert!(token.sleep(Duration::from_millis(1)).is_ok());
    /// token.cancel();
    /// assert!(token.sleep(Duration::MAX).is_err());
    /// ```
    pub fn sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        match self.done().recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(self.cancelled()),
            Ok(never) => match never {},
        }
    }

    /// Makes a guard that cancels this token when the guard is dropped, also by a panic or a `?`.
    /// The cause is [`Cause::Dropped`](crate::Cause::Dropped). The drop may panic: see
    /// [`DropGuard`].
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    ///
    /// let token = CancelToken::new();
    /// {
    ///     let _guard = token.clone().drop_guard();
    /// }
    /// assert!(matches!(token.cause(), Some(Cause::Dropped)));
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard::new(self)
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken::new()
    }
}

/// Two tokens are equal if one is a clone of the other.
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
    }
}

impl Eq for CancelToken {}

impl Hash for CancelToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.node).hash(state);
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}

// Callbacks run at most once, and their panics are caught: no panic leaves a token half changed.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}
