//! Law 4: down, not up, and what is left of a token when its run has ended.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rayon_errgroup::Cause;

use super::{Seen, Violations};
use crate::program::Timeout;
use crate::seen::{Left, Registration, Returned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    left(seen, found);
    kept(seen, found);
    in_time(seen, found);
}

fn left(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_stopped = history.may_be_stopped(ran.id, ran.span.end);
    let (triggers, errors) = (seen.triggers(), ran.run.max_errors());
    let is_failed = triggers.failures.len() >= errors || !triggers.aborts.is_empty();
    let mut causes = ran.tokens.iter().map(|left| format!("{:?}", left.cause));
    if let (Returned::Ok(_), Some(first)) = (&ran.returned, causes.next())
        && causes.any(|cause| cause != first)
    {
        found.push("tokens: those of one run differ after a success".into());
    }
    for left in &ran.tokens {
        if !left.is_done {
            found.push("tokens: one was not released".into());
        }
        if left.is_cancelled && !is_stopped && !is_failed {
            found.push("tokens: cancelled after a run that nobody has cancelled".into());
        }
        if !left.is_cancelled && is_failed {
            found.push("tokens: not cancelled after a failure".into());
        }
        if left.is_cancelled != left.cause.is_some() {
            found.push("tokens: cancelled without a cause, or the reverse".into());
        }
        if !agrees(seen, left) {
            found.push(format!("tokens: the cause is {:?}", left.cause));
        }
    }
}

/// Whether the token names the trigger that was returned.
fn agrees(seen: Seen<'_, '_>, left: &Left) -> bool {
    let ran = seen.ran;
    let is_stopped = seen.history.may_be_stopped(ran.id, ran.span.end);
    let in_order = ran.run.is_ordered();
    let cause = left.cause.as_ref();
    match &ran.returned {
        Returned::Failed { .. } if seen.may_be_speechless() => true,
        Returned::Failed { .. } if ran.run.max_errors() == 1 => {
            // A lane below the failure hears of what else comes.
            matches!(cause, Some(Cause::Failed)) || (in_order && is_stopped)
        }
        // It was borne, and then nothing else can have been what cancelled it.
        Returned::Failed { .. } => {
            let triggers = seen.triggers();
            let too_many = triggers.failures.len() >= ran.run.max_errors();
            let is_out = too_many || triggers.aborts.iter().any(|failure| !failure.is_panic);
            is_stopped || is_out == matches!(cause, Some(Cause::Failed))
        }
        Returned::Cancelled(returned) => {
            let same = format!("{:?}", Some(returned)) == format!("{cause:?}");
            same || (ran.run.is_stream() && matches!(cause, Some(Cause::Failed)))
        }
        Returned::Panicked(_) | Returned::Unwound(_) => is_stopped || !ran.tokens.is_empty(),
        Returned::Ok(_) => cause.is_none() || is_stopped,
        Returned::Outcome(_) | Returned::Speechless => true,
    }
}

/// A callback that was kept runs once, if the token is cancelled.
fn kept(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_stopped = history.may_be_stopped(ran.id, ran.span.end);
    for Registration {
        calls,
        prevented,
        cause,
    } in &ran.kept
    {
        let calls = calls.load(SeqCst);
        let is_right = match cause {
            Some(_) if !is_stopped => calls == 1,
            Some(_) => calls + usize::from(*prevented) == 1,
            None => calls == 0 && !prevented,
        };
        if !is_right {
            found.push(format!("callbacks: {calls} calls, cause {cause:?}"));
        }
    }
}

fn in_time(seen: Seen<'_, '_>, found: &mut Violations) {
    let ran = seen.ran;
    let Some(policy) = ran.run.policy else { return };
    let Timeout::Short(microseconds) = policy.timeout else {
        return;
    };
    let mut causes = ran.tokens.iter().filter_map(|left| left.cause.as_ref());
    let is_over = matches!(ran.returned, Returned::Cancelled(Cause::Deadline))
        || causes.any(|cause| matches!(cause, Cause::Deadline));
    if is_over && ran.took < Duration::from_micros(microseconds) {
        found.push("deadline: before its time".into());
    }
}
