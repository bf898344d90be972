//! `Record`: the failures of a run, and the one way in which the run learns of them.

use std::collections::BinaryHeap;
use std::mem;

use super::Run;
use super::failure::{Failure, Kind, Reaction, Standing};
use crate::failure_policy::FailurePolicy;
use crate::panic::{Payload, drop_catching, drop_payload};
use crate::sync::lock;
use crate::token::Cause;

impl<E> Run<E> {
    /// Records a failure, and cancels the run if the reaction is [`Reaction::Stop`]. Every failure
    /// of a run enters here.
    ///
    /// Returns the failure that is not kept, if there is one. The caller first stops what the
    /// reaction says, and then calls [`give_back`](Run::give_back) or [`discard`](Run::discard): a
    /// drop may be slow.
    #[cold]
    pub(crate) fn record(&self, mut failure: Failure<E>) -> (Reaction, Option<Failure<E>>) {
        if failure.is_panic() && !self.policy.tolerates_panics() {
            failure.standing = Standing::Fatal;
        }
        let cause = match failure.kind {
            Kind::Error(_) => Cause::Failed,
            Kind::Panic(_) => Cause::Panicked,
        };
        failure.is_cut = self.is_cut(failure.index);
        let is_cut_error = failure.is_cut && !failure.is_panic();
        let active = self.token.node().lock_active();
        let Some(active) = active.filter(|_| !is_cut_error) else {
            let mut record = lock(&self.record);
            if record.has_succeeded && failure.standing == Standing::Tolerable {
                return (Reaction::Stop, Some(failure));
            }
            failure.standing = Standing::Late;
            self.mark_incomplete();
            return (Reaction::Stop, record.keep(failure));
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

    /// The sink of a stream has had the values before `index`, and gets no more. If something other
    /// than a later failure has cancelled the run, that is the result, and not the failure.
    pub(crate) fn retract_above(&self, index: usize) {
        let mut record = lock(&self.record);
        if self.token.is_cancelled() && record.bound() > Some(index) {
            record.count = 0;
        }
    }

    /// The sink of a stream wants no value after that of the item at `index`: the run has
    /// succeeded, unless an item before has failed. What later items do no longer counts, except
    /// for a panic that is not tolerated.
    pub(crate) fn succeed(&self, index: usize) {
        // Under the token's lock, if it is active, so that no failure is counted in between.
        let active = self.token.node().lock_active();
        let unwanted = lock(&self.record).end_at(index);
        if let Some(active) = active {
            active.cancel(&Cause::Released, &mut |_, payload| self.panicked(payload));
        }
        for failure in unwanted {
            self.discard(Some(failure));
        }
    }

    /// What becomes of a failure that is not kept here: if the run keeps all, the caller keeps the
    /// error, and otherwise it is dropped.
    pub(crate) fn give_back(&self, unwanted: Option<Failure<E>>) -> Option<E> {
        match unwanted {
            Some(Failure {
                kind: Kind::Error(error),
                ..
            }) if self.policy.keep_all => Some(error),
            unwanted => {
                self.discard(unwanted);
                None
            }
        }
    }

    /// Drops a failure that is not kept.
    pub(crate) fn discard(&self, unwanted: Option<Failure<E>>) {
        match unwanted.map(|failure| (failure.kind, failure.standing)) {
            Some((Kind::Error(error), _)) => self.drop_value(error),
            Some((Kind::Panic(payload), Standing::Tolerable)) => self.drop_value(payload),
            Some((Kind::Panic(payload), _)) => drop_payload([payload]),
            None => {}
        }
    }

    /// Drops items or values one by one: two panics of a list's drop would abort the process.
    pub(crate) fn drop_each<T>(&self, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.drop_value(value);
        }
    }

    /// Drops an item, a value or an error. If that panics, the run has panicked.
    pub(crate) fn drop_value<T>(&self, value: T) {
        if let Some(payload) = drop_catching(value) {
            self.panicked(payload);
        }
    }
}

/// The failure that a run ended with.
pub(super) enum Ending<E> {
    Failure(Failure<E>),
    /// An error that counts. The record does not have it: see [`Run::give_back`].
    Error,
}

impl<E> Ending<E> {
    pub(super) fn is_panic(&self) -> bool {
        matches!(self, Ending::Failure(failure) if failure.is_panic())
    }

