//! Guarantees 2 and 5: completeness, and panics that outrank values.

use super::{Seen, Violations};
use crate::program::{Source, Work};
use crate::seen::{Ended, Returned, Trace};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    complete(seen, found);
    values(seen, found);
    panics(seen, found);
}

/// Whether the result says that every item succeeded.
fn is_success(returned: &Returned) -> bool {
    match returned {
        Returned::Ok(_) => true,
        Returned::Outcome(report) => report.is_complete,
        _ => false,
    }
}

fn is_ok(trace: &Trace) -> bool {
    matches!(trace.ended, Ended::Ok(_))
}

impl Seen<'_, '_> {
    /// Whether every item, and every call of a sink and a body, ran to its end and returned `Ok`.
    pub(super) fn is_complete(self) -> bool {
        let items = self.items();
        self.traces.iter().all(is_ok)
            && self.count() == Some(items.len())
            && (!self.ran.run.is_stream() || self.sink_calls().len() == items.len())
    }
}

fn complete(seen: Seen<'_, '_>, found: &mut Violations) {
    let ran = seen.ran;
    match (seen.is_complete(), is_success(&ran.returned)) {
        (false, true) => found.push("completeness: success, but not every item succeeded".into()),
        (true, false) => {
            // After a filter a cancelled run may give up without knowing whether an item is left.
            let is_filter = matches!(ran.run.work, Work::Each(Source::Filter, ..));
            if !is_filter || !seen.history.may_be_stopped(ran.id, ran.span.end) {
                found.push(
                    "completeness: every item succeeded, but the result is no success".into(),
                );
            }
        }
        _ => {}
    }
    if let Returned::Outcome(report) = &ran.returned
        && report.is_complete != report.is_ok
    {
        found.push("completeness: an outcome and its result differ".into());
    }
}

/// The values are those of the items, in the same order if the source has one.
fn values(seen: Seen<'_, '_>, found: &mut Violations) {
    let Returned::Ok(Some(values)) = &seen.ran.returned else {
        return;
    };
    let mut values = values.clone();
    let mut expected: Vec<_> = if let Some(body) = seen.body() {
        vec![body.ended.thing()]
    } else {
        let items = seen.items().into_values();
        items.map(|trace| trace.ended.thing()).collect()
    };
    if matches!(seen.ran.run.work, Work::Each(Source::Bridge, ..)) {
        values.sort_unstable();
        expected.sort_unstable();
    }
    if values != expected {
        found.push(format!("values: {expected:?} were expected"));
    }
}

fn panics(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let raised = seen.traces.iter().filter_map(|trace| match trace.ended {
        Ended::Panic(payload) => Some((payload, trace)),
        _ => None,
    });
    let raised: Vec<_> = raised.collect();
    let catches = ran.run.policy.is_some_and(|policy| policy.catch_panics);
    let payload = match &ran.returned {
        Returned::Unwound(payload) if !catches => Some(*payload),
        Returned::Panicked(payload) if catches => Some(*payload),
        Returned::Outcome(_) if catches => return,
        Returned::Unwound(_) | Returned::Panicked(_) => {
            found.push("panics: caught without `catch_panics`, or resumed with it".into());
            return;
        }
        _ => None,
    };
    let max_errors = ran.run.policy.map_or(1, |policy| policy.max_errors);
    if ran.run.is_ordered() && catches && max_errors > 1 {
        tolerated(seen, &raised, payload, max_errors, found);
        return;
    }
    match payload {
        None if raised.is_empty() => {}
        None => found.push("panics: one was raised and lost".into()),
        Some(payload) => {
            let Some((_, own)) = raised.iter().find(|(raised, _)| *raised == payload) else {
                found.push("panics: a payload that was not raised".into());
                return;
            };
            let earlier = |(_, other): &&(usize, &Trace)| history.over(other) <= own.span.end;
            if let Some((earlier, _)) = raised.iter().find(earlier) {
                found.push(format!("panics: payload {earlier} was raised earlier"));
            }
        }
    }
}

/// In order, tolerated panics count as failures: the one with the lowest index is returned, and
/// none after the item at which the sequential loop stops.
fn tolerated(
    seen: Seen<'_, '_>,
    raised: &[(usize, &Trace)],
    payload: Option<usize>,
    max_errors: usize,
    found: &mut Violations,
) {
    let Seen { history, ran, .. } = seen;
    if let Some(payload) = payload
        && !raised.iter().any(|(raised, _)| *raised == payload)
    {
        found.push("panics: a payload that was not raised".into());
    }
    // If the sink fails or something else cancels the run, only the failures until then count.
    if ran.run.is_stream() || history.may_be_stopped(ran.id, ran.span.end) {
        return;
    }
    let items = seen.items();
    let failing = items.iter().filter(|(_, trace)| !is_ok(trace));
    let counted = failing.take(max_errors);
    let lowest = counted
        .into_iter()
        .find_map(|(_, trace)| match trace.ended {
            Ended::Panic(payload) => Some(payload),
            _ => None,
        });
    if payload != lowest {
        found.push(format!("panics: the lowest was {lowest:?}"));
    }
}
