//! Checks what was observed of a program against the guarantees.
//!
//! All moments come from one counter. An item's closure ends before the crate records the result,
//! so the moment of a failure is known only within bounds: it *starts* when the closure ends, and
//! it is *over*, with all its consequences, at the next event on the same thread. Where events
//! overlap, a guarantee is checked only if these bounds decide it.

mod cause;
mod containment;
mod ends;
mod in_order;
mod limits;
mod outcome;
mod promptness;
mod tokens;
mod triggers;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::thread::ThreadId;

use rayon_errgroup::Cause;

use self::triggers::Triggers;
use crate::log::{Log, lock};
use crate::seen::{Actor, Ended, Event, Moment, Outside, Ran, Returned, Trace, TrySpawned};

/// How many faults of each kind a program injected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) runs: usize,
    pub(crate) failures: usize,
    pub(crate) panics: usize,
    pub(crate) cancellations: usize,
    pub(crate) deadlines: usize,
}

/// Everything that was observed of a program.
struct History<'p> {
    /// The runs, by number.
    runs: Vec<Ran<'p>>,
    /// The items that ran, by the number of their run.
    traces: Vec<Vec<Trace>>,
    triggers: Vec<Triggers>,
    /// The moments of each thread, in ascending order.
    moments: HashMap<ThreadId, Vec<Moment>>,
    outside: Vec<Outside>,
}

/// One run, and what was observed of it.
#[derive(Clone, Copy)]
struct Seen<'h, 'p> {
    history: &'h History<'p>,
    ran: &'h Ran<'p>,
    traces: &'h [Trace],
}

/// One sentence for each violation.
type Violations = Vec<String>;

pub(crate) fn check(log: &Log<'_>, outside_is_cancelled: bool) -> Result<Faults, String> {
    let mut violations = mem::take(&mut *lock(&log.wrong));
    let things = mem::take(&mut *lock(&log.things));
    containment::each_once(&things, &mut violations);
    let history = History::new(
        mem::take(&mut *lock(&log.runs)),
        mem::take(&mut *lock(&log.traces)),
        mem::take(&mut *lock(&log.outside)),
    );
    if outside_is_cancelled == history.outside.is_empty() {
        violations.push("down, not up: the outside token".into());
    }
    if history.outside.iter().filter(|cancel| cancel.won).count() > 1 {
        violations.push("one trigger: two calls of cancel were the first".into());
    }
    for ran in &history.runs {
        let seen = Seen {
            history: &history,
            ran,
            traces: &history.traces[ran.id],
        };
        let mut found = Vec::new();
        containment::at_return(seen, &mut found);
        ends::check(seen, &mut found);
        cause::check(seen, &mut found);
        in_order::check(seen, &mut found);
        outcome::check(seen, &mut found);
        promptness::check(seen, &mut found);
        limits::check(seen, &mut found);
        tokens::check(seen, &mut found);
        let at = |sentence| format!("run {}: {sentence}; it returned {:?}", ran.id, ran.returned);
        violations.extend(found.into_iter().map(at));
    }
    if violations.is_empty() {
        return Ok(history.faults());
    }
    Err(violations.join("\n"))
}

impl<'p> History<'p> {
    fn new(mut runs: Vec<Ran<'p>>, all: Vec<Trace>, outside: Vec<Outside>) -> Self {
        runs.sort_by_key(|ran| ran.id);
        let mut moments = HashMap::<_, Vec<_>>::new();
        for trace in &all {
            let own = moments.entry(trace.thread).or_default();
            own.extend([trace.span.start, trace.span.end]);
            let spans = trace.events.iter().map(|(span, _)| span);
            own.extend(spans.flat_map(|span| [span.start, span.end]));
        }
        for own in moments.values_mut() {
            own.sort_unstable();
        }
        let mut traces: Vec<_> = runs.iter().map(|_| Vec::new()).collect();
        for trace in all {
            traces[trace.run].push(trace);
        }
        let mut history = History {
            runs,
            traces,
            triggers: Vec::new(),
            moments,
            outside,
        };
        history.triggers = history.runs.iter().map(|ran| history.find(ran)).collect();
        history
    }

    /// The last moment of this thread before the given one.
    fn before(&self, thread: ThreadId, moment: Moment) -> Option<Moment> {
        let own = self.moments.get(&thread)?;
        let next = own.partition_point(|own| *own < moment);
        next.checked_sub(1).map(|last| own[last])
    }

    /// The moment at which all consequences of the end of an item are over.
    fn over(&self, trace: &Trace) -> Moment {
        let returned = self.runs[trace.run].span.end;
        let own = &self.moments[&trace.thread];
        let next = own.partition_point(|own| *own <= trace.span.end);
        own.get(next).copied().unwrap_or(returned).min(returned)
    }

    fn faults(&self) -> Faults {
        let all = || self.traces.iter().flatten();
        let ended = |is: fn(&Ended) -> bool| all().filter(|trace| is(&trace.ended)).count();
        let events = all().flat_map(|trace| &trace.events);
        let own = events.filter(|(_, event)| matches!(event, Event::CancelledOwn { won: true }));
        let deadline = |ran: &&Ran<'_>| {
            let mut causes = ran.tokens.iter().filter_map(|token| token.cause.as_ref());
            let returned = matches!(ran.returned, Returned::Cancelled(Cause::Deadline));
            returned || causes.any(|cause| matches!(cause, Cause::Deadline))
        };
        Faults {
            runs: self.runs.len(),
            failures: ended(|ended| matches!(ended, Ended::Err(_))),
            panics: ended(|ended| matches!(ended, Ended::Panic(_))),
            cancellations: own.count() + self.outside.iter().filter(|cancel| cancel.won).count(),
            deadlines: self.runs.iter().filter(deadline).count(),
        }
    }
}

impl<'h> Seen<'h, '_> {
    fn triggers(self) -> &'h Triggers {
        &self.history.triggers[self.ran.id]
    }

    /// The items and tasks that ran, by index.
    fn items(self) -> BTreeMap<usize, &'h Trace> {
        let items = self.traces.iter().filter_map(|trace| match trace.actor {
            Actor::Item(index) => Some((index, trace)),
            _ => None,
        });
        items.collect()
    }

    /// The calls of the sink, by number.
    fn sink_calls(self) -> BTreeMap<usize, &'h Trace> {
        let calls = self.traces.iter().filter_map(|trace| match trace.actor {
            Actor::Sink(call) => Some((call, trace)),
            _ => None,
        });
        calls.collect()
    }

    fn body(self) -> Option<&'h Trace> {
        self.traces.iter().find(|trace| trace.actor == Actor::Body)
    }

    /// How many tasks were spawned.
    fn spawned(self) -> usize {
        let events = self.traces.iter().flat_map(|trace| &trace.events);
        let is_spawn = |event: &Event| {
            matches!(
                event,
                Event::Spawned(_) | Event::TrySpawned(TrySpawned::Accepted(_))
            )
        };
        events.filter(|(_, event)| is_spawn(event)).count()
    }

    /// How many items or tasks there were to run, unless the source is endless.
    fn count(self) -> Option<usize> {
        if self.ran.run.is_scope() {
            Some(self.spawned())
        } else {
            self.ran.count
        }
    }
}
