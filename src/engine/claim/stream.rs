//! Values for a sink: in order, on the calling thread, while the workers run ahead.
//!
//! The number of chunks in flight is limited: a chunk is in flight until the sink has had its last
//! value. A worker that would go further parks itself, and the sink's thread queues it again. So
//! memory is bounded, and no worker waits.
//!
//! If the sink's thread is one of the pool's, it is a worker too: while the next value is not
//! there, it runs chunks of its own. On a pool of one thread it is the only worker.

use std::iter::Peekable;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;
use std::vec;

use super::chunk::ChunkResult;
use super::queue::SinkThread;
use super::source::{Ordered, Source, SourceCallback};
use super::worker::{Next, OnEmpty, Worker};
use super::{Engine, Limits, RunKind};
use crate::engine::collect::PerChunk;
use crate::engine::user_code::{RunId, UserCode};
use crate::run::{Failure, Kind, Run};
use crate::sync::pool::{self, Scope, ThreadPool, Yield};
use crate::sync::{backoff, lock, thread};
use crate::time::Moment;
use crate::token::CancelToken;

/// The value that a sink returns: `()`, or whether it wants more values.
///
/// With [`ControlFlow::Break`] the sink wants no more values, and the run ends successfully. The
/// trait is sealed: it cannot be implemented outside of this crate.
///
/// ```
/// use rayon_errgroup::prelude::*;
/// use std::ops::ControlFlow;
///
/// // The first two even numbers, as `head -n 2` would print them.
/// let mut head = Vec::new();
/// let result = (1..).par_in_order().try_stream(
///     |_, n: u32| if n < 5 { Ok((n % 2 == 0).then_some(n)) } else { Err("read too far") },
///     |even| {
///         head.extend(even);
///         let is_full = head.len() == 2;
///         Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     },
/// );
/// assert_eq!((result, head), (Ok(()), vec![2, 4]));
/// ```
pub trait SinkResult: sealed::Sealed {
    #[doc(hidden)]
    fn into_flow(self) -> ControlFlow<()>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for () {}

impl SinkResult for () {
    fn into_flow(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl sealed::Sealed for ControlFlow<()> {}

impl SinkResult for ControlFlow<()> {
    fn into_flow(self) -> ControlFlow<()> {
        self
    }
}

/// How many chunks each worker may be ahead of the sink. Few in a model, so that workers are often
/// too far ahead.
const CHUNKS_AHEAD: usize = if cfg!(all(test, model = "shuttle")) {
    1
} else {
    16
};

/// How many items a chunk may have.
const MAX_CHUNK: usize = 1024;

/// How many bytes its values may have, without what they point to: 256 KiB.
const MAX_CHUNK_BYTES: usize = 256 * 1024;

/// How often a pool thread that waits for the next value looks for it before it backs off, as often
/// as rayon's own threads look for jobs.
const LOOKS: u32 = 32;

/// How often it looks before it runs other jobs of the pool, too: for about a quarter of a second.
/// Such a job may take long, and the values have to wait for it.
const LOOKS_FOR_VALUES: u32 = LOOKS + 256;

/// How long a thread outside of the pool waits for several results.
const BATCH_WAIT: Duration = Duration::from_millis(1);

/// Gives the values of `f` to `sink`, in order. The workers run on `pool`, or on the current one.
/// `None` if the source panicked.
pub(crate) fn stream<O, F, K, T, R, E>(
    items: O,
    run: &Run<E>,
    pool: Option<&ThreadPool>,
    f: &F,
    sink: K,
) -> Option<()>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    K: FnMut(T) -> Result<R, E>,
    T: Send,
    R: SinkResult,
    E: Send,
{
    struct Stream<'r, F, K, E> {
        run: &'r Run<E>,
        pool: Option<&'r ThreadPool>,
        f: &'r F,
        sink: K,
    }

    impl<I, F, K, T, R, E> SourceCallback<I> for Stream<'_, F, K, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        K: FnMut(T) -> Result<R, E>,
        T: Send,
        R: SinkResult,
        E: Send,
    {
        type Output = ();

        fn callback<S: Source<Item = I>>(self, source: S) {
            let Stream { run, pool, f, sink } = self;
            let threads =
                pool.map_or_else(pool::current_num_threads, ThreadPool::current_num_threads);
            let limits = limits::<T>(threads, source.opt_len().is_none());
            let engine = Engine::new(run, f, source, PerChunk::new(), limits);
            let is_worker = pool::is_worker(pool);
            match pool {
                Some(pool) => {
                    pool::in_place_scope_on(pool, |scope| engine.drain(scope, is_worker, sink));
                }
                None => pool::in_place_scope(|scope| engine.drain(scope, is_worker, sink)),
            }
            let queue = engine.queue.into_inner();
            let (_, _, leftover) = queue.unwrap_or_else(PoisonError::into_inner).into_parts();
            leftover.drop_in(run);
        }
    }

    run.drive(move || items.with_source(Stream { run, pool, f, sink }))
}

/// How far ahead so many workers may go, with values of this type.
fn limits<T>(workers: usize, is_lazy: bool) -> Limits {
    let max_in_flight = CHUNKS_AHEAD.saturating_mul(workers);
    let max_chunk = if is_lazy && workers == 1 || !Moment::PASSES {
        // A worker that is alone reads while its chunk runs, and the sink must not wait for that.
        // Nor for many items, if nothing tells whether they are slow.
        1
    } else {
        (MAX_CHUNK_BYTES / size_of::<T>().max(1)).clamp(1, MAX_CHUNK)
    };
    Limits {
        workers,
        max_in_flight,
        // Half emptied first: to wake a thread costs more than a chunk.
        resume_at: max_in_flight / 2,
        min_chunk: 1,
        max_chunk,
        kind: RunKind::Stream,
    }
}

/// For how many results a thread waits at first, of those that so many workers may have ready.
fn batch(workers: usize) -> usize {
    workers * CHUNKS_AHEAD / 4
}

/// The item whose value the sink is given next.
struct SinkCursor<'p> {
    index: &'p mut usize,
    /// The items of this chunk that have no value.
    failed: Peekable<vec::IntoIter<usize>>,
}

impl SinkCursor<'_> {
    /// Whether there were any.
    fn skip_failed(&mut self) -> bool {
        let mut were_any = false;
        while self.failed.next_if_eq(self.index).is_some() {
            *self.index += 1;
            were_any = true;
        }
        were_any
    }
}

