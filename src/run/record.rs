//! `Record`: the failures of a run, whether they reached the error limit, and the verdict.

use std::collections::BinaryHeap;
use std::mem;

#[cfg(test)]
use super::failure::Kind;
use super::failure::{Failure, FailurePolicy, Reaction, Standing};
use crate::token::Cause;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Panicked,
    Failed,
    Cancelled,
}

/// The failures of a run.
///
/// Guarded by the run's lock, which is taken inside the token's lock while the token is active: see
/// [`Run::record`](super::Run::record).
pub(super) struct Record<E> {
    policy: FailurePolicy,
    /// How many failures counted, before something else cancelled the run.
    pub(super) count: usize,
    /// The failures reached the limit: they are the trigger, whatever comes later.
    pub(super) limit_reached: bool,
    /// In order: the lowest indices that failed, at most as many as the error limit.
    lowest: BinaryHeap<usize>,
    /// Of each kind (error or panic, counted or not) the first: in time, or in iteration order where
    /// there is an index. All of them with `keep_all`, as they came.
    failures: Vec<Failure<E>>,
    /// The first uncounted panic is unwinding through rayon, towards the caller of the run.
    pub(super) panic_in_flight: bool,
}

impl<E> Record<E> {
    pub(super) fn new(policy: FailurePolicy) -> Self {
        Record {
            policy,
            count: 0,
            limit_reached: false,
            lowest: BinaryHeap::new(),
            failures: Vec::new(),
            panic_in_flight: false,
        }
    }

    /// Counts a failure of an active run. Returns the reaction, and a failure that is not kept.
    pub(super) fn count(&mut self, mut failure: Failure<E>) -> (Reaction, Option<Failure<E>>) {
        let index = failure.index;
        match failure.standing {
            Standing::Fatal if failure.is_panic() => return (Reaction::Stop, self.keep(failure)),
            // It replaces the errors that were tolerated before.
            Standing::Fatal => {
                self.count += 1;
                self.limit_reached = true;
                self.lowest.clear();
                self.lowest.extend(index);
                let replaced = self.take(|other| !other.is_panic() && other.is_counted());
                self.failures.push(failure);
                return (Reaction::Stop, replaced);
            }
            // Its item was cancelled because an earlier one failed.
            _ if !failure.is_panic() && !self.is_reached(index) => {
                failure.standing = Standing::Late;
            }
            _ => {
                self.count += 1;
                self.lower_bound_to(index);
                self.limit_reached |= self.count >= self.policy.error_limit;
            }
        }
        let reaction = match (self.limit_reached, self.bound()) {
            (false, _) => Reaction::Continue,
            (true, Some(bound)) => Reaction::StopAbove(bound),
            (true, None) => Reaction::Stop,
        };
        (reaction, self.keep(failure))
    }

    fn lower_bound_to(&mut self, index: Option<usize>) {
        let limit = self.policy.error_limit;
        // With no limit there is no bound, and every index would be remembered in vain.
        if let Some(index) = index.filter(|_| limit < usize::MAX) {
            self.lowest.push(index);
            if self.lowest.len() > limit {
                self.lowest.pop();
            }
        }
    }

    /// Keeps a failure, or returns the one that is to be dropped instead, without a lock.
    pub(super) fn keep(&mut self, mut new: Failure<E>) -> Option<Failure<E>> {
        if !self.policy.keep_all {
            if !new.is_counted() {
                // The first in time.
                new.index = None;
                if new.is_panic() && self.panic_in_flight {
                    return Some(new);
                }
            }
            let is_alike = |old: &&mut Failure<E>| {
                (old.is_panic(), old.is_counted()) == (new.is_panic(), new.is_counted())
            };
            if let Some(first) = self.failures.iter_mut().find(is_alike) {
                // Without an index the one that is there came first in time.
                let is_earlier = new.index < first.index;
                return Some(if is_earlier {
                    mem::replace(first, new)
                } else {
                    new
                });
            }
        }
        self.failures.push(new);
        None
    }

    /// A panic is unwinding through rayon. It is the first, if none is kept.
    pub(super) fn expect_panic(&mut self) {
        let is_kept = |failure: &Failure<E>| failure.is_panic() && !failure.is_counted();
        self.panic_in_flight |= !self.failures.iter().any(is_kept);
    }

