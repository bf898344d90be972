//! `Record`: the failures of a run, when they are too many, and what that makes of the run.

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

/// Something that came of an item, with the item's position where it is known.
pub(crate) struct Found<X> {
    pub(crate) index: Option<usize>,
    pub(crate) what: X,
}

/// An item's error.
pub(crate) type Failure<E> = Found<E>;

/// What came of a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// The run bears it.
    Borne,
    /// It is one too many: the failures, and nothing else, are what the run ends with.
    Out,
    /// Something else had cancelled the run before.
    Late,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Panicked,
    Failed,
    Cancelled,
}

/// Where the panic is that a run ends with, if it ends with one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstPanic {
    /// The first of those that no run bears.
    Fatal,
    /// Of those that counted as failures, the one with this number.
    Borne(usize),
}

/// The failures of a run.
///
/// Guarded by the run's lock, which is taken inside the lock of the token: so a failure is recorded
/// if and only if nothing has cancelled the run yet, and before anybody can see that it does.
pub(super) struct Record<E> {
    keep_all: bool,
    /// How many failures there were before something cancelled the run.
    pub(super) count: usize,
    /// The failures were too many: they are the trigger, whatever comes later.
    pub(super) decided: bool,
    /// Of a run in order the lowest positions that failed, as many as the run bears.
    lowest: BinaryHeap<usize>,
    /// The earliest of each kind: in time, or of a run in order the one with the lowest position. All
    /// of them, where they are kept.
    pub(super) errors: Vec<Failure<E>>,
    /// Panics that counted as failures.
    pub(super) panics: Vec<Found<Payload>>,
    /// Errors that came when something else had cancelled the run, in the order of time.
    pub(super) late: Vec<Failure<E>>,
    /// Panics that no run bears, in the order of time.
    pub(super) fatal: Vec<Found<Payload>>,
    /// The first of these is on its way to the caller of the run, through rayon.
    pub(super) is_escaping: bool,
}

/// Adds what was found, or returns in its stead what is to be dropped without a lock.
fn keep<X>(kept: &mut Vec<Found<X>>, new: Found<X>, keep_all: bool) -> Option<X> {
    match kept.first_mut() {
        Some(earliest) if !keep_all => {
            // In time, where nothing has a position, the one that is there is the earlier.
            let is_earlier = new.index < earliest.index;
            let later = if is_earlier {
                mem::replace(earliest, new)
            } else {
                new
            };
            Some(later.what)
        }
        _ => {
            kept.push(new);
            None
        }
    }
}

impl<E> Record<E> {
    pub(super) fn new(tolerance: Tolerance) -> Self {
        Record {
            keep_all: tolerance.keep_all,
            count: 0,
            decided: false,
            lowest: BinaryHeap::new(),
            errors: Vec::new(),
            panics: Vec::new(),
            late: Vec::new(),
            fatal: Vec::new(),
            is_escaping: false,
        }
    }

    pub(super) fn keep_error(&mut self, failure: Failure<E>) -> Option<E> {
        keep(&mut self.errors, failure, self.keep_all)
    }

    pub(super) fn keep_panic(&mut self, panic: Found<Payload>) -> Option<Payload> {
        keep(&mut self.panics, panic, self.keep_all)
    }

    pub(super) fn keep_late(&mut self, mut failure: Failure<E>) -> Option<E> {
        if !self.keep_all {
            // The first in time.
            failure.index = None;
        }
        keep(&mut self.late, failure, self.keep_all)
    }

    pub(super) fn keep_fatal(&mut self, mut panic: Found<Payload>) -> Option<Payload> {
        if !self.keep_all {
            panic.index = None;
            if self.is_escaping {
                return Some(panic.what);
            }
        }
        keep(&mut self.fatal, panic, self.keep_all)
    }