    pub(super) fn into_failure(self) -> Option<Failure<E>> {
        match self {
            Ending::Failure(failure) => Some(failure),
            Ending::Error => None,
        }
    }
}

/// The failures of a run.
///
/// Guarded by the run's lock, which is taken inside that of the active token.
pub(super) struct Record<E> {
    policy: FailurePolicy,
    /// How many failures counted, before something else cancelled the run.
    pub(super) count: usize,
    /// In order: the lowest indices that failed, at most as many as the error limit.
    lowest: BinaryHeap<usize>,
    /// Of each kind (error or panic, counted or not) the first: in time, or in iteration order
    /// where there is an index. With `keep_all`, all of them, as they came, but not the errors that
    /// count.
    failures: Vec<Failure<E>>,
    /// With `keep_errors`: the errors that count, after the first of them, in the order in which
    /// they came. Each with the number of its task, or else its own number in that order.
    more_errors: Vec<(usize, E)>,
    /// With `keep_all`: the lowest index of an error that counts. The chunk of its item keeps it,
    /// as all such errors, which may be many: here each would need a lock, and at the end all of
    /// them would be sorted.
    lowest_error: Option<usize>,
    /// The sink of a stream has had enough.
    pub(super) has_succeeded: bool,
    /// A panic is unwinding through rayon, and is the first that is not counted.
    pub(super) panic_in_flight: bool,
}

impl<E> Record<E> {
    #[inline]
    pub(super) fn new(policy: FailurePolicy) -> Self {
        Record {
            policy,
            count: 0,
            lowest: BinaryHeap::new(),
            failures: Vec::new(),
            more_errors: Vec::new(),
            lowest_error: None,
            has_succeeded: false,
            panic_in_flight: false,
        }
    }

    #[inline]
    pub(super) fn is_untouched(&self) -> bool {
        self.failures.is_empty()
    }

    /// Counts a failure of an active run. Returns the reaction, and a failure that is not kept.
    pub(super) fn count(&mut self, mut failure: Failure<E>) -> (Reaction, Option<Failure<E>>) {
        let (index, limit) = (failure.index, self.policy.error_limit);
        if !failure.is_counted() {
            return (Reaction::Stop, self.keep(failure));
        }
        if failure.standing == Standing::Fatal {
            // It replaces the error that was tolerated before. (No run that keeps all has one.)
            let replaced = self.failures.iter().position(Failure::is_counted_error);
            let replaced = replaced.map(|number| self.failures.remove(number));
            self.count = limit;
            self.lowest = index.into_iter().collect();
            self.failures.push(failure);
            return (Reaction::Stop, replaced);
        }
        if !failure.is_panic() && !self.is_reached(index) {
            // An earlier item has failed, and this one was cancelled.
            failure.standing = Standing::Late;
        } else {
            self.count += 1;
            // With no limit there is no bound, and all indices would be remembered for nothing.
            if let Some(index) = index.filter(|_| limit < usize::MAX) {
                self.lowest.push(index);
                if self.lowest.len() > limit {
                    self.lowest.pop();
                }
            }
        }
        let reaction = match self.bound() {
            _ if !self.limit_reached() => Reaction::Continue,
            Some(bound) => Reaction::StopAbove(bound),
            None => Reaction::Stop,
        };
        (reaction, self.keep(failure))
    }

