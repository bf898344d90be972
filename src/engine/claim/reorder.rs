//! `ReorderBuffer`: the results of the chunks, put back into the order of the input.

use std::collections::VecDeque;
use std::mem;

/// The results of the chunks, from the first one that was not taken yet.
pub(super) struct ReorderBuffer<T> {
    /// Count chunks instead of buffering them. Otherwise one slow chunk would keep every later one
    /// in memory.
    only_counts: bool,
    /// How many chunks are running.
    running: usize,
    /// Those that are next in order.
    ready: Vec<T>,
    /// The number of the first chunk that is not ready.
    first: usize,
    /// From that one on: the chunks that were claimed, and their results, where they have ended.
    pending: VecDeque<Option<T>>,
    /// How many of the chunks before `first` are no longer in flight.
    released: usize,
}

impl<T> ReorderBuffer<T> {
    pub(super) fn new(only_counts: bool) -> Self {
        ReorderBuffer {
            only_counts,
            running: 0,
            ready: Vec::new(),
            first: 0,
            pending: VecDeque::new(),
            released: 0,
        }
    }

    /// A chunk was claimed. Returns its number.
    pub(super) fn begin(&mut self) -> usize {
        self.running += 1;
        if self.only_counts {
            return 0;
        }
        self.pending.push_back(None);
        self.first + self.pending.len() - 1
    }

    /// The chunk with this number has ended with this result.
    pub(super) fn complete(&mut self, number: usize, result: T) {
        self.running -= 1;
        if self.only_counts {
            return;
        }
        self.pending[number - self.first] = Some(result);
        while let Some(result) = self.pending.front_mut().and_then(Option::take) {
            self.pending.pop_front();
            self.ready.push(result);
            self.first += 1;
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
        self.released += chunks;
    }

    /// The chunks that are ready are no longer in flight.
    pub(super) fn release_ready(&mut self) {
        self.released = self.first;
    }

    /// Drops the results that are ready.
    pub(super) fn drop_ready(&mut self) {
        self.ready.clear();
    }

    /// How many chunks were claimed and not released.
    pub(super) fn in_flight(&self) -> usize {
        self.first + self.pending.len() - self.released
    }

    /// Whether a chunk is running.
    pub(super) fn are_running(&self) -> bool {
        self.running > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_out_in_the_order_of_their_chunks() {
        let mut results = ReorderBuffer::new(false);
        let numbers: Vec<_> = (0..4).map(|_| results.begin()).collect();
        results.complete(numbers[2], 'c');
        results.complete(numbers[1], 'b');
        assert!(results.take_ready().is_empty());
        results.complete(numbers[0], 'a');
        assert_eq!(results.take_ready(), ['a', 'b', 'c']);
        assert_eq!(results.in_flight(), 4, "taken is not released");
        results.release(3);
        assert_eq!(results.in_flight(), 1);
        assert!(results.are_running());
        results.complete(numbers[3], 'd');
        assert!(!results.are_running());
        results.begin();
        assert_eq!(results.in_flight(), 2);
        results.release_ready();
        assert_eq!(results.in_flight(), 1, "one is running");
        assert_eq!(results.ready(), 1);
        results.drop_ready();
        assert_eq!(results.ready(), 0);
    }

    #[test]
    fn results_that_are_only_counted_leave_nothing_behind() {
        let mut results = ReorderBuffer::new(true);
        let numbers = [(); 3].map(|()| results.begin());
        results.complete(numbers[2], 'c');
        results.complete(numbers[1], 'b');
        assert!(results.are_running());
        assert_eq!((results.in_flight(), results.pending.len()), (0, 0));
        results.complete(numbers[0], 'a');
        assert!(!results.are_running());
        assert_eq!(results.ready(), 0);
    }
}