    /// Counts a failure that nothing has come before. One with a position is too many for the
    /// items above the bound only; see [`bound`](Record::bound).
    pub(super) fn strike(&mut self, position: Option<usize>, tolerance: Tolerance) -> Strike {
        self.count += 1;
        if let Some(position) = position.filter(|_| tolerance.failures < usize::MAX) {
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

    /// Whether the sequential loop would have come to this position.
    pub(super) fn is_reached(&self, index: Option<usize>) -> bool {
        self.bound().is_none_or(|bound| index <= Some(bound))
    }

    /// What came of the run. It is spoilt if something has cancelled it before all was done.
    pub(super) fn verdict(&self, is_spoilt: bool) -> Verdict {
        let is_failed = self.decided || !is_spoilt;
        let is_panicked = |panic: &Found<_>| !is_failed || self.is_reached(panic.index);
        if !self.fatal.is_empty() || self.panics.iter().any(is_panicked) {
            Verdict::Panicked
        } else if is_failed && self.count > 0 {
            Verdict::Failed
        } else if is_spoilt {
            Verdict::Cancelled
        } else {
            Verdict::Ok
        }
    }

    /// The panic that the run ends with. In time, the first: all that were borne came before any that
    /// was not. In order, one that was not borne, or else the lowest.
    pub(super) fn first_panic(&self) -> FirstPanic {
        let borne = self.panics.iter().enumerate();
        let first = borne.min_by_key(|(_, panic)| panic.index);
        match first {
            Some((number, panic)) if panic.index.is_none() || self.fatal.is_empty() => {
                FirstPanic::Borne(number)
            }
            _ => FirstPanic::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bears(failures: usize, keep_all: bool) -> Tolerance {
        Tolerance {
            failures,
            catch_panics: true,
            keep_all,
        }
    }

    fn fail(record: &mut Record<usize>, position: usize, tolerance: Tolerance) {
        record.keep_error(Found {
            index: Some(position),
            what: position,
        });
        record.strike(Some(position), tolerance);
    }

    fn failing_at(positions: &[usize], tolerance: Tolerance) -> Record<usize> {
        let mut record = Record::new(tolerance);
        for position in positions {
            fail(&mut record, *position, tolerance);
        }
        record
    }

    #[test]
    fn the_bound_is_where_the_loop_would_stop() {
        let three = bears(3, false);
        assert_eq!(failing_at(&[8, 9], three).bound(), None);
        assert_eq!(failing_at(&[8, 10, 9], three).bound(), Some(10));
        let moved_down = failing_at(&[8, 10, 9, 0, 1], three);
        assert_eq!(moved_down.bound(), Some(8));
        assert_eq!(moved_down.errors.len(), 1);
        assert_eq!(moved_down.errors[0].what, 0, "the lowest is kept");
    }

    #[test]
    fn no_number_is_too_many_for_who_keeps_going() {
        let record = failing_at(&[3, 1, 2], bears(usize::MAX, true));
        assert_eq!((record.bound(), record.decided), (None, false));
        assert_eq!(record.errors.len(), 3);
        assert!(record.lowest.is_empty(), "nothing is kept for a bound");
        assert_eq!(record.verdict(false), Verdict::Failed);
        assert_eq!(record.verdict(true), Verdict::Cancelled);
    }

    #[test]
    fn a_panic_that_the_loop_would_not_reach_does_not_count() {
        let two = bears(2, false);
        let mut record = failing_at(&[1], two);
        record.keep_panic(Found {
            index: Some(2),
            what: Box::new("two"),
        });
        record.strike(Some(2), two);
        assert_eq!(record.verdict(true), Verdict::Panicked);
        fail(&mut record, 0, two);
        assert_eq!(record.bound(), Some(1));
        assert_eq!(record.verdict(true), Verdict::Failed);
    }

    #[test]
    fn a_panic_without_a_place_comes_before_those_that_were_borne() {
        let found = |index, what: &'static str| -> Found<Payload> {
            let what = Box::new(what);
            Found { index, what }
        };
        let mut record = Record::<()>::new(bears(9, true));
        record.keep_panic(found(Some(2), "two"));
        record.keep_panic(found(Some(1), "one"));
        assert!(record.first_panic() == FirstPanic::Borne(1));
        record.keep_fatal(found(None, "a sink"));
        assert!(record.first_panic() == FirstPanic::Fatal);
        // In time the first was borne before the one that was not.
        let mut record = Record::<()>::new(bears(9, true));
        record.keep_panic(found(None, "an item"));
        record.keep_fatal(found(None, "a callback"));
        assert!(record.first_panic() == FirstPanic::Borne(0));
    }
}
