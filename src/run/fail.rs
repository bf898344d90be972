//! A run fails: its items' errors and panics are recorded, and one too many cancels it.

use super::record::{Failure, Found, Record, Strike};
use super::{GoOn, Run, Wanted};
use crate::error::{Cause, Payload};
use crate::sync::lock;

impl<E> Run<E> {
    /// An item returned an error. Cancels the run, unless the run bears it: then it goes on.
    #[cold]
    pub(crate) fn fail(&self, error: E) -> GoOn {
        let mut failure = Some(Found {
            index: None,
            what: error,
        });
        let mut later = None;
        let strike = self.strike(&Cause::Failed, |record| {
            later = failure
                .take()
                .and_then(|failure| record.keep_error(failure));
        });
        let late = self.struck(strike, failure);
        self.contain(|| drop((late, later)));
        GoOn(strike == Strike::Borne)
    }

    /// The item at `index` returned an error. Where that is one failure too many, the run goes on for
    /// the items below; `tell` sees to it that those above are cancelled, before an error is dropped
    /// that nobody wants; and who calls, that the run is at its end.
    #[cold]
    pub(crate) fn fail_at<R>(&self, index: usize, error: E, tell: impl FnOnce(Wanted) -> R) -> R {
        let mut failure = Some(Found {
            index: Some(index),
            what: error,
        });
        let mut later = None;
        let (strike, wanted) = self.strike_at(index, |record| {
            later = failure
                .take()
                .and_then(|failure| record.keep_error(failure));
        });
        let late = self.struck(strike, failure);
        let told = tell(wanted);
        self.contain(|| drop((late, later)));
        told
    }

    /// An item's closure panicked. Cancels the run, unless the run bears it.
    #[cold]
    pub(crate) fn item_panicked(&self, payload: Payload) -> GoOn {
        let mut panic = Some(Found {
            index: None,
            what: payload,
        });
        let (mut strike, mut later) = (Strike::Late, None);
        if self.tolerance.bears_panics() {
            strike = self.strike(&Cause::Panicked, |record| {
                later = panic.take().and_then(|panic| record.keep_panic(panic));
            });
        }
        self.struck_by_panic(strike, panic);
        self.contain(|| drop(later));
        GoOn(strike == Strike::Borne)
    }

    /// The closure of the item at `index` panicked. As [`fail_at`](Run::fail_at), if the run bears
    /// panics; one that it does not bear has no place in the order, and is the end for everyone.
    #[cold]
    pub(crate) fn item_panicked_at<R>(
        &self,
        index: usize,
        payload: Payload,
        tell: impl FnOnce(Wanted) -> R,
    ) -> R {
        let mut panic = Some(Found {
            index: Some(index),
            what: payload,
        });
        let (mut strike, mut wanted, mut later) = (Strike::Late, Wanted::Nothing, None);
        if self.tolerance.bears_panics() {
            (strike, wanted) = self.strike_at(index, |record| {
                later = panic.take().and_then(|panic| record.keep_panic(panic));
            });
        }
        self.struck_by_panic(strike, panic);
        let told = tell(wanted);
        self.contain(|| drop(later));
        told
    }

    /// What the run is for has failed: the sink of a stream, the body of a scope. No run bears that,
    /// and it replaces what the run has borne before.
    #[cold]
    pub(crate) fn abort(&self, index: Option<usize>, error: E) {
        let mut failure = Some(Found { index, what: error });
        let mut replaced = Vec::new();
        self.cancel(&Cause::Failed, || {
            let failure = failure.take();
            replaced.extend(failure.map(|failure| lock(&self.record).strike_out(failure)));
        });
        let strike = match failure {
            Some(_) => Strike::Late,
            None => Strike::Out,
        };
        let late = self.struck(strike, failure);
        self.contain(|| drop((late, replaced)));
    }

    /// Counts a failure, and cancels the run if it is one too many.
    fn strike(&self, cause: &Cause, keep: impl FnOnce(&mut Record<E>)) -> Strike {
        let Some(active) = self.token.node().lock_active() else {
            return Strike::Late;
        };
        let mut record = lock(&self.record);
        keep(&mut record);
        let strike = record.strike(None, self.tolerance);
        drop(record);
        if strike == Strike::Out {
            active.cancel(cause, &mut |_, payload| self.keep_fatal(None, payload));
        }
        strike
    }

    /// Counts a failure of a run in order.
    fn strike_at(&self, index: usize, keep: impl FnOnce(&mut Record<E>)) -> (Strike, Wanted) {
        let Some(_active) = self.token.node().lock_active() else {
            return (Strike::Late, Wanted::Nothing);
        };
        let mut record = lock(&self.record);
        keep(&mut record);
        let strike = record.strike(Some(index), self.tolerance);
        let wanted = record.bound().map_or(Wanted::All, Wanted::UpTo);
        (strike, wanted)
    }

    /// What follows from a failure; and for its error, if something had cancelled the run before.
    /// Returns one that is not kept.
    fn struck(&self, strike: Strike, failure: Option<Failure<E>>) -> Option<E> {
        if strike != Strike::Borne {
            self.spoil();
        }
        failure.and_then(|failure| lock(&self.record).keep_late(failure))
    }

    /// The same for a panic, which outranks whatever has cancelled the run before, and cancels it if
    /// nothing has.
    fn struck_by_panic(&self, strike: Strike, panic: Option<Found<Payload>>) {
        if let Some(Found { index, what }) = panic {
            self.keep_fatal(index, what);
            self.cancel(&Cause::Panicked, || ());
        }
        _ = self.struck(strike, None);
    }

    /// Takes back failures that were too many, if something else has cancelled the run since: for
    /// who was to have all values below this bound first, and has had only those before `position`.
    pub(crate) fn retract_above(&self, position: usize) {
        if self.token.is_cancelled() {
            let mut record = lock(&self.record);
            if record.bound() > Some(position) {
                record.decided = false;
            }
        }
    }
}
