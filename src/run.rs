//! One run: its token, the earliest failure, the panic. Record, then cancel.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Cancelled, Cause, Payload, keep_first};
use crate::lock::lock;
use crate::token::CancelToken;

/// How long a run that was cancelled from outside waits for proof that an item was left. See
/// [`Run::is_settled`].
const GRACE: Duration = Duration::from_millis(20);

/// What the items of one run share. Borrowed by every consumer, never cloned.
pub(crate) struct Run<E> {
    token: CancelToken,
    /// The earliest error in time.
    failure: Mutex<Option<E>>,
    /// The earliest panic in time.
    panic: Mutex<Option<Payload>>,
    /// The run can no longer end with `Ok`: an item failed, panicked, or was skipped. Implies that
    /// the token is cancelled.
    spoilt: AtomicBool,
    /// Since when an item could have arrived that proves that a cancelled run is not complete.
    grace_since: Mutex<Option<Instant>>,
}

/// Why a run did not end with `Ok`.
pub(crate) enum Stopped<E> {
    Panicked(Payload),
    /// An item's error was the trigger.
    Failed(E),
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
            failure: Mutex::new(None),
            panic: Mutex::new(None),
            spoilt: AtomicBool::new(false),
            grace_since: Mutex::new(None),
        }
    }

    #[inline]
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// An item returned an error.
    #[cold]
    pub(crate) fn fail(&self, error: E) {
        let mut error = Some(error);
        self.cancel(&Cause::Failed, || *lock(&self.failure) = error.take());
        if error.is_some() {
            // Too late to be the trigger. A call that has only `E` to return may need it.
            let mut failure = lock(&self.failure);
            if failure.is_none() {
                *failure = error.take();
            }
        }
        self.spoil();
    }

    /// An item, or the source of the items, panicked.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) {
        keep_first(&self.panic, payload);
        self.unwinding();
    }

    /// A panic is on its way to the caller of the run, who will record it.
    #[cold]
    pub(crate) fn unwinding(&self) {
        self.cancel(&Cause::Panicked, || ());
        self.spoil();
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
            .cancel(cause, record, |_, payload| keep_first(&self.panic, payload));
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
        let result = result.map_err(|payload| self.panicked(payload));
        let stray = self.token.node().finish();
        match result {
            Ok(result) if !self.is_spoilt() && stray.is_none() => Ok(result),
            _ => Err(self.stopped(stray)),
        }
    }

    /// What stopped a run that has ended; `stray` is a callback's panic that was left at its token.
    #[cold]
    fn stopped(self, stray: Option<Payload>) -> Stopped<E> {
        if let Some(payload) = stray {
            keep_first(&self.panic, payload);
        }
        if let Some(payload) = lock(&self.panic).take() {
            return Stopped::Panicked(payload);
        }
        let failure = lock(&self.failure).take();
        match (self.token.cause(), failure) {
            (Some(Cause::Failed), Some(error)) => Stopped::Failed(error),
            (cause, late) => Stopped::Cancelled {
                cancelled: Cancelled::new(cause.unwrap_or(Cause::Finished)),
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
            Stopped::Failed(error)
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
