//! Guarantee 6: promptness. Also what an item sees of a cancellation: none without a trigger, and
//! every one that has happened.

use super::{Seen, Violations};
use crate::program::Timeout;
use crate::seen::{Actor, Event, Registration, TrySpawned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    begins(seen, found);
    looks(seen, found);
}

/// A worker looks at the token before it begins an item. So no item begins on a thread whose
/// previous event came after the cancellation was visible.
fn begins(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let ran_id = ran.id;
    let policy = ran.run.policy;
    let no_time = policy.is_some_and(|policy| matches!(policy.timeout, Timeout::Short(0)));
    for trace in seen.traces {
        let (Actor::Item(_), start) = (trace.actor, trace.span.start) else {
            continue;
        };
        let before = history.before(trace.thread, start);
        let is_late =
            before.is_some_and(|before| history.must_be_cancelled(ran_id, trace.actor, before));
        if is_late || no_time {
            let actor = trace.actor;
            found.push(format!(
                "promptness: {actor:?} began after the cancellation"
            ));
        }
    }
}

fn looks(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    for trace in seen.traces {
        let actor = trace.actor;
        let may = |at| history.may_be_cancelled(ran.id, actor, at);
        let must = |at| history.must_be_cancelled(ran.id, actor, at);
        for (span, event) in &trace.events {
            let is_wrong = match event {
                Event::Looked { cancelled: true }
                | Event::Slept { cancelled: true }
                | Event::TrySpawned(TrySpawned::Cancelled) => !may(span.end),
                Event::Looked { cancelled: false } => must(span.start),
                // A sleeping item is woken only after the token is cancelled.
                Event::Slept { cancelled: false } => {
                    history.is_fully_cancelled(ran.id, actor, span.start)
                }
                Event::TrySpawned(_) => must(span.start),
                Event::Called(registration) => {
                    let Registration {
                        calls, prevented, ..
                    } = registration;
                    let calls = calls.load(std::sync::atomic::Ordering::SeqCst);
                    calls != usize::from(!prevented) || (calls == 1 && !may(span.end))
                }
                Event::CancelledOwn { won: true } => must(span.start),
                Event::CancelledOwn { won: false } => !may(span.end),
                Event::Spawned(_) => false,
            };
            if is_wrong {
                found.push(format!("promptness: {actor:?}, {event:?}"));
            }
        }
    }
}
