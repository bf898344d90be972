//! `ChunkSizer`: how many items a worker claims at once. Guided self-scheduling, by time.
//!
//! As in OpenMP's `schedule(guided)`, a chunk is a share of what is left, so that all workers end
//! together. Where items are quick, a chunk is limited to as many as fit into the target time: long
//! enough that the cost of a claim does not count. Measured on two cores of an AMD EPYC with a
//! chunk for each empty item: a worker alone needs 0.2 µs for a chunk, a third of it for the clock,
//! and two workers, which contend all the time, 0.4 µs.
//!
//! Many workers meet at one lock. If each of `n` workers claims once in the time `t`, the lock is
//! busy for a part `p = n * 0.4 µs / t` of the time, and a claim waits for `0.4 µs * p / (2 - 2 *
//! p)` (an M/D/1 queue: one server and constant service time). With `t = 50 µs + n * 4 µs`, `p` is
//! below a tenth for any `n`, and a chunk costs about 0.5 µs in all: 0.9 % of the time with 2
//! workers that always contend, and 0.05 % with 256. If a claim took eight times as long on a
//! machine that large, 256 workers would lose 0.8 %.
//!
//! All this is for chunks that can grow. Those of a stream or of a sequential iterator have at most
//! 1024 items, which shows where an item takes a few nanoseconds.
//!
//! The first chunk is small, since nothing is known of the items yet.

use std::time::Duration;

/// The target time of a chunk, where workers are few.
const CHUNK: Duration = Duration::from_micros(50);

/// How much longer for each worker. See [`ChunkSizer::new`].
const CHUNK_PER_WORKER: Duration = Duration::from_micros(4);

/// How many times as large as the last one a chunk may be.
const GROWTH: usize = 8;

/// In how many chunks each worker could still take its share of what is left.
const SHARE: usize = 4;

/// A chunk lasts at least this part of the target time, however little is left.
const LEAST: usize = 256;

/// A chunk lasts at least so many times as long as it takes to begin with one: behind `map_init`,
/// that calls `init`. So at most a ninth of the time goes into that.
const PER_SETUP: u32 = 8;

/// A chunk lasts so many times as long as it takes to join what it has collected, if that much is
/// left, and in any case [`LEAST`] of that. So where joining costs something, each chunk is a share
/// of what is left.
///
/// The number is large because no clock sees the whole price of a chunk: to insert a word into a
/// new map for the first time costs as much as to join it later. With chunks of 50 µs, counting
/// words in a map for each takes 1.4 to 2.3 times as long as in rayon, which makes a few of them.
const PER_JOIN: u32 = 100_000;

/// A join that is shorter than this does not count: two sums are added.
const SLOW_JOIN: Duration = Duration::from_micros(1);

/// A worker's estimate of how many items fit into the target time. It assumes that the next items
/// take as long as those of the last chunk.
#[derive(Clone, Copy)]
pub(super) struct ChunkSizer {
    target: Duration,
    /// As many as fit into the target time, if they are like those of the last chunk.
    fitting: usize,
    /// The largest next chunk.
    most: usize,
    /// The shortest time that it took to begin with a chunk (see [`PER_SETUP`]).
    setup: Duration,
    /// How long it took to join what chunks have collected, the last two times. A chunk without a
    /// neighbour is not joined.
    joins: [Duration; 2],
}

