//! One run: its token, the earliest failure, the panic. Record, then cancel.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Cancelled, Cause, Payload, discard};
use crate::lock::lock;
use crate::token::CancelToken;

/// How long a run that was cancelled from outside waits for proof that an item was left. See
/// [`Run::is_settled`].
const GRACE: Duration = Duration::from_millis(20);

/// What the items of one run share. Borrowed by every consumer, never cloned.
pub(crate) struct Run<E> {
    token: CancelToken,
    failures: Mutex<Failures<E>>,
    panic: Mutex<FirstPanic>,
    /// The run can no longer end with `Ok`: an item failed, panicked, or was skipped. Implies that
    /// the token is cancelled.
    spoilt: AtomicBool,
    /// Since when an item could have arrived that proves that a cancelled run is not complete.
    grace_since: Mutex<Option<Instant>>,
}

struct Failures<E> {
    /// The error that cancelled the run; of a run in order the one with the lowest position, the
    /// first of which cancelled the run.
    trigger: Option<Failure<E>>,
    /// An error that came after something else had cancelled the run.
    late: Option<E>,
}

/// An item's error.
pub(crate) struct Failure<E> {
    /// The item's position, where it is known.
    pub(crate) index: Option<usize>,
    pub(crate) error: E,
}

/// The earliest panic in time; later ones are dropped.
enum FirstPanic {
    None,
    /// It is on its way to the caller of the run, through rayon.
    Escaping,
    Kept(Payload),
}

/// Why a run did not end with `Ok`.
pub(crate) enum Stopped<E> {
    Panicked(Payload),
    /// An item's error was the trigger.
    Failed(Failure<E>),
    /// Something else was; `late` is an error that an item returned afterwards.
    Cancelled {
        cancelled: Cancelled,
        late: Option<E>,
    },
}

impl<E> Run<E> {
    pub(crate) fn new(parent: Option<&CancelToken>) -> Self {
        Run {
            token: CancelToken::of_run(parent),
            failures: Mutex::new(Failures {
                trigger: None,
                late: None,
            }),
            panic: Mutex::new(FirstPanic::None),
            spoilt: AtomicBool::new(false),
            grace_since: Mutex::new(None),
        }
    }

    #[inline]
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// An item returned an error: cancels the run.
    #[cold]
    pub(crate) fn fail(&self, error: E) {
        let mut error = Some(error);
        self.cancel(&Cause::Failed, || {
            let failure = error.take().map(|error| Failure { index: None, error });
            lock(&self.failures).trigger = failure;
        });
        self.keep_late(error);
        self.spoil();
    }

    /// The item at `index` returned an error: keeps it if nothing else has cancelled the run and no
    /// item with a lower position has failed. The run goes on, for the items below; who calls sees
    /// to it that those above are cancelled, and the run at its end.
    #[cold]
    pub(crate) fn fail_at(&self, index: usize, error: E) {
        let mut failure = Some(Failure {
            index: Some(index),
            error,
        });
        let active = self.token.node().while_active(|| {
            let trigger = &mut lock(&self.failures).trigger;
            if trigger
                .as_ref()
                .is_none_or(|lowest| Some(index) < lowest.index)
            {
                // What stood there is dropped without a lock.
                mem::swap(trigger, &mut failure);
            }
        });
        if !active && self.is_undecided() {
            self.keep_late(failure.take().map(|failure| failure.error));
        }
        self.spoil();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(failure))) {
            self.panicked(payload);
        }
    }

    /// Whether no item's error is the trigger.
    fn is_undecided(&self) -> bool {
        lock(&self.failures).trigger.is_none()
    }

    /// Takes back a failure above this position, if something else has cancelled the run since: for
    /// who was to have all values below the failure first, and will not have them now.
    pub(crate) fn retract_above(&self, position: usize) {
        if self.token.is_cancelled() {
            let mut failures = lock(&self.failures);
            let failure = failures
                .trigger
                .take_if(|failure| failure.index > Some(position));
            drop(failures);
            self.keep_late(failure.map(|failure| failure.error));
        }
    }

    /// A call that has only `E` to return may need an error that was too late to be the trigger.
    fn keep_late(&self, mut error: Option<E>) {
        let mut failures = lock(&self.failures);
        if failures.late.is_none() {
            failures.late = error.take();
        }
        drop(failures);
    }

    /// An item panicked, or the drop of one.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) {
        self.keep(payload);
        self.cancel(&Cause::Panicked, || ());
        self.spoil();
    }

    /// A panic of the source of the items is on its way to the caller of the run.
    #[cold]
    pub(crate) fn unwinding(&self) {
        let mut first = lock(&self.panic);
        if let FirstPanic::None = *first {
            *first = FirstPanic::Escaping;
        }
        drop(first);
        self.cancel(&Cause::Panicked, || ());
        self.spoil();
    }

    fn keep(&self, payload: Payload) {
        let mut first = lock(&self.panic);
        if let FirstPanic::None = *first {
            *first = FirstPanic::Kept(payload);
        } else {
            drop(first);
            discard(payload);
        }
    }

    /// The panic that was escaping has arrived.
    fn arrived(&self, payload: Payload) {
        let mut first = lock(&self.panic);
        if let FirstPanic::Escaping = *first {
            *first = FirstPanic::None;
        }
        drop(first);
        self.panicked(payload);
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
        self.token
            .node()
            .cancel(cause, record, |_, payload| self.keep(payload));
    }

    /// Cancels a lane of this run, because an item below it has failed.
    pub(crate) fn cancel_lane(&self, lane: &CancelToken) {
        lane.node()
            .cancel(&Cause::Failed, || (), |_, payload| self.panicked(payload));
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

    /// Runs `body`, which returns when every item has ended, and says what came of it.
    pub(crate) fn execute<R>(self, body: impl FnOnce(&Run<E>) -> R) -> Result<R, Stopped<E>> {
        let result = catch_unwind(AssertUnwindSafe(|| body(&self)));
        let result = result.map_err(|payload| self.arrived(payload));
        if !self.is_undecided() {
            // The token of a run in order has waited for the items below the one that failed.
            self.cancel(&Cause::Failed, || ());
        }
        let stray = self.token.node().finish();
        let incomplete = match result {
            Ok(values) if !self.is_spoilt() && stray.is_none() => return Ok(values),
            incomplete => incomplete,
        };
        // Dropped here, so that a panic of a value's drop is one of the run.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(incomplete)));
        for payload in [stray, dropped.err()].into_iter().flatten() {
            self.keep(payload);
        }
        Err(self.stopped())
    }

    #[cold]
    fn stopped(self) -> Stopped<E> {
        if let FirstPanic::Kept(payload) = mem::replace(&mut *lock(&self.panic), FirstPanic::None) {
            return Stopped::Panicked(payload);
        }
        let mut failures = lock(&self.failures);
        let (trigger, late) = (failures.trigger.take(), failures.late.take());
        drop(failures);
        match trigger {
            Some(failure) => Stopped::Failed(failure),
            None => Stopped::Cancelled {
                cancelled: Cancelled::new(self.token.cause().unwrap_or(Cause::Finished)),
                late,
            },
        }
    }
}

/// A run without a policy: nothing but an item can stop it, so its error is the item's own.
pub(crate) fn bare<R, E>(body: impl FnOnce(&Run<E>) -> R) -> Result<R, E> {
    match Run::new(None).execute(body) {
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
            "items were skipped because a closure cancelled its own run ({cancelled}), and there \
             is no error to return: return one from the closure, or use `with_group`"
        ),
    }
}
