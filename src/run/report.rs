//! `Report`: how a run ended.

use std::mem;
use std::panic::resume_unwind;
use std::sync::PoisonError;

use super::Run;
use super::failure::{Failure, Kind, Standing};
use super::record::{Ending, Record};
use crate::by_index::ByIndex;
use crate::cut::{self, Cut};
use crate::error::GroupError;
use crate::failures::{Failures, Numbering};
use crate::panic::{Panicked, Payload, drop_catching, drop_payload, first_panic};
use crate::sync::atomic::Ordering;
use crate::sync::lock;
use crate::token::{Cancelled, Cause};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Panicked,
    Failed,
    Cancelled,
}

/// How a run ended, and all that came of it.
pub(crate) struct Report<R, E> {
    /// What the engine returned, if the verdict is `Ok` or the run keeps everything.
    pub(crate) result: Option<R>,
    /// What cancelled the run, if anything did.
    pub(crate) cause: Option<Cause>,
    pub(crate) verdict: Verdict,
    /// The failure that the run ended with, if it ended with one. Not an error that was
    /// [given back](Run::give_back).
    ending: Option<Failure<E>>,
    record: Record<E>,
}

impl<E> Run<E> {
    /// Whether the run, of which every closure has returned a value, may be dropped as it is:
    /// nothing was recorded, and its token ends with it. That saves a short run most of the time
    /// of [`finish`](Run::finish).
    #[inline]
    pub(crate) fn is_untouched(&mut self) -> bool {
        let record = self.record.get_mut();
        let record = record.unwrap_or_else(PoisonError::into_inner);
        record.is_untouched() && self.token.is_untouched()
    }

    /// Ends a run without a policy, whose items have all ended.
    ///
    /// If nothing was recorded and nobody has a handle of the token, the next run gets its memory.
    #[inline(never)]
    pub(crate) fn end_bare<R>(mut self, result: Option<R>) -> Result<R, E> {
        match result {
            Some(result) if !self.is_incomplete() && self.is_untouched() => {
                // An untouched record owns no memory, and a drop would ask each of its lists. The
                // lock around it does own some on a few systems.
                mem::forget(self.record.into_inner());
                self.token.recycle();
                Ok(result)
            }
            result => self.finish(result).into_bare(),
        }
    }

    /// Ends the run, whose items have all ended, and reports what came of it.
    #[inline(never)]
    pub(crate) fn finish<R>(self, mut result: Option<R>) -> Report<R, E> {
        // In order the token was left active for the items before the failure.
        let failed = lock(&self.record).cause(None);
        let cut = self.cut.as_ref().and_then(Cut::get);
        let cause = failed.or_else(|| cut.filter(|_| self.is_incomplete()).map(cut::cause));
        if let Some(cause) = cause {
            self.cancel(&cause);
        }
        if let Some(orphaned) = self.token.node().release() {
            self.panicked(orphaned);
        }
        // A panic of this drop outranks what was tolerated, like that of any other value.
        if !self.policy.keep_all && self.has_failure() {
            self.drop_value(result.take());
        }
        let mut record = (self.record.into_inner()).unwrap_or_else(PoisonError::into_inner);
        // Relaxed: see `mark_incomplete`.
        let incomplete = self.incomplete.load(Ordering::Relaxed) && !record.has_succeeded;
        let cause = record.cause(self.token.cause());
        let ending = record.take_ending(incomplete);
        let verdict = match ending.as_ref().map(Ending::is_panic) {
            Some(true) => Verdict::Panicked,
            Some(false) => Verdict::Failed,
            None if incomplete => Verdict::Cancelled,
            None => Verdict::Ok,
        };
        let report = Report {
            result,
            cause,
            verdict,
            ending: ending.and_then(Ending::into_failure),
            record,
        };
        // It may be the last owner of its parent, and so of a reason whose drop panics.
        drop_payload(drop_catching(self.token));
        report
    }
}

/// What has become of a run that did not end with `Ok`.
struct RunFailure<E> {
    /// The panic that outranks everything, the index of its item, and whether it is late.
    panic: Option<(Payload, Option<usize>, bool)>,
    /// The error that the run ended with, with its index or number.
    error: Option<(Option<usize>, E)>,
    /// The other errors that count, if the run keeps them.
    more: Vec<(usize, E)>,
    cause: Cause,
}

impl<R, E> Report<R, E> {
    /// The result, or the one thing that stopped the run, or all errors, if the run has kept them.
    /// The rest is dropped; if that panics, the run has panicked.
    #[inline]
    pub(crate) fn into_result(mut self) -> Result<R, GroupError<E>> {
        match self.result.take() {
            Some(result) if self.verdict == Verdict::Ok => {
                // A cancellation that came too late may have a reason whose drop panics.
                drop_payload(self.cause.and_then(drop_catching));
                Ok(result)
            }
            incomplete => Err(self.into_error(incomplete)),
        }
    }

