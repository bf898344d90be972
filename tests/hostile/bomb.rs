//! A bomb panics whenever it is dropped. If the crate dropped one while unwinding, the process
//! would abort, and the test would fail.

use std::any::Any;
use std::panic::panic_any;

use rayon_errgroup::GroupError;

use crate::common::payload_of;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blast(pub(crate) &'static str);

pub(crate) struct Bomb(pub(crate) &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Blast(self.0));
    }
}

pub(crate) fn blast_of(payload: &(dyn Any + Send)) -> Option<Blast> {
    payload.downcast_ref().copied()
}

pub(crate) fn blast<R>(body: impl FnOnce() -> R) -> Option<Blast> {
    blast_of(&*payload_of(body))
}

pub(crate) fn caught<T, E>(result: Result<T, GroupError<E>>) -> Option<Blast> {
    match result {
        Err(GroupError::Panicked(panicked)) => blast_of(&*panicked.into_payload()),
        _ => None,
    }
}
