//! What can end a run early: an item's own error, a cancellation, a panic.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::failures::Failures;

/// What a panic carries from `panic!` to the one who catches it.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Why a run with a policy did not return its values.
///
/// Returned by the methods of [`WithGroup`](crate::WithGroup). The calls without a policy
/// ([`err_group`](crate::ErrGroupExt::err_group) and its neighbours) return the item's own error
/// type instead, since nothing but an item can stop them.
///
/// The message of `Failed` does not repeat the item's error: that is the
/// [`source`](Error::source), and reporters such as `anyhow` print both. To get at the error itself
/// use [`into_error`](GroupError::into_error) or [`flatten`](GroupError::flatten).
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
///
/// let group = ErrGroup::new();
/// let result = (1..100).into_par_iter().with_group(&group).try_for_each(|_, n| {
///     if n == 42 { Err("no") } else { Ok(()) }
/// });
/// assert!(matches!(result, Err(GroupError::Failed { error: "no", .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError<E> {
    /// An item returned an error, and that error is what cancelled the run.
    #[error("{}", Subject(*index))]
    Failed {
        /// The position of the item, where the iterator has positions and the call keeps them.
        index: Option<usize>,
        /// The error, exactly as the item returned it.
        #[source]
        error: E,
    },
    /// Several items failed: from [`Outcome::into_result`](crate::Outcome::into_result), where all
    /// errors are kept.
    #[error(transparent)]
    Several(Failures<E>),
    /// The run was cancelled before every item had returned `Ok`.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// An item panicked, under [`catch_panics`](crate::ErrGroup::catch_panics).
    #[error(transparent)]
    Panicked(Panicked),
}

/// The message of `GroupError::Failed`.
struct Subject(Option<usize>);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(index) => write!(f, "item {index} failed"),
            None => f.write_str("a task failed"),
        }
    }
}

impl<E> GroupError<E> {
    /// The position of the item that failed, if it is known; of several the lowest.
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, GroupError};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let error: GroupError<()> = token.check().unwrap_err().into();
    /// assert_eq!(error.index(), None);
    /// ```
    pub fn index(&self) -> Option<usize> {
        match self {
            GroupError::Failed { index, .. } => *index,
            GroupError::Several(failures) => Some(failures.first().0),
            GroupError::Cancelled(_) | GroupError::Panicked(_) => None,
        }
    }

    /// The item's own error, or `None` for a cancellation or a panic; of several errors the first.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let result = [1, 2, 3].par_iter().with_group(&ErrGroup::new()).try_for_each(|_, _| Err("no"));
    /// assert_eq!(result.unwrap_err().into_error(), Some("no"));
    /// ```
    pub fn into_error(self) -> Option<E> {
        match self {
            GroupError::Failed { error, .. } => Some(error),
            GroupError::Several(failures) => Some(failures.into_first()),
            GroupError::Cancelled(_) | GroupError::Panicked(_) => None,
        }
    }

    /// Turns every case into the item's error type; of several errors it is the first.
    ///
    /// For error types that hold anything, such as `anyhow::Error` or
    /// `Box<dyn Error + Send + Sync>`: `.map_err(GroupError::flatten)?`.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// fn double(words: &[&str]) -> anyhow::Result<Vec<i32>> {
    ///     words
    ///         .par_iter()
    ///         .with_group(&ErrGroup::new())
    ///         .try_map(|_, word| Ok(word.parse::<i32>()? * 2))
    ///         .map_err(GroupError::flatten)
    /// }
    /// assert_eq!(double(&["1", "2"]).unwrap(), [2, 4]);
    /// assert_eq!(double(&["1", "x"]).unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    pub fn flatten(self) -> E
    where
        E: From<Cancelled> + From<Panicked>,
    {
        match self {
            GroupError::Failed { error, .. } => error,
            GroupError::Several(failures) => failures.into_first(),
            GroupError::Cancelled(cancelled) => cancelled.into(),
            GroupError::Panicked(panicked) => panicked.into(),
        }
    }
}

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
    /// Somebody called [`cancel`](crate::CancelToken::cancel), or
    /// [`cancel_with`](crate::CancelToken::cancel_with) and gave this reason.
    Requested(Option<Arc<dyn Error + Send + Sync>>),
    /// The token's deadline passed.
    Deadline,
    /// An item or task of the run returned an error; or so many did, or panicked and were caught, that
    /// the run does not bear them ([`max_errors`](crate::ErrGroup::max_errors)).
    Failed,
    /// An item or task of the run panicked.
    Panicked,
    /// A [`DropGuard`](crate::DropGuard) was dropped while armed.
    Dropped,
    /// The run that the token belonged to has ended. Such a token counts as released, not as
    /// cancelled, so only [`sleep`](crate::CancelToken::sleep) reports it.
    Finished,
    /// A token further up was cancelled, for this cause, which is never `Parent` itself.
    Parent(Arc<Cause>),
}

