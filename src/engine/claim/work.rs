//! Runs a chunk, and commits its result.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::chunk::Chunk;
use super::source::Source;
use super::{ChunkResult, Collector, Engine, QueueOf};
use crate::engine::unwind_flag::UnwindFlag;
use crate::engine::user_code::UserCode;
use crate::panic::Payload;
use crate::run::{Failure, Kind, Reaction};
use crate::sync::lock;
use crate::sync::pool::Scope;
use crate::token::CancelToken;

/// Where a chunk runs: on which worker, and up to which index.
#[derive(Clone, Copy)]
struct Site<'c> {
    worker: usize,
    token: &'c CancelToken,
    end: usize,
}

/// How the loop over the items of a chunk has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LoopEnd {
    /// Every item has run.
    Complete,
    /// The item at this index has failed, and the run goes on with the next one.
    Tolerated(usize),
    /// The rest of the chunk no longer counts.
    Stopped,
}

impl<F, S, C, E> Engine<'_, F, S, C, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<C::Value, E> + Sync,
    S: Source,
    C: Collector,
    E: Send,
{
    /// Runs a chunk, and says whether there may be more of them.
    pub(super) fn run_chunk<'s>(
        &'s self,
        scope: &Scope<'s>,
        chunk: Chunk<S::Chunk, C>,
    ) -> ControlFlow<()> {
        let Chunk {
            worker,
            token,
            number,
            mut items,
            count,
            end,
            mut collector,
            began,
        } = chunk;
        let site = Site {
            worker,
            token: &token,
            end,
        };
        let mut failed = Vec::new();
        let user_code = UserCode::enter();
        let loop_end = if self.run.policy.tolerates_errors() {
            let loop_end;
            (loop_end, items, collector) = self.run_tolerant(site, items, collector, &mut failed);
            loop_end
        } else {
            self.run_until_failure::<false>(site, &mut items, &mut collector)
        };
        drop(user_code);
        self.run.drop_value(items);
        let took = began.elapsed();
        // An iterator that gives more items than its length may have more failures than items.
        let succeeded = count.saturating_sub(failed.len());
        let result = ChunkResult {
            collected: collector.complete(),
            failed: if self.limits.streams {
                failed
            } else {
                Vec::new()
            },
            complete: loop_end == LoopEnd::Complete,
        };
        // Commit: the result takes its place among the others, and what the chunk had reserved is
        // free.
        let mut queue = lock(&self.queue);
        queue.workers[worker].sizer.record(count, took);
        queue.results.complete(number, result);
        if !self.limits.streams {
            queue.results.release_ready();
        }
        if !C::KEEPS {
            // The input may be endless.
            queue.results.drop_ready();
        }
        queue.refund(succeeded);
        let flow = if queue.closed {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        };
        let parked = queue.unpark();
        self.wake(&mut queue);
        drop(queue);
        self.enqueue(scope, parked);
        flow
    }

    /// Runs items until one fails. `TOLERANT` makes a second copy of the loop, as in the stealing
    /// engine; its value is not read.
    #[expect(
        clippy::inline_always,
        reason = "the items must not leave their registers"
    )]
    #[inline(always)]
    fn run_until_failure<const TOLERANT: bool>(
        &self,
        site: Site<'_>,
        items: &mut S::Chunk,
        collector: &mut C,
    ) -> LoopEnd {
        let Site { worker, token, end } = site;
        let (f, cancelled) = (self.f, token.node().flag());
        let (closure, mut loop_end) = (UnwindFlag::default(), LoopEnd::Complete);
        let mut is_skipped = false;
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            collector.consume_iter(|| {
                let item = items.next()?;
                if cancelled.is_set() {
                    is_skipped = true;
                    return None;
                }
                match closure.run(|| f(token, item)) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        loop_end = self.fail(worker, end, items, error);
                        None
                    }
                }
            });
        }));
        // Recorded at once, and not after the items are dropped, which may take long.
        match unwound {
            Ok(()) if is_skipped => {
                self.run.mark_incomplete();
                LoopEnd::Stopped
            }
            Ok(()) => loop_end,
            Err(payload) if closure.take() => self.fail_by_panic(site, items, payload),
            Err(payload) => {
                self.run.panicked(payload);
                LoopEnd::Stopped
            }
        }
    }

    /// Goes on after each failure that the run tolerates. In a function of its own, for the sake of
    /// the loop, as in the stealing engine.
    #[inline(never)]
    fn run_tolerant(
        &self,
        site: Site<'_>,
        mut items: S::Chunk,
        mut collector: C,
        failed: &mut Vec<usize>,
    ) -> (LoopEnd, S::Chunk, C) {
        loop {
            match self.run_until_failure::<true>(site, &mut items, &mut collector) {
                LoopEnd::Tolerated(index) => failed.push(index),
                loop_end => return (loop_end, items, collector),
            }
        }
    }

    /// Wakes the sink's thread, if it waits and enough results are ready.
    pub(super) fn wake(&self, queue: &mut QueueOf<S, C>) {
        // To notify is a system call, even if no thread waits.
        if queue.take_waiter() {
            self.changed.notify_one();
        }
    }

    /// The item before `rest`, of the chunk that ends at `end`, has returned an error.
    #[cold]
    #[inline(never)]
    fn fail(&self, worker: usize, end: usize, rest: &S::Chunk, error: E) -> LoopEnd {
        // The length of the rest is user code, and may panic.
        match catch_unwind(AssertUnwindSafe(|| index_before(end, rest))) {
            Ok(index) => self.narrow(worker, index, Failure::new(Some(index), Kind::Error(error))),
            Err(payload) => {
                self.run.panicked(payload);
                self.run.drop_value(error);
                LoopEnd::Stopped
            }
        }
    }

    /// The closure of the item before `rest` has panicked.
    #[cold]
    fn fail_by_panic(&self, site: Site<'_>, rest: &S::Chunk, payload: Payload) -> LoopEnd {
        match catch_unwind(AssertUnwindSafe(|| index_before(site.end, rest))) {
            Ok(index) => self.narrow(
                site.worker,
                index,
                Failure::new(Some(index), Kind::Panic(payload)),
            ),
            Err(another) => {
                self.run.panicked(payload);
                self.run.panicked(another);
                LoopEnd::Stopped
            }
        }
    }

    /// Records a failure, and stops what no longer counts: if the error limit is reached,
    /// everything after the bound. Everything before it runs to its end.
    fn narrow(&self, worker: usize, index: usize, failure: Failure<E>) -> LoopEnd {
        let (reaction, unwanted) = self.run.record(failure);
        let mut queue = lock(&self.queue);
        let later = queue.narrow(worker, index, reaction);
        drop(queue);
        self.run.cancel_workers(&later);
        self.run.discard(unwanted);
        match reaction {
            Reaction::Continue => LoopEnd::Tolerated(index),
            Reaction::StopAbove(bound) if index < bound => LoopEnd::Tolerated(index),
            Reaction::StopAbove(_) | Reaction::Stop => LoopEnd::Stopped,
        }
    }
}

/// The index of the item before this rest of a chunk, which ends at `end`.
fn index_before(end: usize, rest: &impl ExactSizeIterator) -> usize {
    end.saturating_sub(rest.len().saturating_add(1))
}
