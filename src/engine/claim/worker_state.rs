//! `WorkerState`: what the claim queue knows of a worker.

use super::chunk_size::ChunkSizer;
use crate::time::Moment;
use crate::token::{CancelToken, Held};

/// What the queue knows of a worker.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or false without regard to the others"
)]
pub(super) struct WorkerState {
    /// See invariant 3 of `ClaimQueue`.
    pub(super) start: usize,
    pub(super) token: CancelToken,
    pub(super) sizer: ChunkSizer,
    /// Its item has reached the error limit. It claims nothing more, so that no worker has two such
    /// errors. The worker that has handed over items goes on with them, unless they come after the
    /// bound.
    pub(super) has_failed: bool,
    /// It runs a chunk.
    pub(super) is_running: bool,
    /// It runs on top of user code that waits, on the same stack, and that may be part of an
    /// earlier item. That cannot end before the worker's item has ended, so the callbacks of the
    /// worker's item must not wait for it: they are not held back.
    pub(super) is_on_top: bool,
    /// An item of the chunk that it runs has cancelled workers, or is about to.
    pub(super) cancels_workers: bool,
    pub(super) in_hand: InHand,
}

/// A worker that is cancelled because an item before its own has failed.
pub(super) struct Later {
    pub(super) token: CancelToken,
    pub(super) held: Held,
}

/// How many items a worker has in hand.
#[derive(Clone, Copy)]
pub(super) enum InHand {
    /// Too few to hand any over, or none.
    Few,
    /// Several, since this moment.
    Several(Moment),
    /// Several, and it was called.
    Called,
}

impl WorkerState {
    pub(super) fn new(token: CancelToken, sizer: ChunkSizer) -> Self {
        WorkerState {
            start: 0,
            token,
            sizer,
            has_failed: false,
            is_running: false,
            is_on_top: false,
            cancels_workers: false,
            in_hand: InHand::Few,
        }
    }
}
