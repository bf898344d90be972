//! Guarantee 7: in order. Derives from what the items did what the sequential loop would have done.

use std::collections::BTreeMap;

use super::triggers::bound_of;
use super::{Seen, Violations};
use crate::program::Item;
use crate::seen::{Ended, Returned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    if !seen.ran.run.is_ordered() {
        return;
    }
    sink_order(seen, found);
    let Seen { history, ran, .. } = seen;
    let aborts = &seen.triggers().aborts;
    if history.may_be_stopped(ran.id, ran.span.end) || aborts.iter().any(|f| f.is_panic) {
        stopped(seen, found);
    } else {
        uninterrupted(seen, found);
    }
}

/// The sink gets the values in order, and none after one that it failed for.
fn sink_order(seen: Seen<'_, '_>, found: &mut Violations) {
    let ok = seen.ok_items();
    let calls = seen.sink_calls();
    for ((at, (call, trace)), (item, value)) in calls.iter().enumerate().zip(&ok) {
        let is_value = match trace.ended {
            Ended::Ok(own) => own == *value,
            _ => at + 1 == calls.len(),
        };
        let item = &seen.items()[item];
        if at != *call || !is_value || item.span.end > trace.span.start {
            found.push(format!("in order: call {call} of the sink"));
        }
    }
    if calls.len() > ok.len() {
        found.push("in order: the sink was called too often".into());
    }
}

impl Seen<'_, '_> {
    /// The values of the items that returned one, by index.
    fn ok_items(self) -> BTreeMap<usize, usize> {
        let items = self.items();
        let ok = items.iter().filter_map(|(index, trace)| match trace.ended {
            Ended::Ok(value) => Some((*index, value)),
            _ => None,
        });
        ok.collect()
    }

    /// The lowest index of an item that returned an error, and the error.
    fn lowest_error(self) -> Option<(usize, usize)> {
        let items = self.items();
        items.iter().find_map(|(index, trace)| match trace.ended {
            Ended::Err(error) => Some((*index, error)),
            _ => None,
        })
    }

    /// The index of the value for which the sink failed, and the error.
    fn sink_error(self) -> Option<(usize, usize)> {
        let (call, trace) = self.sink_calls().pop_last()?;
        let index = self.ok_items().into_keys().nth(call)?;
        match trace.ended {
            Ended::Err(error) => Some((index, error)),
            _ => None,
        }
    }
}

/// Checks a run that only its failures can have stopped.
fn uninterrupted(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { ran, .. } = seen;
    let items = seen.items();
    let bound = bound_of(seen.triggers().failures.iter(), ran.run.max_errors());
    let sink_error = seen.sink_error();
    let stop = sink_error.map_or(bound, |(index, _)| bound.min(index));
    let end = ran.count.map(|count| count.min(stop.saturating_add(1)));
    match end {
        Some(end) if items.range(..end).count() != end => {
            found.push("in order: an item before the end of the loop did not run".into());
        }
        None if stop == usize::MAX => found.push("in order: an endless loop ended".into()),
        _ => {}
    }
    let expected = sink_error.or(seen.lowest_error());
    let index_is_kept = ran.run.policy.is_some();
    let has_panic = seen.triggers().failures.iter().any(|f| f.is_panic);
    match &ran.returned {
        Returned::Failed { index, error } => {
            let expected_index = expected.map(|(index, _)| index);
            if Some(*error) != expected.map(|(_, error)| error)
                || *index != expected_index.filter(|_| index_is_kept)
            {
                found.push(format!("in order: the loop returns {expected:?}"));
            }
        }
        Returned::Ok(_) if expected.is_some() => found.push("in order: the error is lost".into()),
        Returned::Cancelled(_) => found.push("in order: it was not cancelled".into()),
        Returned::Panicked(_) if !has_panic => found.push("in order: no item panicked".into()),
        _ => {}
    }
    if ran.run.is_stream() && sink_error.is_none() {
        let values = seen.ok_items().range(..stop).count();
        if seen.sink_calls().len() != values {
            found.push(format!("in order: the loop gives the sink {values} values"));
        }
    }
    // If every item depends only on itself, the failing item is known in advance.
    let verdicts = ran.run.items().iter().map(Item::verdict);
    let verdicts: Option<Vec<_>> = verdicts.collect();
    if let (Some(verdicts), None, true) = (verdicts, sink_error, ran.count.is_some()) {
        let failing = verdicts.iter().position(|fails| *fails);
        if failing != seen.lowest_error().map(|(index, _)| index) {
            found.push(format!("in order: the loop fails at {failing:?}"));
        }
    }
}

/// Checks a run that something else may have stopped: then the lowest failure until then counts.
fn stopped(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let Returned::Failed { index, error } = &ran.returned else {
        return;
    };
    let Some(trace) = seen
        .traces
        .iter()
        .find(|trace| trace.ended == Ended::Err(*error))
    else {
        return;
    };
    let error_index = seen
        .items()
        .iter()
        .find_map(|(at, item)| (item.ended == trace.ended).then_some(*at))
        .or(seen.sink_error().map(|(index, _)| index));
    if *index != error_index.filter(|_| ran.run.policy.is_some()) {
        found.push(format!(
            "in order: the error is that of item {error_index:?}"
        ));
    }
    if seen.may_have_no_error() {
        return;
    }
    let lower = seen.triggers().failures.iter().filter(|failure| {
        !failure.is_panic
            && Some(failure.index) < error_index
            && !history.may_be_stopped(ran.id, failure.over)
    });
    if lower.count() > 0 && seen.sink_error().is_none() {
        found.push("in order: a lower error was recorded in time".into());
    }
    // Otherwise the loop would not have reached the failure.
    let before = |index| seen.ok_items().range(..index).count();
    if ran.run.is_stream() && error_index.is_some_and(|at| seen.sink_calls().len() < before(at)) {
        found.push("in order: the sink did not get the values before the error".into());
    }
    if history.must_be_stopped(ran.id, trace.span.end) {
        found.push("in order: an error that came after the cancellation".into());
    }
}
