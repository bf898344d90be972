//! `Record`: the failures of a run, and when they are too many.

use std::collections::BinaryHeap;
use std::mem;

use crate::error::Payload;

/// How many failures a run bears, and what it keeps of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// The failure with this number cancels the run. `usize::MAX`: none does.
    pub(crate) failures: usize,
    /// A panic of an item is a failure like any other, unless the first failure is too many.
    pub(crate) catch_panics: bool,
    /// Every failure is kept, and not only the earliest.
    pub(crate) keep_all: bool,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance {
            failures: 1,
            catch_panics: false,
            keep_all: false,
        }
    }
}

impl Tolerance {
    /// Whether a run may go on after an item has panicked.
    pub(super) fn bears_panics(self) -> bool {
        self.catch_panics && self.failures > 1
    }
}

/// An item's error.
pub(crate) struct Failure<E> {
    /// The item's position, where it is known.
    pub(crate) index: Option<usize>,
    pub(crate) error: E,
}

/// What came of a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// The run bears it.
    Borne,
    /// It is one too many: it, and nothing else, is what the run ends with.
    Out,
    /// Something else had cancelled the run before.
    Late,
}

/// The failures of a run.
///
/// Guarded by the run's lock, which is taken inside the lock of the token: so a failure is recorded
/// if and only if nothing has cancelled the run yet, and before anybody can see that it does.
pub(super) struct Record<E> {
    /// How many failures there were before something cancelled the run.
    pub(super) count: usize,
    /// The failures were too many: they are the trigger, whatever comes later.
    pub(super) decided: bool,
    /// The earliest error: in time, or of a run in order the one with the lowest position. All of
    /// them, those that came too late too, where they are kept.
    pub(super) errors: Vec<Failure<E>>,
    /// The panics, where they are kept.
    pub(super) panics: Vec<(Option<usize>, Payload)>,
    /// Of a run in order the lowest positions that failed, as many as the run bears.
    lowest: BinaryHeap<usize>,
    /// An error that came too late, where not all are kept.
    pub(super) late: Option<E>,
}

impl<E> Record<E> {
    pub(super) fn new() -> Self {
        Record {
            count: 0,
            decided: false,
            errors: Vec::new(),
            panics: Vec::new(),
            lowest: BinaryHeap::new(),
            late: None,
        }
    }

    /// Keeps the failure, or leaves in its stead what is to be dropped without a lock.
    pub(super) fn keep(&mut self, failure: &mut Option<Failure<E>>, tolerance: Tolerance) {
        let Some(new) = failure.take() else { return };
        match self.errors.first_mut() {
            Some(earliest) if !tolerance.keep_all => {
                // In time, where nothing has a position, the one that is there is the earlier.
                *failure = Some(if new.index < earliest.index {
                    mem::replace(earliest, new)
                } else {
                    new
                });
            }
            _ => self.errors.push(new),
        }
    }

    /// Counts a failure that nothing has come before. One with a position is too many for the
    /// items above the bound only; see [`bound`](Record::bound).
    pub(super) fn strike(&mut self, position: Option<usize>, tolerance: Tolerance) -> Strike {
        self.count += 1;
        if let Some(position) = position
            && tolerance.failures < usize::MAX
        {
            self.lowest.push(position);
            if self.lowest.len() > tolerance.failures {
                self.lowest.pop();
            }
        }
        if self.count < tolerance.failures {
            return Strike::Borne;
        }
        self.decided = true;
        Strike::Out
    }

    /// This failure alone is too many, whatever the run bears. Returns those that it replaces.
    pub(super) fn strike_out(&mut self, failure: Failure<E>) -> Vec<Failure<E>> {
        self.count += 1;
        self.decided = true;
        self.lowest.clear();
        self.lowest.extend(failure.index);
        mem::replace(&mut self.errors, vec![failure])
    }

    /// Of a run in order that has failed: the position where the sequential loop would have stopped,
    /// as far as is known. It may still move down, and nothing above it is wanted any more.
    pub(super) fn bound(&self) -> Option<usize> {
        self.lowest.peek().copied().filter(|_| self.decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing_at(positions: &[usize], tolerance: Tolerance) -> Record<usize> {
        let mut record = Record::new();
        for position in positions {
            let mut failure = Some(Failure {
                index: Some(*position),
                error: *position,
            });
            record.keep(&mut failure, tolerance);
            record.strike(Some(*position), tolerance);
        }
        record
    }

    #[test]
    fn the_bound_is_where_the_loop_would_stop() {
        let three = Tolerance {
            failures: 3,
            ..Tolerance::default()
        };
        assert_eq!(failing_at(&[8, 9], three).bound(), None);
        assert_eq!(failing_at(&[8, 10, 9], three).bound(), Some(10));
        let moved_down = failing_at(&[8, 10, 9, 0, 1], three);
        assert_eq!(moved_down.bound(), Some(8));
        assert_eq!(moved_down.errors.len(), 1);
        assert_eq!(moved_down.errors[0].error, 0, "the lowest is kept");
    }

    #[test]
    fn no_number_is_too_many_for_who_keeps_going() {
        let any = Tolerance {
            failures: usize::MAX,
            keep_all: true,
            ..Tolerance::default()
        };
        let record = failing_at(&[3, 1, 2], any);
        assert_eq!((record.bound(), record.decided), (None, false));
        assert_eq!(record.errors.len(), 3);
        assert!(record.lowest.is_empty(), "nothing is kept for a bound");
    }
}
