//! `Worker`: claims a chunk, runs it, and claims the next one.
//!
//! A worker is no thread: it is a series of jobs of the pool. The hazard: an item that waits for a
//! nested run must not wait for the whole input. While it waits, its thread looks for other jobs,
//! and may start a worker on top of the item. The item can go on only when that job has ended. So:
//!
//! - Each job of a worker runs one chunk, and queues the next job of the worker. Between two jobs
//!   rayon checks whether the item that waits can go on, as it does after any job.
//! - rayon takes first what its thread has queued last. So a worker that only queued itself would
//!   keep its thread from every other job, and one of those may be what the item waits for. A
//!   worker on top of user code is queued for the whole pool instead, behind all other jobs
//!   ([`pool::inject`]). It does not run another job itself: its own run would wait for that.
//!
//! The first worker belongs to the caller, and loops: the caller waits for all workers anyway. If
//! the run was called from outside of the pool, the first worker is a job like the others, and ends
//! with its run.
//!
//! The price is a job for each chunk: it is allocated, queued, and counted.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use super::chunk::{Chunk, ChunkItems, ChunkResult};
use super::chunk_size::ChunkSizer;
use super::handed_over::HandedOver;
use super::queue::ClaimQueue;
use super::source::{Pulled, Source};
use super::worker_state::WorkerState;
use super::{Collector, Engine};
use crate::engine::user_code::{RunId, UserCode, is_in_user_code};
use crate::sync::pool::{self, Scope};
use crate::sync::{MutexGuard, lock, wait_at_most};
use crate::time::Moment;
use crate::token::CancelToken;

/// How often a worker spins between two looks whether the source is back, before it gives up for
/// now: some microseconds in all. The steps are those of crossbeam's `Backoff::spin`.
const SPINS: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// How long a worker that watches the buffer sleeps between two looks, at first. It doubles.
const SHORTEST_WAIT: Duration = Duration::from_micros(96);

/// How often it doubles: up to 6.1 ms, which is how late a worker may find an item. It wakes 163
/// times a second then, which is less than a percent of a core.
const DOUBLINGS: u32 = 6;

/// How often a worker that watches looks before it lets its thread run other jobs of the pool: for
/// 0.8 s.
const LOOKS: u32 = 128;

/// What to do when nothing can be claimed now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnEmpty {
    /// The worker waits to be started again.
    Park,
    /// The caller does something else.
    Return,
}

/// Who runs the chunks of a run in order.
pub(super) struct Worker<'w, 's, S: Source, C: Collector, E> {
    pub(super) engine: &'s Engine<'s, S, C, E>,
    pub(super) scope: &'w Scope<'s>,
    /// Its number among the workers.
    pub(super) id: usize,
    /// See `WorkerState`. The worker that the caller runs is not.
    pub(super) is_on_top: bool,
}

/// What a worker does next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It claims another chunk.
    Continue,
    /// The same, when other jobs of the pool had their turn.
    Yield,
    /// Nothing: it is parked, or has ended.
    Nothing,
}

impl<S, C, E> Engine<'_, S, C, E>
where
    S: Source,
    C: Collector,
    E: Send,
{
    /// Runs all workers on the current pool. Returns what is left when the input has ended.
    pub(super) fn join(self) -> ClaimQueue<S, C, E> {
        if self.limits.workers < pool::current_num_threads().min(2) {
            // A single item is no work for another thread, as in rayon.
            pool::in_place_scope(|scope| self.run_first(scope));
        } else {
            pool::scope(|scope| self.run_first(scope));
        }
        let queue = self.queue.into_inner();
        let queue = queue.unwrap_or_else(PoisonError::into_inner);
        assert!(queue.is_over(), "a worker was lost");
        queue
    }

    fn run_first<'s>(&'s self, scope: &Scope<'s>) {
        self.start_others(scope, 0);
        if let Some(worker) = self.new_worker(scope) {
            // The caller waits for the run anyway, so a job for each chunk is not needed.
            let mut next = Next::Continue;
            while next == Next::Continue {
                next = worker.run_next(OnEmpty::Park);
            }
            worker.requeue(next);
        }
    }

    /// Starts a worker on another thread. All workers form a tree: each starts those below it.
    pub(super) fn start<'s>(&'s self, scope: &Scope<'s>, number: usize) {
        if number < self.limits.workers {
            scope.spawn(move |scope| {
                self.start_others(scope, number);
                if let Some(id) = self.add_worker() {
                    Worker::of_job(self, scope, id).step();
                }
            });
        }
    }

    pub(super) fn start_others<'s>(&'s self, scope: &Scope<'s>, number: usize) {
        self.start(scope, 2 * number + 1);
        self.start(scope, 2 * number + 2);
    }

    /// Starts workers again.
    pub(super) fn enqueue<'s>(&'s self, scope: &Scope<'s>, ids: impl IntoIterator<Item = usize>) {
        for id in ids {
            scope.spawn(move |scope| {
                Worker::of_job(self, scope, id).step();
            });
        }
    }

    /// A worker that the caller of the run runs itself, if there may be something to do.
    pub(super) fn new_worker<'w, 's>(
        &'s self,
        scope: &'w Scope<'s>,
    ) -> Option<Worker<'w, 's, S, C, E>> {
        Some(Worker {
            engine: self,
            scope,
            id: self.add_worker()?,
            is_on_top: false,
        })
    }

    /// Adds a worker with a token of its own, if there may be something to do. Returns its number.
    fn add_worker(&self) -> Option<usize> {
        if !lock(&self.queue).may_have_more() {
            return None;
        }
        let token = self.run.token().worker();
        let state = WorkerState::new(token, ChunkSizer::new(self.limits.workers));
        let mut queue = lock(&self.queue);
        queue.workers.push(state);
        Some(queue.workers.len() - 1)
    }
}

