//! The body of a run: what the caller does with the values, on the calling thread.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Failure, Kind, Run};
use crate::panic::{Payload, drop_payload};
use crate::sync::lock;

/// Unwinds in the place of a panic that the run has recorded.
pub(crate) struct Abandoned;

impl<E> Run<E> {
    /// Calls `body`, which drives the run. `None` if it panicked.
    pub(crate) fn with_body<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(result) => Some(result),
            Err(payload) => {
                self.body_panicked(payload);
                None
            }
        }
    }

    /// A body may well panic because values are missing, as in `values.max().unwrap()`. If a
    /// failure or a cancellation is why, then that is the cause, and the panic a consequence.
    #[cold]
    fn body_panicked(&self, payload: Payload) {
        let is_in_flight = mem::take(&mut lock(&self.record).panic_in_flight);
        if payload.is::<Abandoned>() || !is_in_flight && self.has_failure() {
            drop_payload([payload]);
        } else {
            self.panicked(payload);
        }
    }

    /// A panic has ended a part of a run with a body. Whoever calls this goes on to unwind.
    #[cold]
    pub(crate) fn abandoned(&self, payload: Payload, is_of_item: bool) {
        if payload.is::<Abandoned>() {
            // It is recorded, by this run or by another one in the chain.
            drop_payload([payload]);
        } else if is_of_item {
            _ = self.fail(Failure::new(None, Kind::Panic(payload)));
        } else {
            self.panicked(payload);
        }
    }
}