    /// Keeps a failure, or returns one: with `keep_all` the error is the caller's to keep, and
    /// otherwise it is to be dropped, without a lock.
    pub(super) fn keep(&mut self, new: Failure<E>) -> Option<Failure<E>> {
        if self.policy.keep_all {
            if let Some(index) = new.index.filter(|_| new.is_counted_error()) {
                let lowest = self.lowest_error.unwrap_or(index);
                self.lowest_error = Some(lowest.min(index));
                return Some(new);
            }
            self.failures.push(new);
            return None;
        }
        if new.is_panic() && !new.is_counted() && self.panic_in_flight {
            return Some(new);
        }
        let kind = |failure: &Failure<E>| (failure.is_panic(), failure.is_counted());
        let first = self.failures.iter_mut().find(|old| kind(old) == kind(&new));
        match first {
            None => {
                self.failures.push(new);
                None
            }
            // Without an index, or if it does not count, the one that is there came first in time.
            Some(first) if new.is_counted() && new.index < first.index => {
                Some(mem::replace(first, new))
            }
            Some(_) if self.policy.keep_errors && new.is_counted_error() => self.keep_more(new),
            Some(_) => Some(new),
        }
    }

    fn keep_more(&mut self, new: Failure<E>) -> Option<Failure<E>> {
        let number = new.number.unwrap_or(self.more_errors.len() + 1);
        match new.kind {
            Kind::Error(error) => self.more_errors.push((number, error)),
            Kind::Panic(_) => return Some(new),
        }
        None
    }

    /// Nothing after `index` counts, and returns the failures that are not kept.
    fn end_at(&mut self, index: usize) -> Vec<Failure<E>> {
        self.has_succeeded = true;
        let counts = |failure: &Failure<E>| {
            let outranks = failure.is_panic() && !failure.is_counted();
            outranks || failure.is_counted() && failure.index <= Some(index)
        };
        let (kept, unwanted) = mem::take(&mut self.failures).into_iter().partition(counts);
        self.failures = kept;
        // Without a limit the indices are not remembered, and nothing asks how many there were.
        self.lowest.retain(|failed| *failed <= index);
        let tolerated = self.failures.iter().filter(|failure| failure.is_counted());
        self.count = self.lowest.len().max(tolerated.count());
        unwanted
    }

    /// The failures are the trigger, whatever comes later.
    pub(super) fn limit_reached(&self) -> bool {
        self.count >= self.policy.error_limit
    }

    /// In order, once the limit is reached: the index at which the sequential loop would have
    /// stopped, as far as is known. It may still move down, and nothing after it counts any more.
    pub(super) fn bound(&self) -> Option<usize> {
        self.lowest.peek().copied().filter(|_| self.limit_reached())
    }

    /// Whether the sequential loop would have come to this index.
    fn is_reached(&self, index: Option<usize>) -> bool {
        self.bound().is_none_or(|bound| index <= Some(bound))
    }

    /// Takes the failure that the run ended with, if it did not end with something else. The run is
    /// incomplete if something cancelled it before every item had ended.
    #[inline]
    pub(super) fn take_ending(&mut self, incomplete: bool) -> Option<Ending<E>> {
        if self.failures.is_empty() && self.lowest_error.is_none() {
            return None;
        }
        self.take_failure_or_error(incomplete)
    }

    #[cold]
    fn take_failure_or_error(&mut self, incomplete: bool) -> Option<Ending<E>> {
        let is_failed = self.limit_reached() || !incomplete;
        let rank = |failure: &Failure<E>| match (failure.is_panic(), failure.is_counted()) {
            // In time the counted panics came first, since any other one cancels the run.
            (true, true) if failure.index.is_none() => Some((0, None)),
            (true, false) => Some((1, None)),
            (true, true) if !is_failed || self.is_reached(failure.index) => {
                Some((2, failure.index))
            }
            (false, true) if is_failed => Some((3, failure.index)),
            (false, false) if is_failed => Some((4, None)),
            _ => None,
        };
        let ranks = self.failures.iter().map(rank).enumerate();
        let ranks = ranks.filter_map(|(number, rank)| Some((rank?, Some(number))));
        let lowest_error = self.lowest_error.filter(|_| is_failed);
        let ranks = ranks.chain(lowest_error.map(|index| ((3, Some(index)), None)));
        let (_, number) = ranks.min()?;
        Some(number.map_or(Ending::Error, |number| {
            Ending::Failure(self.failures.remove(number))
        }))
    }

