//! `Front`: what the lanes share, behind one lock.

use super::Reach;
use super::pace::Pace;
use super::pieces::Pieces;
use crate::run::Wanted;
use crate::token::CancelToken;

/// The front of the input: where the next chunk is taken from.
///
/// Invariants, for one who holds the lock:
///
/// 1. `rest` is taken out by the lane that claims, since a claim runs user code (an iterator's
///    `next`, the `clone` of `map_with`), and is put back by it whatever that code does.
/// 2. Positions and chunks are claimed in ascending order, so those of a lane ascend, and once an
///    item has failed all that nobody has claimed lies above it: then the front is closed.
/// 3. All that a lane works on lies at or above `lanes[lane].start`. It is written with the claim,
///    and after a failure inside the chunk. So one that fails finds here which lanes are above the
///    bound, itself among them; and one that fails at the same time finds the bound here.
/// 4. A lane is parked only while `rest` is out, too many chunks are held, or the credit is used up.
///    Who changes one of these starts one of the parked lanes, and that one the next when it has
///    taken its chunk.
pub(super) struct Front<R, T> {
    /// The rest of the input, and of the room for its values.
    pub(super) rest: Option<R>,
    /// The position of the first item of the rest.
    pub(super) next: usize,
    /// Nothing more is claimed.
    pub(super) closed: bool,
    /// Nothing above this position is wanted, because items have failed.
    bound: Option<usize>,
    pub(super) lanes: Vec<Lane>,
    /// The lanes that wait to be started again.
    parked: Vec<usize>,
    pub(super) pieces: Pieces<T>,
    reach: Reach,
    /// Somebody waits until so many are ready.
    pub(super) wanted: Option<usize>,
    credit: Option<Credit>,
}

/// Of a run that bears some failures and then stops, and accounts for all: how many items may be
/// claimed.
///
/// If all that are in hand fail, there are no more failures than the run bears and one for each
/// lane. So if few failures are left to be borne, each lane has one item; and if they are used up by
/// items that may still end well, a lane waits (parked) for these.
struct Credit {
    left: usize,
    lanes: usize,
}

pub(super) struct Lane {
    pub(super) start: usize,
    pub(super) token: CancelToken,
    pub(super) pace: Pace,
}

impl<R, T> Front<R, T> {
    /// For a run whose failures are counted and that ends with this one, or for any other.
    pub(super) fn new(rest: R, reach: Reach, failures: Option<usize>, lanes: usize) -> Self {
        let credit = failures.map(|failures| Credit {
            left: (failures - 1).saturating_add(lanes),
            lanes,
        });
        Front {
            rest: Some(rest),
            next: 0,
            closed: false,
            bound: None,
            lanes: Vec::new(),
            parked: Vec::new(),
            pieces: Pieces::new(reach.only_counts),
            reach,
            wanted: None,
            credit,
        }
    }

    /// How many items a lane may claim.
    pub(super) fn claimable(&self) -> usize {
        match &self.credit {
            _ if self.pieces.held() >= self.reach.window => 0,
            None => usize::MAX,
            Some(credit) => (credit.left / credit.lanes).max(1).min(credit.left),
        }
    }

    pub(super) fn claim(&mut self, items: usize) {
        if let Some(credit) = &mut self.credit {
            credit.left = credit.left.saturating_sub(items);
        }
    }

    /// So many of the items that a lane has claimed have not failed.
    pub(super) fn give_back(&mut self, items: usize) {
        if let Some(credit) = &mut self.credit {
            credit.left += items;
        }
    }

    pub(super) fn park(&mut self, lane: usize) {
        self.parked.push(lane);
    }

