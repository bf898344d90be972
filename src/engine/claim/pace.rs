//! `Pace`: how many items a lane takes at once.

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
const LEAST: usize = 16;

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
        self.most = items.saturating_mul(GROWTH);
    }
}
