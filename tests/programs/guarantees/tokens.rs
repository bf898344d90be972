//! Guarantee 4: down, not up. Also the state of a token after its run has ended.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rayon_errgroup::Cause;

use super::{Seen, Violations};
use crate::program::Timeout;
use crate::seen::{Registration, Returned, TokenState};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    states(seen, found);
    kept(seen, found);
    in_time(seen, found);
}

fn states(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_stopped = history.may_be_stopped(ran.id, ran.span.end);
    let (triggers, errors) = (seen.triggers(), ran.run.max_errors());
    let is_failed = triggers.failures.len() >= errors || !triggers.aborts.is_empty();
    let mut causes = ran.tokens.iter().map(|token| format!("{:?}", token.cause));
    if let (Returned::Ok(_), Some(first)) = (&ran.returned, causes.next())
        && causes.any(|cause| cause != first)
    {
        found.push("tokens: the causes of one run differ after a success".into());
    }
    for token in &ran.tokens {
        if !token.is_done {
            found.push("tokens: one was not released".into());
        }
        if token.is_cancelled && !is_stopped && !is_failed {
            found.push("tokens: cancelled, but nothing cancelled the run".into());
        }
        if !token.is_cancelled && is_failed {
            found.push("tokens: not cancelled after a failure".into());
        }
        if token.is_cancelled != token.cause.is_some() {
            found.push("tokens: cancelled without a cause, or a cause without cancellation".into());
        }
        if !agrees(seen, token) {
            found.push(format!("tokens: the cause is {:?}", token.cause));
        }
    }
}

/// Whether the token names the trigger that was returned.
fn agrees(seen: Seen<'_, '_>, token: &TokenState) -> bool {
    let ran = seen.ran;
    let is_stopped = seen.history.may_be_stopped(ran.id, ran.span.end);
    let in_order = ran.run.is_ordered();
    let cause = token.cause.as_ref();
    match &ran.returned {
        Returned::Failed { .. } if seen.may_have_no_error() => true,
        Returned::Failed { .. } if ran.run.max_errors() == 1 => {
            // A worker before the failure still sees later cancellations.
            matches!(cause, Some(Cause::Failed)) || (in_order && is_stopped)
        }
        // The error may be a tolerated one; then nothing else cancelled the run.
        Returned::Failed { .. } | Returned::Several(_) => {
            let triggers = seen.triggers();
            let limit_reached = triggers.failures.len() >= ran.run.max_errors();
            let is_failed =
                limit_reached || triggers.aborts.iter().any(|failure| !failure.is_panic);
            is_stopped || is_failed == matches!(cause, Some(Cause::Failed))
        }
        Returned::Cancelled(returned) => {
            let same = format!("{:?}", Some(returned)) == format!("{cause:?}");
            same || (ran.run.is_stream() && matches!(cause, Some(Cause::Failed)))
        }
        Returned::Panicked(_) | Returned::Unwound(_) => is_stopped || !ran.tokens.is_empty(),
        Returned::Ok(_) => cause.is_none() || is_stopped,
        Returned::Outcome(_) | Returned::NoError => true,
    }
}

/// A callback that stays registered runs once if the token is cancelled.
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
    let mut causes = ran.tokens.iter().filter_map(|token| token.cause.as_ref());
    let is_over = matches!(ran.returned, Returned::Cancelled(Cause::Deadline))
        || causes.any(|cause| matches!(cause, Cause::Deadline));
    if is_over && ran.took < Duration::from_micros(microseconds) {
        found.push("deadline: too early".into());
    }
}
