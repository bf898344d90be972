//! The claiming engine: the sequential loop's answer, in parallel.
//!
//! As many *workers* as the pool has threads claim consecutive chunks off the start of the input.
//! So items start in ascending order, and every item before one that fails has been claimed: it
//! runs to its end, and the lowest index that failed is where the sequential loop would have
//! stopped. Only the workers that run later items are told of a failure, each by a token of its
//! own.
//!
//! Chunks are sized by guided self-scheduling: a chunk grows while items are quick, so that claims
//! cost nothing, and shrinks to one item while they are slow, so that no worker is left with a long
//! tail (see [`chunk_size`]).
//!
//! A chunk decides nothing but costs. A worker that finds nothing to claim *calls* those that have
//! several items in hand, and these hand over what they have not begun. And what was read from a
//! sequential iterator is claimed even while the iterator waits for its next item.
//!
//! No worker waits for another one. A worker that cannot claim for long (too many chunks are in
//! flight, or all items are in hand) parks itself: it ends, and is queued again by the worker or
//! the sink that makes room. Only one, which watches a source that waits, sleeps now and then.
//!
//! A reader follows an item from [`for_each`] to [`worker`] (claims), [`chunk`] (begins and
//! commits), [`running_chunk`], [`item_loop`] (the loop) and [`queue`] (what the workers share).

#[expect(
    unsafe_code,
    reason = "items are written into place; each block has its argument"
)]
mod block;
mod budget;
mod chunk;
mod chunk_size;
mod handed_over;
mod item_loop;
mod joins;
mod lazy;
#[cfg(all(test, model = "shuttle"))]
mod models;
pub(crate) mod outcome;
mod queue;
pub(crate) mod reduce;
mod reorder;
mod running_chunk;
pub(crate) mod source;
mod splitter;
pub(crate) mod stream;
mod worker;
mod worker_state;

use std::time::Duration;

use self::chunk::{KEEP_TIME, KEEP_TIME_PER_WORKER};
use self::chunk_size::ChunkSizer;
use self::item_loop::ItemLoop;
use self::queue::ClaimQueue;
use self::source::{Ordered, Source, SourceCallback};
use super::collect::{Collector, PerChunk, Unit, concatenate, incomplete};
use super::slots::Buffer;
use crate::run::Run;
use crate::sync::{Condvar, Mutex, pool};
use crate::time::Moment;
use crate::token::CancelToken;

/// How many chunks each worker may be ahead of the first item that has not ended, where the input
/// is read lazily: far enough for one item to take a thousand times as long as the others.
const LAZY_WINDOW: usize = 1024;

/// Calls `f` for every item. `None` if the source panicked.
pub(crate) fn for_each<O, F, E>(items: O, run: &Run<E>, f: &F) -> Option<()>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<(), E> + Sync,
    E: Send,
{
    struct ForEach<'r, F, E>(&'r Run<E>, &'r F);

    impl<T, F, E> SourceCallback<T> for ForEach<'_, F, E>
    where
        F: Fn(&CancelToken, T) -> Result<(), E> + Sync,
        E: Send,
    {
        type Output = ();

        fn callback<S: Source<Item = T>>(self, source: S) {
            let queue = Engine::of(self.0, self.1, source, Unit).join();
            end(self.0, queue).for_each(drop);
        }
    }

    run.drive(|| items.with_source(ForEach(run, f)))
}

/// The values of `f` in the order of the items. `None`, or an incomplete vector, if the run does
/// not end with `Ok`.
pub(crate) fn map<O, F, T, E>(items: O, run: &Run<E>, f: &F) -> Option<Vec<T>>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct Map<'r, F, E>(&'r Run<E>, &'r F);

    impl<I, F, T, E> SourceCallback<I> for Map<'_, F, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = Vec<T>;

        fn callback<S: Source<Item = I>>(self, source: S) -> Vec<T> {
            let Map(run, f) = self;
            // Without a length, or with one too long for the memory: the run may still fail early.
            let Some(buffer) = source.opt_len().and_then(Buffer::new) else {
                let queue = Engine::of(run, f, source, PerChunk::new()).join();
                return concatenate(end(run, queue).collect(), run);
            };
            let values = buffer.fill(|slots| {
                let queue = Engine::of(run, f, source, slots).join();
                end(run, queue).for_each(drop);
            });
            values.unwrap_or_else(|| incomplete(run))
        }
    }

    run.drive(|| items.with_source(Map(run, f)))
}

/// What the chunks, in order, and the rest that no worker claimed have collected.
fn end<S: Source, C: Collector, E>(
    run: &Run<E>,
    queue: ClaimQueue<S, C, E>,
) -> impl Iterator<Item = C::Collected> {
    let (results, collector, leftover) = queue.into_parts();
    leftover.drop_in(run);
    let rest = collector.map(C::complete);
    results
        .into_iter()
        .map(|result| result.collected)
        .chain(rest)
}