    pub(super) fn has_uncounted_panic(&self) -> bool {
        (self.failures.iter()).any(|failure| failure.is_panic() && !failure.is_counted())
    }

    /// What cancelled the run, whose token was cancelled for `cause`.
    #[inline]
    pub(super) fn cause(&self, cause: Option<Cause>) -> Option<Cause> {
        let is_error = |f: &Failure<E>| f.is_counted_error() && self.is_reached(f.index);
        match cause {
            cause if !self.limit_reached() => cause,
            // The token of a run in order waits for the items before the failure. What cancels it
            // in the meantime came later, except for a panic that outranks the failure.
            Some(Cause::Panicked) if self.has_uncounted_panic() => cause,
            _ if self.failures.iter().any(is_error) => Some(Cause::Failed),
            _ if self
                .lowest_error
                .is_some_and(|index| self.is_reached(Some(index))) =>
            {
                Some(Cause::Failed)
            }
            _ => Some(Cause::Panicked),
        }
    }

    /// Takes the errors that count, except for the first.
    pub(super) fn take_more_errors(&mut self) -> Vec<(usize, E)> {
        mem::take(&mut self.more_errors)
    }

    /// Takes all failures that are left, in the order in which they came.
    pub(super) fn take_all(&mut self) -> Vec<Failure<E>> {
        mem::take(&mut self.failures)
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
            keep_errors: false,
        }
    }

    fn failing_at(indices: &[usize], policy: FailurePolicy) -> Record<usize> {
        let mut record = Record::new(policy);
        for index in indices {
            _ = record.count(Failure::new(Some(*index), Kind::Error(*index)));
        }
        record
    }

    fn error(ending: Option<Ending<usize>>) -> Option<usize> {
        match ending?.into_failure()?.kind {
            Kind::Error(error) => Some(error),
            Kind::Panic(_) => None,
        }
    }

    fn message(ending: Option<Ending<usize>>) -> &'static str {
        match ending
            .and_then(Ending::into_failure)
            .map(|failure| failure.kind)
        {
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
        let first = moved_down.take_ending(true);
        assert_eq!(error(first), Some(0), "the lowest is kept");
        assert!(moved_down.take_all().is_empty());
    }

    #[test]
    fn no_number_of_errors_reaches_the_limit_of_a_run_that_keeps_going() {
        for keep_all in [false, true] {
            let mut record = failing_at(&[3, 1, 2], policy(usize::MAX, keep_all));
            assert_eq!((record.bound(), record.limit_reached()), (None, false));
            assert!(record.lowest.is_empty(), "nothing is kept for a bound");
            assert!(record.take_ending(true).is_none(), "it was cancelled");
            let ending = record.take_ending(false);
            assert!(ending.as_ref().is_some_and(|ending| !ending.is_panic()));
            assert_eq!(error(ending), (!keep_all).then_some(1));
            assert!(record.take_all().is_empty());
        }
    }

    #[test]
    fn an_error_is_returned_if_all_are_kept_unless_it_is_late() {
        let mut record = Record::new(policy(1, true));
        for (index, is_late) in [(4, false), (2, false), (9, true)] {
            let (_, returned) = record.count(Failure::new(Some(index), Kind::Error(index)));
            assert_eq!(returned.is_none(), is_late, "{index}");
        }
        assert_eq!((record.bound(), record.count), (Some(2), 2));
        assert_eq!(record.lowest_error, Some(2));
        assert!(matches!(record.cause(None), Some(Cause::Failed)));
        let all = record.take_all().into_iter();
        let late = all.map(|failure| (failure.index, failure.standing == Standing::Late));
        assert_eq!(late.collect::<Vec<_>>(), [(Some(9), true)]);
    }

