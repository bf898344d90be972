//! `Front`: what the lanes share, behind one lock.

use crate::token::CancelToken;

use super::Reach;
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
/// 4. A lane is parked only while `rest` is out or too many chunks are held. Who changes either
///    starts one of the parked lanes, and that one the next when it has taken its chunk.
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
    reach: Reach,
    /// Somebody waits until so many are ready.
    pub(super) wanted: Option<usize>,
}

pub(super) struct Lane {
    pub(super) start: usize,
    pub(super) token: CancelToken,
    pub(super) pace: Pace,
}

impl<R, T> Front<R, T> {
    pub(super) fn new(rest: R, reach: Reach) -> Self {
        Front {
            rest: Some(rest),
            next: 0,
            closed: false,
            lanes: Vec::new(),
            parked: Vec::new(),
            pieces: Pieces::new(),
            reach,
            wanted: None,
        }
    }

    pub(super) fn is_window_full(&self) -> bool {
        self.pieces.held() >= self.reach.window
    }

    pub(super) fn park(&mut self, lane: usize) {
        self.parked.push(lane);
    }

    /// A lane to be started again (invariant 4).
    pub(super) fn unpark(&mut self) -> Option<usize> {
        if self.closed {
            self.parked.clear();
        }
        if self.rest.is_none() || self.pieces.held() > self.reach.resume {
            return None;
        }
        self.parked.pop()
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