impl<S, T, E> Engine<'_, S, PerChunk<T>, E>
where
    S: Source,
    T: Send,
    E: Send,
{
    /// Drains the results into the sink until the input has ended, or the run is over, and then
    /// waits until every chunk has ended. `is_worker` says that this thread is one of the
    /// pool's.
    fn drain<'s, K, R>(&'s self, scope: &Scope<'s>, is_worker: bool, mut sink: K)
    where
        K: FnMut(T) -> Result<R, E>,
        R: SinkResult,
    {
        let worker = if is_worker {
            self.start_others(scope, 0);
            self.new_worker(scope)
        } else {
            self.start(scope, 0);
            None
        };
        let (mut index, mut wants_more) = (0, true);
        while let Some(results) = self.next_results(worker.as_ref()) {
            for result in results {
                let mut values = result.collected.into_iter();
                let user_code = UserCode::enter(RunId::NONE);
                // The values stay outside, as the items do where they run: what a panic leaves of
                // them is dropped after the unwinding.
                let drained = catch_unwind(AssertUnwindSafe(|| {
                    let mut cursor = SinkCursor {
                        index: &mut index,
                        failed: result.failed.into_iter().peekable(),
                    };
                    // Behind a chunk that is not complete the sequential loop would have stopped.
                    wants_more
                        && self.drain_values(&mut values, &mut cursor, &mut sink)
                        && result.complete
                }));
                wants_more = matches!(drained, Ok(true));
                // Recorded at once, and not after the values are dropped, which may take long.
                if let Err(payload) = drained {
                    self.run.panicked(payload);
                }
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(values))) {
                    wants_more = false;
                    self.run.panicked(payload);
                }
                drop(user_code);
                self.release(scope, !wants_more);
            }
        }
        self.run.retract_above(index);
    }

    /// Whether the sink has had all of the values and wants more.
    fn drain_values<K, R>(
        &self,
        values: &mut vec::IntoIter<T>,
        cursor: &mut SinkCursor<'_>,
        sink: &mut K,
    ) -> bool
    where
        K: FnMut(T) -> Result<R, E>,
        R: SinkResult,
    {
        for value in values {
            if self.run.token().is_cancelled() {
                self.run.mark_incomplete();
                return false;
            }
            if !self.skip_failed(cursor) {
                return false;
            }
            match sink(value).map(R::into_flow) {
                Ok(ControlFlow::Continue(())) => *cursor.index += 1,
                Ok(ControlFlow::Break(())) => {
                    self.run.succeed(*cursor.index);
                    return false;
                }
                Err(error) => {
                    let failure = Failure::fatal(Some(*cursor.index), Kind::Error(error));
                    _ = self.run.fail(failure);
                    return false;
                }
            }
        }
        self.skip_failed(cursor)
    }

    /// Goes on to the next item that has a value, or to the end of the chunk, if the sequential
    /// loop would come to it.
    fn skip_failed(&self, cursor: &mut SinkCursor<'_>) -> bool {
        !cursor.skip_failed() || !lock(&self.queue).is_beyond_bound(*cursor.index)
    }

    /// The results that are next in order, as soon as there are any; `None` after the last.
    fn next_results(
        &self,
        worker: Option<&Worker<'_, '_, S, PerChunk<T>, E>>,
    ) -> Option<Vec<ChunkResult<Vec<T>, E>>> {
        let mut idle = 0_u32;
        loop {
            let mut queue = lock(&self.queue);
            let ready = queue.results.take_ready();
            let is_over = queue.is_over();
            queue.sink = if ready.is_empty() {
                SinkThread::RunsJobs
            } else {
                SinkThread::Drains
            };
            drop(queue);
            if !ready.is_empty() {
                return Some(ready);
            }
            if is_over {
                return None;
            }
            // Run a chunk, or else wait, or else run another job of the pool: that may take long,
            // and one of the items may wait for it.
            if worker.is_some_and(|worker| worker.run_next(OnEmpty::Return) != Next::Nothing) {
                idle = 0;
                continue;
            }
            if !pool::is_worker(None) {
                self.wait_outside(idle == 0);
            } else if idle < LOOKS_FOR_VALUES || pool::yield_now() == Some(Yield::Idle) {
                self.wait_on_pool_thread(idle);
            }
            idle = idle.saturating_add(1);
        }
    }

    /// A pool thread looks for chunks now and then: nobody can wake it for them here.
    fn wait_on_pool_thread(&self, idle: u32) {
        match idle.checked_sub(LOOKS) {
            None => thread::yield_now(),
            Some(step) => self.wait(1, Some(backoff(step))),
        }
    }

    /// To be woken for every chunk costs more than most chunks do. So at first the thread waits for
    /// a batch, for a while. If the time runs out, chunks are slow, and it waits for the next
    /// one.
    fn wait_outside(&self, at_first: bool) {
        if at_first {
            self.wait(batch(self.limits.workers), Some(BATCH_WAIT));
        } else {
            self.wait(1, None);
        }
    }

    /// Waits until so many results are ready, the run is over, or the time is. May return early.
    fn wait(&self, results: usize, limit: Option<Duration>) {
        let mut queue = lock(&self.queue);
        queue.sink = SinkThread::WaitsFor(results);
        if !queue.is_ready() {
            queue = if let Some(limit) = limit {
                let woken = self.changed.wait_timeout(queue, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let woken = self.changed.wait(queue);
                woken.unwrap_or_else(PoisonError::into_inner)
            };
        }
        queue.sink = SinkThread::Drains;
    }

    /// The sink has had the values of a chunk.
    fn release<'s>(&'s self, scope: &Scope<'s>, close: bool) {
        let mut queue = lock(&self.queue);
        queue.results.release(1);
        queue.closed |= close;
        let parked = queue.unpark();
        drop(queue);
        self.enqueue(scope, parked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parked_workers_are_started_again_when_half_of_the_chunks_have_been_drained() {
        let limits = limits::<u8>(3, true);
        assert_eq!(limits.max_in_flight, 3 * CHUNKS_AHEAD);
        assert_eq!(limits.resume_at, 3 * CHUNKS_AHEAD / 2);
        assert_eq!(batch(3), 3 * CHUNKS_AHEAD / 4);
    }

    #[test]
    fn chunks_are_short_where_values_are_large() {
        assert_eq!(limits::<u8>(3, false).max_chunk, 1024);
        assert_eq!(limits::<()>(3, false).max_chunk, 1024);
        assert_eq!(limits::<[u8; 1024]>(3, false).max_chunk, 256);
        assert_eq!(limits::<[u8; 1_000_000]>(3, false).max_chunk, 1);
        assert_eq!(limits::<u8>(1, true).max_chunk, 1);
        assert_eq!(limits::<u8>(1, false).max_chunk, 1024);
    }
}
