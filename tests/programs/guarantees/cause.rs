//! Guarantee 1: cause. One trigger cancels a run, and the result names it.

use rayon_errgroup::Cause;

use super::triggers::Failure;
use super::{Seen, Violations};
use crate::program::Link;
use crate::seen::{Actor, Ended, Event, Moment, Returned, Trace};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    match &seen.ran.returned {
        Returned::Failed { index, error } => failed(seen, *index, *error, found),
        Returned::Several(errors) => several(seen, errors, found),
        Returned::Cancelled(cause) => cancelled(seen, cause, found),
        Returned::NoError => no_error(seen, found),
        _ => {}
    }
    for token in &seen.ran.tokens {
        if let Some(cause) = &token.cause
            && !is_possible(seen, cause)
        {
            found.push(format!("cause: a token says {cause:?}"));
        }
    }
}

impl Seen<'_, '_> {
    /// Whether the trigger may be a `cancel` by an item of a run without a policy, which has no
    /// error for it.
    pub(super) fn may_have_no_error(self) -> bool {
        self.ran.run.policy.is_none() && !self.triggers().own.is_empty()
    }
}

fn failed(seen: Seen<'_, '_>, index: Option<usize>, error: usize, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_it = |trace: &&Trace| trace.ended == Ended::Err(error);
    let Some(trace) = seen.traces.iter().find(is_it) else {
        found.push("cause: an error that none of its items returned".into());
        return;
    };
    if ran.run.is_ordered() {
        return;
    }
    let is_numbered = ran.run.is_scope() && ran.run.max_errors() > 1 && trace.actor != Actor::Body;
    if index.is_some() != is_numbered {
        found.push("cause: an index in a run that has no order, or a task without number".into());
    }
    if seen.may_have_no_error() {
        return;
    }
    let end = trace.span.end;
    if history.must_be_cancelled(ran.id, trace.actor, end) {
        found.push("cause: an error that came after the cancellation".into());
    }
    if seen.looks().any(|look| look < end) {
        found.push("cause: an error that came after the cancellation was seen".into());
    }
    // The error of a body replaces the tolerated ones.
    let failures = &seen.triggers().failures;
    let mut earlier = failures
        .iter()
        .filter(|failure| !failure.is_panic && failure.over <= end);
    if trace.actor != Actor::Body && earlier.next().is_some() {
        found.push("cause: not the earliest error".into());
    }
}

/// Without an order, a run that tolerates errors returns all that count.
fn several(seen: Seen<'_, '_>, errors: &[(usize, usize)], found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let limit = ran.run.max_errors();
    if ran.run.is_ordered() || errors.len() < 2 || errors.len() > limit {
        found.push(format!("cause: {} errors of {limit}", errors.len()));
    }
    if !errors.is_sorted_by(|(one, _), (other, _)| one < other) {
        found.push("cause: errors that are not sorted".into());
    }
    let failing = || {
        let items = seen.items().into_values();
        items.filter_map(|trace| match trace.ended {
            Ended::Err(error) => Some((error, trace)),
            _ => None,
        })
    };
    for (_, error) in errors {
        match failing().find(|(failed, _)| failed == error) {
            None => found.push("cause: an error that none of its items returned".into()),
            Some((_, trace)) => {
                if history.must_be_cancelled(ran.id, trace.actor, trace.span.end) {
                    found.push("cause: one of several errors came after the cancellation".into());
                }
            }
        }
    }
    // A run that nothing has cancelled has counted all of them.
    if errors.len() < limit && failing().count() != errors.len() {
        found.push("cause: one of several errors is lost".into());
    }
}

impl<'h> Seen<'h, '_> {
    /// The moment at which the failures certainly reached the limit.
    pub(super) fn limit_reached_at(self) -> Option<Moment> {
        let failures = self.triggers().failures.iter();
        let mut over: Vec<_> = failures.map(|failure| failure.over).collect();
        over.sort_unstable();
        let last = self.ran.run.max_errors() - 1;
        over.get(last).copied()
    }

    /// The moments at which items saw that they were cancelled.
    fn looks(self) -> impl Iterator<Item = usize> + 'h {
        let events = self.traces.iter().flat_map(|trace| &trace.events);
        events.filter_map(|(span, event)| match event {
            Event::Looked { cancelled: true } | Event::Slept { cancelled: true } => Some(span.end),
            _ => None,
        })
    }
}

/// Checks a run whose trigger was not one of its failures.
fn cancelled(seen: Seen<'_, '_>, cause: &Cause, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    if !is_possible(seen, cause) || matches!(cause, Cause::Failed | Cause::Panicked) {
        found.push("cause: there was no such trigger".into());
    }
    let triggers = seen.triggers();
    let aborts = triggers.aborts.iter().map(|failure| failure.over);
    for over in seen.limit_reached_at().into_iter().chain(aborts) {
        // If a stream is cancelled before its sink has all values before the failure, the
        // cancellation is the result.
        if !ran.run.is_stream() && !history.may_be_stopped(ran.id, over) {
            found.push("cause: it had failed before it was cancelled".into());
        }
    }
}

fn no_error(seen: Seen<'_, '_>, found: &mut Violations) {
    let has_error = seen
        .triggers()
        .failures
        .iter()
        .any(|f: &Failure| !f.is_panic)
        || seen.triggers().aborts.iter().any(|f| !f.is_panic);
    if !seen.may_have_no_error() || has_error || seen.is_complete() {
        found.push("cause: no error was returned".into());
    }
}

/// Whether a token of the run may have been cancelled for this cause.
pub(super) fn is_possible(seen: Seen<'_, '_>, cause: &Cause) -> bool {
    let Seen { history, ran, .. } = seen;
    let triggers = seen.triggers();
    let counted = triggers.failures.len() >= ran.run.max_errors();
    let is_panic = |failure: &Failure| failure.is_panic;
    match cause {
        Cause::Requested(_) => !triggers.own.is_empty(),
        Cause::Deadline => ran.run.has_short_timeout(),
        Cause::Failed => counted || !triggers.aborts.iter().all(is_panic),
        Cause::Panicked => {
            triggers.aborts.iter().any(is_panic)
                || (counted && triggers.failures.iter().any(is_panic))
        }
        Cause::Parent(root) => match (ran.link, ran.caller) {
            (Link::Outside, _) => {
                matches!(**root, Cause::Requested(None)) && !history.outside.is_empty()
            }
            (Link::Enclosing, Some((caller, _))) => {
                let caller = Seen {
                    history,
                    ran: &history.runs[caller],
                    traces: &history.traces[caller],
                };
                is_possible(caller, root) || is_possible(caller, cause)
            }
            _ => false,
        },
        _ => false,
    }
}
