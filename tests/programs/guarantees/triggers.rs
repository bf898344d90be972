//! What may have cancelled a run, and what must have.

use std::collections::BinaryHeap;

use super::History;
use crate::program::Link;
use crate::seen::{Actor, Ended, Event, Moment, Ran, Span, Trace};

/// The events of a run that may cancel it.
#[derive(Default)]
pub(super) struct Triggers {
    /// Calls of `cancel` by its items, and whether they were the first.
    pub(super) own: Vec<(Span, bool)>,
    /// Failures that count towards the limit: errors of items, and panics if they are tolerated.
    pub(super) failures: Vec<Failure>,
    /// Failures that are never tolerated.
    pub(super) aborts: Vec<Failure>,
}

#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) start: Moment,
    /// From this moment on it is recorded and visible.
    pub(super) over: Moment,
    /// The index of the item, which matters in a run in order.
    pub(super) index: usize,
    pub(super) is_panic: bool,
}

impl History<'_> {
    pub(super) fn find(&self, ran: &Ran<'_>) -> Triggers {
        let mut triggers = Triggers::default();
        for trace in &self.traces[ran.id] {
            for (span, event) in &trace.events {
                if let Event::CancelledOwn { won } = event {
                    triggers.own.push((*span, *won));
                }
            }
            if let Some((failure, is_counted)) = self.failure(ran, trace) {
                let list = if is_counted {
                    &mut triggers.failures
                } else {
                    &mut triggers.aborts
                };
                list.push(failure);
            }
        }
        triggers
    }

    /// The failure of an item, if it failed, and whether it counts towards the limit.
    fn failure(&self, ran: &Ran<'_>, trace: &Trace) -> Option<(Failure, bool)> {
        let is_panic = match trace.ended {
            Ended::Ok(_) => return None,
            Ended::Err(_) => false,
            Ended::Panic(_) => true,
        };
        let item = match trace.actor {
            Actor::Item(index) => Some(index),
            Actor::Body | Actor::Sink(_) => None,
        };
        let failure = Failure {
            start: trace.span.end,
            over: self.over(trace),
            index: item.unwrap_or(0),
            is_panic,
        };
        let is_counted = item.is_some() && (!is_panic || ran.run.tolerates_panics());
        Some((failure, is_counted))
    }

    /// Whether something other than a failure may have cancelled the run before this moment.
    pub(super) fn may_be_stopped(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        let own = &self.triggers[id].own;
        ran.run.has_short_timeout()
            || own.iter().any(|(span, _)| span.start < at)
            || self.parent_may_be_cancelled(id, at)
    }

    fn parent_may_be_cancelled(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        match (ran.link, ran.caller) {
            (Link::Outside, _) => self.outside.iter().any(|cancel| cancel.span.start < at),
            (Link::Enclosing, Some((caller, actor))) => self.may_be_cancelled(caller, actor, at),
            _ => false,
        }
    }

    /// Whether anything may have cancelled the token of an item before this moment.
    pub(super) fn may_be_cancelled(&self, id: usize, actor: Actor, at: Moment) -> bool {
        let (run, triggers) = (self.runs[id].run, &self.triggers[id]);
        let counts = |failure: &&Failure| match actor {
            Actor::Item(index) if run.is_ordered() => failure.index < index,
            _ => true,
        };
        let earlier = triggers
            .failures
            .iter()
            .filter(|failure| failure.start < at);
        earlier.filter(counts).count() >= run.max_errors()
            || triggers.aborts.iter().any(|failure| failure.start < at)
            || self.may_be_stopped(id, at)
    }

    /// Whether the token of an item must have been cancelled before this moment.
    pub(super) fn must_be_cancelled(&self, id: usize, actor: Actor, at: Moment) -> bool {
        // In a run in order the token of an item is a child of the run's token.
        self.is_fully_cancelled(id, actor, at)
            || (!self.runs[id].run.is_ordered() && self.is_run_cancelled(id, at))
    }

    /// Whether the token of an unordered run must have been cancelled before this moment. Its
    /// descendants may not be cancelled yet.
    fn is_run_cancelled(&self, id: usize, at: Moment) -> bool {
        let failures = self.triggers[id].failures.iter();
        let over = failures.filter(|failure| failure.over <= at);
        over.count() >= self.runs[id].run.max_errors() || self.must_be_stopped(id, at)
    }

    /// Whether something other than a counted failure must have cancelled the run before this
    /// moment.
    pub(super) fn must_be_stopped(&self, id: usize, at: Moment) -> bool {
        let triggers = &self.triggers[id];
        let own = |(span, won): &(Span, bool)| *won && span.end <= at;
        triggers.aborts.iter().any(|failure| failure.over <= at)
            || triggers.own.iter().any(own)
            || self.parent_is_fully_cancelled(id, at)
    }

    fn parent_is_fully_cancelled(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        match (ran.link, ran.caller) {
            (Link::Outside, _) => self
                .outside
                .iter()
                .any(|cancel| cancel.won && cancel.span.end <= at),
            (Link::Enclosing, Some((caller, actor))) => self.is_fully_cancelled(caller, actor, at),
            _ => false,
        }
    }

    /// Whether the token of an item and all its descendants must have been cancelled before this
    /// moment.
    ///
    /// While a cancellation propagates through the tree, some tokens are cancelled and others are
    /// not. So this is known only if every cancellation that had begun is over.
    pub(super) fn is_fully_cancelled(&self, id: usize, actor: Actor, at: Moment) -> bool {
        let (ran, triggers) = (&self.runs[id], &self.triggers[id]);
        let begun = |failure: &&Failure| failure.start < at;
        let failures = || triggers.failures.iter().filter(begun);
        let aborts = || triggers.aborts.iter().filter(begun);
        let own = || triggers.own.iter().filter(|(span, _)| span.start < at);
        let by_parent = self.parent_is_fully_cancelled(id, at);
        let all_are_over = failures().chain(aborts()).all(|failure| failure.over <= at)
            && own().all(|(span, _)| span.end <= at)
            && (by_parent || !self.parent_may_be_cancelled(id, at))
            && !ran.run.has_short_timeout();
        if !all_are_over {
            return false;
        }
        if by_parent || aborts().count() > 0 || own().any(|(_, won)| *won) {
            return true;
        }
        let limit_reached = failures().count() >= ran.run.max_errors();
        match actor {
            Actor::Item(index) if ran.run.is_ordered() => {
                limit_reached
                    && own().count() == 0
                    && bound_of(failures(), ran.run.max_errors()) < index
            }
            _ => limit_reached && !ran.run.is_ordered(),
        }
    }
}

/// The index of the failure that reaches the limit: where the sequential loop stops.
pub(super) fn bound_of<'f>(failures: impl Iterator<Item = &'f Failure>, errors: usize) -> usize {
    let mut lowest = BinaryHeap::new();
    for failure in failures {
        lowest.push(failure.index);
        if lowest.len() > errors {
            lowest.pop();
        }
    }
    if lowest.len() < errors {
        return usize::MAX;
    }
    lowest.peek().copied().unwrap_or(usize::MAX)
}
