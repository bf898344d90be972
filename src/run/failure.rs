//! `Failure`: what can go wrong in a run, and how the run reacts.

use crate::panic::Payload;

/// Something that went wrong in a run.
pub(crate) struct Failure<E> {
    /// The index of the item, in a run in order.
    pub(crate) index: Option<usize>,
    /// The spawn number of the task, in a scope that keeps its errors. It names the failure, and
    /// says nothing of which of several counts.
    pub(crate) number: Option<usize>,
    pub(crate) standing: Standing,
    /// It came when its item was known to be above one that had failed elsewhere.
    pub(super) is_cut: bool,
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
}

impl<E> Failure<E> {
    /// An item or task failed.
    pub(crate) fn new(index: Option<usize>, kind: Kind<E>) -> Self {
        Failure {
            index,
            number: None,
            standing: Standing::Tolerable,
            is_cut: false,
            kind,
        }
    }

    /// The task with this number failed, if tasks are numbered.
    pub(crate) fn of_task(number: Option<usize>, kind: Kind<E>) -> Self {
        Failure {
            number,
            ..Failure::new(None, kind)
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

    /// Whether it may be a consequence of a cancellation, if the sequential loop would have stopped
    /// at `bound`.
    pub(crate) fn is_late(&self, bound: Option<usize>) -> bool {
        let is_above = bound
            .zip(self.index)
            .is_some_and(|(bound, index)| bound < index);
        self.standing == Standing::Late || self.is_cut || is_above
    }

    pub(super) fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panic(_))
    }

    /// Whether it was tolerated, reached the limit or is a fatal error. Other panics outrank it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_bound_is_late() {
        let is_late = |index, bound| Failure::new(index, Kind::Error(())).is_late(bound);
        assert!(is_late(Some(8), Some(7)));
        assert!(!is_late(Some(7), Some(7)) && !is_late(Some(6), Some(7)));
        assert!(!is_late(None, Some(7)) && !is_late(Some(8), None));
    }
}