impl Cause {
    /// The event itself, wherever in the tree of tokens it happened.
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

    /// The cause that a token below the cancelled one is given. The chain is kept one link long,
    /// whatever the depth of the tree, so that dropping it never recurses.
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
            Cause::Failed => "a task failed",
            Cause::Panicked => "a task panicked",
            Cause::Dropped => "drop guard dropped",
            Cause::Finished => "run ended",
            Cause::Parent(cause) => return write!(f, "{cause} (parent token)"),
        })
    }
}

/// The error of work that stopped because its token was cancelled.
///
/// Made by [`CancelToken::check`](crate::CancelToken::check) and
/// [`CancelToken::sleep`](crate::CancelToken::sleep), and found in [`GroupError::Cancelled`]. Its
/// [`source`](Error::source) is the reason given to
/// [`cancel_with`](crate::CancelToken::cancel_with), if there was one.
///
/// It converts into an [`io::Error`] of kind `TimedOut` for a deadline and `Other` for the rest.
/// Not `Interrupted`: the standard library's readers and writers retry on that kind, so a reader
/// that checks its token would spin instead of stopping.
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
/// assert_eq!(std::error::Error::source(&cancelled).unwrap().to_string(), "the disk is full");
/// ```
#[derive(Clone, Debug)]
pub struct Cancelled {
    cause: Cause,
}

impl Cancelled {
    pub(crate) fn new(cause: Cause) -> Self {
        Cancelled { cause }
    }

    /// What cancelled the token.
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
        write!(f, "cancelled: {}", self.cause)
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

/// A panic that was caught and turned into an error.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
///
/// let group = ErrGroup::new().catch_panics();
/// let result = [7].par_iter().with_group(&group).try_for_each(|_, n| -> Result<(), ()> {
///     panic!("lost {n}")
/// });
/// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
/// assert_eq!(panicked.message(), Some("lost 7"));
/// assert!(panicked.into_payload().is::<String>());
/// ```
pub struct Panicked {
    message: Option<Box<str>>,
    /// In a lock only so that the error is `Sync`, as error boxes ask.
    payload: Mutex<Payload>,
}

impl Panicked {
    pub(crate) fn new(payload: Payload) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .map(Box::from);
        Panicked {
            message,
            payload: Mutex::new(payload),
        }
    }

    /// The message given to `panic!`, or `None` where the payload is not a string.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    ///
    /// let result = ErrGroup::new().catch_panics().scope(|_| -> Result<(), ()> { panic!("lost") });
    /// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
    /// assert_eq!(panicked.message(), Some("lost"));
    /// ```
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The payload, for [`resume_unwind`](std::panic::resume_unwind) or a downcast.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    ///
    /// let group = ErrGroup::new().catch_panics();
    /// let result = group.scope(|_| -> Result<(), ()> { std::panic::panic_any(42) });
    /// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
    /// assert_eq!(panicked.message(), None);
    /// assert_eq!(panicked.into_payload().downcast_ref(), Some(&42));
    /// ```
    pub fn into_payload(self) -> Box<dyn Any + Send + 'static> {
        self.payload
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked"),
        }
    }
}

impl Error for Panicked {}

/// Keeps the first payload of several; the others are dropped.
pub(crate) fn keep_first(first: &mut Option<Payload>, payload: Option<Payload>) {
    if first.is_none() {
        *first = payload;
    } else if let Some(later) = payload {
        discard(later);
    }
}

/// Drops what is not the result of a run, and what may panic in its drop: the panic hook has reported
/// that, and the result is not lost to it.
pub(crate) fn drop_contained<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        discard(payload);
    }
}

/// Drops a payload whose own drop may panic.
pub(crate) fn discard(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Dropping this one could panic for ever; it is a bug upon a bug, and a leak is harmless.
        std::mem::forget(another);
    }
}