    #[cold]
    fn into_error(self, incomplete: Option<R>) -> GroupError<E> {
        let RunFailure {
            panic,
            error: failed,
            mut more,
            cause,
        } = self.into_run_failure(incomplete);
        let result = match (panic, failed) {
            (Some((payload, index, is_late)), failed) => {
                drop_payload(drop_catching(failed));
                for error in more {
                    drop_payload(drop_catching(error));
                }
                GroupError::Panicked(Panicked::new(payload, index, is_late))
            }
            (None, Some((number, error))) if !more.is_empty() => {
                let numbering = number.map_or(Numbering::Time, |_| Numbering::Spawned);
                more.push((number.unwrap_or(0), error));
                GroupError::Several(Failures::new(ByIndex::from_unsorted(more), numbering))
            }
            (None, Some((index, error))) => GroupError::Failed { index, error },
            (None, None) => return GroupError::Cancelled(Cancelled::new(cause)),
        };
        drop_payload(drop_catching(cause));
        result
    }

    /// Drops what is not a part of the failure.
    fn into_run_failure(mut self, incomplete: Option<R>) -> RunFailure<E> {
        let bound = self.record.bound();
        let (mut failed, mut panic, mut panicked_at) = (None, None, None);
        // A drop below panics after the end.
        let mut is_late = true;
        let mut more = self.record.take_more_errors();
        if let Some(ending) = self.ending {
            is_late = !ending.is_panic() || ending.is_late(bound);
            let (index, is_fatal) = (ending.index, ending.standing == Standing::Fatal);
            match ending.kind {
                Kind::Error(error) => failed = Some((index.or(ending.number), is_fatal, error)),
                Kind::Panic(payload) => (panic, panicked_at) = (Some(payload), index),
            }
        }
        first_panic(&mut panic, drop_catching(incomplete));
        // One by one: two panics of a vector's drop would abort the process.
        for failure in self.record.take_all() {
            match failure.kind {
                Kind::Error(error) => first_panic(&mut panic, drop_catching(error)),
                Kind::Panic(payload) => drop_payload([payload]),
            }
        }
        // The error of a body stopped the run, whatever it had tolerated before.
        if !matches!(failed, Some((_, false, _))) {
            for error in mem::take(&mut more) {
                first_panic(&mut panic, drop_catching(error));
            }
        }
        RunFailure {
            panic: panic.map(|payload| (payload, panicked_at, is_late)),
            error: failed.map(|(number, _, error)| (number, error)),
            more,
            cause: self.cause.unwrap_or(Cause::Released),
        }
    }

    /// The result of a run without a policy. Only its closures can have cancelled it, so if they
    /// returned an error, that is the result.
    pub(crate) fn into_bare(mut self) -> Result<R, E> {
        match self.result.take() {
            Some(result) if self.verdict == Verdict::Ok => {
                drop_payload(self.cause.and_then(drop_catching));
                Ok(result)
            }
            incomplete => Err(self.into_bare_error(incomplete)),
        }
    }

    /// Not by way of a [`GroupError`], whose other kinds most programs never make.
    #[cold]
    fn into_bare_error(mut self, incomplete: Option<R>) -> E {
        if self.verdict == Verdict::Cancelled {
            self.ending = (self.record.take_ending(false)).and_then(Ending::into_failure);
        }
        // No run without a policy has more than one error.
        let RunFailure {
            panic,
            error: failed,
            cause,
            ..
        } = self.into_run_failure(incomplete);
        match (panic, failed) {
            (Some((payload, ..)), failed) => {
                drop_payload(drop_catching(failed));
                drop_payload(drop_catching(cause));
                resume_unwind(payload)
            }
            (None, Some((_, error))) => {
                drop_payload(drop_catching(cause));
                error
            }
            (None, None) => {
                // It must not be dropped by the unwinding: its reason's drop may panic, too.
                let cancelled = Cancelled::new(cause);
                let cause = cancelled.to_string();
                let failed_elsewhere = cut::failed_elsewhere(cancelled.cause());
                drop_payload(drop_catching(cancelled));
                if let Some(index) = failed_elsewhere {
                    panic!(
                        "items were skipped because item {index} failed elsewhere, and there is no \
                         error to return: give the run an `ErrGroup`, by `with_group`"
                    );
                }
                panic!(
                    "work was or may have been skipped because a closure cancelled its own run \
                     ({cause}), and there is no error to return: return one from the closure, or \
                     use an `ErrGroup`, by `with_group` or `ErrGroup::scope`"
                )
            }
        }
    }

    /// The index at which the sequential loop would have stopped, if the error limit was reached.
    pub(crate) fn bound(&self) -> Option<usize> {
        self.record.bound()
    }

    /// Takes all failures, except for the errors that were [given back](Run::give_back). A panic
    /// that the run ended with comes first.
    pub(crate) fn take_failures(&mut self) -> impl Iterator<Item = Failure<E>> + use<R, E> {
        self.ending.take().into_iter().chain(self.record.take_all())
    }
}
