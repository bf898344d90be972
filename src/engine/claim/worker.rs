//! The workers of a run in order: who runs the chunks.
//!
//! The hazard: an item that waits for a nested run must not wait for the whole input. While it
//! waits, its thread looks for other jobs, and may start a worker on top of the item. The item can
//! go on only when that job has ended. So:
//!
//! - Each job of a worker runs one chunk, and queues the next job of the worker. Between two jobs
//!   rayon checks whether the item that waits can go on, as it does after any job.
//! - A worker on top of user code first runs another job of the pool, if there is one. rayon takes
//!   first what was queued last, so a worker that only queued itself would keep its thread from
//!   every other job, and one of those may be what the item waits for, wherever in the pool it is
//!   queued. That job may delay the end of the worker's own run, as any job may that rayon starts
//!   on a thread that waits.
//!
//! The first worker belongs to the caller, and loops: the caller waits for all workers anyway. If
//! the run was called from outside of the pool, the first worker is a job like the others, and ends
//! with its run.
//!
//! The price is a job for each chunk: it is allocated, queued, and counted.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use super::chunk_size::ChunkSizer;
use super::queue::Worker;
use super::source::Source;
use super::{Collector, Engine};
use crate::engine::user_code::is_in_user_code;
use crate::sync::lock;
use crate::sync::pool::{self, Scope};
use crate::token::CancelToken;

/// What to do when nothing can be claimed now.
#[derive(Clone, Copy)]
pub(super) enum OnEmpty {
    /// The worker waits to be started again.
    Park,
    /// The caller does something else.
    Return,
}

impl<F, S, C, E> Engine<'_, F, S, C, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<C::Value, E> + Sync,
    S: Source,
    C: Collector,
    E: Send,
{
    /// Runs all workers on the current pool. Returns what the chunks, in order, and the rest that
    /// no worker claimed have collected; and the source, as far as it was read.
    pub(super) fn join(self) -> (Vec<C::Collected>, Option<S>) {
        if self.workers < pool::current_num_threads().min(2) {
            // A single item is no work for another thread, as in rayon.
            pool::in_place_scope(|scope| self.run_first(scope));
        } else {
            pool::scope(|scope| self.run_first(scope));
        }
        let queue = self.queue.into_inner();
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        assert!(queue.is_over(), "a worker was lost");
        let results = queue.results.take_ready().into_iter();
        let (source, collector) = queue.rest.map(|rest| (rest.source, rest.collector)).unzip();
        // Slots that no worker claimed are still a part of the vector.
        let rest = collector.flatten().map(C::complete);
        (
            results.map(|result| result.collected).chain(rest).collect(),
            source,
        )
    }

    /// The first worker.
    fn run_first<'s>(&'s self, scope: &Scope<'s>) {
        self.start_others(scope, 0);
        if let Some(worker) = self.new_worker() {
            while let Some(ControlFlow::Continue(())) = self.run_next(scope, worker, OnEmpty::Park)
            {
            }
        }
    }

    /// Starts a worker on another thread. All workers form a tree: each starts those below it.
    pub(super) fn start<'s>(&'s self, scope: &Scope<'s>, number: usize) {
        if number < self.workers {
            scope.spawn(move |scope| {
                self.start_others(scope, number);
                if let Some(worker) = self.new_worker() {
                    self.step(scope, worker);
                }
            });
        }
    }

    pub(super) fn start_others<'s>(&'s self, scope: &Scope<'s>, number: usize) {
        self.start(scope, 2 * number + 1);
        self.start(scope, 2 * number + 2);
    }

    /// A worker with a token of its own, if there is something to do.
    pub(super) fn new_worker(&self) -> Option<usize> {
        if lock(&self.queue).closed {
            return None;
        }
        let worker = Worker {
            start: 0,
            token: self.run.token().worker(),
            sizer: ChunkSizer::new(self.workers),
        };
        let workers = &mut lock(&self.queue).workers;
        workers.push(worker);
        Some(workers.len() - 1)
    }

    /// One job of a worker: a chunk, and the next job.
    fn step<'s>(&'s self, scope: &Scope<'s>, worker: usize) {
        let Some(ControlFlow::Continue(())) = self.run_next(scope, worker, OnEmpty::Park) else {
            return;
        };
        if is_in_user_code() {
            pool::yield_now();
        }
        self.enqueue(scope, [worker]);
    }

    pub(super) fn enqueue<'s>(
        &'s self,
        scope: &Scope<'s>,
        workers: impl IntoIterator<Item = usize>,
    ) {
        for worker in workers {
            scope.spawn(move |scope| self.step(scope, worker));
        }
    }

    /// Claims a chunk and runs it, if there is one to be claimed now.
    pub(super) fn run_next<'s>(
        &'s self,
        scope: &Scope<'s>,
        worker: usize,
        on_empty: OnEmpty,
    ) -> Option<ControlFlow<()>> {
        let chunk = self
            .claim_rest(worker, on_empty)
            .and_then(|rest| self.claim_chunk(scope, worker, rest));
        chunk.map(|chunk| self.run_chunk(scope, chunk))
    }
}
