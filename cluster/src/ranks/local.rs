//! The run of one rank, on a pool of its own process.

use std::fmt;
use std::iter;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;

use rayon_errgroup::{CancelToken, Cause, Cut, ErrGroup, GroupError, Outcome, prelude::*};

use super::claims::{ChunkQueue, Claims};
use super::member::Local;
use super::{Event, LocalEnd};

/// What reaches a local run from outside.
#[derive(Default)]
pub(super) struct Reins {
    pub(super) chunks: ChunkQueue,
    /// By the index in the local run, which is one more than that among the rank's items: item 0
    /// is there to be left over when everything is cut off.
    cut: Cut,
}

impl Local for &Reins {
    fn push(&self, chunk: Range<usize>) {
        self.chunks.push(chunk);
    }

    fn close(&self) {
        self.chunks.close();
    }

    fn cut(&self, items: usize) {
        self.cut.lower(items);
    }
}

/// Runs the items of the chunks to the end. The last event says what came of it.
pub(super) fn run<F, E>(reins: &Reins, events: &Sender<Event>, group: &ErrGroup, f: &F)
where
    F: Fn(&CancelToken, usize) -> Result<(), E> + Sync + Send,
    E: fmt::Display,
{
    let item = |token: &CancelToken, index: Option<usize>| {
        let Some(index) = index else { return Ok(()) };
        // The payload of a panic is lost, for it cannot go to another process. Its message does.
        // The error's `Display` and its drop may panic, too.
        let call = || f(token, index).map_err(|error| format!("{error:#}"));
        let error = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(payload) => {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                format!(
                    "panicked: {}",
                    text.unwrap_or("with a payload that is no text")
                )
            }
        };
        // An error after the cancellation may be a consequence.
        if !token.is_cancelled() {
            // Nobody hears it after the end.
            _ = events.send(Event::Failed(index, error));
        }
        Err(())
    };
    let claims = Claims::new(&reins.chunks, events.clone());
    let items = iter::once(None).chain(claims.map(Some));
    let mut ended = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        // After a failure the outcome does not say what has stopped the items before it. The token
        // of a scope around the run does.
        group.scope(|scope| {
            let group = group.clone().token(scope.token());
            let items = items.par_in_order().cut(&reins.cut).with_group(&group);
            let outcome = items.outcome(item);
            // Those of a group that catches panics. Those of the items do not get that far.
            if outcome.panics().is_empty() {
                ended = Some(local_end(&outcome, scope.token()));
            }
            Ok::<_, ()>(())
        })
    }));
    let panicked = matches!(result, Err(_) | Ok(Err(GroupError::Panicked(_))));
    let ended = ended.filter(|_| !panicked);
    _ = events.send(ended.map_or(Event::Panicked, Event::Ended));
}

/// `around` is the parent of the run's token.
fn local_end(outcome: &Outcome<(), ()>, around: &CancelToken) -> LocalEnd {
    let (mut values, mut errors) = (outcome.values().iter(), outcome.errors().iter());
    let (mut value, mut error) = (values.next(), errors.next());
    let mut known = 0;
    loop {
        if value.is_some_and(|(index, ())| *index == known) {
            value = values.next();
        } else if error.is_some_and(|(index, ())| *index == known) {
            error = errors.next();
        } else {
            break;
        }
        known += 1;
    }
    let cause = outcome.cause().cloned();
    let cause = cause.filter(|cause| !matches!(cause, Cause::Failed | Cause::Panicked));
    let stopped_by = cause
        .or_else(|| around.cause())
        .map(|cause| match cause.root() {
            Cause::Requested(Some(reason)) => reason.to_string(),
            root => root.to_string(),
        });
    LocalEnd {
        // Without the first, which is no item of the batch.
        known: known.saturating_sub(1),
        ok: outcome.values().len().saturating_sub(1),
        failed: outcome.errors().len(),
        cancelled: outcome.late_errors().len(),
        stopped_by,
    }
}
