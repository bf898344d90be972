//! `Chunk`: some consecutive items. How a worker begins with them, and commits the result.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use std::vec;

use super::handed_over::HandedOver;
use super::running_chunk::{LoopEnd, RunningChunk};
use super::source::Source;
use super::worker::Worker;
use super::{Collector, RunKind};
use crate::engine::collect::Supply;
use crate::engine::user_code::{RunId, UserCode};
use crate::sync::lock;
use crate::time::Moment;
use crate::token::CancelToken;

/// A worker that is called goes on with its chunk, if it has had the chunk for less than this: the
/// items are probably quick, and to hand them over costs more.
pub(super) const KEEP_TIME: Duration = Duration::from_micros(100);

/// How much longer for each worker, since chunks are longer, too, where there are many.
pub(super) const KEEP_TIME_PER_WORKER: Duration = Duration::from_micros(8);

/// A claimed chunk.
pub(super) struct Chunk<S: Source, C> {
    /// The index of its first item.
    pub(super) start: usize,
    /// How many items it has. Those of a source that is read directly: how many it may have.
    pub(super) count: usize,
    pub(super) items: ChunkItems<S>,
    pub(super) collector: C,
    pub(super) token: CancelToken,
}

pub(super) enum ChunkItems<S: Source> {
    /// From the source, or from the buffer.
    Fresh(S::Chunk),
    /// From another worker.
    HandedOver(vec::IntoIter<S::Item>),
}

/// What came of a chunk.
pub(super) struct ChunkResult<T, E> {
    pub(super) collected: T,
    /// Of a stream: the indices of the items whose failure was tolerated. They have no value.
    pub(super) failed: Vec<usize>,
    /// The errors of a run that keeps all of them.
    pub(super) errors: Vec<(usize, E)>,
    /// Whether every item ran to its end.
    pub(super) complete: bool,
}

impl<S, C, E> Worker<'_, '_, S, C, E>
where
    S: Source,
    C: Collector,
    E: Send,
{
    /// Runs a chunk, which was claimed at `claimed`, and commits its result.
    pub(super) fn run(&self, chunk: Chunk<S, C>, claimed: Moment) {
        let Chunk {
            start,
            mut count,
            items,
            mut collector,
            token,
        } = chunk;
        let (run, reserved) = (self.engine.run, count);
        let mut running = RunningChunk {
            worker: self,
            token: &token,
            start,
            end: start + count,
            began: claimed,
            failures: 0,
            failed: Vec::new(),
            errors: Vec::new(),
        };
        let mut setup = Duration::ZERO;
        let user_code = UserCode::enter(RunId::of(run));
        self.supply(&mut collector);
        let (mut loop_end, mut loan) = (LoopEnd::Stopped, None);
        let took;
        match items {
            // To begin with a chunk is outside of the claim, and of the time that its items take:
            // it may be the `init` of `map_init`.
            ChunkItems::Fresh(chunk) => {
                match catch_unwind(AssertUnwindSafe(|| S::iterate(chunk))) {
                    Ok(mut items) => {
                        // Not `claimed`: the worker may have waited for these items.
                        running.began = Moment::now();
                        if S::IS_SPLIT {
                            setup = running.began - claimed;
                        }
                        (loop_end, items, collector) = running.run(items, collector);
                        took = running.began.elapsed();
                        loan = S::take_loan(&mut items);
                        if loan.is_some() {
                            count = count.saturating_sub(items.len());
                        }
                        run.drop_value(items);
                    }
                    Err(payload) => {
                        run.panicked(payload);
                        took = Duration::ZERO;
                    }
                }
            }
            ChunkItems::HandedOver(mut items) => {
                running.began = Moment::now();
                loop_end = running.run_carefully(None, &mut items, &mut collector);
                took = running.began.elapsed();
                run.drop_value(items);
            }
        }
        let RunningChunk {
            failures,
            failed,
            mut errors,
            ..
        } = running;
        let complete = !matches!(loop_end, LoopEnd::Stopped);
        let rest = match loop_end {
            LoopEnd::HandedOver(items) => {
                count -= items.len();
                let (start, collector) = (start + count, collector.split_rest());
                Some(HandedOver {
                    start,
                    items,
                    collector,
                })
            }
            _ => None,
        };
        // An iterator that gives more items than its length may have more failures than items.
        let attempted = if rest.is_some() { count } else { reserved };
        let succeeded = attempted.saturating_sub(failures);
        for value in collector.take_excess(count.saturating_sub(failures)) {
            run.drop_value(value);
        }
        let has_ended = collector.supply() == Supply::Ended;
        // The memory that is not used would be held until the run ends.
        errors.shrink_to_fit();
        let result = ChunkResult {
            collected: collector.complete_chunk(start..start + count, &failed),
            failed: if self.engine.limits.kind == RunKind::Stream {
                failed
            } else {
                Vec::new()
            },
            errors,
            complete,
        };
        drop(user_code);
        let joining = C::joining(&result.collected);
        // Commit: the result takes its place among the others, what the chunk had reserved is
        // free, and what it hands over can be claimed.
        let mut queue = lock(&self.engine.queue);
        queue.workers[self.id]
            .sizer
            .record(count, took, setup, joining);
        queue.closed |= has_ended;
        if let Some(loan) = loan {
            queue.put_back(loan, start + count);
        }
        queue.commit(self.id, start, result, rest);
        queue.refund(succeeded);
        let runs_callbacks = queue.take_held_callbacks(self.id);
        self.release(queue);
        if runs_callbacks {
            run.run_held_callbacks();
        }
    }

    /// Prepares the collector for the claims of other workers.
    fn supply(&self, collector: &mut C) {
        let supply = collector.supply();
        if supply != Supply::Enough {
            let mut queue = lock(&self.engine.queue);
            queue.closed |= supply == Supply::Ended;
            self.release(queue);
        }
    }
}
