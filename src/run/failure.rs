//! `Failure`: what can go wrong in a run, and the one way in which the run learns of it.

use super::Run;
use crate::panic::{Payload, drop_catching, drop_payload};
use crate::sync::lock;
use crate::token::Cause;

/// Something that went wrong in a run.
pub(crate) struct Failure<E> {
    /// The index of the item, in a run in order.
    pub(crate) index: Option<usize>,
    pub(crate) standing: Standing,
    pub(crate) kind: Kind<E>,
}

pub(crate) enum Kind<E> {
    Error(E),
    Panic(Payload),
}

/// What a failure means for the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It counts towards the error limit.
    Tolerable,
    /// It stops the run, whatever the policy says.
    Fatal,
    /// It came after its item had been cancelled, and may be a consequence of that.
    Late,
    /// It was counted, but the sequential loop would have stopped before it.
    Unreached,
}

impl<E> Failure<E> {
    /// An item or task failed.
    pub(crate) fn new(index: Option<usize>, kind: Kind<E>) -> Self {
        Failure {
            index,
            standing: Standing::Tolerable,
            kind,
        }
    }

    /// A sink or a body failed, or the source, a callback or a drop panicked. No policy tolerates
    /// that.
    pub(crate) fn fatal(index: Option<usize>, kind: Kind<E>) -> Self {
        Failure {
            standing: Standing::Fatal,
            ..Failure::new(index, kind)
        }
    }

    pub(super) fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panic(_))
    }

    /// Whether the run tolerated it, or it reached the error limit. Other panics outrank it.
    pub(super) fn is_counted(&self) -> bool {
        self.standing == Standing::Tolerable || !self.is_panic() && self.standing == Standing::Fatal
    }

    pub(super) fn is_counted_error(&self) -> bool {
        self.is_counted() && !self.is_panic()
    }
}

/// How a run reacts to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reaction {
    /// It tolerates the failure.
    Continue,
    /// In order: earlier items still count, and one of them may become the first failure.
    StopAbove(usize),
    /// Nothing that has not ended counts any more.
    Stop,
}

impl<E> Run<E> {
    /// Records a failure, and cancels the run if the reaction is [`Reaction::Stop`]. Every failure
    /// of a run enters here.
    ///
    /// Returns the failure that is not kept, if there is one. The caller first stops what the
    /// reaction says, and then calls [`discard`](Run::discard): a drop may be slow.
    #[cold]
    pub(crate) fn record(&self, mut failure: Failure<E>) -> (Reaction, Option<Failure<E>>) {
        if failure.is_panic() && !self.policy.tolerates_panics() {
            failure.standing = Standing::Fatal;
        }
        let cause = match failure.kind {
            Kind::Error(_) => Cause::Failed,
            Kind::Panic(_) => Cause::Panicked,
        };
        let Some(active) = self.token.node().lock_active() else {
            failure.standing = Standing::Late;
            self.mark_incomplete();
            return (Reaction::Stop, lock(&self.record).keep(failure));
        };
        // The token's lock is held meanwhile. So the failure is recorded before any thread can see
        // that the run is cancelled, and an error that is a consequence of that comes second.
        let (reaction, unwanted) = lock(&self.record).count(failure);
        if reaction != Reaction::Continue {
            self.mark_incomplete();
        }
        // In order the token stays active, for the items before this one.
        if reaction == Reaction::Stop {
            active.cancel(&cause, &mut |_, payload| self.panicked(payload));
        }
        (reaction, unwanted)
    }

    /// The same where nothing but the token is to be cancelled: for a failure that is not in order.
    #[cold]
    pub(crate) fn fail(&self, failure: Failure<E>) -> Reaction {
        let (reaction, unwanted) = self.record(failure);
        self.discard(unwanted);
        reaction
    }

    /// Something other than an item's closure panicked.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) {
        _ = self.fail(Failure::fatal(None, Kind::Panic(payload)));
    }

    /// Drops a failure that is not kept.
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
}
