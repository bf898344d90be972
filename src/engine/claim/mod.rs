//! The claiming engine: the sequential loop's answer, in parallel.
//!
//! As many *workers* as the pool has threads claim consecutive chunks off the front of the input.
//! So items start in ascending order, and every item before one that fails has been claimed: it
//! runs to its end, and the lowest index that failed is where the sequential loop would have
//! stopped. Only the workers that run later items are told of a failure, each by a token of its
//! own.
//!
//! Chunks are sized by guided self-scheduling: a chunk grows while items are quick, so that claims
//! cost nothing, and shrinks to one item while they are slow, so that no worker is left with a long
//! tail (see [`chunk_size`]).
//!
//! No worker ever blocks. A worker that cannot claim for long (another one is reading from a slow
//! source, or too many chunks are in flight) parks itself: it ends, and is queued again by the
//! worker or the sink that makes room.
//!
//! A reader follows an item from [`for_each`] to [`worker`] (who runs), [`chunk`] (claims),
//! [`work`] (runs and commits) and [`queue`] (what the workers share).

mod chunk;
mod chunk_size;
#[cfg(all(test, model = "shuttle"))]
mod models;
pub(crate) mod outcome;
mod queue;
mod reorder;
pub(crate) mod source;
pub(crate) mod stream;
mod work;
mod worker;

use self::queue::ClaimQueue;
use self::source::{Ordered, Source, SourceCallback};
use super::collect::{Collector, LeafCollector, PerChunk, Unit, concatenate};
use super::slots::{Buffer, Slots};
use crate::run::Run;
use crate::sync::{Condvar, Mutex, pool};
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
            Engine::of(self.0, self.1, source, Unit).join();
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
                let (parts, source) = Engine::of(run, f, source, PerChunk::new()).join();
                // By itself: if its drop panicked while values are held, a value whose drop panics
                // too would abort the process.
                run.drop_value(source);
                return concatenate(parts);
            };
            let values = buffer.fill(|slots| {
                let (parts, source) = Engine::of(run, f, source, slots).join();
                run.drop_value(source);
                parts.into_iter().reduce(Slots::reduce)
            });
            values.unwrap_or_else(|| {
                assert!(
                    run.has_failure(),
                    "an iterator gave fewer items than its length"
                );
                Vec::new()
            })
        }
    }

    run.drive(|| items.with_source(Map(run, f)))
}

/// A run in order: what its workers share.
struct Engine<'r, F, S, C: Collector, E> {
    run: &'r Run<E>,
    f: &'r F,
    /// How many workers there are.
    workers: usize,
    limits: Limits,
    queue: Mutex<QueueOf<S, C>>,
    /// The sink's thread, which waits for results, has what it waits for.
    changed: Condvar,
}

type QueueOf<S, C> = ClaimQueue<Rest<S, C>, ChunkResult<<C as Collector>::Collected>>;

/// What is left of the input, and of the collector for its values.
struct Rest<S, C> {
    source: S,
    /// `None` only if a claim has panicked.
    collector: Option<C>,
}

/// How far the workers may go ahead.
#[derive(Clone, Copy)]
struct Limits {
    /// How many chunks may be in flight.
    max_in_flight: usize,
    /// The low-water mark: with so many chunks in flight, parked workers are started again.
    resume_at: usize,
    /// How many items a chunk may have.
    max_chunk: usize,
    /// Chunks are counted and not buffered: there are no values, and no limit on the chunks in
    /// flight.
    only_counts: bool,
    /// A chunk is in flight until the sink has had its values, and not only until it has ended,
    /// together with all before it.
    streams: bool,
}

/// What came of a chunk.
struct ChunkResult<T> {
    collected: T,
    /// The indices of the items whose failure was tolerated: they have no value for the sink.
    failed: Vec<usize>,
    /// Whether every item ran to its end.
    complete: bool,
}

impl<'r, F, S: Source, C: Collector, E> Engine<'r, F, S, C, E> {
    /// For a run on the current pool that keeps all values, or has none.
    fn of(run: &'r Run<E>, f: &'r F, source: S, collector: C) -> Self {
        let threads = pool::current_num_threads();
        let max_in_flight = match source.opt_len() {
            // The whole input is there already.
            Some(_) => usize::MAX,
            None => LAZY_WINDOW.saturating_mul(threads),
        };
        let limits = Limits {
            max_in_flight,
            resume_at: max_in_flight,
            max_chunk: usize::MAX,
            only_counts: !C::KEEPS && max_in_flight == usize::MAX,
            streams: false,
        };
        Engine::new(run, f, source, collector, threads, limits)
    }

    fn new(
        run: &'r Run<E>,
        f: &'r F,
        source: S,
        collector: C,
        threads: usize,
        limits: Limits,
    ) -> Self {
        let (min_len, _) = source.chunk_limits();
        let chunks = source.opt_len().map(|len| len.div_ceil(min_len));
        let workers = chunks.map_or(threads, |chunks| chunks.min(threads));
        let rest = Rest {
            source,
            collector: Some(collector),
        };
        let mut queue = ClaimQueue::new(rest, limits, run.policy.counted_limit(), workers);
        queue.closed = workers == 0;
        Engine {
            run,
            f,
            workers,
            limits,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
        }
    }
}