/// A run in order: what its workers share.
struct Engine<'r, S: Source, C: Collector, E> {
    run: &'r Run<E>,
    item_loop: &'r dyn ItemLoop<S, C, E>,
    limits: Limits,
    queue: Mutex<ClaimQueue<S, C, E>>,
    /// The sink's thread, which waits for results, has what it waits for.
    changed: Condvar,
    /// The worker that watches the buffer need not any more.
    source_is_back: Condvar,
}

/// How far the workers may go ahead.
#[derive(Clone, Copy)]
struct Limits {
    /// How many workers there are.
    workers: usize,
    /// How many chunks may be in flight.
    max_in_flight: usize,
    /// The low-water mark: with so many chunks in flight, parked workers are started again.
    resume_at: usize,
    /// How many items a chunk has at least, also if it is taken over.
    min_chunk: usize,
    /// How many it may have.
    max_chunk: usize,
    kind: RunKind,
}

/// What becomes of the results of the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunKind {
    /// There are none, and the chunks in flight are not limited: they are not even listed.
    /// Otherwise one slow chunk would keep every later one in memory.
    Count,
    /// They are kept. A chunk is in flight until it has ended, together with all before it.
    Keep,
    /// A sink has their values. A chunk is in flight until then.
    Stream,
}

impl<'r, S: Source, C: Collector, E> Engine<'r, S, C, E> {
    /// For a run on the current pool that keeps all values, or has none.
    fn of(run: &'r Run<E>, item_loop: &'r dyn ItemLoop<S, C, E>, source: S, collector: C) -> Self {
        let threads = pool::current_num_threads();
        let max_in_flight = match source.opt_len() {
            // The whole input is there already.
            Some(_) => usize::MAX,
            None => LAZY_WINDOW.saturating_mul(threads),
        };
        let is_counted = !C::KEEPS && max_in_flight == usize::MAX;
        let limits = Limits {
            workers: threads,
            max_in_flight,
            resume_at: max_in_flight,
            min_chunk: 1,
            max_chunk: usize::MAX,
            kind: if is_counted {
                RunKind::Count
            } else {
                RunKind::Keep
            },
        };
        Engine::new(run, item_loop, source, collector, limits)
    }

    fn new(
        run: &'r Run<E>,
        item_loop: &'r dyn ItemLoop<S, C, E>,
        source: S,
        collector: C,
        mut limits: Limits,
    ) -> Self {
        let (min_len, _) = source.chunk_limits();
        limits.min_chunk = min_len;
        if let Some(len) = source.opt_len() {
            limits.workers = limits.workers.min(len.div_ceil(min_len));
        }
        let queue = ClaimQueue::new(source, collector, limits, run.policy.counted_limit());
        Engine {
            run,
            item_loop,
            limits,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            source_is_back: Condvar::new(),
        }
    }

    /// How many items of the source a worker claims next.
    fn chunk_len(&self, source: &S, sizer: ChunkSizer) -> usize {
        #[cfg(all(test, model = "shuttle"))]
        if let Some(len) = models::chunk_len() {
            return len;
        }
        let (min_len, max_len) = source.chunk_limits();
        let fitting = sizer.next(source.max_left(), self.limits.workers);
        let items = fitting.clamp(min_len, max_len);
        // If what is left afterwards is shorter than `min_len`, it becomes part of this chunk.
        let last = source
            .opt_len()
            .filter(|left| left - items.min(*left) < min_len);
        last.map_or(items, |left| left.min(max_len))
            .min(self.limits.max_chunk)
    }

    /// A worker that is called keeps a chunk that it has had for less than this.
    fn keep_time(&self) -> Duration {
        // Where time does not pass, as in a model, no chunk would ever be old enough.
        if cfg!(all(test, model = "shuttle")) || !Moment::PASSES {
            return Duration::ZERO;
        }
        let workers = u32::try_from(self.limits.workers).unwrap_or(u32::MAX);
        KEEP_TIME.saturating_add(KEEP_TIME_PER_WORKER.saturating_mul(workers))
    }

    /// Whether it matters which items have no value.
    fn asks_for_failed(&self) -> bool {
        self.run.policy.keep_all || self.limits.kind == RunKind::Stream
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator};

    use super::*;
    use crate::sync::lock;

    /// The size of the first chunk, for a worker that knows nothing of its items yet.
    struct FirstChunk;

    impl SourceCallback<usize> for FirstChunk {
        type Output = usize;

        fn callback<S: Source<Item = usize>>(self, source: S) -> usize {
            let run = Run::<()>::bare();
            let f = |_: &CancelToken, _: usize| Ok::<(), ()>(());
            let engine = Engine::of(&run, &f, source, Unit);
            let queue = lock(&engine.queue);
            let source = queue.source.as_ref().unwrap();
            engine.chunk_len(source, ChunkSizer::new(engine.limits.workers))
        }
    }

    #[test]
    fn a_chunk_is_not_too_small_nor_is_what_it_leaves() {
        let first = |len: usize, min_len, max_len| {
            let items = (0..len).into_par_iter();
            let items = items.with_min_len(min_len).with_max_len(max_len);
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
