//! How many items run at once, and in which order the items of a run in order begin.

use std::collections::HashSet;

use super::{Seen, Violations};
use crate::program::Threads;
use crate::seen::{Actor, Event, Span, Trace, TrySpawned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    threads(seen, found);
    if seen.ran.run.is_ordered() {
        workers(seen, found);
    }
    if seen.ran.run.is_scope() {
        permits(seen, found);
        full(seen, found);
    }
    if seen.items().len() != seen.traces.iter().filter(|trace| is_item(trace)).count() {
        found.push("limits: an item ran twice".into());
    }
}

fn is_item(trace: &Trace) -> bool {
    matches!(trace.actor, Actor::Item(_))
}

/// Items run on the threads of the pool. While one waits for a nested run, its thread may run
/// others.
fn threads(seen: Seen<'_, '_>, found: &mut Violations) {
    let items = seen.traces.iter().filter(|trace| is_item(trace));
    let threads: HashSet<_> = items.map(|trace| trace.thread).collect();
    if threads.len() > seen.ran.threads {
        found.push(format!("limits: on {} threads", threads.len()));
    }
}

/// A worker runs one item at a time, and a single worker runs all items from the first to the last.
fn workers(seen: Seen<'_, '_>, found: &mut Violations) {
    let mut moments = Vec::new();
    for trace in seen.traces.iter().filter(|trace| is_item(trace)) {
        moments.extend([(trace.span.start, true), (trace.span.end, false)]);
    }
    moments.sort_unstable();
    let (mut running, mut most) = (0_usize, 0);
    for (_, begins) in moments {
        running = if begins { running + 1 } else { running - 1 };
        most = most.max(running);
    }
    if most > seen.ran.threads {
        found.push(format!("limits: {most} workers"));
    }
    let items = seen.items();
    let starts = || items.values().map(|trace| trace.span.start);
    if seen.ran.threads == 1 && !starts().is_sorted() {
        found.push("in order: one worker, but not in order".into());
    }
}

/// A body that runs outside of its group's threads never has more tasks spawned than there are
/// permits. This is checked for the outermost scope only: the body of a nested one may run on top
/// of a task.
fn permits(seen: Seen<'_, '_>, found: &mut Violations) {
    if seen.ran.caller.is_some() {
        return;
    }
    let policy = seen.ran.run.policy;
    let Some(Threads::Own(permits)) = policy.map(|policy| policy.threads) else {
        return;
    };
    let (items, body) = (seen.items(), seen.body());
    let events = body.iter().flat_map(|body| &body.events);
    let spawned: Vec<(&Span, &&Trace)> = events
        .filter_map(|(span, event)| match event {
            Event::Spawned(number) => Some((span, items.get(number)?)),
            _ => None,
        })
        .collect();
    for (at, (span, _)) in spawned.iter().enumerate() {
        let earlier = spawned[..=at].iter();
        let taken = earlier.filter(|(_, task)| task.span.end > span.end);
        let taken = taken.count();
        if taken > permits {
            found.push(format!("limits: {taken} of {permits} permits taken"));
        }
    }
}

/// A scope is full if and only if as many tasks as there are permits are spawned and have not
/// ended.
fn full(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let items = seen.items();
    let events = || seen.traces.iter().flat_map(|trace| &trace.events);
    for (span, event) in events() {
        // The tasks that may hold a permit at some time of the call, and those that hold one
        // throughout.
        let spawned = events().filter_map(|(spawned, event)| match event {
            Event::Spawned(number) | Event::TrySpawned(TrySpawned::Accepted(number)) => {
                Some((spawned, items.get(number)))
            }
            _ => None,
        });
        let may = |(spawned, task): &(&Span, Option<&&Trace>)| {
            spawned.start < span.end && task.is_none_or(|task| history.over(task) >= span.start)
        };
        let must = |(spawned, task): &(&Span, Option<&&Trace>)| {
            spawned.end <= span.start && task.is_some_and(|task| task.span.end >= span.end)
        };
        let is_wrong = match event {
            Event::TrySpawned(TrySpawned::Full) => {
                !ran.has_permits || spawned.filter(may).count() < ran.threads
            }
            Event::TrySpawned(TrySpawned::Accepted(_)) => {
                ran.has_permits && spawned.filter(must).count() >= ran.threads
            }
            _ => false,
        };
        if is_wrong {
            found.push(format!("limits: {event:?}"));
        }
    }
}
