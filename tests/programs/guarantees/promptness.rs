//! Law 6: promptness. And what an item sees of a cancellation: none that has no reason, and each that
//! has come.

use super::{Seen, Violations};
use crate::program::Timeout;
use crate::seen::{Event, Registration, TrySpawned, Who};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    begins(seen, found);
    sights(seen, found);
}

/// A worker looks before it begins an item. So if one had noted anything after the cancellation was to
/// be seen, it had not looked before.
fn begins(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let ran_id = ran.id;
    let policy = ran.run.policy;
    let no_time = policy.is_some_and(|policy| matches!(policy.timeout, Timeout::Short(0)));
    for trace in seen.traces {
        let (Who::Item(_), start) = (trace.who, trace.span.start) else {
            continue;
        };
        let before = history.before(trace.thread, start);
        let is_late =
            before.is_some_and(|before| history.must_be_cancelled(ran_id, trace.who, before));
        if is_late || no_time {
            let who = trace.who;
            found.push(format!("promptness: {who:?} began after the cancellation"));
        }
    }
}

fn sights(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    for trace in seen.traces {
        let who = trace.who;
        let may = |at| history.may_be_cancelled(ran.id, who, at);
        let must = |at| history.must_be_cancelled(ran.id, who, at);
        for (span, event) in &trace.events {
            let is_wrong = match event {
                Event::Looked { cancelled: true }
                | Event::Slept { cancelled: true }
                | Event::TrySpawned(TrySpawned::Cancelled) => !may(span.end),
                Event::Looked { cancelled: false } => must(span.start),
                // The sleeper is woken after the token is cancelled.
                Event::Slept { cancelled: false } => history.is_through(ran.id, who, span.start),
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
                found.push(format!("sight: {who:?}, {event:?}"));
            }
        }
    }
}