    #[test]
    fn a_panic_that_the_loop_would_not_reach_does_not_count() {
        let mut record = failing_at(&[1], policy(2, false));
        let (reaction, _) = record.count(Failure::new(Some(2), Kind::Panic(Box::new("two"))));
        assert_eq!(reaction, Reaction::StopAbove(2));
        let two = record.take_ending(true).unwrap();
        assert!(two.is_panic());
        record.failures.extend(two.into_failure());
        let (reaction, _) = record.count(Failure::new(Some(0), Kind::Error(0)));
        assert_eq!(reaction, Reaction::StopAbove(1));
        assert!(matches!(record.cause(None), Some(Cause::Failed)));
        assert_eq!(error(record.take_ending(true)), Some(0));
    }

    #[test]
    fn an_uncounted_panic_comes_before_those_that_were_tolerated() {
        let panic = |what: &'static str| Kind::Panic(Box::new(what));
        let mut record = Record::<usize>::new(policy(9, true));
        _ = record.count(Failure::new(Some(2), panic("two")));
        _ = record.count(Failure::new(Some(1), panic("one")));
        assert_eq!(message(record.take_ending(true)), "one");
        _ = record.count(Failure::fatal(None, panic("a sink")));
        _ = record.count(Failure::fatal(None, panic("a callback")));
        assert_eq!(message(record.take_ending(true)), "a sink");
        // In time the tolerated one came first.
        let mut record = Record::<usize>::new(policy(9, true));
        _ = record.count(Failure::new(None, panic("an item")));
        _ = record.count(Failure::fatal(None, panic("a callback")));
        assert_eq!(message(record.take_ending(true)), "an item");
    }

    #[test]
    fn the_cause_is_an_error_if_one_counts() {
        let panic = |index| Failure::new(Some(index), Kind::Panic(Box::new("tolerated")));
        let mut record = Record::<usize>::new(policy(2, false));
        _ = record.count(panic(1));
        assert!(record.cause(None).is_none(), "the limit is not reached");
        _ = record.count(Failure::new(Some(2), Kind::Error(2)));
        for cause in [None, Some(Cause::Panicked)] {
            assert!(matches!(record.cause(cause), Some(Cause::Failed)));
        }
        let mut record = Record::<usize>::new(policy(1, false));
        _ = record.count(panic(1));
        assert!(matches!(record.cause(None), Some(Cause::Panicked)));
    }

    #[test]
    fn a_fatal_error_replaces_what_was_tolerated() {
        let mut record = failing_at(&[3], policy(9, false));
        let (reaction, replaced) = record.count(Failure::fatal(Some(7), Kind::Error(7)));
        assert_eq!(reaction, Reaction::Stop);
        assert_eq!(error(replaced.map(Ending::Failure)), Some(3));
        assert_eq!(record.bound(), Some(7));
        record.count = 0;
        assert!(record.take_ending(true).is_none(), "it was taken back");
    }

    #[test]
    fn nothing_after_the_end_of_a_sink_counts() {
        let mut record = failing_at(&[2, 7], policy(9, false));
        let panic = |what: &'static str| Kind::Panic(Box::new(what));
        _ = record.count(Failure::fatal(None, panic("a callback")));
        _ = record.count(Failure::new(Some(9), panic("tolerated")));
        let unwanted = record.end_at(5).into_iter().map(|failure| failure.index);
        assert_eq!(unwanted.collect::<Vec<_>>(), [Some(9)]);
        assert_eq!(record.count, 1);
        assert_eq!(message(record.take_ending(true)), "a callback");
        let mut record = failing_at(&[3], policy(1, false));
        assert!(record.end_at(3).is_empty() && record.limit_reached());
        assert_eq!(record.end_at(2).len(), 1);
        assert!(!record.limit_reached());
    }
}
