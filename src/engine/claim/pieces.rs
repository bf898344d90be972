//! `Pieces`: what came of the chunks, put back into the order of the input.

use std::collections::VecDeque;
use std::mem;

/// What came of each chunk, from the first one that nobody has taken yet.
pub(super) struct Pieces<T> {
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
    pub(super) fn new() -> Self {
        Pieces {
            ready: Vec::new(),
            first: 0,
            pending: VecDeque::new(),
            released: 0,
        }
    }

    /// Counts one more chunk, and returns its number.
    pub(super) fn open(&mut self) -> usize {
        self.pending.push_back(None);
        self.first + self.pending.len() - 1
    }

    /// This has come of the chunk with this number.
    pub(super) fn arrive(&mut self, number: usize, piece: T) {
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
        !self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_the_order_of_their_chunks() {
        let mut pieces = Pieces::new();
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
}
