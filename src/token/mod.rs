//! `CancelToken`: the flag of a run, in a tree.

mod callback;
mod cause;
mod drop_guard;
#[cfg(all(test, model = "loom"))]
mod models;
mod node;
mod on_cancel;
mod timer;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::cause::{Cancelled, Cause};
pub use self::drop_guard::DropGuard;
pub(crate) use self::node::Node;
pub use self::on_cancel::OnCancel;
use crate::panic::{drop_payload, first_panic};
use crate::sync::channel::{Receiver, RecvTimeoutError};
use crate::sync::thread;

/// A cancellation flag that can be shared, waited for, and handed down a tree.
///
/// Every run has a token and gives it to its closures, which look at it if they take long. A token
/// of your own, given to [`ErrGroup::token`](crate::ErrGroup::token), cancels a run from outside.
///
/// A clone is the same token; [`child`](CancelToken::child) is a new one, cancelled together with
/// its parent but not the other way round. Cancellation is final: the first cause stays.
///
/// A token is in one of three states: active, cancelled, or *released*. The last is the state of a
/// run's token (and of the children made of it) once the run has ended without being cancelled:
/// [`is_cancelled`](CancelToken::is_cancelled) stays false and callbacks are dropped unrun, but
/// [`done`](CancelToken::done) is closed, so that nobody waits for a cancellation that can no
/// longer come.
///
/// Dropping a token never cancels it; see [`drop_guard`](CancelToken::drop_guard) for that. Work
/// that must not be cancelled (a clean-up, say) runs on no token, or on a new one.
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
/// assert!(!token.cancel(), "somebody was first");
/// ```
#[derive(Clone)]
pub struct CancelToken {
    node: Arc<Node>,
}