impl<'w, 's, S, C, E> Worker<'w, 's, S, C, E>
where
    S: Source,
    C: Collector,
    E: Send,
{
    /// The worker in a job of the pool, which may run on top of user code that waits.
    fn of_job(engine: &'s Engine<'s, S, C, E>, scope: &'w Scope<'s>, id: usize) -> Self {
        Worker {
            engine,
            scope,
            id,
            is_on_top: is_in_user_code(),
        }
    }

    /// One job of a worker: a chunk, and the next job.
    fn step(&self) {
        let next = self.run_next(OnEmpty::Park);
        self.requeue(next);
    }

    /// Queues the next job of the worker, if there is one.
    fn requeue(&self, next: Next) {
        if next == Next::Nothing {
            return;
        }
        let (engine, id) = (self.engine, self.id);
        let job = move |scope: &Scope<'s>| Worker::of_job(engine, scope, id).step();
        if next == Next::Yield || is_in_user_code() {
            pool::inject(self.scope, job);
        } else {
            self.scope.spawn(job);
        }
    }

    /// Claims a chunk and runs it, if there is one to be claimed now.
    pub(super) fn run_next(&self, on_empty: OnEmpty) -> Next {
        let claimed = Moment::now();
        match self.claim(claimed, on_empty) {
            Ok(chunk) => {
                self.run(chunk, claimed);
                Next::Continue
            }
            Err(next) => next,
        }
    }

    /// Claims a chunk: what was handed over comes first, since it precedes what is left of the
    /// input; then what was read; then the source.
    fn claim(&self, now: Moment, on_empty: OnEmpty) -> Result<Chunk<S, C>, Next> {
        let Worker { engine, id, .. } = *self;
        let mut spins_left = SPINS.into_iter();
        // While the source is read, items are left in the buffer until they are enough for a chunk.
        let (mut takes_any, mut has_watched) = (on_empty == OnEmpty::Return, false);
        loop {
            let mut queue = lock(&engine.queue);
            if let Some(worthless) = queue.take_worthless(engine.run.token().is_cancelled()) {
                drop(queue);
                self.discard(worthless);
                continue;
            }
            queue.workers[id].is_on_top = self.is_on_top;
            if queue.workers[id].has_failed {
                return Err(Next::Nothing);
            }
            let new_token = || engine.run.token().worker();
            if let Some((first, count)) = queue.take_handed_over(id, new_token) {
                drop(queue);
                let (first, rest) = first.split(count);
                queue = lock(&engine.queue);
                let chunk = queue.claim_handed_over(id, now, first, rest);
                self.release(queue);
                return Ok(chunk);
            }
            let claimable = queue.claimable();
            if claimable > 0 {
                let is_read =
                    takes_any || queue.source.is_some() || queue.read() >= queue.fitting(id);
                let chunk = is_read.then(|| queue.claim_buffered(id, now, has_watched));
                if let Some(chunk) = chunk.flatten() {
                    self.release(queue);
                    return Ok(chunk);
                }
                let max = queue.fitting(id).min(claimable);
                if let Some((source, writer)) = queue.take_source(id, max) {
                    let state = &queue.workers[id];
                    let (token, sizer) = (state.token.clone(), state.sizer);
                    if writer.is_some() {
                        // Another one watches the buffer (invariant 5).
                        self.release(queue);
                    } else {
                        drop(queue);
                    }
                    match self.pull(source, writer, now, &token, |source| {
                        engine.chunk_len(source, sizer).min(claimable)
                    }) {
                        Some(chunk) => return Ok(chunk),
                        None => continue,
                    }
                }
                if let Some(spins) = spins_left.next() {
                    drop(queue);
                    for _ in 0..spins {
                        hint::spin_loop();
                    }
                    continue;
                }
                if queue.buffer.is_some() && !queue.is_watched && on_empty == OnEmpty::Park {
                    (takes_any, has_watched) = (true, true);
                    if self.watch(queue) {
                        continue;
                    }
                    return Err(Next::Yield);
                }
            } else {
                // Only the end of another chunk changes that, so spinning is no use.
                queue.call(None);
            }
            if on_empty == OnEmpty::Park && queue.may_have_more() {
                queue.park(id);
            }
            return Err(Next::Nothing);
        }
    }

    /// Pulls from the source, and puts it back. The next chunk, unless it is in the buffer, or
    /// there is none.
    fn pull(
        &self,
        mut source: S,
        writer: Option<S::Writer>,
        now: Moment,
        token: &CancelToken,
        max_len: impl FnOnce(&S) -> usize,
    ) -> Option<Chunk<S, C>> {
        let Worker { engine, id, .. } = *self;
        // A worker that is alone borrows the iterator, and no item has been read yet.
        let (run, has_items) = (engine.run, S::IS_SPLIT || writer.is_some());
        let user_code = UserCode::enter(RunId::NONE);
        // Without the lock, since this is user code. If it panics, the source is put back all the
        // same: the other workers wait for it.
        let pulled = catch_unwind(AssertUnwindSafe(|| {
            if run.token().is_cancelled() {
                // The run is incomplete if an item is left.
                if run.is_incomplete() || source.has_next() {
                    run.mark_incomplete();
                }
                return (Pulled::Nothing, None);
            }
            let max_len = max_len(&source);
            let pulled = source.pull(max_len, writer, token);
            (pulled, source.max_left())
        }));
        drop(user_code);
        let (pulled, max_left) = pulled.unwrap_or_else(|payload| {
            run.panicked(payload);
            (Pulled::Nothing, None)
        });
        let mut queue = lock(&engine.queue);
        queue.closed |= matches!(pulled, Pulled::Nothing);
        queue.max_left = max_left;
        queue.source = Some(source);
        let chunk = match pulled {
            Pulled::Chunk(items, count) => {
                Some(queue.claim(id, now, ChunkItems::Fresh(items), count))
            }
            // Unless others have taken all of it meanwhile.
            Pulled::Buffered => queue.claim_buffered(id, now, false),
            Pulled::Nothing => None,
        };
        if token.is_cancelled() && has_items && chunk.is_some() {
            // None of these items will run. Said now, so that no other worker pulls one as the
            // proof.
            run.mark_incomplete();
        }
        queue.close_if_ended();
        if queue.is_watched {
            engine.source_is_back.notify_one();
        }
        self.release(queue);
        chunk
    }

    /// While another worker reads, and may wait for the next item: waits until there is something
    /// to do. `false` if that takes long, so that the thread should run other jobs of the pool.
    fn watch(&self, mut queue: MutexGuard<'s, ClaimQueue<S, C, E>>) -> bool {
        let engine = self.engine;
        queue.is_watched = true;
        let (mut read, mut is_worth_it) = (queue.read(), false);
        for step in 0..LOOKS {
            let time = SHORTEST_WAIT * (1 << step.min(DOUBLINGS));
            queue = wait_at_most(&engine.queue, &engine.source_is_back, queue, time);
            let before = read;
            read = queue.read();
            is_worth_it = queue.source.is_some()
                || queue.claimable() == 0
                || queue.has_handed_over()
                || read >= queue.fitting(self.id)
                || read > 0 && (read == before || queue.reads_slowly());
            if is_worth_it {
                break;
            }
            queue.call(Some(engine.keep_time()));
        }
        queue.is_watched = false;
        is_worth_it
    }

    /// Drops what was handed over and no longer counts.
    fn discard(&self, rest: HandedOver<S::Item, C>) {
        let engine = self.engine;
        engine.run.mark_incomplete();
        engine.run.drop_each(rest.items);
        let result = ChunkResult {
            collected: rest.collector.complete_chunk(rest.start..rest.start, &[]),
            failed: Vec::new(),
            errors: Vec::new(),
            complete: false,
        };
        let mut queue = lock(&engine.queue);
        queue.complete(rest.start, result);
        self.release(queue);
    }

    /// Unlocks the queue after a change, and starts those who wait for it.
    pub(super) fn release(&self, mut queue: MutexGuard<'_, ClaimQueue<S, C, E>>) {
        let parked = queue.unpark();
        // To notify is a system call, even if no thread waits.
        let wakes_sink = queue.take_waiter();
        drop(queue);
        if wakes_sink {
            self.engine.changed.notify_one();
        }
        self.engine.enqueue(self.scope, parked);
    }
}
