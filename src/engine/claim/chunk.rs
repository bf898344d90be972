//! A chunk: some consecutive items, taken off the rest of the input.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::lanes::Busy;
use super::pace::Pace;
use super::source::Source;
use super::{Claims, Gather, Rest};
use crate::engine::busy::InTheMiddle;
use crate::sync::lock;
use crate::sync::pool::Scope;
use crate::token::CancelToken;

/// How long a lane spins between two looks whether the front is back, before it gives up for the time
/// being: some microseconds in all.
const PATIENCE: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The rest of the input, in the hands of a lane.
pub(super) struct Taken<S, G> {
    rest: Rest<S, G>,
    /// The position of its first item.
    start: usize,
    token: CancelToken,
    pace: Pace,
    /// How many items the lane may claim.
    claimable: usize,
}

/// Some consecutive items, on their way through a lane.
pub(super) struct Chunk<C, G> {
    pub(super) lane: usize,
    pub(super) token: CancelToken,
    /// Its number among the chunks.
    pub(super) number: usize,
    pub(super) items: C,
    pub(super) count: usize,
    /// The position after its last item.
    pub(super) end: usize,
    pub(super) gather: G,
    /// When the first item was asked for.
    pub(super) began: Instant,
}

impl<F, S, G, E> Claims<'_, F, S, G, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<G::Value, E> + Sync,
    S: Source,
    G: Gather,
    E: Send,
{
    /// Takes the rest of the input out of the front, for the lane to take its next chunk off it.
    pub(super) fn take_rest(&self, lane: usize, busy: Busy) -> Option<Taken<S, G>> {
        let mut patience = PATIENCE.into_iter();
        loop {
            let mut front = lock(&self.front);
            if front.closed {
                return None;
            }
            let claimable = front.claimable();
            let (rest, spins) = if claimable == 0 {
                (None, None)
            } else {
                (front.rest.take(), patience.next())
            };
            if let Some(rest) = rest {
                let start = front.next;
                let lane = &mut front.lanes[lane];
                lane.start = start;
                return Some(Taken {
                    rest,
                    start,
                    token: lane.token.clone(),
                    pace: lane.pace,
                    claimable,
                });
            }
            let Some(spins) = spins else {
                if let Busy::Park = busy {
                    front.park(lane);
                }
                return None;
            };
            drop(front);
            for _ in 0..spins {
                hint::spin_loop();
            }
        }
    }

    /// Takes a chunk off the rest, and puts the rest back.
    pub(super) fn take_chunk<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: usize,
        taken: Taken<S, G>,
    ) -> Option<Chunk<S::Chunk, G>> {
        let Taken {
            mut rest,
            start,
            token,
            pace,
            claimable,
        } = taken;
        let began = Instant::now();
        let middle = InTheMiddle::new();
        let taken = catch_unwind(AssertUnwindSafe(|| {
            if self.run.token().is_cancelled() {
                self.skip(&mut rest.source);
                return None;
            }
            let most = self.most_of(&rest.source, pace).min(claimable);
            let (items, count) = rest.source.take(most, &token)?;
            if token.is_cancelled() {
                // None of them will run. Said now, so that nobody reads another one as the proof.
                self.run.skip();
            }
            let (gather, others) = rest.gather.take()?.split_at(count);
            rest.gather = Some(others);
            Some((items, count, gather))
        }));
        drop(middle);
        let taken = taken.unwrap_or_else(|payload| {
            self.run.panicked(payload);
            None
        });
        let mut front = lock(&self.front);
        front.closed |= taken.is_none() || rest.source.has_ended();
        front.rest = Some(rest);
        let chunk = taken.map(|(items, count, gather)| {
            front.next = start + count;
            front.claim(count);
            Chunk {
                lane,
                token,
                number: front.pieces.open(),
                end: front.next,
                items,
                count,
                gather,
                began,
            }
        });
        let parked = front.unpark();
        self.wake(&mut front);
        drop(front);
        self.queue(scope, parked);
        chunk
    }

    /// How many items a lane of this pace takes next.
    fn most_of(&self, source: &S, pace: Pace) -> usize {
        let (least, most) = source.bounds();
        let fitting = pace.next(source.left_at_most(), self.lanes);
        let items = fitting.clamp(least, most);
        // What would be left is less than the least.
        let rest = source.left().filter(|left| left - items.min(*left) < least);
        rest.map_or(items, |left| left.min(most))
            .min(self.reach.chunk)
    }

    /// The run is cancelled, and is not complete if an item is left: as there is while the front is
    /// open, but for a source that cannot say so. Of that one more item is read.
    fn skip(&self, source: &mut S) {
        if self.run.is_spoilt() {
            return;
        }
        if source.left().is_some() || source.take(1, self.run.token()).is_some() {
            self.run.skip();
        }
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator};

    use super::*;
    use crate::engine::claim::source::{Callback, Ordered};
    use crate::engine::gather::Nothing;
    use crate::run::{Run, Tolerance};

    /// The size of the first chunk, for a lane that knows nothing of its items yet.
    struct FirstChunk;

    impl Callback<usize> for FirstChunk {
        type Output = usize;

        fn call<S: Source<Item = usize>>(self, source: S) -> usize {
            let run = Run::new(None, Tolerance::default());
            let f = |_: &CancelToken, _| Ok::<(), ()>(());
            let claims = Claims::of(&run, &f, source, Nothing);
            let front = lock(&claims.front);
            let rest = front.rest.as_ref().unwrap();
            claims.most_of(&rest.source, Pace::new(claims.lanes))
        }
    }

    #[test]
    fn a_chunk_is_not_too_small_nor_is_what_it_leaves() {
        let first = |len: usize, least, most| {
            let items = (0..len).into_par_iter();
            let items = items.with_min_len(least).with_max_len(most);
            items.with_source(FirstChunk)
        };
        assert_eq!(first(100, 1, 100), 1);
        assert_eq!(first(100, 10, 100), 10);
        assert_eq!(first(25, 10, 100), 10);
        assert_eq!(first(20, 10, 100), 10);
        assert_eq!(first(19, 10, 100), 19);
        assert_eq!(first(19, 10, 12), 12);
        assert_eq!(first(5, 10, 100), 5);
    }
}
