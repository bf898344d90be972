//! The accounting identity: each item is found in one place of an outcome.

use rayon_errgroup::Cause;

use super::{Seen, Violations, cause};
use crate::program::{OrderedSource, Work};
use crate::seen::{Account, Ended, Returned};

pub(super) fn check(seen: Seen<'_, '_>, found: &mut Violations) {
    if seen.ran.run.is_ordered() {
        in_hand(seen, found);
    }
    if let Returned::Outcome(account) = &seen.ran.returned {
        identity(seen, account, found);
        of_cause(seen, account, found);
    }
}

fn identity(seen: Seen<'_, '_>, account: &Account, found: &mut Violations) {
    let (mut values, mut errors, mut panics) = (Vec::new(), Vec::new(), Vec::new());
    let items = seen.items();
    for (index, trace) in &items {
        match trace.ended {
            Ended::Ok(value) => values.push((*index, value)),
            Ended::Err(error) => errors.push((*index, error)),
            Ended::Panic(payload) => panics.push((Some(*index), payload)),
        }
    }
    if account.values != values {
        found.push(format!("outcome: the values were {values:?}"));
    }
    if account.errors != errors {
        found.push(format!("outcome: the errors were {errors:?}"));
    }
    if account.panics != panics {
        found.push(format!("outcome: the panics were {panics:?}"));
    }
    let is_lazy = matches!(
        seen.ran.run.work,
        Work::Ordered(OrderedSource::Lazy | OrderedSource::LazyEndless, ..)
    );
    // Of an iterator those that were read.
    let all = if is_lazy {
        seen.ran.made
    } else {
        seen.ran.count.unwrap_or(usize::MAX)
    };
    if account.skipped != all - items.len() {
        found.push(format!(
            "outcome: {all} items, {} of which ran",
            items.len()
        ));
    }
}

fn of_cause(seen: Seen<'_, '_>, account: &Account, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    let is_right = match &account.cause {
        None => account.skipped == 0 && seen.ran.tokens.iter().all(|left| !left.is_cancelled),
        // Panics count as failures here.
        Some(cause @ Cause::Failed) => {
            cause::is_possible(seen, cause) || cause::is_possible(seen, &Cause::Panicked)
        }
        Some(cause) => cause::is_possible(seen, cause),
    };
    let too_many = seen.triggers().failures.len() >= ran.run.max_errors();
    let is_stopped =
        history.may_be_stopped(ran.id, ran.span.end) || !seen.triggers().aborts.is_empty();
    let is_failed = matches!(account.cause, Some(Cause::Failed))
        || (matches!(account.cause, Some(Cause::Panicked)) && !account.panics.is_empty());
    if let Some(over) = seen.too_many_at()
        && !history.may_be_stopped(ran.id, over)
        && seen.triggers().aborts.is_empty()
        && !is_failed
    {
        found.push("outcome: it had failed before it was cancelled".into());
    }
    if !is_right || (!is_stopped && too_many != is_failed) {
        found.push(format!("outcome: the cause {:?}", account.cause));
    }
}

/// Not more than can be in hand when there are too many.
fn in_hand(seen: Seen<'_, '_>, found: &mut Violations) {
    let Seen { history, ran, .. } = seen;
    // Only an outcome promises it, where all of them are accounted for.
    if !matches!(ran.returned, Returned::Outcome(_)) {
        return;
    }
    let failures = seen.triggers().failures.len();
    let most = ran.run.max_errors().saturating_add(ran.threads - 1);
    if failures > most && !history.may_be_stopped(ran.id, ran.span.end) {
        found.push(format!("in order: {failures} failures, and not {most}"));
    }
}
