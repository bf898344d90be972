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
    /// The earliest error in time.
    failure: Mutex<Option<E>>,
    panic: Mutex<FirstPanic>,
    /// The run can no longer end with `Ok`: an item failed, panicked, or was skipped. Implies that
    /// the token is cancelled.
    spoilt: AtomicBool,
    /// Since when an item could have arrived that proves that a cancelled run is not complete.
    grace_since: Mutex<Option<Instant>>,
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
            panic: Mutex::new(FirstPanic::None),
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
