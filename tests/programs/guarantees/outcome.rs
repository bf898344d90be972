//! The accounting identity: each item is counted exactly once in an outcome.

use rayon_errgroup::Cause;

use super::triggers::bound_of;
use super::{Seen, Violations, cause};
use crate::program::{OrderedSource, Work};
use crate::seen::{Ended, Report, Returned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    if seen.ran.run.is_ordered() {
        in_flight(seen, found);
    }
    if let Returned::Outcome(report) = &seen.ran.returned {
        identity(seen, report, found);
        of_cause(seen, report, found);
    }
}

fn identity(seen: Seen<'_, '_>, report: &Report, found: &mut Violations) {
    let (mut values, mut panics, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
    let (mut errors, mut late_errors) = (Vec::new(), Vec::new());
    let bound = bound_of(seen.triggers().failures.iter(), seen.ran.run.max_errors());
    let items = seen.items();
    for (index, trace) in &items {
        match trace.ended {
            Ended::Ok(value) => values.push((*index, value)),
            Ended::Err(error) if *index <= bound => errors.push((*index, error)),
            Ended::Err(error) => late_errors.push((*index, error)),
            Ended::Panic(payload) => {
                panics.push(Some(*index));
                payloads.push(payload);
            }
        }
    }
    if report.values != values {
        found.push(format!("outcome: the values were {values:?}"));
    }
    let ended = seen.ran.span.end;
    if seen.history.may_be_stopped(seen.ran.id, ended) || !seen.triggers().aborts.is_empty() {
        // Which errors were consequences of that is not known: those of both lists are compared.
        errors.append(&mut late_errors);
        errors.sort_unstable();
        let mut reported = [&report.errors[..], &report.late_errors].concat();
        reported.sort_unstable();
        if reported != errors {
            found.push(format!("outcome: all errors were {errors:?}"));
        }
    } else {
        if report.errors != errors {
            found.push(format!("outcome: the errors were {errors:?}"));
        }
        if report.late_errors != late_errors {
            found.push(format!("outcome: the late errors were {late_errors:?}"));
        }
    }
    if report.cancelled > report.late_errors.len() {
        found.push("outcome: more items were cancelled than have a late error".into());
    }
    // A single panic is known only if the run has ended with it.
    let are_known = payloads.len() > 1 || !report.payloads.is_empty();
    if report.panics != panics || (are_known && report.payloads != payloads) {
        found.push(format!("outcome: the panics were {panics:?} {payloads:?}"));
    }
    let is_lazy = matches!(
        seen.ran.run.work,
        Work::Ordered(
            OrderedSource::Lazy | OrderedSource::Bursts | OrderedSource::LazyEndless,
            ..
        )
    );
    // Of a sequential iterator only the items that were read count.
    let all = if is_lazy {
        seen.ran.made
    } else {
        seen.ran.count.unwrap_or(usize::MAX)
    };
    if report.skipped != all - items.len() {
        found.push(format!("outcome: {} of {all} items ran", items.len()));
    }
}

fn of_cause(seen: Seen<'_, '_>, report: &Report, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_right = match &report.cause {
        None => report.skipped == 0 && seen.ran.tokens.iter().all(|token| !token.is_cancelled),
        // Tolerated panics count as failures.
        Some(cause @ Cause::Failed) => {
            cause::is_possible(seen, cause) || cause::is_possible(seen, &Cause::Panicked)
        }
        Some(cause) => cause::is_possible(seen, cause),
    };
    let limit_reached = seen.triggers().failures.len() >= ran.run.max_errors();
    let is_stopped =
        history.may_be_stopped(ran.id, ran.span.end) || !seen.triggers().aborts.is_empty();
    let is_failed = matches!(report.cause, Some(Cause::Failed))
        || (matches!(report.cause, Some(Cause::Panicked)) && !report.panics.is_empty());
    if let Some(over) = seen.limit_reached_at()
        && !history.may_be_stopped(ran.id, over)
        && seen.triggers().aborts.is_empty()
        && !is_failed
    {
        found.push("outcome: it had failed before it was cancelled".into());
    }
    if !is_right || (!is_stopped && limit_reached != is_failed) {
        found.push(format!("outcome: the cause {:?}", report.cause));
    }
}

/// No more items fail than the limit plus those in flight when it is reached.
fn in_flight(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    // Only an outcome promises this.
    if !matches!(ran.returned, Returned::Outcome(_)) {
        return;
    }
    let failures = seen.triggers().failures.len();
    let most = ran.run.max_errors().saturating_add(ran.threads - 1);
    if failures > most && !history.may_be_stopped(ran.id, ran.span.end) {
        found.push(format!("in order: {failures} failures, more than {most}"));
    }
}
