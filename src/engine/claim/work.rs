//! Working on a chunk, and putting what came of it into its place among the others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::chunk::Chunk;
use super::source::Source;
use super::{Claims, FrontOf, Gather, Worked};
use crate::engine::busy::InTheMiddle;
use crate::engine::mark::Mark;
use crate::error::Payload;
use crate::run::{GoOn, Wanted};
use crate::sync::lock;
use crate::sync::pool::Scope;
use crate::token::CancelToken;

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
    /// The item at this position has failed, and the run bears it.
    Borne(usize),
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
        // Of an iterator that gives more items than its length more may have failed.
        let credit = count.saturating_sub(holes.len());
        let worked = Worked {
            gathered: gather.finish(),
            holes: if self.reach.streams {
                holes
            } else {
                Vec::new()
            },
            complete: passed == Passed::All,
        };
        let mut front = lock(&self.front);
        front.lanes[lane].pace.learn(count, took);
        front.pieces.arrive(number, worked);
        if !self.reach.streams {
            front.pieces.release_ready();
        }
        if !G::KEEPS {
            // The input may be endless.
            front.pieces.drop_ready();
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
                if cancelled.is_set() {
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
            Err(payload) if in_item.take() => self.panic(site, items, payload),
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
            match self.pass::<true>(site, &mut items, &mut gather) {
                Passed::Borne(index) => holes.push(index),
                passed => return (passed, items, gather),
            }
        }
    }

    /// Wakes the one who waits for values, if there are enough now.
    pub(super) fn wake(&self, front: &mut FrontOf<S, G>) {
        // To notify is a system call, even if nobody waits.
        if front.serve() {
            self.changed.notify_one();
        }
    }

    /// The item before `rest`, which ends at `end` and which this lane works on, has failed. If that is
    /// one too many, nothing above the bound goes on, and everything below does. The length of the rest
    /// is user code, and may panic.
    #[cold]
    #[inline(never)]
    fn fail_before(&self, lane: usize, end: usize, rest: &S::Chunk, error: E) -> Passed {
        match catch_unwind(AssertUnwindSafe(|| position(end, rest))) {
            Ok(index) => {
                let tell = |wanted| self.narrow(lane, index, wanted);
                self.run.fail_at(index, error, tell)
            }
            Err(payload) => {
                self.run.panicked(payload);
                self.run.contain(|| drop(error));
                Passed::Stopped
            }
        }
    }

    /// The same for a panic.
    #[cold]
    fn panic(&self, site: Site<'_>, rest: &S::Chunk, payload: Payload) -> Passed {
        match catch_unwind(AssertUnwindSafe(|| position(site.end, rest))) {
            Ok(index) => {
                let tell = |wanted| self.narrow(site.lane, index, wanted);
                self.run.item_panicked_at(index, payload, tell)
            }
            Err(another) => {
                self.run.panicked(payload);
                self.run.panicked(another);
                Passed::Stopped
            }
        }
    }

    /// After the run has recorded the failure at `index`, so that nobody sees a cancellation before.
    fn narrow(&self, lane: usize, index: usize, wanted: Wanted) -> Passed {
        let mut front = lock(&self.front);
        let above = front.narrow(lane, index, wanted);
        drop(front);
        self.run.cancel_lanes(&above);
        match wanted {
            Wanted::All => Passed::Borne(index),
            Wanted::UpTo(bound) if index < bound => Passed::Borne(index),
            Wanted::UpTo(_) | Wanted::Nothing => Passed::Stopped,
        }
    }
}

/// The position of the item before this rest of a chunk, which ends at `end`.
fn position(end: usize, rest: &impl ExactSizeIterator) -> usize {
    end.saturating_sub(rest.len().saturating_add(1))
}