impl ChunkSizer {
    pub(super) fn new(workers: usize) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        ChunkSizer {
            target: CHUNK.saturating_add(CHUNK_PER_WORKER.saturating_mul(workers)),
            fitting: 1,
            most: 1,
            setup: Duration::MAX,
            joins: [Duration::ZERO; 2],
        }
    }

    /// The length of the worker's next chunk, if so many items are left for so many workers.
    pub(super) fn next(&self, left: Option<usize>, workers: usize) -> usize {
        let share = left.map_or(usize::MAX, |left| left / (workers * SHARE));
        let fitting = self.fitting.min(share.max(self.least()));
        fitting.clamp(1, self.most)
    }

    /// How many items a chunk has at least, if so many are left and it may grow so fast.
    pub(super) fn least(&self) -> usize {
        self.fitting / LEAST
    }

    /// Records that a chunk of so many items took so long, after this time to begin with it, and
    /// before this time to join what it has collected, if it was joined.
    pub(super) fn record(
        &mut self,
        items: usize,
        took: Duration,
        setup: Duration,
        joining: Option<Duration>,
    ) {
        // The shortest one, since a thread may be interrupted meanwhile.
        self.setup = self.setup.min(setup);
        if let Some(joining) = joining {
            self.joins = [self.joins[1], joining];
        }
        // The shorter one, for the same reason.
        let join = Some(self.joins[0].min(self.joins[1])).filter(|join| *join >= SLOW_JOIN);
        let target = (self.target)
            .max(self.setup.saturating_mul(PER_SETUP))
            .max(join.unwrap_or_default().saturating_mul(PER_JOIN));
        let fitting = target.as_nanos() * items as u128 / took.as_nanos().max(1);
        self.fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.most = items.max(1).saturating_mul(GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a chunk of so many items that took the target time.
    fn after(items: usize) -> ChunkSizer {
        let mut sizer = ChunkSizer::new(2);
        sizer.record(items, sizer.target, Duration::ZERO, None);
        sizer
    }

    #[test]
    fn chunks_grow_until_they_last_long_enough() {
        let mut sizer = ChunkSizer::new(2);
        assert_eq!(sizer.target, Duration::from_micros(58));
        assert_eq!(sizer.next(None, 2), 1, "nothing is known yet");
        sizer.record(1, Duration::from_micros(1), Duration::ZERO, None);
        assert_eq!(sizer.next(None, 2), 8, "not too fast");
        sizer.record(8, Duration::from_micros(8), Duration::ZERO, None);
        assert_eq!(sizer.next(None, 2), 58);
        sizer.record(58, Duration::from_millis(58), Duration::ZERO, None);
        assert_eq!(sizer.next(None, 2), 1, "never none");
        sizer.record(3, Duration::ZERO, Duration::ZERO, None);
        assert_eq!(sizer.next(None, 2), 24);
    }

    #[test]
    fn a_chunk_that_is_expensive_to_begin_with_lasts_longer() {
        let mut sizer = ChunkSizer::new(2);
        sizer.record(
            100,
            Duration::from_micros(100),
            Duration::from_millis(1),
            None,
        );
        assert_eq!(sizer.next(None, 2), 800, "it grows by eight at most");
        sizer.record(
            9000,
            Duration::from_millis(9),
            Duration::from_millis(7),
            None,
        );
        assert_eq!(sizer.next(None, 2), 8000, "one was interrupted");
        sizer.record(8000, Duration::from_millis(8), Duration::ZERO, None);
        assert_eq!(sizer.next(None, 2), 58);
    }

    #[test]
    fn a_chunk_that_is_joined_is_a_share_of_what_is_left() {
        let chunk = Duration::from_micros(50);
        let join = |sizer: &mut ChunkSizer, micros| {
            let join = Duration::from_micros(micros);
            sizer.record(50, chunk, Duration::ZERO, Some(join));
        };
        let mut sizer = ChunkSizer::new(2);
        join(&mut sizer, 1000);
        assert_eq!(
            sizer.next(Some(1_000_000), 2),
            58,
            "it may have been interrupted"
        );
        sizer.record(50, chunk, Duration::ZERO, Some(chunk / 100));
        assert_eq!(sizer.next(Some(4000), 2), 58, "it is short");
        join(&mut sizer, 1);
        join(&mut sizer, 1);
        assert_eq!(sizer.next(Some(4000), 2), 400, "not too fast");
        join(&mut sizer, 2);
        sizer.record(100_000, chunk * 2000, Duration::ZERO, None);
        assert_eq!(sizer.next(Some(1_000_000), 2), 100_000, "100,000 joins");
        assert_eq!(sizer.next(Some(2), 2), 390, "even the last one");
        assert_eq!(sizer.least(), 390);
    }

    #[test]
    fn chunks_shrink_towards_the_end() {
        let sizer = after(1024);
        assert_eq!(sizer.next(Some(80_000), 2), 1024);
        assert_eq!(
            sizer.next(Some(4000), 2),
            500,
            "a quarter of each worker's share"
        );
        assert_eq!(sizer.next(Some(4000), 5), 200);
        assert_eq!(
            sizer.next(Some(8), 2),
            4,
            "not so small that claims cost more than items"
        );
        assert_eq!(after(100).next(Some(1), 2), 1);
    }
}