    /// A lane to be started again (invariant 4).
    pub(super) fn unpark(&mut self) -> Option<usize> {
        if self.closed {
            self.parked.clear();
            return None;
        }
        let is_far = self.pieces.held() > self.reach.resume;
        if self.rest.is_none() || is_far || self.claimable() == 0 {
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

    /// Whether somebody waits for pieces, and has now what he waits for.
    pub(super) fn serve(&mut self) -> bool {
        let is_served = self.is_served();
        self.wanted.take_if(|_| is_served).is_some()
    }

    /// The item at `index`, which the lane works on, has failed, and this is still wanted. Returns
    /// the tokens of the lanes that work on what is not.
    pub(super) fn narrow(&mut self, lane: usize, index: usize, wanted: Wanted) -> Vec<CancelToken> {
        self.lanes[lane].start = index + 1;
        if let Wanted::UpTo(bound) = wanted {
            self.bound = Some(self.bound.map_or(bound, |lowest| lowest.min(bound)));
        }
        self.closed |= wanted != Wanted::All;
        let Some(bound) = self.bound else {
            return Vec::new();
        };
        let above = self.lanes.iter().filter(|lane| lane.start > bound);
        above.map(|lane| lane.token.clone()).collect()
    }

    /// Whether the sequential loop would have stopped before this position, below which every item has
    /// ended.
    pub(super) fn is_beyond_bound(&self, position: usize) -> bool {
        self.bound.is_some_and(|bound| position > bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A front that lets so many chunks be held.
    fn front(window: usize, failures: Option<usize>, lanes: usize) -> Front<(), char> {
        let reach = Reach {
            window,
            resume: window / 2,
            chunk: usize::MAX,
            only_counts: false,
            streams: true,
        };
        Front::new((), reach, failures, lanes)
    }

    /// Claims a chunk, and works on it.
    fn work_on_a_chunk(front: &mut Front<(), char>) {
        let number = front.pieces.open();
        front.pieces.arrive(number, 'x');
    }

    #[test]
    fn a_parked_lane_is_started_again_when_half_of_the_window_is_free() {
        let mut front = front(4, None, 2);
        for _ in 0..4 {
            assert_eq!(front.claimable(), usize::MAX);
            work_on_a_chunk(&mut front);
        }
        assert_eq!(front.claimable(), 0);
        front.park(7);
        front.pieces.release(1);
        assert_eq!(front.unpark(), None, "three are held");
        front.pieces.release(1);
        front.rest = None;
        assert_eq!(front.unpark(), None, "somebody else is there");
        front.rest = Some(());
        assert_eq!(front.unpark(), Some(7));
        assert_eq!(front.unpark(), None);
        front.park(7);
        front.closed = true;
        assert_eq!(front.unpark(), None);
        front.closed = false;
        assert_eq!(front.unpark(), None, "it has ended");
    }

    #[test]
    fn a_lane_has_its_share_of_the_failures_that_are_left() {
        // Nine more are borne, and each of the two lanes may have one in hand when the tenth comes.
        let mut front = front(100, Some(10), 2);
        assert_eq!(front.claimable(), 5);
        front.claim(5);
        assert_eq!(front.claimable(), 3);
        front.claim(3);
        assert_eq!(front.claimable(), 1);
        front.claim(3);
        assert_eq!(front.claimable(), 0);
        front.park(0);
        assert_eq!(front.unpark(), None);
        front.give_back(2);
        assert_eq!(front.unpark(), Some(0));
        assert_eq!(front.claimable(), 1);
    }

    #[test]
    fn whoever_waits_is_served_when_there_are_enough_or_all() {
        let mut front = front(100, None, 2);
        assert!(!front.is_served());
        work_on_a_chunk(&mut front);
        assert!(front.is_served());
        assert!(!front.serve(), "nobody waits");
        front.wanted = Some(2);
        assert!(!front.is_served() && !front.serve());
        let number = front.pieces.open();
        front.closed = true;
        assert!(!front.is_served(), "a chunk is being worked on");
        front.wanted = Some(3);
        front.pieces.arrive(number, 'y');
        assert!(front.is_served(), "there are no more");
        assert!(front.serve() && !front.serve(), "once");
        front.rest = None;
        assert!(
            !front.is_over(),
            "who has the rest may have a chunk of it, too"
        );
    }

    #[test]
    fn lanes_above_a_failure_are_told_and_those_below_go_on() {
        let mut front = front(100, None, 3);
        for start in [0, 10, 20] {
            let (token, pace) = (CancelToken::new(), Pace::new(3));
            front.lanes.push(Lane { start, token, pace });
        }
        assert!(!front.is_beyond_bound(usize::MAX));
        let above = front.narrow(1, 12, Wanted::UpTo(12));
        assert!(front.closed);
        assert!(above == [front.lanes[1].token.clone(), front.lanes[2].token.clone()]);
        assert!(!front.is_beyond_bound(12) && front.is_beyond_bound(13));
        assert_eq!(front.narrow(0, 3, Wanted::UpTo(3)).len(), 3);
        assert!(
            front.narrow(1, 14, Wanted::UpTo(14)).len() == 3,
            "it never moves up"
        );
    }

    #[test]
    fn a_lane_at_the_bound_is_not_above_it() {
        let mut front = front(100, None, 2);
        for start in [0, 12] {
            let (token, pace) = (CancelToken::new(), Pace::new(2));
            front.lanes.push(Lane { start, token, pace });
        }
        assert!(front.narrow(0, 12, Wanted::UpTo(12)) == [front.lanes[0].token.clone()]);
    }

    #[test]
    fn a_failure_that_is_borne_stops_nobody() {
        let mut front = front(100, None, 1);
        let (token, pace) = (CancelToken::new(), Pace::new(1));
        front.lanes.push(Lane {
            start: 0,
            token,
            pace,
        });
        assert!(front.narrow(0, 12, Wanted::All).is_empty());
        assert!(!front.closed && !front.is_beyond_bound(13));
    }
}