    /// In order, once the limit is reached: the index at which the sequential loop would have
    /// stopped, as far as is known. It may still move down, and nothing after it counts any more.
    pub(super) fn bound(&self) -> Option<usize> {
        self.lowest.peek().copied().filter(|_| self.limit_reached)
    }

    /// Whether the sequential loop would have come to this index.
    fn is_reached(&self, index: Option<usize>) -> bool {
        self.bound().is_none_or(|bound| index <= Some(bound))
    }

    /// Takes back that the limit is reached, if the bound lies after `index`: something else has
    /// cancelled the run before the sink had every value below the bound.
    pub(super) fn retract_above(&mut self, index: usize) {
        if self.bound() > Some(index) {
            self.limit_reached = false;
        }
    }

    /// How the run ended. It is incomplete if something cancelled it before every item had ended.
    pub(super) fn verdict(&self, incomplete: bool) -> Verdict {
        let is_failed = self.limit_reached || !incomplete;
        let decides = |failure: &Failure<E>| {
            failure.is_panic()
                && (!failure.is_counted() || !is_failed || self.is_reached(failure.index))
        };
        if self.failures.iter().any(decides) {
            Verdict::Panicked
        } else if is_failed && self.count > 0 {
            Verdict::Failed
        } else if incomplete {
            Verdict::Cancelled
        } else {
            Verdict::Ok
        }
    }

    /// What cancelled the run, whose token was cancelled for `cause`.
    pub(super) fn cause(&self, cause: Option<Cause>) -> Option<Cause> {
        let has_panicked = matches!(cause, Some(Cause::Panicked))
            && (self.failures.iter()).any(|failure| failure.is_panic() && !failure.is_counted());
        // The token of a run in order waits for the items before the failure. What cancels it in the
        // meantime comes later, except for a panic that outranks the failure.
        if !self.limit_reached || has_panicked {
            return cause;
        }
        let is_error = |failure: &Failure<E>| {
            !failure.is_panic() && failure.is_counted() && self.is_reached(failure.index)
        };
        Some(if self.failures.iter().any(is_error) {
            Cause::Failed
        } else {
            Cause::Panicked
        })
    }

    /// Takes the panic that the run ends with: in time the first; in order one that does not count,
    /// or the one with the lowest index.
    pub(super) fn take_first_panic(&mut self) -> Option<Failure<E>> {
        let first = (self.failures.iter().enumerate())
            .filter(|(_, failure)| failure.is_panic())
            .min_by_key(|(_, failure)| match failure.index {
                // In time the counted ones came first: what does not count cancels the run.
                _ if !failure.is_counted() => (1, None),
                None => (0, None),
                index => (2, index),
            })
            .map(|(number, _)| number);
        first.map(|number| self.failures.remove(number))
    }

    /// Takes an error, with or without those that came late.
    pub(super) fn take_error(&mut self, late: bool) -> Option<Failure<E>> {
        self.take(|failure| !failure.is_panic() && failure.is_late_error() == late)
    }

    fn take(&mut self, is_it: impl Fn(&Failure<E>) -> bool) -> Option<Failure<E>> {
        let number = self.failures.iter().position(is_it)?;
        Some(self.failures.remove(number))
    }
    /// Takes all failures, in the order in which they came.
    pub(super) fn take_failures(&mut self) -> Vec<Failure<E>> {
        mem::take(&mut self.failures)
    }

