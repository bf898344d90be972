//! `Pace`: how many items a lane takes at once.
//!
//! As many as it can work on in the time that a chunk is meant to take, so that what a claim costs
//! does not count. Measured on two cores of an AMD EPYC by `cargo bench --bench in_order
//! claim`, with a chunk for each empty item: a lane alone needs 0.11 µs for a chunk, half of it for
//! the clock, and two lanes, which are in each other's way all the time, 0.4 µs.
//!
//! For many lanes: they meet at one lock. If each of `n` lanes claims once in the time `t`, the
//! lock is busy for a part `p = n * 0.4 µs / t` of the time, and a claim waits for
//! `0.4 µs * p / (2 - 2 * p)` (a queue with one server and constant service). With
//! `t = 50 µs + n * 4 µs`, `p` is below a tenth for any `n`, and a chunk costs some 0.5 µs in all:
//! 0.9 % of the time with 2 lanes, were they always in each other's way, and 0.05 % with 256. If a
//! claim took eight times as long on a machine that large, 256 lanes would lose 0.8 %.
//!
//! All this is for chunks that can grow. Those of a stream or of a sequential iterator have 1024
//! items at most, which pays where an item takes some nanoseconds.
//!
//! A chunk is small at first, since nothing is known of the items yet, and at the end, so that all
//! lanes end together.

use std::time::Duration;

/// How long a chunk is meant to take, where lanes are few.
const CHUNK: Duration = Duration::from_micros(50);

/// How much longer for each lane. See [`Pace::new`].
const CHUNK_PER_LANE: Duration = Duration::from_micros(4);

/// How many times as large as the last one a chunk may be.
const GROWTH: usize = 8;

/// In how many chunks each lane could still take its part of what is left.
const SHARE: usize = 4;

/// What part of the meant time a chunk lasts at least, however little is left.
const LEAST: usize = 256;

/// A lane's idea of how many items it can work on in the time that a chunk is meant to take. It
/// learns from each chunk, and expects of the next items what it saw of the last ones.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    chunk: Duration,
    /// As many as fit into the time, if they are like those of the last chunk.
    fitting: usize,
    /// The largest next chunk.
    most: usize,
}

impl Pace {
    pub(super) fn new(lanes: usize) -> Self {
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX);
        Pace {
            chunk: CHUNK.saturating_add(CHUNK_PER_LANE.saturating_mul(lanes)),
            fitting: 1,
            most: 1,
        }
    }

    /// The size of the lane's next chunk, if so many items are left for so many lanes.
    pub(super) fn next(&self, left: Option<usize>, lanes: usize) -> usize {
        let share = left.map_or(usize::MAX, |left| left / (lanes * SHARE));
        let fitting = self.fitting.min(share.max(self.fitting / LEAST));
        fitting.clamp(1, self.most)
    }

    /// So many items took so long.
    pub(super) fn learn(&mut self, items: usize, took: Duration) {
        let fitting = self.chunk.as_nanos() * items as u128 / took.as_nanos().max(1);
        self.fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.most = items.max(1).saturating_mul(GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a lane that has worked on so many items for the time of a whole chunk.
    fn after(items: usize) -> Pace {
        let mut pace = Pace::new(2);
        pace.learn(items, pace.chunk);
        pace
    }

    #[test]
    fn chunks_grow_until_they_last_long_enough() {
        let mut pace = Pace::new(2);
        assert_eq!(pace.chunk, Duration::from_micros(58));
        assert_eq!(pace.next(None, 2), 1, "nothing is known yet");
        pace.learn(1, Duration::from_micros(1));
        assert_eq!(pace.next(None, 2), 8, "not too fast");
        pace.learn(8, Duration::from_micros(8));
        assert_eq!(pace.next(None, 2), 58);
        pace.learn(58, Duration::from_millis(58));
        assert_eq!(pace.next(None, 2), 1, "never none");
        pace.learn(3, Duration::ZERO);
        assert_eq!(pace.next(None, 2), 24);
    }

    #[test]
    fn chunks_shrink_towards_the_end() {
        let pace = after(1024);
        assert_eq!(pace.next(Some(80_000), 2), 1024);
        assert_eq!(
            pace.next(Some(4000), 2),
            500,
            "a quarter of each lane's share"
        );
        assert_eq!(pace.next(Some(4000), 5), 200);
        assert_eq!(
            pace.next(Some(8), 2),
            4,
            "not so small that claims cost more than items"
        );
        assert_eq!(after(100).next(Some(1), 2), 1);
    }
}
