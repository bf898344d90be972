//! `Splitter`: consumers for the chunks of a run in order, split off one consumer of the caller.

use rayon::iter::plumbing::UnindexedConsumer;

/// How many times each consumer of the first block is split off.
const LEVELS: u32 = 7;

/// Splits consumers off a consumer, from left to right.
///
/// The consumers of `find_first` and `find_last` know their place by halving a range with each
/// split (63 times, and then places are shared). If each were split directly off the rest, the
/// places would be used up after 63 chunks, and no chunk would learn that a match before it has
/// been found. So a block is split off, and is split by halves: 128 consumers, then 256, and so on.
/// That is enough for 2^35 chunks.
pub(super) struct Splitter<C> {
    /// After everything that was split off.
    rest: C,
    /// How many times the consumers of the next block are split.
    levels: u32,
    /// What is left of the block, from right to left: each with how many times it is to be split.
    block: Vec<(C, u32)>,
}

impl<C> Splitter<C> {
    pub(super) fn new(rest: C) -> Self {
        Splitter {
            rest,
            levels: LEVELS,
            block: Vec::new(),
        }
    }

    /// The consumer after the last one.
    pub(super) fn next<T>(&mut self) -> C
    where
        C: UnindexedConsumer<T>,
    {
        let (mut consumer, mut levels) = self.block.pop().unwrap_or_else(|| {
            let levels = self.levels;
            self.levels += 1;
            (self.rest.split_off_left(), levels)
        });
        while levels > 0 {
            levels -= 1;
            let left = consumer.split_off_left();
            self.block.push((consumer, levels));
            consumer = left;
        }
        consumer
    }

    pub(super) fn rest(&self) -> &C {
        &self.rest
    }

    pub(super) fn into_rest(self) -> C {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rayon::iter::plumbing::{Consumer, Folder, Reducer};

    use super::*;

    /// A range of places, of which each split takes the first half.
    struct Places(Cell<u64>, u64);

    impl Consumer<()> for Places {
        type Folder = Never;
        type Reducer = NoReducer;
        type Result = ();

        fn split_at(self, _: usize) -> (Self, Self, NoReducer) {
            (self.split_off_left(), self, NoReducer)
        }

        fn into_folder(self) -> Never {
            unreachable!("nothing is folded")
        }

        fn full(&self) -> bool {
            false
        }
    }

    impl UnindexedConsumer<()> for Places {
        fn split_off_left(&self) -> Self {
            let start = self.0.get();
            let middle = start + (self.1 - start) / 2;
            self.0.set(middle);
            Places(Cell::new(start), middle)
        }

        fn to_reducer(&self) -> NoReducer {
            NoReducer
        }
    }

    struct NoReducer;

    impl Reducer<()> for NoReducer {
        fn reduce(self, (): (), (): ()) {}
    }

    struct Never;

    impl Folder<()> for Never {
        type Result = ();

        fn consume(self, (): ()) -> Self {
            self
        }

        fn complete(self) {}

        fn full(&self) -> bool {
            true
        }
    }

    #[test]
    fn each_consumer_has_a_place_of_its_own_after_the_last_one() {
        let mut splitter = Splitter::new(Places(Cell::new(0), u64::MAX));
        let mut end = 0;
        for _ in 0..100_000 {
            let place = splitter.next();
            assert_eq!(place.0.get(), end, "nothing is left out");
            assert!(place.1 > end);
            end = place.1;
        }
        assert!(splitter.rest().0.get() >= end);
        assert_eq!(splitter.into_rest().1, u64::MAX);
    }
}