impl CancelToken {
    /// Makes a token with no parent.
    ///
    /// ```
    /// assert!(!rayon_errgroup::CancelToken::new().is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        CancelToken { node: Node::root() }
    }

    /// Makes a token that is cancelled when this one is, with
    /// [`Cause::Parent`](crate::Cause::Parent), and can be cancelled on its own.
    ///
    /// A child of a cancelled token is born cancelled. Children outlive the handles of their
    /// parent: a token cancels its grandchildren even when the child between is gone.
    ///
    /// ```
    /// use rayon_errgroup::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let (first, second) = (token.child(), token.child());
    /// first.cancel();
    /// assert!(!token.is_cancelled() && !second.is_cancelled());
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        CancelToken {
            node: self.node.child(),
        }
    }

    /// The token of a run, below `parent`.
    pub(crate) fn of_run(parent: Option<&CancelToken>) -> Self {
        CancelToken {
            node: Node::of_run(parent.map(|parent| &parent.node)),
        }
    }

    /// The token of one lane of the run that this token belongs to.
    pub(crate) fn worker(&self) -> Self {
        CancelToken {
            node: self.node.worker(),
        }
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Cancels this token and everything below it. `true` for exactly one caller.
    ///
    /// When it returns `true`, this token and all its descendants are cancelled, their
    /// [`done`](CancelToken::done) is closed, and their [callbacks](CancelToken::on_cancel) have been
    /// run on this thread, but for those that another thread is running which cancels a token above
    /// or below at the same time. When it returns `false` this token is cancelled already, by somebody
    /// who may still be running callbacks, or it is [released](CancelToken).
    ///
    /// # Panics
    ///
    /// If a callback panics, the others still run, and then the first panic goes on here.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = rayon_errgroup::CancelToken::new();
    /// assert!(token.cancel());
    /// assert!(!token.cancel());
    /// ```
    pub fn cancel(&self) -> bool {
        self.cancel_for(&Cause::Requested(None))
    }

    /// As [`cancel`](CancelToken::cancel), with a reason: Go's `CancelCauseFunc`.
    ///
    /// The reason is found in the [`cause`](CancelToken::cause) and as the source of
    /// [`Cancelled`]. Of several, the first stays; another is dropped by the call that gives it.
    ///
    /// # Panics
    ///
    /// As [`cancel`](CancelToken::cancel).
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
    pub fn cancel_with(&self, reason: impl Into<Box<dyn Error + Send + Sync>>) -> bool {
        self.cancel_for(&Cause::Requested(Some(reason.into().into())))
    }

    fn cancel_for(&self, cause: &Cause) -> bool {
        let mut panic = None;
        let mut on_panic = |_: &Node, payload| first_panic(&mut panic, Some(payload));
        let target = self.node.target();
        let first = target.is_some_and(|node| node.cancel(cause, &mut on_panic));
        if !first {
            self.node.catch_up(&mut on_panic);
        }
        match panic {
            // A guard that is dropped by an unwinding thread must not panic as well.
            Some(payload) if thread::panicking() => drop_payload([payload]),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
        first
    }

    /// Cancels this token at the given time, with [`Cause::Deadline`](crate::Cause::Deadline).
    ///
    /// Nobody needs to look: a timer thread, one for the process, cancels the token. Of several
    /// deadlines the earliest counts. One that has passed cancels before this call returns.
    ///
    /// # Panics
    ///
    /// If the timer thread cannot be started; for a deadline that has passed, as
    /// [`cancel`](CancelToken::cancel).
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
    pub fn cancel_at(&self, at: Instant) {
        let target = self.node.target();
        if target.is_some_and(|node| !node.set_deadline(at)) {
            self.cancel_for(&Cause::Deadline);
        }
    }

    /// As [`cancel_at`](CancelToken::cancel_at), counted from now. A time too far away to be
    /// represented is no deadline.
    ///
    /// # Panics
    ///
    /// As [`cancel_at`](CancelToken::cancel_at).
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
    pub fn cancel_after(&self, limit: Duration) {
        if let Some(at) = Instant::now().checked_add(limit) {
            self.cancel_at(at);
        }
    }

    /// Whether this token has been cancelled. One atomic load, no lock.
    ///
    /// What happened before the cancellation is visible to who sees it.
    ///
    /// ```
    /// let token = rayon_errgroup::CancelToken::new();
    /// assert!(!token.is_cancelled());
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// `Err` if this token has been cancelled, for `token.check()?` inside long work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], which names the cause.
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

    /// What cancelled this token, or `None` while it is not cancelled.
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

    /// When this token will be cancelled at the latest: the earliest deadline among its own and
    /// those of the tokens above it.
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

    /// The time left until the [`deadline`](CancelToken::deadline), for the timeout of a socket.
    /// Zero once it has passed, which sockets do not take for a timeout: [`check`](CancelToken::check)
    /// first.
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

    /// A channel that closes when this token is cancelled or [released](CancelToken), for
    /// crossbeam's `select!`. Nothing is ever sent; once closed it stays ready.
    ///
    /// When `select!` finds several arms ready it takes any: where it matters, ask
    /// [`check`](CancelToken::check) before taking up work. And leave the loop in the arm of `done`: on a
    /// token that was released, not cancelled, `check` is `Ok`, and the channel stays ready.
    ///
    /// Clone the token, not the receiver: the sending end lives in the token, so a receiver that
    /// outlives every handle of its token reads as closed.
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
    #[must_use]
    pub fn done(&self) -> &Receiver<Infallible> {
        self.node.done()
    }

    /// Calls `f` when this token is cancelled, to stop what cannot look at a token itself: shut
    /// down a socket, kill a child process.
    ///
    /// `f` runs at most once, on the thread that cancels this token or one above it, or that ends the
    /// run of a cancelled one, after this token and its descendants are flagged. If the token is
    /// cancelled already, it runs before this call returns; then descendants may be about to be flagged
    /// by the one who cancels. It is dropped unrun when the registration is dropped, or when the run
    /// ends without being cancelled. It may use the token in any way, but should be quick: the one who
    /// cancels waits for it, and for a deadline that is the timer of the whole process. The order among
    /// callbacks is not specified.
    ///
    /// Items that share what is to be stopped, such as an HTTP client, each register it for the time
    /// that they need it, and stopping it several times must do no harm.
    ///
    /// # Panics
    ///
    /// If the token is cancelled already and `f` panics. Otherwise the panic goes to the one who
    /// cancels: the caller of [`cancel`](CancelToken::cancel), or, when an item failed or a
    /// deadline passed, the caller of the run. For a deadline that holds if the callback ends before
    /// the run does, which dropping the registration inside the item makes sure of.
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
    /// assert_eq!(stream.read(&mut [0])?, 0, "nobody ever writes");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_cancel(&self, f: impl FnOnce() + Send + 'static) -> OnCancel {
        OnCancel::register(&self.node, Box::new(f))
    }

    /// Sleeps, but wakes at once when this token is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the token is cancelled, or if the run that it belongs to ends
    /// ([`Cause::Released`](crate::Cause::Released)), before the time is over.
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

    /// Makes a guard that cancels this token when it is dropped, also by a panic or a `?`, with
    /// [`Cause::Dropped`](crate::Cause::Dropped). The drop may panic: see [`DropGuard`].
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

/// Tokens are equal if they are the same token.
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

// Callbacks run at most once and behind a catch: no panic leaves a token half changed.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}
