//! One run: what its items share, from the first item to the report.
//!
//! | what happens | what the run does | where |
//! | --- | --- | --- |
//! | an item returns an error or panics | [`Run::record`]: record it, then cancel | `failure` |
//! | the source, a drop, a sink or a callback panics | the same; no policy tolerates it | `failure` |
//! | a panic unwinds through rayon | [`Run::panic_in_flight`], then [`Run::drive`] catches it | here |
//! | an item is dropped because of a cancellation | [`Run::skip`]: the run is incomplete | here |
//! | every item has ended | [`Run::finish`] makes the [`Report`] | `report` |

mod failure;
#[cfg(all(test, model = "loom"))]
mod models;
mod record;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub(crate) use self::failure::{Failure, FailurePolicy, Reaction};
use self::record::Record;
pub(crate) use self::record::Verdict;
pub(crate) use self::report::{AllFailures, Report, Stopped};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::token::{CancelToken, Cause, Node};

/// How long a run that was cancelled from outside waits for proof that an item was left. See
/// [`Run::is_decided`].
const GRACE_PERIOD: Duration = Duration::from_millis(20);

/// What the items of one run share. Borrowed by every consumer, never cloned.
pub(crate) struct Run<E> {
    token: CancelToken,
    policy: FailurePolicy,
    record: Mutex<Record<E>>,
    /// The run can no longer end with `Ok`, and has been cancelled: the error limit was reached, an
    /// item panicked, or one was skipped.
    incomplete: AtomicBool,
    /// Since when an item could have arrived that proves that a cancelled run is not complete.
    grace_since: Mutex<Option<Instant>>,
}

impl<E> Run<E> {
    pub(crate) fn new(parent: Option<&CancelToken>, policy: FailurePolicy) -> Self {
        Run {
            token: CancelToken::of_run(parent),
            policy,
            record: Mutex::new(Record::new(policy)),
            incomplete: AtomicBool::new(false),
            grace_since: Mutex::new(None),
        }
    }

    /// A run without a policy: only an item can stop it.
    pub(crate) fn bare() -> Self {
        Run::new(None, FailurePolicy::default())
    }

    #[inline]
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Whether the run may go on after a failure.
    #[inline]
    pub(crate) fn tolerates_failures(&self) -> bool {
        self.policy.error_limit > 1
    }

    /// With how many failures the run ends, if all of them are kept and the run tolerates some.
    pub(crate) fn error_limit(&self) -> Option<usize> {
        let FailurePolicy {
            error_limit,
            keep_all,
            ..
        } = self.policy;
        (keep_all && error_limit > 1 && error_limit < usize::MAX).then_some(error_limit)
    }

    /// Calls `body`, which returns when every item has ended. `None` if it panicked.
    pub(crate) fn drive<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(result) => Some(result),
            Err(payload) => {
                lock(&self.record).panic_in_flight = false;
                self.panicked(payload);
                None
            }
        }
    }

    /// A panic of the source is unwinding towards [`drive`](Run::drive). It is the run's first panic,
    /// if there is none yet.
    #[cold]
    pub(crate) fn panic_in_flight(&self) {
        lock(&self.record).expect_panic();
        self.cancel(&Cause::Panicked);
        self.mark_incomplete();
    }

    /// The sink of a stream has had the values before `index`, and gets no more. If something other
    /// than a later failure has cancelled the run, that is the result, and not the failure.
    pub(crate) fn retract_above(&self, index: usize) {
        if self.token.is_cancelled() {
            lock(&self.record).retract_above(index);
        }
    }

    /// An item was dropped because the run is cancelled.
    #[cold]
    pub(crate) fn skip(&self) {
        self.mark_incomplete();
    }

    fn mark_incomplete(&self) {
        // Relaxed: the engine reads it as a hint to stop, and `finish` reads it after rayon has
        // joined every job of the run.
        self.incomplete.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        // Relaxed: see `mark_incomplete`.
        self.incomplete.load(Ordering::Relaxed)
    }

    /// Whether it is known already that the run will not end with `Ok`.
    pub(crate) fn has_failure(&self) -> bool {
        self.is_incomplete() || lock(&self.record).count > 0
    }

    fn cancel(&self, cause: &Cause) {
        let node = self.token.node();
        node.cancel(cause, &mut |_, payload| self.keep_panic(payload));
    }

    /// Cancels workers of this run, because an item before theirs has failed.
    pub(crate) fn cancel_workers(&self, workers: &[CancelToken]) {
        let nodes = workers.iter().map(CancelToken::node);
        Node::cancel_all(nodes, &Cause::Failed, &mut |payload| self.panicked(payload));
    }

    /// Once the token is cancelled: whether the result is decided too, so that rayon may stop
    /// producing items.
    ///
    /// An item's failure or panic decides it. A cancellation from outside does not: if it came
    /// after the last item, the run is a success, and only an item that is left proves that it is
    /// not. So the run stays open until the next item arrives, is dropped, and marks the run
    /// incomplete. Behind a `filter` that lets nothing through no item ever arrives, and the source
    /// may be endless: after the grace period the run gives up without proof.
    #[cold]
    pub(crate) fn is_decided(&self) -> bool {
        if self.is_incomplete() {
            return true;
        }
        let since = *lock(&self.grace_since).get_or_insert_with(Instant::now);
        let gives_up = since.elapsed() > GRACE_PERIOD;
        if gives_up {
            self.mark_incomplete();
        }
        gives_up
    }

    /// An item that began before the cancellation has ended, and the next may be the proof.
    #[cold]
    pub(crate) fn restart_grace_period(&self) {
        *lock(&self.grace_since) = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tolerated_if_more_than_one_and_limited_if_all_are_kept() {
        let run = |error_limit, keep_all| {
            let policy = FailurePolicy {
                error_limit,
                catch_panics: false,
                keep_all,
            };
            Run::<()>::new(None, policy)
        };
        let tolerates = |limit| run(limit, true).tolerates_failures();
        assert_eq!([1, 2, usize::MAX].map(tolerates), [false, true, true]);
        let limit = |limit| run(limit, true).error_limit();
        let most = usize::MAX - 1;
        assert_eq!(
            [1, 2, most, usize::MAX].map(limit),
            [None, Some(2), Some(most), None]
        );
        assert_eq!(run(2, false).error_limit(), None, "not all are kept");
    }
}
