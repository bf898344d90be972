//! One run: its token, the earliest failure, the panic. Record, then cancel.

mod ended;
mod fail;
#[cfg(all(test, model = "loom"))]
mod models;
mod record;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub(crate) use self::ended::{Account, Stopped, bare};
use self::record::Record;
pub(crate) use self::record::{Found, Tolerance, Verdict};
use crate::error::{Cause, Payload};
use crate::panic::drop_payload;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::token::{CancelToken, Node};

/// How long a run that was cancelled from outside waits for proof that an item was left. See
/// [`Run::is_settled`].
const GRACE: Duration = Duration::from_millis(20);

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct GoOn(pub(crate) bool);

/// Which items of a run in order are wanted, after one of them has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The run bears the failure.
    All,
    /// The failures are too many, but one below this position may be the one that counts.
    UpTo(usize),
    /// Something else has cancelled the run.
    Nothing,
}

/// What the items of one run share. Borrowed by every consumer, never cloned.
pub(crate) struct Run<E> {
    token: CancelToken,
    tolerance: Tolerance,
    record: Mutex<Record<E>>,
    /// The run can no longer end with `Ok`, and has been cancelled: failures were too many, an item
    /// panicked, or was skipped.
    spoilt: AtomicBool,
    /// Since when an item could have arrived that proves that a cancelled run is not complete.
    grace_since: Mutex<Option<Instant>>,
}

impl<E> Run<E> {
    pub(crate) fn new(parent: Option<&CancelToken>, tolerance: Tolerance) -> Self {
        Run {
            token: CancelToken::of_run(parent),
            tolerance,
            record: Mutex::new(Record::new(tolerance)),
            spoilt: AtomicBool::new(false),
            grace_since: Mutex::new(None),
        }
    }

    #[inline]
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// An item panicked, or the drop of one.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) {
        self.keep_fatal(None, payload);
        self.cancel(&Cause::Panicked, || ());
        self.spoil();
    }

    /// Runs what may panic beside an item's closure: the drop of a value or an error.
    pub(crate) fn contain(&self, body: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
            self.panicked(payload);
        }
    }

    /// A panic of the source of the items is on its way to the caller of the run.
    #[cold]
    pub(crate) fn unwinding(&self) {
        let mut record = lock(&self.record);
        record.is_escaping |= record.fatal.is_empty();
        drop(record);
        self.cancel(&Cause::Panicked, || ());
        self.spoil();
    }

    fn keep_fatal(&self, index: Option<usize>, payload: Payload) {
        let panic = Found {
            index,
            what: payload,
        };
        let later = lock(&self.record).keep_fatal(panic);
        drop_payload(later);
    }

    /// The panic that was escaping has arrived.
    fn arrived(&self, payload: Payload) {
        lock(&self.record).is_escaping = false;
        self.panicked(payload);
    }

    /// Whether the run may go on after a failure.
    #[inline]
    pub(crate) fn bears_failures(&self) -> bool {
        self.tolerance.failures > 1
    }

    /// With how many failures the run may end, if each of them is to be accounted for; `None` where
    /// nobody counts them.
    pub(crate) fn counted_failures(&self) -> Option<usize> {
        let Tolerance {
            failures, keep_all, ..
        } = self.tolerance;
        (keep_all && failures > 1 && failures < usize::MAX).then_some(failures)
    }

    /// An item was dropped because the run is cancelled.
    #[cold]
    pub(crate) fn skip(&self) {
        self.spoil();
    }

    fn spoil(&self) {
        // Relaxed: read by the engine as a hint to stop, and by the caller after rayon has joined
        // every job of the run.
        self.spoilt.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_spoilt(&self) -> bool {
        // Relaxed: see `spoil`.
        self.spoilt.load(Ordering::Relaxed)
    }

    fn cancel(&self, cause: &Cause, record: impl FnOnce()) {
        if let Some(active) = self.token.node().lock_active() {
            record();
            active.cancel(cause, &mut |_, payload| self.keep_fatal(None, payload));
        }
    }

    /// Whether it is known already that the run will not end with `Ok`.
    pub(crate) fn is_flawed(&self) -> bool {
        self.is_spoilt() || lock(&self.record).count > 0
    }

    /// Cancels lanes of this run, because an item below them has failed.
    pub(crate) fn cancel_lanes(&self, lanes: &[CancelToken]) {
        let nodes = lanes.iter().map(CancelToken::node);
        Node::cancel_all(nodes, &Cause::Failed, &mut |payload| {
            self.panicked(payload);
        });
    }

    /// Once the token is cancelled: whether the result is settled too, and rayon may stop producing
    /// items.
    ///
    /// An item's failure or panic settles it. A cancellation from outside does not: if it came
    /// after the last item, the run is a success, and only an item that is left proves that it is
    /// not. So the run stays open until the next item arrives, is dropped, and spoils it. Behind a
    /// `filter` that lets nothing through no item ever arrives, and the source may be endless:
    /// after a while the run is called off without proof.
    #[cold]
    pub(crate) fn is_settled(&self) -> bool {
        if self.is_spoilt() {
            return true;
        }
        let since = *lock(&self.grace_since).get_or_insert_with(Instant::now);
        let called_off = since.elapsed() > GRACE;
        if called_off {
            self.spoil();
        }
        called_off
    }

    /// An item that was begun before the cancellation has ended, and the next may be the proof.
    #[cold]
    pub(crate) fn restart_grace(&self) {
        *lock(&self.grace_since) = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_borne_if_more_than_one_and_counted_if_all_are_kept() {
        let run = |failures, keep_all| {
            let catch_panics = false;
            let tolerance = Tolerance {
                failures,
                catch_panics,
                keep_all,
            };
            Run::<()>::new(None, tolerance)
        };
        let bears = |failures| run(failures, true).bears_failures();
        assert_eq!([1, 2, usize::MAX].map(bears), [false, true, true]);
        let counted = |failures| run(failures, true).counted_failures();
        let most = usize::MAX - 1;
        assert_eq!(
            [1, 2, most, usize::MAX].map(counted),
            [None, Some(2), Some(most), None]
        );
        assert_eq!(run(2, false).counted_failures(), None, "nobody counts");
    }
}
