//! One run: what its items share. A failure enters by [`Run::record`], an item that is dropped
//! because of a cancellation by [`Run::mark_incomplete`], and [`Run::finish`] makes the [`Report`].

mod body;
mod failure;
#[cfg(all(test, model = "loom"))]
mod models;
mod record;
mod report;

pub(crate) use self::body::Abandoned;
pub(crate) use self::failure::{Failure, Kind, Reaction};
use self::record::Record;
pub(crate) use self::report::{Report, Verdict};
use crate::cut::Cut;
use crate::failure_policy::FailurePolicy;
use crate::panic::{Payload, catch};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::token::{CancelToken, Cause, Held, Node};

/// What the items of one run share. Borrowed by every consumer, never cloned.
pub(crate) struct Run<E> {
    /// Not only the method: whoever [recycles](CancelToken::recycle) it moves it out alone.
    pub(crate) token: CancelToken,
    pub(crate) policy: FailurePolicy,
    record: Mutex<Record<E>>,
    /// The run can no longer end with `Ok`; see [`Run::mark_incomplete`].
    incomplete: AtomicBool,
    /// Nothing above it counts.
    pub(crate) cut: Option<Cut>,
}

impl<E> Run<E> {
    #[inline]
    pub(crate) fn new(parent: Option<&CancelToken>, policy: FailurePolicy) -> Self {
        Run {
            token: CancelToken::of_run(parent),
            policy,
            record: Mutex::new(Record::new(policy)),
            incomplete: AtomicBool::new(false),
            cut: None,
        }
    }

    /// A run without a policy: only an item can stop it.
    #[inline(never)]
    pub(crate) fn bare() -> Self {
        Run::new(None, FailurePolicy::default())
    }

    /// The run, whose items above the cut are cancelled when it is lowered. If they see their
    /// token, the workers say before each item which one it is.
    pub(crate) fn cut_by(mut self, cut: Option<Cut>, see_token: bool) -> Self {
        if let Some(cut) = &cut {
            cut.add_run(&self.token, see_token);
        }
        self.cut = cut;
        self
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Calls `body`, which returns when every item has ended. `None` if it panicked.
    #[inline]
    pub(crate) fn drive<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        catch(body)
            .map_err(|payload| self.source_panicked(payload))
            .ok()
    }

    #[cold]
    fn source_panicked(&self, payload: Payload) {
        lock(&self.record).panic_in_flight = false;
        self.panicked(payload);
    }

    /// A panic of the source is unwinding towards [`drive`](Run::drive). It is the run's first
    /// panic, if there is none yet.
    #[cold]
    pub(crate) fn panic_in_flight(&self) {
        let mut record = lock(&self.record);
        record.panic_in_flight |= !record.has_uncounted_panic();
        drop(record);
        self.cancel(&Cause::Panicked);
        self.mark_incomplete();
    }

    /// The run has been cancelled, and an item was dropped because of that, or has failed.
    #[cold]
    pub(crate) fn mark_incomplete(&self) {
        // Relaxed: a hint for the engine; `finish` reads it after rayon has joined every job.
        self.incomplete.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        // Relaxed: see `mark_incomplete`.
        self.incomplete.load(Ordering::Relaxed)
    }

    /// Whether it is known already that the run will not end with `Ok`.
    pub(crate) fn has_failure(&self) -> bool {
        let record = lock(&self.record);
        record.count > 0 || self.is_incomplete() && !record.has_succeeded
    }

    /// Whether an item with this index is above the cut.
    fn is_cut(&self, index: Option<usize>) -> bool {
        let cut = self.cut.as_ref().zip(index);
        cut.is_some_and(|(cut, index)| cut.is_below(index))
    }

    fn cancel(&self, cause: &Cause) {
        (self.token.node()).cancel(cause, &mut |_, payload| self.panicked(payload));
    }

    /// Cancels workers of this run, because an item before theirs has failed. Callbacks that are
    /// held back wait for [`run_held_callbacks`](Run::run_held_callbacks).
    pub(crate) fn cancel_workers<'w>(
        &self,
        workers: impl Iterator<Item = (&'w CancelToken, Held)>,
    ) {
        let nodes = workers.map(|(worker, held)| (worker.node(), held));
        Node::cancel_all(nodes, &Cause::Failed, &mut |payload| self.panicked(payload));
    }

    /// No item before the failure runs any more.
    pub(crate) fn run_held_callbacks(&self) {
        (self.token.node()).run_held(&mut |payload| self.panicked(payload));
    }
}
