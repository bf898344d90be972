//! `Failure`: what can go wrong in a run, and the one way in which the run learns of it.

use std::ops::ControlFlow;

use super::Run;
use crate::panic::{Payload, drop_catching, drop_payload};
use crate::sync::lock;
use crate::token::Cause;

/// How many failures a run tolerates, and what it keeps of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailurePolicy {
    /// The failure with this number stops the run. `usize::MAX`: none does.
    pub(crate) error_limit: usize,
    /// A panic of an item counts as an error, unless the first error stops the run anyway.
    pub(crate) catch_panics: bool,
    /// Every failure is kept, not only the first.
    pub(crate) keep_all: bool,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        FailurePolicy {
            error_limit: 1,
            catch_panics: false,
            keep_all: false,
        }
    }
}

impl FailurePolicy {
    pub(super) fn tolerates_panics(self) -> bool {
        self.catch_panics && self.error_limit > 1
    }
}

/// Something that went wrong in a run.
pub(crate) struct Failure<E> {
    /// The index of the item, in a run in order.
    pub(crate) index: Option<usize>,
    pub(super) standing: Standing,
    pub(super) kind: Kind<E>,
}

pub(super) enum Kind<E> {
    Error(E),
    Panic(Payload),
}

impl<E> Kind<E> {
    pub(super) fn into_error(self) -> Option<E> {
        match self {
            Kind::Error(error) => Some(error),
            Kind::Panic(_) => None,
        }
    }
}

/// What a failure means for the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts towards the error limit.
    Tolerable,
    /// It stops the run, whatever the policy says.
    Fatal,
    /// It came after its item had been cancelled, and may be a consequence of that.
    Late,
}

impl<E> Failure<E> {
    /// An item or task returned an error.
    pub(crate) fn error(index: Option<usize>, error: E) -> Self {
        Failure {
            index,
            standing: Standing::Tolerable,
            kind: Kind::Error(error),
        }
    }

    /// The closure of an item or task panicked.
    pub(crate) fn panic(index: Option<usize>, payload: Payload) -> Self {
        Failure {
            index,
            standing: Standing::Tolerable,
            kind: Kind::Panic(payload),
        }
    }

    /// The sink of a stream or the body of a scope returned an error. No policy tolerates that.
    pub(crate) fn fatal_error(index: Option<usize>, error: E) -> Self {
        Failure {
            standing: Standing::Fatal,
            ..Failure::error(index, error)
        }
    }

    /// Something other than an item's closure panicked: the source, a drop, a callback, a sink.
    pub(crate) fn fatal_panic(payload: Payload) -> Self {
        Failure {
            standing: Standing::Fatal,
            ..Failure::panic(None, payload)
        }
    }

    pub(super) fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panic(_))
    }

    /// Whether it is among the failures that the run tolerated or that stopped it. A panic that does
    /// not count outranks those that do.
    pub(super) fn is_counted(&self) -> bool {
        match self.kind {
            Kind::Error(_) => self.standing != Standing::Late,
            Kind::Panic(_) => self.standing == Standing::Tolerable,
        }
    }

    pub(super) fn is_late_error(&self) -> bool {
        !self.is_panic() && self.standing == Standing::Late
    }

    fn cause(&self) -> Cause {
        if self.is_panic() {
            Cause::Panicked
        } else {
            Cause::Failed
        }
    }
}

/// How a run reacts to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reaction {
    /// It tolerates the failure.
    Continue,
    /// In order: the items up to this index still count. One of them may fail, too, and become the
    /// first failure in iteration order.
    StopAbove(usize),
    /// Nothing that has not ended counts any more.
    Stop,
}

impl<E> Run<E> {
    /// Records a failure, and cancels the run if the reaction is [`Reaction::Stop`]. Every failure
    /// of a run enters here.
    ///
    /// The token's lock is held while the failure is recorded. So it is recorded only if nothing else
    /// has cancelled the run, and before any thread can see that the run is cancelled: an error that
    /// is a consequence of the cancellation comes second (guarantee 1).
    ///
    /// Returns the failure that is not kept, if there is one. The caller first stops what the
    /// reaction says is to be stopped, and then calls [`discard`](Run::discard): a drop may be slow.
    #[cold]
    #[inline(never)]
    pub(crate) fn record(&self, mut failure: Failure<E>) -> (Reaction, Option<Failure<E>>) {
        if failure.is_panic() && !self.policy.tolerates_panics() {
            failure.standing = Standing::Fatal;
        }
        let cause = failure.cause();
        let (reaction, unwanted) = if let Some(active) = self.token.node().lock_active() {
            let (reaction, unwanted) = lock(&self.record).count(failure);
            // In order the token stays active, for the items before this one.
            if reaction == Reaction::Stop {
                active.cancel(&cause, &mut |_, payload| self.keep_panic(payload));
            }
            (reaction, unwanted)
        } else {
            failure.standing = Standing::Late;
            (Reaction::Stop, lock(&self.record).keep(failure))
        };
        if reaction != Reaction::Continue {
            self.mark_incomplete();
        }
        (reaction, unwanted)
    }

    /// Records a failure in a run that is not in order, and says whether the run goes on.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&self, failure: Failure<E>) -> ControlFlow<()> {
        let (reaction, unwanted) = self.record(failure);
        self.discard(unwanted);
        match reaction {
            Reaction::Continue => ControlFlow::Continue(()),
            Reaction::StopAbove(_) | Reaction::Stop => ControlFlow::Break(()),
        }
    }

    /// Something other than an item's closure panicked.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) {
        _ = self.fail(Failure::fatal_panic(payload));
    }

    /// Drops a failure that is not kept. If an error panics in its drop, the run has panicked.
    pub(crate) fn discard(&self, unwanted: Option<Failure<E>>) {
        match unwanted.map(|failure| failure.kind) {
            Some(Kind::Error(error)) => self.drop_value(error),
            Some(Kind::Panic(payload)) => drop_payload([payload]),
            None => {}
        }
    }

    /// Drops an item, a value or an error. If that panics, the run has panicked.
    pub(crate) fn drop_value<T>(&self, value: T) {
        if let Some(payload) = drop_catching(value) {
            self.panicked(payload);
        }
    }

    /// Keeps a panic of a run that is being cancelled already.
    pub(super) fn keep_panic(&self, payload: Payload) {
        let unwanted = lock(&self.record).keep(Failure::fatal_panic(payload));
        self.discard(unwanted);
    }
}
