//! Law 7: in order. What the sequential loop would have done, from what the items did.

use std::collections::BTreeMap;

use super::triggers::bound_of;
use super::{Seen, Violations};
use crate::program::Item;
use crate::seen::{Ended, Returned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    if !seen.ran.run.is_ordered() {
        return;
    }
    sunk(seen, found);
    let Seen { history, ran, .. } = seen;
    let aborts = &seen.triggers().aborts;
    if history.may_be_stopped(ran.id, ran.span.end) || aborts.iter().any(|f| f.is_panic) {
        stopped(seen, found);
    } else {
        undisturbed(seen, found);
    }
}

/// The sink is given the values in order, and none after one that it did not want.
fn sunk(seen: Seen<'_, '_>, found: &mut Violations) {
    let ok = seen.ok_items();
    let sunk = seen.sunk();
    for ((at, (call, trace)), (item, value)) in sunk.iter().enumerate().zip(&ok) {
        let is_value = match trace.ended {
            Ended::Ok(sunk) => sunk == *value,
            _ => at + 1 == sunk.len(),
        };
        let trace_of = &seen.items()[item];
        if at != *call || !is_value || trace_of.span.end > trace.span.start {
            found.push(format!("in order: call {call} of the sink"));
        }
    }
    if sunk.len() > ok.len() {
        found.push("in order: the sink was called too often".into());
    }
}

impl Seen<'_, '_> {
    /// The values of the items that had one.
    fn ok_items(self) -> BTreeMap<usize, usize> {
        let items = self.items();
        let ok = items.iter().filter_map(|(index, trace)| match trace.ended {
            Ended::Ok(value) => Some((*index, value)),
            _ => None,
        });
        ok.collect()
    }

    /// The lowest error of an item, and its position.
    fn lowest_error(self) -> Option<(usize, usize)> {
        let items = self.items();
        items.iter().find_map(|(index, trace)| match trace.ended {
            Ended::Err(error) => Some((*index, error)),
            _ => None,
        })
    }

    /// The error of the sink, and the position of the value that it was given.
    fn sink_error(self) -> Option<(usize, usize)> {
        let (call, trace) = self.sunk().pop_last()?;
        let position = self.ok_items().into_keys().nth(call)?;
        match trace.ended {
            Ended::Err(error) => Some((position, error)),
            _ => None,
        }
    }
}

/// Nothing but errors, and panics that count as such.
fn undisturbed(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { ran, .. } = seen;
    let items = seen.items();
    let bound = bound_of(seen.triggers().failures.iter(), ran.run.max_errors());
    let sink_error = seen.sink_error();
    let stop = sink_error.map_or(bound, |(position, _)| bound.min(position));
    let through = ran.count.map(|count| count.min(stop.saturating_add(1)));
    match through {
        Some(through) if items.range(..through).count() != through => {
            found.push("in order: an item below the end of the loop did not run".into());
        }
        None if stop == usize::MAX => found.push("in order: an end of what has none".into()),
        _ => {}
    }
    let expected = sink_error.or(seen.lowest_error());
    let index_is_kept = ran.run.policy.is_some();
    let has_panic = seen.triggers().failures.iter().any(|f| f.is_panic);
    match &ran.returned {
        Returned::Failed { index, error } => {
            let position = expected.map(|(position, _)| position);
            if Some(*error) != expected.map(|(_, error)| error)
                || *index != position.filter(|_| index_is_kept)
            {
                found.push(format!("in order: the loop returns {expected:?}"));
            }
        }
        Returned::Ok(_) if expected.is_some() => found.push("in order: the error is lost".into()),
        Returned::Cancelled(_) => found.push("in order: nobody has cancelled it".into()),
        Returned::Panicked(_) if !has_panic => found.push("in order: no item panicked".into()),
        _ => {}
    }
    if ran.run.is_stream() && sink_error.is_none() {
        let values = seen.ok_items().range(..stop).count();
        if seen.sunk().len() != values {
            found.push(format!("in order: the loop gives the sink {values} values"));
        }
    }
    // What every item does by itself, if that depends on nothing.
    let verdicts = ran.run.items().iter().map(Item::verdict);
    let verdicts: Option<Vec<_>> = verdicts.collect();
    if let (Some(verdicts), None, true) = (verdicts, sink_error, ran.count.is_some()) {
        let failing = verdicts.iter().position(|fails| *fails);
        if failing != seen.lowest_error().map(|(index, _)| index) {
            found.push(format!("in order: the loop fails at {failing:?}"));
        }
    }
}

/// Something else has stopped it, or may have: then the failure that was the lowest so far counts.
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
    let position = seen
        .items()
        .iter()
        .find_map(|(at, item)| (item.ended == trace.ended).then_some(*at))
        .or(seen.sink_error().map(|(position, _)| position));
    if *index != position.filter(|_| ran.run.policy.is_some()) {
        found.push(format!("in order: the error is that of {position:?}"));
    }
    if seen.may_be_speechless() {
        return;
    }
    let lower = seen.triggers().failures.iter().filter(|failure| {
        !failure.is_panic
            && Some(failure.index) < position
            && !history.may_be_stopped(ran.id, failure.over)
    });
    if lower.count() > 0 && seen.sink_error().is_none() {
        found.push("in order: a lower error was recorded in time".into());
    }
    // Else the loop would not have come to the failure.
    let below = |position| seen.ok_items().range(..position).count();
    if ran.run.is_stream() && position.is_some_and(|at| seen.sunk().len() < below(at)) {
        found.push("in order: the sink was not given the values below the error".into());
    }
    if history.must_be_stopped(ran.id, trace.span.end) {
        found.push("in order: an error that came after the cancellation".into());
    }
}
