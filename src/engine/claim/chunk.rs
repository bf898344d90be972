//! A chunk: claimed, worked on, and put back into its place among the others.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rayon::Scope;

use super::lanes::{Busy, InTheMiddle};
use super::pace::Pace;
use super::source::Source;
use super::{Claims, FrontOf, Gather, Rest, Worked};
use crate::engine::mark::Mark;
use crate::error::Payload;
use crate::lock::lock;
use crate::run::{GoOn, Wanted};
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
    /// How many items the lane may claim.
    claimable: usize,
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

/// Where a chunk is worked on: by which lane, and up to which position.
#[derive(Clone, Copy)]
struct Site<'c> {
    lane: usize,
    token: &'c CancelToken,
    end: usize,
}

/// How far a pass over the items of a chunk has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// Every item was run.
    All,
    /// The item before the rest has failed, and the run bears it.
    Borne,
    /// The rest is not wanted.
    Stopped,
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
            let claimable = front.claimable();
            let rest = if claimable == 0 {
                None
            } else {
                front.rest.take()
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
            if claimable == 0 || attempt == PATIENCE {
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
        let site = Site {
            lane,
            token: &token,
            end,
        };
        let mut holes = Vec::new();
        let middle = InTheMiddle::new();
        let passed = if self.run.bears_failures() {
            let passed;
            (passed, items, gather) = self.passes(site, items, gather, &mut holes);
            passed
        } else {
            self.pass::<false>(site, &mut items, &mut gather)
        };
        drop(middle);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(items))) {
            self.run.panicked(payload);
        }
        let took = began.elapsed();
        let credit = count - holes.len();
        let worked = Worked {
            gathered: gather.finish(),
            holes,
            complete: passed == Passed::All,
        };
        let mut front = lock(&self.front);
        front.lanes[lane].pace.learn(count, took);
        front.pieces.arrive(number, worked);
        if !self.reach.streams {
            front.pieces.release_ready();
        }
        front.give_back(credit);
        let is_open = GoOn(!front.closed);
        let parked = front.unpark();
        self.wake(&mut front);
        drop(front);
        self.queue(scope, parked);
        is_open
    }

    /// Works on the items up to a failure.
    #[expect(
        clippy::inline_always,
        reason = "the items must not leave their registers; see `passes`"
    )]
    #[inline(always)]
    fn pass<const BEARS: bool>(
        &self,
        site: Site<'_>,
        items: &mut S::Chunk,
        gather: &mut G,
    ) -> Passed {
        let Site { lane, token, end } = site;
        let (f, cancelled) = (self.f, token.node().flag());
        let (in_item, mut passed, mut is_skipped) = (Mark::default(), Passed::All, false);
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            gather.extend(|| {
                let item = items.next()?;
                if cancelled.is_raised() {
                    is_skipped = true;
                    return None;
                }
                match in_item.watch(|| f(token, item)) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        passed = self.fail_before(lane, end, items, error);
                        None
                    }
                }
            });
        }));
        // At once, and not after the items, whose drops may take long.
        match unwound {
            Ok(()) if is_skipped => {
                self.run.skip();
                Passed::Stopped
            }
            Ok(()) => passed,
            Err(payload) if in_item.take() => self.panic(lane, position(end, items), payload),
            Err(payload) => {
                self.run.panicked(payload);
                Passed::Stopped
            }
        }
    }

    /// Goes on after each failure that the run bears. In a function of its own, for the sake of the loop
    /// in `pass`, as in the stealing engine.
    #[inline(never)]
    fn passes(
        &self,
        site: Site<'_>,
        mut items: S::Chunk,
        mut gather: G,
        holes: &mut Vec<usize>,
    ) -> (Passed, S::Chunk, G) {
        loop {
            let passed = self.pass::<true>(site, &mut items, &mut gather);
            if passed != Passed::Borne {
                return (passed, items, gather);
            }
            holes.push(position(site.end, &items));
        }
    }

    /// Wakes the one who waits for values, if there are enough now.
    fn wake(&self, front: &mut FrontOf<S, G>) {
        // To notify is a system call, even if nobody waits.
        if front.wanted.is_some() && front.is_served() {
            front.wanted = None;
            self.changed.notify_one();
        }
    }

    /// The item before `rest`, which ends at `end` and which this lane works on, has failed. If that is
    /// one too many, nothing above the bound goes on, and everything below does.
    #[cold]
    #[inline(never)]
    fn fail_before(&self, lane: usize, end: usize, rest: &S::Chunk, error: E) -> Passed {
        let index = position(end, rest);
        self.narrow(lane, index, self.run.fail_at(index, error))
    }

    /// The same for a panic.
    #[cold]
    fn panic(&self, lane: usize, index: usize, payload: Payload) -> Passed {
        self.narrow(lane, index, self.run.item_panicked_at(index, payload))
    }

    /// After the run has recorded the failure at `index`, so that nobody sees a cancellation before.
    fn narrow(&self, lane: usize, index: usize, wanted: Wanted) -> Passed {
        let mut front = lock(&self.front);
        let above = front.narrow(lane, index, wanted);
        drop(front);
        for token in above {
            self.run.cancel_lane(&token);
        }
        match wanted {
            Wanted::All => Passed::Borne,
            Wanted::UpTo(bound) if index < bound => Passed::Borne,
            Wanted::UpTo(_) | Wanted::Nothing => Passed::Stopped,
        }
    }
}

/// The position of the item before this rest of a chunk, which ends at `end`.
fn position(end: usize, rest: &impl ExactSizeIterator) -> usize {
    end.saturating_sub(rest.len() + 1)
}