    /// Whether the error of this failure is among those that the run ends with.
    pub(super) fn ends_with(&self, failure: &Failure<E>) -> bool {
        failure.is_counted() && self.is_reached(failure.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(error_limit: usize, keep_all: bool) -> FailurePolicy {
        FailurePolicy {
            error_limit,
            catch_panics: true,
            keep_all,
        }
    }

    fn failing_at(indices: &[usize], policy: FailurePolicy) -> Record<usize> {
        let mut record = Record::new(policy);
        for index in indices {
            _ = record.count(Failure::error(Some(*index), *index));
        }
        record
    }

    fn error(failure: Failure<usize>) -> usize {
        failure.kind.into_error().unwrap()
    }

    fn message(failure: Option<Failure<usize>>) -> &'static str {
        match failure.map(|failure| failure.kind) {
            Some(Kind::Panic(payload)) => payload.downcast_ref::<&str>().unwrap(),
            _ => panic!("a panic was expected"),
        }
    }

    #[test]
    fn the_bound_is_where_the_loop_would_stop() {
        let three = policy(3, false);
        assert_eq!(failing_at(&[8, 9], three).bound(), None);
        assert_eq!(failing_at(&[8, 10, 9], three).bound(), Some(10));
        let mut moved_down = failing_at(&[8, 10, 9, 0, 1], three);
        assert_eq!(moved_down.bound(), Some(8));
        assert_eq!(
            moved_down.take_error(false).map(error),
            Some(0),
            "the lowest is kept"
        );
        assert!(moved_down.take_error(false).is_none());
    }

    #[test]
    fn no_number_of_errors_reaches_the_limit_of_a_run_that_keeps_going() {
        let mut record = failing_at(&[3, 1, 2], policy(usize::MAX, true));
        assert_eq!((record.bound(), record.limit_reached), (None, false));
        assert!(record.lowest.is_empty(), "nothing is kept for a bound");
        assert_eq!(record.verdict(false), Verdict::Failed);
        assert_eq!(record.verdict(true), Verdict::Cancelled);
        let errors = std::iter::from_fn(|| record.take_error(false).map(error));
        assert_eq!(errors.collect::<Vec<_>>(), [3, 1, 2]);
    }

    #[test]
    fn an_error_after_the_bound_is_late() {
        let mut record = failing_at(&[4, 9, 2], policy(1, true));
        assert_eq!((record.bound(), record.count), (Some(2), 2));
        assert_eq!(record.take_error(true).map(error), Some(9));
        let four = record.take_error(false).unwrap();
        assert!(
            !record.ends_with(&four),
            "it was not cancelled, but the loop would not reach it"
        );
        let two = record.take_error(false).unwrap();
        assert!(record.ends_with(&two));
    }

    #[test]
    fn a_panic_that_the_loop_would_not_reach_does_not_count() {
        let mut record = failing_at(&[1], policy(2, false));
        let (reaction, _) = record.count(Failure::panic(Some(2), Box::new("two")));
        assert_eq!(reaction, Reaction::StopAbove(2));
        assert_eq!(record.verdict(true), Verdict::Panicked);
        let (reaction, _) = record.count(Failure::error(Some(0), 0));
        assert_eq!(reaction, Reaction::StopAbove(1));
        assert_eq!(record.verdict(true), Verdict::Failed);
        assert!(matches!(record.cause(None), Some(Cause::Failed)));
    }

    #[test]
    fn an_uncounted_panic_comes_before_those_that_were_tolerated() {
        let in_order = |index, what: &'static str| Failure::panic(Some(index), Box::new(what));
        let mut record = Record::<usize>::new(policy(9, true));
        _ = record.count(in_order(2, "two"));
        _ = record.count(in_order(1, "one"));
        assert_eq!(message(record.take_first_panic()), "one");
        _ = record.count(Failure::fatal_panic(Box::new("a sink")));
        _ = record.count(Failure::fatal_panic(Box::new("a callback")));
        assert_eq!(message(record.take_first_panic()), "a sink");
        // In time the tolerated one came first.
        let mut record = Record::<usize>::new(policy(9, true));
        _ = record.count(Failure::panic(None, Box::new("an item")));
        _ = record.count(Failure::fatal_panic(Box::new("a callback")));
        assert_eq!(message(record.take_first_panic()), "an item");
    }

    #[test]
    fn a_fatal_error_replaces_what_was_tolerated() {
        let mut record = failing_at(&[3], policy(9, false));
        let (reaction, replaced) = record.count(Failure::fatal_error(Some(7), 7));
        assert_eq!(reaction, Reaction::Stop);
        assert_eq!(replaced.map(error), Some(3));
        assert_eq!(record.verdict(true), Verdict::Failed);
        record.retract_above(7);
        assert_eq!(record.verdict(true), Verdict::Failed);
        record.retract_above(6);
        assert_eq!(record.verdict(true), Verdict::Cancelled);
    }
}
