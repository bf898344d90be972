//! `Front`: what the lanes share, behind one lock.

use crate::token::CancelToken;

use super::pace::Pace;
use super::pieces::Pieces;

/// The front of the input: where the next chunk is taken from.
///
/// Invariants, for one who holds the lock:
///
/// 1. `rest` is taken out by the lane that claims, since a claim runs user code (an iterator's
///    `next`, the `clone` of `map_with`), and is put back by it whatever that code does.
/// 2. Positions and chunks are claimed in ascending order, so those of a lane ascend, and once an
///    item has failed all that nobody has claimed lies above it: then the front is closed.
/// 3. `lanes[lane].start` is where the chunk begins that the lane works on; it is written with the
///    claim. So one that fails at an index finds here which lanes are above it.
/// 4. A lane is parked only while `rest` is out, the window is full, or another lane works on a
///    chunk. Who changes that finds it here and starts it again.
pub(super) struct Front<R, T> {
    /// The rest of the input, and of the room for its values.
    pub(super) rest: Option<R>,
    /// The position of the first item of the rest.
    pub(super) next: usize,
    /// Nothing more is claimed.
    pub(super) closed: bool,
    pub(super) lanes: Vec<Lane>,
    /// The lanes that wait to be started again.
    parked: Vec<usize>,
    pub(super) pieces: Pieces<T>,
    /// How many chunks may be held at once.
    pub(super) window: usize,
    /// Somebody waits until so many are ready.
    pub(super) wanted: Option<usize>,
}

pub(super) struct Lane {
    pub(super) start: usize,
    pub(super) token: CancelToken,
    pub(super) pace: Pace,
}

impl<R, T> Front<R, T> {
    pub(super) fn new(rest: R, window: usize) -> Self {
        Front {
            rest: Some(rest),
            next: 0,
            closed: false,
            lanes: Vec::new(),
            parked: Vec::new(),
            pieces: Pieces::new(),
            window,
            wanted: None,
        }
    }

    pub(super) fn is_window_full(&self) -> bool {
        self.pieces.held() >= self.window
    }

    pub(super) fn park(&mut self, lane: usize) {
        self.parked.push(lane);
    }

    /// Parks a lane so that its thread can do something else, if another lane is at work.
    pub(super) fn step_aside(&mut self, lane: usize) -> bool {
        let is_replaced = self.pieces.are_pending();
        if is_replaced {
            self.park(lane);
        }
        is_replaced
    }

    /// The lanes to be started again (invariant 4).
    ///
    /// A window that is full is half emptied first: to wake a thread costs more than a chunk.
    pub(super) fn unpark(&mut self) -> Vec<usize> {
        if self.closed {
            self.parked.clear();
        }
        if self.parked.is_empty() || self.rest.is_none() || self.pieces.held() > self.window / 2 {
            return Vec::new();
        }
        std::mem::take(&mut self.parked)
    }

    /// Whether everything that was claimed is done.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.rest.is_some() && !self.pieces.are_pending()
    }

    /// Whether the one who waits for pieces has what he waits for.
    pub(super) fn is_served(&self) -> bool {
        self.pieces.ready() >= self.wanted.unwrap_or(1) || self.is_over()
    }

    /// The tokens of the lanes that work above an index.
    pub(super) fn lanes_above(&self, index: usize) -> Vec<CancelToken> {
        let above = self.lanes.iter().filter(|lane| lane.start > index);
        above.map(|lane| lane.token.clone()).collect()
    }
}
