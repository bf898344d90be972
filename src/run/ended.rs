//! The end of a run, and what came of it.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;

use super::record::{Failure, Record, Tolerance};
use super::{FirstPanic, Run};
use crate::error::{Cancelled, Cause, Payload};
use crate::sync::lock;

/// Why a run did not end with `Ok`.
pub(crate) enum Stopped<E> {
    Panicked(Payload),
    /// Items failed, the earliest with this error.
    Failed(Failure<E>),
    /// Something else was the trigger; `late` is an error that is not.
    Cancelled {
        cancelled: Cancelled,
        late: Option<E>,
    },
}

/// What came of a run that keeps everything.
pub(crate) struct Account<R, E> {
    pub(crate) result: Option<R>,
    pub(crate) errors: Vec<Failure<E>>,
    pub(crate) panics: Vec<(Option<usize>, Payload)>,
    pub(crate) cause: Option<Cause>,
}

impl<E> Run<E> {
    /// Runs `body`, which returns when every item has ended, and ends the token. Returns what `body`
    /// did, whatever came of the run.
    fn drive<R>(&mut self, body: impl FnOnce(&Run<E>) -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(|| body(self)));
        let result = result.map_err(|payload| self.arrived(payload)).ok();
        if self.record_mut().decided {
            // The token of a run in order has waited for the items below those that failed.
            self.cancel(&Cause::Failed, || ());
        }
        if let Some(stray) = self.token.node().finish() {
            self.keep(None, stray);
            self.spoil();
        }
        result
    }

    /// Runs `body`, and says what came of it.
    pub(crate) fn execute<R>(mut self, body: impl FnOnce(&Run<E>) -> R) -> Result<R, Stopped<E>> {
        let incomplete = match self.drive(body) {
            Some(values) if !self.is_spoilt() && self.record_mut().count == 0 => return Ok(values),
            incomplete => incomplete,
        };
        // Dropped here, so that a panic of a value's drop is one of the run.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(incomplete))) {
            self.keep(None, payload);
        }
        Err(self.stopped())
    }

    #[cold]
    fn stopped(mut self) -> Stopped<E> {
        if let FirstPanic::Kept(payload) = mem::replace(&mut *lock(&self.panic), FirstPanic::None) {
            return Stopped::Panicked(payload);
        }
        // A run that is not spoilt was cancelled by nobody, or too late to skip anything.
        let is_failed = self.record_mut().decided || !self.is_spoilt();
        let record = self.record_mut();
        let (earliest, late) = (record.errors.pop(), record.late.take());
        match earliest {
            Some(failure) if is_failed => Stopped::Failed(failure),
            earliest => Stopped::Cancelled {
                cancelled: Cancelled::new(self.token.cause().unwrap_or(Cause::Finished)),
                late: earliest.map(|failure| failure.error).or(late),
            },
        }
    }

    /// Runs `body`, and returns all that came of it. It is to give its result away as soon as
    /// there is one, so that nothing is lost if the rest of it panics.
    pub(crate) fn account<R>(
        mut self,
        body: impl FnOnce(&Run<E>, &mut Option<R>),
    ) -> Account<R, E> {
        let mut result = None;
        self.drive(|run| body(run, &mut result));
        let mut cause = self.token.cause();
        let record = self.record_mut();
        if record.decided && !matches!(cause, Some(Cause::Panicked)) {
            // The token of a run in order has waited for the items below: what has cancelled it
            // meanwhile came later.
            cause = Some(Cause::Failed);
        }
        Account {
            result,
            cause,
            errors: mem::take(&mut record.errors),
            panics: mem::take(&mut record.panics),
        }
    }

    fn record_mut(&mut self) -> &mut Record<E> {
        self.record
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run without a policy: nothing but an item can stop it, so its error is the item's own.
pub(crate) fn bare<R, E>(body: impl FnOnce(&Run<E>) -> R) -> Result<R, E> {
    match Run::new(None, Tolerance::default()).execute(body) {
        Ok(result) => Ok(result),
        Err(Stopped::Panicked(payload)) => resume_unwind(payload),
        // No policy and no panic: only the closure itself can have cancelled before it failed.
        Err(
            Stopped::Failed(Failure { error, .. })
            | Stopped::Cancelled {
                late: Some(error), ..
            },
        ) => Err(error),
        Err(Stopped::Cancelled {
            cancelled,
            late: None,
        }) => panic!(
            "work was skipped because a closure cancelled its own run ({cancelled}), and there \
             is no error to return: return one from the closure, or use an `ErrGroup`, by `with_group` \
             or `ErrGroup::scope`"
        ),
    }
}
