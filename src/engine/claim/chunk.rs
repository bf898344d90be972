//! A chunk: claimed, worked on, and put back into its place among the others.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rayon::Scope;

use super::lanes::{Busy, GoOn, InTheMiddle};
use super::pace::Pace;
use super::source::Source;
use super::{Claims, FrontOf, Gather, Rest, Worked};
use crate::lock::lock;
use crate::token::CancelToken;

/// How often a lane looks whether the front is back before it gives up for the time being. Between
/// two looks it spins twice as long as before, and some microseconds in all.
const PATIENCE: u32 = 7;

/// The rest of the input, in the hands of a lane.
pub(super) struct Taken<S, G> {
    rest: Rest<S, G>,
    /// The position of its first item.
    start: usize,
    token: CancelToken,
    pace: Pace,
}

/// Some consecutive items, on their way through a lane.
pub(super) struct Chunk<C, G> {
    lane: usize,
    token: CancelToken,
    /// Its number among the chunks.
    number: usize,
    items: C,
    count: usize,
    /// The position after its last item.
    end: usize,
    gather: G,
    /// When the first item was asked for.
    began: Instant,
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
        let mut attempt = 0;
        loop {
            let mut front = lock(&self.front);
            if front.closed {
                return None;
            }
            let is_full = front.is_window_full();
            let rest = if is_full { None } else { front.rest.take() };
            if let Some(rest) = rest {
                let start = front.next;
                let lane = &mut front.lanes[lane];
                lane.start = start;
                return Some(Taken {
                    rest,
                    start,
                    token: lane.token.clone(),
                    pace: lane.pace,
                });
            }
            if is_full || attempt == PATIENCE {
                if let Busy::Park = busy {
                    front.park(lane);
                }
                return None;
            }
            drop(front);
            for _ in 0..1 << attempt {
                hint::spin_loop();
            }
            attempt += 1;
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
        } = taken;
        let began = Instant::now();
        let middle = InTheMiddle::new();
        let taken = catch_unwind(AssertUnwindSafe(|| {
            if self.run.token().is_cancelled() {
                self.skip(&mut rest.source);
                return None;
            }
            let most = self.most_of(&rest.source, pace);
            let items = rest.source.take(most, &token)?;
            if token.is_cancelled() {
                // None of them will run. Said now, so that nobody reads another one as the proof.
                self.run.skip();
            }
            let count = items.len();
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

    /// The run is cancelled, and is not complete if an item is left. Of a source that cannot say
    /// so one more item is read.
    fn skip(&self, source: &mut S) {
        if self.run.is_spoilt() {
            return;
        }
        let is_left = match source.left() {
            Some(left) => left > 0,
            None => source.take(1, self.run.token()).is_some(),
        };
        if is_left {
            self.run.skip();
        }
    }

    /// Works on a chunk.
    pub(super) fn run_chunk<'s>(&'s self, scope: &Scope<'s>, chunk: Chunk<S::Chunk, G>) -> GoOn {
        let Chunk {
            lane,
            token,
            number,
            mut items,
            count,
            end,
            mut gather,
            began,
        } = chunk;
        let f = self.f;
        let cancelled = token.node().flag();
        let (mut is_skipped, mut failed) = (false, false);
        let middle = InTheMiddle::new();
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            gather.extend(|| {
                let item = items.next()?;
                if cancelled.is_raised() {
                    is_skipped = true;
                    return None;
                }
                match f(&token, item) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        self.fail_before(end, &items, error);
                        failed = true;
                        None
                    }
                }
            });
        }));
        drop(middle);
        if is_skipped {
            self.run.skip();
        }
        let complete = !is_skipped && !failed && unwound.is_ok();
        // At once, and not after the items, whose drops may take long.
        if let Err(payload) = unwound {
            self.run.panicked(payload);
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(items))) {
            self.run.panicked(payload);
        }
        let took = began.elapsed();
        let worked = Worked {
            gathered: gather.finish(),
            complete,
        };
        let mut front = lock(&self.front);
        front.lanes[lane].pace.learn(count, took);
        front.pieces.arrive(number, worked);
        if !self.reach.streams {
            front.pieces.release_ready();
        }
        let go_on = GoOn(!front.closed);
        let parked = front.unpark();
        self.wake(&mut front);
        drop(front);
        self.queue(scope, parked);
        go_on
    }

    /// Wakes the one who waits for values, if there are enough now.
    fn wake(&self, front: &mut FrontOf<S, G>) {
        // To notify is a system call, even if nobody waits.
        if front.wanted.is_some() && front.is_served() {
            front.wanted = None;
            self.changed.notify_one();
        }
    }

    /// The item before `rest`, which ends at `end`, has failed.
    #[cold]
    #[inline(never)]
    fn fail_before(&self, end: usize, rest: &S::Chunk, error: E) {
        self.fail(end.saturating_sub(rest.len() + 1), error);
    }

    /// The item at this position has failed: nothing above it goes on, and everything below does.
    #[cold]
    pub(super) fn fail(&self, index: usize, error: E) {
        // Before anybody can see the cancellation.
        self.run.fail_at(index, error);
        let mut front = lock(&self.front);
        front.closed = true;
        let above = front.lanes_above(index);
        drop(front);
        for token in above {
            self.run.cancel_lane(&token);
        }
    }
}
