//! `GracePeriod`: whether the result of a run is decided, once its token is cancelled.

use std::time::{Duration, Instant};

use crate::run::Run;
use crate::sync::{Mutex, lock};

/// How long a run that was cancelled from outside waits for proof that an item was left.
const GRACE_PERIOD: Duration = Duration::from_millis(20);

/// A run on the stealing engine.
///
/// An item's failure or panic decides the result. A cancellation from outside does not: if it came
/// after the last item, the run is a success, and only an item that is left proves that it is not.
/// So the run stays open until the next item arrives, is dropped, and marks the run incomplete.
/// Behind a `filter` that lets nothing through no item ever arrives, and the source may be endless:
/// after the grace period the run gives up without proof.
pub(super) struct GracePeriod<'r, E> {
    run: &'r Run<E>,
    /// Since when an item could have arrived.
    since: Mutex<Option<Instant>>,
}

impl<'r, E> GracePeriod<'r, E> {
    pub(super) fn of(run: &'r Run<E>) -> Self {
        GracePeriod {
            run,
            since: Mutex::new(None),
        }
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.run
    }

    /// Once the token is cancelled: whether rayon may stop producing items.
    #[cold]
    pub(super) fn is_decided(&self) -> bool {
        if self.run.is_incomplete() {
            return true;
        }
        let since = *lock(&self.since).get_or_insert_with(Instant::now);
        let gives_up = since.elapsed() > GRACE_PERIOD;
        if gives_up {
            self.run.mark_incomplete();
        }
        gives_up
    }

    /// An item that began before the cancellation has ended, and the next may be the proof.
    #[cold]
    pub(super) fn restart(&self) {
        *lock(&self.since) = Some(Instant::now());
    }
}
