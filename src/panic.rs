//! `Panicked`: a caught panic as an error. And how the payloads of panics are handled.
//!
//! Dropping user data may panic, and so may dropping the payload of a panic. A second panic during
//! unwinding aborts the process, and one that escapes skips the rest of a clean-up. So this crate
//! drops both through the functions below, wherever it drops them itself.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// The value that a panic carries from `panic!` to `catch_unwind`.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// A panic that was caught and turned into an error.
///
/// It converts into a [`GroupError`](crate::GroupError), and into an [`io::Error`] of kind `Other`.
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
    index: Option<usize>,
    is_late: bool,
    message: Option<Box<str>>,
    /// Behind a lock only to make the error `Sync`, which error boxes require.
    payload: Mutex<Payload>,
}

impl Panicked {
    pub(crate) fn new(payload: Payload, index: Option<usize>, is_late: bool) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .map(Box::from);
        Panicked {
            index,
            is_late,
            message,
            payload: Mutex::new(payload),
        }
    }

    /// Returns the index of the item that panicked, in a run in order.
    ///
    /// It is `None` in a run without an order, and if the iterator, a sink, a callback or a drop
    /// panicked and not the item's closure.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().catch_panics();
    /// let items = [1, 0].par_iter().in_order().with_group(&group);
    /// let result = items.try_map(|_, n| Ok::<_, ()>(10 / n));
    /// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
    /// assert_eq!(panicked.index(), Some(1));
    /// assert_eq!(panicked.to_string(), "item 1 panicked: attempt to divide by zero");
    /// ```
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// Returns whether the cancellation of the run may have caused the panic: something else had
    /// cancelled the run before, or the item comes after the last error that the sequential loop
    /// would have found, as do the [`late_errors`](crate::Outcome::late_errors).
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().keep_going().catch_panics().token(&stop).concurrency(1);
    /// let words = ["bad", "last"].into_iter().par_in_order().with_group(&group);
    /// let outcome = words.outcome(|token, word| -> Result<(), ()> {
    ///     if word == "last" {
    ///         stop.cancel();
    ///         token.check().unwrap();
    ///     }
    ///     panic!("its own")
    /// });
    /// let [(_, own), (_, last)] = outcome.panics() else { unreachable!() };
    /// assert!(!own.is_late() && last.is_late());
    /// ```
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Returns the message given to `panic!`, or `None` where the payload is not a string.
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    ///
    /// let group = ErrGroup::new().catch_panics();
    /// let result = group.scope(|_| -> Result<(), ()> { panic!("lost") });
    /// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
    /// assert_eq!(panicked.message(), Some("lost"));
    /// ```
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the payload, for [`resume_unwind`](std::panic::resume_unwind) or a downcast.
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
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send + 'static> {
        self.payload
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked")
            .field("index", &self.index)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(f, "item {index} ")?;
        }
        f.write_str("panicked")?;
        match self.message() {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl Error for Panicked {}

impl From<Panicked> for io::Error {
    fn from(panicked: Panicked) -> Self {
        io::Error::other(panicked)
    }
}

/// Keeps the first panic of several: stores this one if there was none before, and drops it
/// otherwise.
pub(crate) fn first_panic(first: &mut Option<Payload>, panic: Option<Payload>) {
    if first.is_none() {
        *first = panic;
    } else {
        drop_payload(panic);
    }
}

/// Calls `body`, and returns its panic, if there is one. The catching is compiled once, and not for
/// each closure.
#[inline]
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
    let (mut body, mut result) = (Some(body), None);
    catch_dyn(&mut || result = body.take().map(|body| body()))?;
    Ok(result.unwrap_or_else(|| unreachable!("it has returned")))
}

#[inline(never)]
fn catch_dyn(body: &mut dyn FnMut()) -> Result<(), Payload> {
    catch_unwind(AssertUnwindSafe(body))
}

/// Drops a value, and returns the panic of its drop, if there is one.
pub(crate) fn drop_catching<T>(value: T) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).err()
}

/// Drops payloads that are not needed, although the drop of a payload may panic.
///
/// Together with [`drop_catching`] it drops what must not disturb the result of a run: the panic
/// hook has already reported the panic.
#[inline]
pub(crate) fn drop_payload(payloads: impl IntoIterator<Item = Payload>) {
    for payload in payloads {
        // The drop of this payload may panic with another one, whose drop may panic again, without
        // end. So the second payload is forgotten: a leak is harmless beside two bugs in a row.
        mem::forget(drop_catching(payload));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;
    use crate::error::GroupError;

    /// Panics when dropped, with a payload of the next smaller number.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb(self.0 - 1));
        }
    }

    fn number(panic: Option<Payload>) -> Option<u32> {
        let bomb = panic?.downcast::<Bomb>().ok()?;
        Some(mem::ManuallyDrop::new(*bomb).0)
    }

    #[test]
    fn the_first_panic_is_kept_and_the_panics_of_later_payloads_are_dropped() {
        let mut first = None;
        first_panic(&mut first, None);
        assert!(first.is_none());
        for number in [9, 7, 5] {
            first_panic(&mut first, drop_catching(Bomb(number)));
        }
        first_panic(&mut first, None);
        assert_eq!(number(first), Some(8));
        assert!(drop_catching("no bomb").is_none());
    }

    #[test]
    fn a_caught_panic_names_its_item() {
        let text = |index, payload: Payload| {
            let panicked = Panicked::new(payload, index, false);
            let debug = format!("{panicked:?}");
            (panicked.to_string(), debug)
        };
        assert_eq!(text(None, Box::new(7)).0, "panicked");
        assert_eq!(text(Some(3), Box::new(7)).0, "item 3 panicked");
        let (display, debug) = text(Some(3), Box::new("lost"));
        assert_eq!(display, "item 3 panicked: lost");
        assert_eq!(
            debug,
            r#"Panicked { index: Some(3), message: Some("lost"), .. }"#
        );
        let error = GroupError::<()>::from(Panicked::new(Box::new("lost"), Some(3), false));
        assert_eq!((error.index(), error.to_string()), (Some(3), display));
    }

    #[test]
    fn a_caught_panic_converts_into_other_errors() {
        let panicked = || Panicked::new(Box::new("lost"), None, false);
        let error = io::Error::from(panicked());
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(error.to_string(), "panicked: lost");
        let inner = error.into_inner().expect("the panic is the inner error");
        assert!(inner.is::<Panicked>());
        let error = GroupError::<()>::from(panicked());
        assert!(matches!(error, GroupError::Panicked(_)));
        assert_eq!(error.to_string(), "panicked: lost");
    }
}
