//! The body of a run: what the caller does with the values, on the calling thread.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::{Failure, Kind, Run};
use crate::panic::{Payload, drop_payload};
use crate::sync::lock;

/// Unwinds in the place of a panic that the run has recorded.
pub(crate) struct Abandoned;

/// The panic of a run whose body has caught the one that stopped it.
const CAUGHT_BY_BODY: &str = "the body caught a panic that had stopped the run, and returned";

impl<E> Run<E> {
    /// Calls `body`, which drives the run. `None` if it panicked.
    pub(crate) fn with_body<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(body));
        let is_in_flight = mem::take(&mut lock(&self.record).panic_in_flight);
        match result {
            Ok(result) => {
                if is_in_flight {
                    self.panicked(Box::new(CAUGHT_BY_BODY));
                }
                Some(result)
            }
            Err(payload) => {
                // A body may well panic because values are missing, as in `values.max().unwrap()`.
                // If a failure or a cancellation is why, that is the cause, and the panic is a
                // consequence.
                if payload.is::<Abandoned>() || !is_in_flight && self.has_failure() {
                    drop_payload([payload]);
                } else {
                    self.panicked(payload);
                }
                None
            }
        }
    }

    /// Lets `drive` run the items, on behalf of the body. What panics there is recorded, and
    /// [`Abandoned`] unwinds in its place: it is no panic of the body.
    pub(crate) fn drive_for_body<R>(&self, drive: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(drive)).unwrap_or_else(|payload| {
            if !payload.is::<Abandoned>() {
                lock(&self.record).panic_in_flight = false;
            }
            self.abandoned(payload, false);
            resume_unwind(Box::new(Abandoned))
        })
    }

    /// A panic has ended a part of a run with a body. Whoever calls this goes on to unwind.
    #[cold]
    pub(crate) fn abandoned(&self, payload: Payload, is_of_item: bool) {
        match (payload.is::<Abandoned>(), is_of_item) {
            // The values are the source of another run, which has caught the panic. It arrives in
            // the body when that run ends.
            (true, true) => {
                drop_payload([payload]);
                self.panic_in_flight();
            }
            // It is recorded, by this run or by another one in the chain.
            (true, false) => drop_payload([payload]),
            (false, true) => _ = self.fail(Failure::new(None, Kind::Panic(payload))),
            (false, false) => self.panicked(payload),
        }
    }
}
