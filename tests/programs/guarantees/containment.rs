//! Guarantee 3: containment. At the return everything has ended, and each thing is dropped once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Seen, Violations};
use crate::log::Fate;
use crate::seen::{Returned, Trace};

pub(super) fn each_once(things: &[Arc<Fate>], found: &mut Violations) {
    for fate in things.iter().filter(|fate| fate.drops() != 1) {
        let (kind, run, drops) = (fate.kind, fate.run, fate.drops());
        found.push(format!(
            "containment: {kind:?} {} of run {run} was dropped {drops} times",
            fate.id
        ));
    }
}

pub(super) fn at_return(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { ran, traces, .. } = seen;
    if ran.running > 0 {
        found.push(format!("containment: {} items still ran", ran.running));
    }
    let (start, end) = (ran.span.start, ran.span.end);
    let is_within = |moment| start < moment && moment < end;
    for trace in traces {
        if !is_within(trace.span.start) || !is_within(trace.span.end) {
            let actor = trace.actor;
            found.push(format!(
                "containment: {actor:?} ran before or after its run"
            ));
        }
    }
    let alive: BTreeSet<_> = ran.alive.iter().copied().collect();
    let returned = ran.returned.things(&seen.items());
    if alive != returned {
        found.push(format!(
            "containment: at the return {alive:?} were not dropped, and {returned:?} were returned"
        ));
    }
}

impl Returned {
    /// The things that were returned to the caller, by a run with these items.
    fn things(&self, items: &BTreeMap<usize, &Trace>) -> BTreeSet<usize> {
        let list = match self {
            Returned::Ok(values) => values.clone().unwrap_or_default(),
            Returned::Failed { error, .. } => vec![*error],
            Returned::Several(errors) => errors.iter().map(|(_, error)| *error).collect(),
            Returned::Panicked(payload) | Returned::Unwound(payload) => vec![*payload],
            Returned::Cancelled(_) | Returned::NoError => Vec::new(),
            Returned::Outcome(report) => {
                let values = report.values.iter().map(|(_, value)| *value);
                let errors = report
                    .errors
                    .iter()
                    .chain(&report.late_errors)
                    .map(|(_, error)| *error);
                let panics = report.panics.iter().flatten();
                let payloads = panics.filter_map(|index| items.get(index));
                let payloads = payloads.map(|trace| trace.ended.thing());
                values.chain(errors).chain(payloads).collect()
            }
        };
        list.into_iter().collect()
    }
}
