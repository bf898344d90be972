//! The accounting identity: each item is counted exactly once in an outcome.

use rayon_errgroup::Cause;

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
    let (mut values, mut errors, mut panics) = (Vec::new(), Vec::new(), Vec::new());
    let items = seen.items();
    for (index, trace) in &items {
        match trace.ended {
            Ended::Ok(value) => values.push((*index, value)),
            Ended::Err(error) => errors.push((*index, error)),
            Ended::Panic(_) => panics.push(Some(*index)),
        }
    }
    if report.values != values {
        found.push(format!("outcome: the values were {values:?}"));
    }
    if report.errors != errors {
        found.push(format!("outcome: the errors were {errors:?}"));
    }
    if report.panics != panics {
        found.push(format!("outcome: the panics were {panics:?}"));
    }
    let is_lazy = matches!(
        seen.ran.run.work,
        Work::Ordered(OrderedSource::Lazy | OrderedSource::LazyEndless, ..)
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
