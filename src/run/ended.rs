//! The end of a run, and what came of it.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;

use super::Run;
use super::record::{Failure, FirstPanic, Found, Record, Tolerance, Verdict};
use crate::error::{Cancelled, Cause, Payload};
use crate::panic::{drop_catching, drop_payload, first_panic};

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
    /// Errors that are not what the run ended with: they came too late, or where the sequential loop
    /// would not have come to.
    pub(crate) secondary: Vec<Failure<E>>,
    pub(crate) panics: Vec<Found<Payload>>,
    /// Which of these the run ended with, if that is how it ended.
    pub(crate) first_panic: usize,
    pub(crate) verdict: Verdict,
    pub(crate) cause: Option<Cause>,
}

impl<E> Run<E> {
    /// Runs `body`, which returns when every item has ended, and ends the token. Returns what `body`
    /// did, whatever came of the run.
    fn drive<R>(&mut self, body: impl FnOnce(&Run<E>) -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(|| body(self)));
        let result = result.map_err(|payload| self.arrived(payload)).ok();
        let record = self.record_mut();
        if record.decided {
            // The token of a run in order has waited for the items below those that failed.
            let cause = record.cause();
            self.cancel(&cause, || ());
        }
        if let Some(stray) = self.token.node().release() {
            self.keep_fatal(None, stray);
            self.spoil();
        }
        result
    }

    /// Runs `body`, and says what came of it.
    pub(crate) fn execute<R>(mut self, body: impl FnOnce(&Run<E>) -> R) -> Result<R, Stopped<E>> {
        let incomplete = match self.drive(body) {
            Some(values) if self.verdict() == Verdict::Ok => {
                drop_payload(drop_catching(self));
                return Ok(values);
            }
            incomplete => incomplete,
        };
        // Dropped here, so that a panic of a value's drop is one of the run.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(incomplete))) {
            self.keep_fatal(None, payload);
        }
        Err(self.stopped())
    }

    fn verdict(&mut self) -> Verdict {
        let is_spoilt = self.is_spoilt();
        self.record_mut().verdict(is_spoilt)
    }

    #[cold]
    fn stopped(mut self) -> Stopped<E> {
        let verdict = self.verdict();
        let mut record = self.take_record();
        let stopped = match verdict {
            Verdict::Panicked => Stopped::Panicked(record.take_panic()),
            // Of the failures that count one is an error, or else the verdict were that of a panic.
            Verdict::Failed => Stopped::Failed(record.errors.swap_remove(0)),
            Verdict::Cancelled | Verdict::Ok => Stopped::Cancelled {
                cancelled: Cancelled::new(self.token.cause().unwrap_or(Cause::Released)),
                late: (record.errors.pop().or_else(|| record.late.pop())).map(|late| late.what),
            },
        };
        let rest = record.drop_rest();
        // The last to hold the reason of a cancellation, unless that is what came of the run.
        drop_payload(drop_catching(self));
        match (rest, stopped) {
            // It outranks what has come of the run otherwise, and what that leaves must not panic too.
            (Some(payload), outranked @ (Stopped::Failed(_) | Stopped::Cancelled { .. })) => {
                drop_payload(drop_catching(outranked));
                Stopped::Panicked(payload)
            }
            (payload, stopped) => {
                drop_payload(payload);
                stopped
            }
        }
    }

    /// Runs `body`, and returns all that came of it, unless that is a panic that nobody catches. It is
    /// to give its result away as soon as there is one, so that nothing is lost if the rest of it
    /// panics.
    pub(crate) fn account<R>(
        mut self,
        body: impl FnOnce(&Run<E>, &mut Option<R>),
    ) -> Result<Account<R, E>, Payload> {
        let mut result = None;
        self.drive(|run| body(run, &mut result));
        let verdict = self.verdict();
        let mut cause = self.token.cause();
        let catches = self.tolerance.catch_panics;
        let mut record = self.take_record();
        if verdict == Verdict::Panicked && !catches {
            let payload = record.take_panic();
            drop_payload(record.drop_rest());
            drop_payload(drop_catching(result));
            drop_payload(drop_catching((cause, self)));
            return Err(payload);
        }
        let is_fatal = !record.fatal.is_empty() && matches!(cause, Some(Cause::Panicked));
        if record.decided && !is_fatal {
            // What has cancelled the token of a run in order, while it waited for the items below,
            // came later; but a panic that it does not bear outranks what came before.
            cause = Some(record.cause());
        }
        let first_panic = match record.first_panic() {
            FirstPanic::Fatal => 0,
            FirstPanic::Borne(number) => record.fatal.len() + number,
        };
        let errors = mem::take(&mut record.errors).into_iter();
        let (errors, mut secondary): (Vec<_>, Vec<_>) =
            errors.partition(|error| record.is_reached(error.index));
        secondary.append(&mut record.late);
        let mut panics = record.fatal;
        panics.append(&mut record.panics);
        drop_payload(drop_catching(self));
        Ok(Account {
            result,
            errors,
            secondary,
            panics,
            first_panic,
            verdict,
            cause,
        })
    }

    fn record_mut(&mut self) -> &mut Record<E> {
        self.record
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_record(&mut self) -> Record<E> {
        let empty = Record::new(self.tolerance);
        mem::replace(self.record_mut(), empty)
    }
}

impl<E> Record<E> {
    /// What has cancelled a run whose failures were too many.
    fn cause(&self) -> Cause {
        if self.errors.iter().any(|error| self.is_reached(error.index)) {
            return Cause::Failed;
        }
        Cause::Panicked
    }

    /// The panic that the run ends with.
    fn take_panic(&mut self) -> Payload {
        match self.first_panic() {
            FirstPanic::Borne(number) => self.panics.swap_remove(number).what,
            FirstPanic::Fatal => self.fatal.swap_remove(0).what,
        }
    }

    /// Drops what nobody wants, and returns the first panic of a drop.
    fn drop_rest(self) -> Option<Payload> {
        let Record {
            errors,
            late,
            panics,
            fatal,
            ..
        } = self;
        for panic in panics.into_iter().chain(fatal) {
            drop_payload([panic.what]);
        }
        let mut first = None;
        // One by one: two of a vector whose drops panic would abort the process.
        for error in errors.into_iter().chain(late) {
            first_panic(&mut first, drop_catching(error));
        }
        first
    }
}

/// A run without a policy: nothing but an item can stop it, so its error is the item's own.
pub(crate) fn bare<R, E>(body: impl FnOnce(&Run<E>) -> R) -> Result<R, E> {
    match Run::new(None, Tolerance::default()).execute(body) {
        Ok(result) => Ok(result),
        Err(Stopped::Panicked(payload)) => resume_unwind(payload),
        Err(Stopped::Failed(Found { what: error, .. })) => Err(error),
        // No policy and no panic: only the closure itself can have cancelled before it failed.
        Err(Stopped::Cancelled {
            cancelled,
            late: Some(error),
        }) => {
            drop_payload(drop_catching(cancelled));
            Err(error)
        }
        Err(Stopped::Cancelled {
            cancelled,
            late: None,
        }) => {
            let cause = cancelled.to_string();
            // It must not be dropped by the unwinding, lest its reason's drop panics too.
            drop_payload(drop_catching(cancelled));
            panic!(
                "work was skipped because a closure cancelled its own run ({cause}), and there \
                 is no error to return: return one from the closure, or use an `ErrGroup`, by \
                 `with_group` or `ErrGroup::scope`"
            )
        }
    }
}
