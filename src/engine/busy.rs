//! Whether a thread is in the middle of something.
//!
//! A worker that waits (for a nested run, or for a place in a scope) does other jobs of its pool
//! meanwhile. Jobs that go on for long ask here whether they are on top of something that waits, and
//! then let it look up now and then; see [`claim::lanes`](super::claim).

use std::cell::Cell;
use std::time::Duration;

use crate::sync::{backoff, thread_local};

thread_local! {
    static IS_BUSY: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread is in the middle of something that may wait: an item or a task, a read,
/// a sink.
pub(crate) struct InTheMiddle {
    before: bool,
}

impl InTheMiddle {
    pub(crate) fn new() -> Self {
        InTheMiddle {
            before: IS_BUSY.with(|is_busy| is_busy.replace(true)),
        }
    }
}

impl Drop for InTheMiddle {
    fn drop(&mut self) {
        IS_BUSY.with(|is_busy| is_busy.set(self.before));
    }
}

pub(crate) fn is_in_the_middle() -> bool {
    IS_BUSY.with(Cell::get)
}

/// How long a worker naps that waits for something rayon cannot wake it for, before it looks for other
/// jobs again: up to 32 times as long as at first.
pub(crate) fn nap(naps_before: u32) -> Duration {
    backoff(naps_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_until_the_outermost_has_ended() {
        assert!(!is_in_the_middle());
        let outer = InTheMiddle::new();
        drop(InTheMiddle::new());
        assert!(is_in_the_middle());
        drop(outer);
        assert!(!is_in_the_middle());
    }
}
