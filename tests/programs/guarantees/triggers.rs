//! What may have cancelled a run, and what must have.

use std::collections::BinaryHeap;

use super::History;
use crate::program::Link;
use crate::seen::{Ended, Event, Moment, Ran, Span, Trace, Who};

/// What happened in a run that may cancel it.
#[derive(Default)]
pub(super) struct Triggers {
    /// Calls of `cancel` by its items, and whether they were the one.
    pub(super) own: Vec<(Span, bool)>,
    /// Failures that the run may bear: errors of items, and panics if they count as such.
    pub(super) failures: Vec<Failure>,
    /// What no run bears.
    pub(super) aborts: Vec<Failure>,
}

#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) start: Moment,
    /// When it was recorded, and who is to see it could.
    pub(super) over: Moment,
    /// Of a run in order, the position.
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
            if let Some((failure, is_borne)) = self.failure(ran, trace) {
                let list = if is_borne {
                    &mut triggers.failures
                } else {
                    &mut triggers.aborts
                };
                list.push(failure);
            }
        }
        triggers
    }

    /// How an item failed, if it did, and whether that is one of the failures that are counted.
    fn failure(&self, ran: &Ran<'_>, trace: &Trace) -> Option<(Failure, bool)> {
        let is_panic = match trace.ended {
            Ended::Ok(_) => return None,
            Ended::Err(_) => false,
            Ended::Panic(_) => true,
        };
        let item = match trace.who {
            Who::Item(index) => Some(index),
            Who::Body | Who::Sink(_) => None,
        };
        let failure = Failure {
            start: trace.span.end,
            over: self.over(trace),
            index: item.unwrap_or(0),
            is_panic,
        };
        let is_counted = item.is_some() && (!is_panic || ran.run.bears_panics());
        Some((failure, is_counted))
    }

    /// Whether something other than a failure of the run may have cancelled it before.
    pub(super) fn may_be_stopped(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        let own = &self.triggers[id].own;
        ran.run.has_short_timeout()
            || own.iter().any(|(span, _)| span.start < at)
            || self.may_be_stopped_above(id, at)
    }

    fn may_be_stopped_above(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        match (ran.link, ran.caller) {
            (Link::Outside, _) => self.outside.iter().any(|cancel| cancel.span.start < at),
            (Link::Enclosing, Some((above, who))) => self.may_be_cancelled(above, who, at),
            _ => false,
        }
    }

    /// Whether the token of an item may have been cancelled before, by anything.
    pub(super) fn may_be_cancelled(&self, id: usize, who: Who, at: Moment) -> bool {
        let (run, triggers) = (self.runs[id].run, &self.triggers[id]);
        let below = |failure: &&Failure| match who {
            Who::Item(index) if run.is_ordered() => failure.index < index,
            _ => true,
        };
        let earlier = triggers
            .failures
            .iter()
            .filter(|failure| failure.start < at);
        earlier.filter(below).count() >= run.max_errors()
            || triggers.aborts.iter().any(|failure| failure.start < at)
            || self.may_be_stopped(id, at)
    }

    /// Whether the token of an item must have been cancelled before.
    pub(super) fn must_be_cancelled(&self, id: usize, who: Who, at: Moment) -> bool {
        // Of a run in order an item's token is below the run's.
        self.is_through(id, who, at) || (!self.runs[id].run.is_ordered() && self.is_flagged(id, at))
    }

    /// Whether the token of a run that is in no order must have been cancelled before. What hangs on
    /// it need not yet be.
    fn is_flagged(&self, id: usize, at: Moment) -> bool {
        let failures = self.triggers[id].failures.iter();
        let over = failures.filter(|failure| failure.over <= at);
        over.count() >= self.runs[id].run.max_errors() || self.must_be_stopped(id, at)
    }

    /// Whether the token of a run must have been cancelled before by anything but a failure that is
    /// counted.
    pub(super) fn must_be_stopped(&self, id: usize, at: Moment) -> bool {
        let triggers = &self.triggers[id];
        let own = |(span, won): &(Span, bool)| *won && span.end <= at;
        triggers.aborts.iter().any(|failure| failure.over <= at)
            || triggers.own.iter().any(own)
            || self.is_through_above(id, at)
    }

    fn is_through_above(&self, id: usize, at: Moment) -> bool {
        let ran = &self.runs[id];
        match (ran.link, ran.caller) {
            (Link::Outside, _) => self
                .outside
                .iter()
                .any(|cancel| cancel.won && cancel.span.end <= at),
            (Link::Enclosing, Some((above, who))) => self.is_through(above, who, at),
            _ => false,
        }
    }

    /// Whether the token of an item, and all that hangs on it, must have been cancelled before: all
    /// that had begun to cancel the run was over then. While a cancellation goes down the tree, some
    /// tokens are cancelled and others are not yet.
    pub(super) fn is_through(&self, id: usize, who: Who, at: Moment) -> bool {
        let (ran, triggers) = (&self.runs[id], &self.triggers[id]);
        let begun = |failure: &&Failure| failure.start < at;
        let failures = || triggers.failures.iter().filter(begun);
        let aborts = || triggers.aborts.iter().filter(begun);
        let own = || triggers.own.iter().filter(|(span, _)| span.start < at);
        let above = self.is_through_above(id, at);
        let is_at_rest = failures().chain(aborts()).all(|failure| failure.over <= at)
            && own().all(|(span, _)| span.end <= at)
            && (above || !self.may_be_stopped_above(id, at))
            && !ran.run.has_short_timeout();
        if !is_at_rest {
            return false;
        }
        if above || aborts().count() > 0 || own().any(|(_, won)| *won) {
            return true;
        }
        let too_many = failures().count() >= ran.run.max_errors();
        match who {
            Who::Item(index) if ran.run.is_ordered() => {
                too_many && own().count() == 0 && bound_of(failures(), ran.run.max_errors()) < index
            }
            _ => too_many && !ran.run.is_ordered(),
        }
    }
}

/// The position of the last failure that is borne, and one more: where the loop would stop.
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
