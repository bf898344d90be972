//! `ReorderBuffer`: the results of the chunks, put back into the order of the input.

use std::collections::VecDeque;
use std::mem;

/// The results of the chunks, from the first one that was not taken yet. A chunk is known by the
/// index of its first item.
pub(super) struct ReorderBuffer<T> {
    /// Those that are next in order.
    ready: Vec<T>,
    /// After these, in order: the chunks that were begun, and their results, where they have ended.
    pending: VecDeque<(usize, Option<T>)>,
    /// How many of the chunks that became ready are still in flight.
    unreleased: usize,
}

impl<T> ReorderBuffer<T> {
    pub(super) fn new() -> Self {
        ReorderBuffer {
            ready: Vec::new(),
            pending: VecDeque::new(),
            unreleased: 0,
        }
    }

    /// A chunk begins at this index. It may be what is left of a chunk that ends earlier now.
    pub(super) fn begin(&mut self, start: usize) {
        let is_last = self.pending.back().is_none_or(|(last, _)| *last < start);
        let place = if is_last {
            self.pending.len()
        } else {
            self.pending.partition_point(|(other, _)| *other < start)
        };
        self.pending.insert(place, (start, None));
    }

    /// The chunk that begins at this index has ended with this result.
    pub(super) fn complete(&mut self, start: usize, result: T) {
        let place = self.pending.partition_point(|(other, _)| *other < start);
        self.pending[place].1 = Some(result);
        while let Some(result) = (self.pending.front_mut()).and_then(|(_, result)| result.take()) {
            self.pending.pop_front();
            self.ready.push(result);
            self.unreleased += 1;
        }
    }

    /// How many results are next in order and were not taken.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the results that are next in order.
    pub(super) fn take_ready(&mut self) -> Vec<T> {
        mem::take(&mut self.ready)
    }

    /// So many of the chunks that were ready are no longer in flight.
    pub(super) fn release(&mut self, chunks: usize) {
        self.unreleased -= chunks;
    }

    /// The chunks that are ready are no longer in flight.
    pub(super) fn release_ready(&mut self) {
        self.unreleased = 0;
    }

    /// Drops the results that are ready.
    pub(super) fn drop_ready(&mut self) {
        self.ready.clear();
    }

    /// How many chunks were begun and not released.
    pub(super) fn in_flight(&self) -> usize {
        self.unreleased + self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_out_in_the_order_of_their_chunks() {
        let mut results = ReorderBuffer::new();
        (0..4).for_each(|chunk| results.begin(10 * chunk));
        results.complete(20, 'c');
        results.complete(10, 'b');
        assert!(results.take_ready().is_empty());
        results.complete(0, 'a');
        assert_eq!(results.take_ready(), ['a', 'b', 'c']);
        assert_eq!(results.in_flight(), 4, "taken is not released");
        results.release(3);
        assert_eq!(results.in_flight(), 1);
        results.complete(30, 'd');
        results.begin(40);
        assert_eq!(results.in_flight(), 2);
        results.release_ready();
        assert_eq!(results.in_flight(), 1, "one is running");
        assert_eq!(results.ready(), 1);
        results.drop_ready();
        assert_eq!(results.ready(), 0);
    }

    #[test]
    fn what_is_left_of_a_chunk_comes_right_after_it() {
        let mut results = ReorderBuffer::new();
        results.begin(0);
        results.begin(10);
        results.begin(4);
        results.complete(0, 'a');
        results.complete(10, 'c');
        assert_eq!(results.take_ready(), ['a']);
        results.begin(7);
        results.complete(4, 'b');
        assert_eq!(results.take_ready(), ['b'], "seven to nine are missing");
        results.complete(7, '-');
        assert_eq!(results.take_ready(), ['-', 'c']);
    }
}
