//! `Pieces`: what came of the chunks, put back into the order of the input.

use std::collections::VecDeque;
use std::mem;

/// What came of each chunk, from the first one that nobody has taken yet.
pub(super) struct Pieces<T> {
    /// Nobody asks what came of a chunk, or how far the first ones have come: how many are being worked
    /// on is all that is kept. A chunk that takes long would else have all behind it remembered.
    only_counts: bool,
    /// How many chunks are being worked on.
    in_hand: usize,
    /// Those that are next in order.
    ready: Vec<T>,
    /// The number of the first chunk that is not ready.
    first: usize,
    /// From that one on: the chunks that were claimed, and what has come of them.
    pending: VecDeque<Option<T>>,
    /// How many of the chunks before `first` no longer count as held.
    released: usize,
}

impl<T> Pieces<T> {
    pub(super) fn new(only_counts: bool) -> Self {
        Pieces {
            only_counts,
            in_hand: 0,
            ready: Vec::new(),
            first: 0,
            pending: VecDeque::new(),
            released: 0,
        }
    }

    /// Counts one more chunk, and returns its number.
    pub(super) fn open(&mut self) -> usize {
        self.in_hand += 1;
        if self.only_counts {
            return 0;
        }
        self.pending.push_back(None);
        self.first + self.pending.len() - 1
    }

    /// This has come of the chunk with this number.
    pub(super) fn arrive(&mut self, number: usize, piece: T) {
        self.in_hand -= 1;
        if self.only_counts {
            return;
        }
        self.pending[number - self.first] = Some(piece);
        while let Some(piece) = self.pending.front_mut().and_then(Option::take) {
            self.pending.pop_front();
            self.ready.push(piece);
            self.first += 1;
        }
    }

    /// How many are ready and were not taken.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Those that are ready and were not taken before.
    pub(super) fn take_ready(&mut self) -> Vec<T> {
        mem::take(&mut self.ready)
    }

    /// So many of those that were ready are done with.
    pub(super) fn release(&mut self, chunks: usize) {
        self.released += chunks;
    }

    /// All that are ready are done with.
    pub(super) fn release_ready(&mut self) {
        self.released = self.first;
    }

    /// Nobody will take those that are ready.
    pub(super) fn drop_ready(&mut self) {
        self.ready.clear();
    }

    /// How many chunks were claimed and are not done with.
    pub(super) fn held(&self) -> usize {
        self.first + self.pending.len() - self.released
    }

    /// Whether chunks are being worked on.
    pub(super) fn are_pending(&self) -> bool {
        self.in_hand > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_the_order_of_their_chunks() {
        let mut pieces = Pieces::new(false);
        let numbers: Vec<_> = (0..4).map(|_| pieces.open()).collect();
        pieces.arrive(numbers[2], 'c');
        pieces.arrive(numbers[1], 'b');
        assert!(pieces.take_ready().is_empty());
        pieces.arrive(numbers[0], 'a');
        assert_eq!(pieces.take_ready(), ['a', 'b', 'c']);
        assert_eq!(pieces.held(), 4, "taken is not done with");
        pieces.release(3);
        assert_eq!(pieces.held(), 1);
        assert!(pieces.are_pending());
        pieces.arrive(numbers[3], 'd');
        assert!(!pieces.are_pending());
        pieces.open();
        assert_eq!(pieces.held(), 2);
        pieces.release_ready();
        assert_eq!(pieces.held(), 1, "one is being worked on");
        assert_eq!(pieces.ready(), 1);
        pieces.drop_ready();
        assert_eq!(pieces.ready(), 0);
    }

    #[test]
    fn pieces_that_are_only_counted_leave_nothing_behind() {
        let mut pieces = Pieces::new(true);
        let numbers = [(); 3].map(|()| pieces.open());
        pieces.arrive(numbers[2], 'c');
        pieces.arrive(numbers[1], 'b');
        assert!(pieces.are_pending());
        assert_eq!((pieces.held(), pieces.pending.len()), (0, 0));
        pieces.arrive(numbers[0], 'a');
        assert!(!pieces.are_pending());
        assert_eq!(pieces.ready(), 0);
    }
}
