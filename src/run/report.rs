//! `Report`: how a run ended.

use std::panic::resume_unwind;
use std::sync::PoisonError;

use super::Run;
use super::failure::{Failure, Kind};
use super::record::{Record, Verdict};
use crate::panic::{Payload, drop_catching, drop_payload, first_panic};
use crate::token::{Cancelled, Cause};

/// How a run ended, and all that came of it.
pub(crate) struct Report<R, E> {
    /// What the engine returned. Incomplete unless the verdict is `Ok`.
    pub(crate) result: Option<R>,
    pub(crate) verdict: Verdict,
    /// What cancelled the run, if anything did.
    pub(crate) cause: Option<Cause>,
    record: Record<E>,
}

/// Why a run did not end with `Ok`.
pub(crate) enum Stopped<E> {
    Panicked(Payload),
    /// Items failed, the first of them with this index and error.
    Failed {
        index: Option<usize>,
        error: E,
    },
    /// Something else was the trigger; `late` is an error that is not.
    Cancelled {
        cancelled: Cancelled,
        late: Option<E>,
    },
}

/// The failures of a run that keeps all of them.
pub(crate) struct AllFailures<E> {
    /// The errors that the run ended with.
    pub(crate) errors: Vec<(Option<usize>, E)>,
    /// The other errors: they came late, or the sequential loop would not have come to them.
    pub(crate) late_errors: Vec<(Option<usize>, E)>,
    /// How many of the late errors were returned after their item had been cancelled.
    pub(crate) cancelled: usize,
    /// The one that the run ended with first, if it ended with a panic.
    pub(crate) panics: Vec<(Option<usize>, Payload)>,
}

impl<E> Run<E> {
    /// Ends the run, whose items have all ended, and reports what came of it.
    pub(crate) fn finish<R>(mut self, result: Option<R>) -> Report<R, E> {
        if self.record_mut().limit_reached {
            // In order the token was left active for the items before the failure.
            let cause = self.record_mut().cause(None).unwrap_or(Cause::Failed);
            self.cancel(&cause);
        }
        if let Some(orphaned) = self.token.node().release() {
            self.keep_panic(orphaned);
            self.mark_incomplete();
        }
        let (policy, incomplete) = (self.policy, self.is_incomplete());
        let record = std::mem::replace(self.record_mut(), Record::new(policy));
        let report = Report {
            result,
            verdict: record.verdict(incomplete),
            cause: record.cause(self.token.cause()),
            record,
        };
        // The run may be the last owner of its parent, and so of a reason whose drop panics.
        drop_payload(drop_catching(self));
        report
    }

    fn record_mut(&mut self) -> &mut Record<E> {
        let record = self.record.get_mut();
        record.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R, E> Report<R, E> {
    /// The result, or the one thing that stopped the run.
    ///
    /// Everything else is dropped. If that panics, the run has panicked.
    pub(crate) fn into_result(self) -> Result<R, Stopped<E>> {
        match self {
            Report {
                result: Some(result),
                verdict: Verdict::Ok,
                cause,
                ..
            } => {
                // A cancellation that came too late may have a reason whose drop panics.
                drop_payload(drop_catching(cause));
                Ok(result)
            }
            stopped => Err(stopped.into_stopped()),
        }
    }

    #[cold]
    fn into_stopped(self) -> Stopped<E> {
        let Report {
            result,
            mut verdict,
            cause,
            mut record,
        } = self;
        // The values first: a panic of their drop is one of the run, and outranks its errors.
        if let Some(payload) = drop_catching(result) {
            verdict = Verdict::Panicked;
            drop_payload(drop_catching(record.keep(Failure::fatal_panic(payload))));
        }
        let stopped = match verdict {
            Verdict::Panicked => record.take_first_panic(),
            Verdict::Failed => record.take_error(false),
            // An error that was tolerated before the cancellation, or that came after it.
            Verdict::Cancelled | Verdict::Ok => {
                record.take_error(false).or_else(|| record.take_error(true))
            }
        };
        let (index, kind) = stopped.map(|failure| (failure.index, failure.kind)).unzip();
        let index = index.flatten();
        let mut dropped = None;
        // One by one: two panics of a vector's drop would abort the process.
        for failure in record.take_failures() {
            match failure.kind {
                Kind::Error(error) => first_panic(&mut dropped, drop_catching(error)),
                Kind::Panic(payload) => drop_payload([payload]),
            }
        }
        match (verdict, kind, dropped) {
            (_, Some(Kind::Panic(payload)), dropped) => {
                drop_payload(dropped.into_iter().chain(drop_catching(cause)));
                Stopped::Panicked(payload)
            }
            (_, rest, Some(payload)) => {
                drop_payload(drop_catching(rest).into_iter().chain(drop_catching(cause)));
                Stopped::Panicked(payload)
            }
            (Verdict::Failed, Some(Kind::Error(error)), None) => {
                drop_payload(drop_catching(cause));
                Stopped::Failed { index, error }
            }
            (_, late, None) => Stopped::Cancelled {
                cancelled: Cancelled::new(cause.unwrap_or(Cause::Released)),
                late: late.and_then(Kind::into_error),
            },
        }
    }

    /// The result of a run without a policy. Its error is the item's own, since nothing else can have
    /// stopped the run.
    pub(crate) fn into_bare(self) -> Result<R, E> {
        match self.into_result() {
            Ok(result) => Ok(result),
            Err(Stopped::Panicked(payload)) => resume_unwind(payload),
            Err(Stopped::Failed { error, .. }) => Err(error),
            Err(Stopped::Cancelled { cancelled, late }) => {
                // Written before `cancelled` is dropped, which must not happen during the unwinding:
                // the drop of its reason may panic, too.
                let cause = cancelled.to_string();
                drop_payload(drop_catching(cancelled));
                late.map_or_else(|| panic_for_lack_of_error(&cause), Err)
            }
        }
    }

    /// Takes all failures.
    pub(crate) fn take_failures(&mut self) -> AllFailures<E> {
        let mut all = AllFailures {
            errors: Vec::new(),
            late_errors: Vec::new(),
            cancelled: 0,
            panics: Vec::new(),
        };
        let first = match self.verdict {
            Verdict::Panicked => self.record.take_first_panic(),
            _ => None,
        };
        let rest = self.record.take_failures();
        for failure in first.into_iter().chain(rest) {
            let ends_run = self.record.ends_with(&failure);
            all.cancelled += usize::from(failure.is_late_error());
            match failure.kind {
                Kind::Panic(payload) => all.panics.push((failure.index, payload)),
                Kind::Error(error) if ends_run => all.errors.push((failure.index, error)),
                Kind::Error(error) => all.late_errors.push((failure.index, error)),
            }
        }
        all
    }
}

/// No policy and no panic: only a closure itself can have cancelled the run before one failed.
#[cold]
fn panic_for_lack_of_error(cause: &str) -> ! {
    panic!(
        "work was skipped because a closure cancelled its own run ({cause}), and there is no error \
         to return: return one from the closure, or use an `ErrGroup`, by `with_group` or \
         `ErrGroup::scope`"
    )
}
