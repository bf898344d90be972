//! One run: its token, the earliest failure, the panic. Record, then cancel.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Cancelled, Cause, Payload, keep_first};
use crate::lock::lock;
use crate::token::CancelToken;

/// How long a run that was cancelled from outside waits for proof that an item was left. See
/// [`Run::is_over`].
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
    /// When it was first noticed that the token is cancelled although nothing is spoilt yet.
    noticed: OnceLock<Instant>,
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
            noticed: OnceLock::new(),
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

    /// Whether rayon may stop producing items.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.token.is_cancelled() && self.is_settled()
    }

    /// Once the token is cancelled: whether the result is settled too.
    ///
    /// An item's failure or panic settles it. A cancellation from outside does not: if it came
    /// after the last item, the run is a success, and only an item that is left proves that it is
    /// not. So the run stays open until the next item arrives, is dropped, and spoils it. Behind a
    /// `filter` that lets nothing through no item ever arrives, and the source may be endless:
    /// after a while the run is called off without proof.
    #[cold]
    fn is_settled(&self) -> bool {
        if self.is_spoilt() {
            return true;
        }
        let called_off = self.noticed.get_or_init(Instant::now).elapsed() > GRACE;
        if called_off {
            self.spoil();
        }
        called_off
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

/// Cancels the run at once when a panic passes by, before it has reached the caller.
///
/// It stands in everything that rayon may drop while it unwinds. Whether a drop is part of an
/// unwinding is asked of the thread, and compared with the thread's answer at the last
/// [`rearm`](PanicWatch::rearm): a worker that is unwinding for another reason may wait in a
/// destructor and run our items meanwhile.
pub(crate) struct PanicWatch<'r, E> {
    run: &'r Run<E>,
    /// Whether a panic seen now is new. False until the watch is on the thread that it watches.
    armed: std::cell::Cell<bool>,
}

impl<'r, E> PanicWatch<'r, E> {
    pub(crate) fn new(run: &'r Run<E>) -> Self {
        PanicWatch {
            run,
            armed: std::cell::Cell::new(false),
        }
    }

    pub(crate) fn run(&self) -> &'r Run<E> {
        self.run
    }

    /// Watches the current thread from now on.
    pub(crate) fn rearm(&self) {
        self.armed.set(!thread::panicking());
    }
}

impl<E> Drop for PanicWatch<'_, E> {
    fn drop(&mut self) {
        if self.armed.get() && thread::panicking() {
            self.run.unwinding();
        }
    }
}
