//! `Cause`: what cancelled a token. `Cancelled`: the error of work that stopped because of it.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The one event that cancelled a token.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{CancelToken, Cause};
///
/// let parent = CancelToken::new();
/// let child = parent.child();
/// parent.cancel();
/// assert!(matches!(parent.cause(), Some(Cause::Requested(None))));
/// assert!(matches!(child.cause(), Some(Cause::Parent(_))));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A call of [`cancel`](crate::CancelToken::cancel), or of
    /// [`cancel_with`](crate::CancelToken::cancel_with) with this reason.
    Requested(Option<Arc<dyn Error + Send + Sync>>),
    /// The token's deadline passed.
    Deadline,
    /// An item or task of the run returned an error. Where a run tolerates failures: more failed,
    /// or panicked and were caught, than it tolerates
    /// ([`max_errors`](crate::ErrGroup::max_errors)).
    Failed,
    /// An item or task of the run panicked.
    Panicked,
    /// A [`DropGuard`](crate::DropGuard) was dropped while armed.
    Dropped,
    /// The run that the token belonged to has ended. Such a token is released, not cancelled, so
    /// only [`sleep`](crate::CancelToken::sleep) reports this cause. Or the sink of a stream has
    /// had enough ([`SinkResult`](crate::SinkResult)): items that run then are cancelled.
    Released,
    /// An ancestor was cancelled. This is the cause of that ancestor, and never `Parent` itself.
    Parent(Arc<Cause>),
}

impl Cause {
    /// Returns the original event, wherever in the tree of tokens it happened: for `Parent` the
    /// cause inside.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    /// use std::time::Instant;
    ///
    /// let parent = CancelToken::new();
    /// let grandchild = parent.child().child();
    /// parent.cancel_at(Instant::now());
    /// assert!(matches!(grandchild.cause().unwrap().root(), Cause::Deadline));
    /// ```
    #[must_use]
    pub fn root(&self) -> &Cause {
        match self {
            Cause::Parent(cause) => cause.root(),
            own => own,
        }
    }

    /// The cause for the descendants of a token that was cancelled with this one. The chain is one
    /// link long at any depth of the tree, so that dropping it never recurses.
    pub(crate) fn inherited(&self) -> Cause {
        match self {
            Cause::Parent(_) => self.clone(),
            own => Cause::Parent(Arc::new(own.clone())),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Requested(_) => "requested",
            Cause::Deadline => "deadline passed",
            Cause::Failed => "an item or task failed",
            Cause::Panicked => "an item or task panicked",
            Cause::Dropped => "drop guard dropped",
            Cause::Released => "run ended",
            Cause::Parent(cause) => return write!(f, "{cause} (parent token)"),
        })
    }
}

/// The error of work that stopped because its token was cancelled.
///
/// It is returned by [`CancelToken::check`](crate::CancelToken::check) and
/// [`CancelToken::sleep`](crate::CancelToken::sleep), and found in
/// [`GroupError::Cancelled`](crate::GroupError::Cancelled). Its [`source`](Error::source) is the
/// reason given to [`cancel_with`](crate::CancelToken::cancel_with), if there was one.
///
/// It converts into an [`io::Error`], of kind `TimedOut` for a deadline and of kind `Other` for
/// other causes. The kind is never `Interrupted`: the standard library's readers and writers retry
/// on that kind, so a reader that checks its token would spin instead of stopping.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::CancelToken;
///
/// let token = CancelToken::new();
/// token.cancel_with("the disk is full");
/// let cancelled = token.check().unwrap_err();
/// assert_eq!(cancelled.to_string(), "cancelled: requested");
/// let reason = std::error::Error::source(&cancelled).unwrap();
/// assert_eq!(reason.to_string(), "the disk is full");
/// ```
#[derive(Clone, Debug)]
pub struct Cancelled {
    cause: Cause,
}

impl Cancelled {
    pub(crate) fn new(cause: Cause) -> Self {
        Cancelled { cause }
    }

    /// Returns what cancelled the token.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, Cause};
    ///
    /// let token = CancelToken::new();
    /// drop(token.clone().drop_guard());
    /// assert!(matches!(token.check().unwrap_err().cause(), Cause::Dropped));
    /// ```
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Parent(cause) if matches!(**cause, Cause::Requested(_)) => {
                f.write_str("cancelled by the parent token")
            }
            cause => write!(f, "cancelled: {cause}"),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.cause.root() {
            Cause::Requested(Some(reason)) => Some(&**reason),
            _ => None,
        }
    }
}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        let kind = match cancelled.cause.root() {
            Cause::Deadline => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_parent_only_for_a_request() {
        let message = |cause: Cause| Cancelled::new(Cause::Parent(Arc::new(cause))).to_string();
        assert_eq!(
            message(Cause::Requested(None)),
            "cancelled by the parent token"
        );
        let own = Cancelled::new(Cause::Deadline).to_string();
        assert_ne!(message(Cause::Deadline), "cancelled by the parent token");
        assert!(message(Cause::Deadline).contains("deadline") && own.contains("deadline"));
    }
}
