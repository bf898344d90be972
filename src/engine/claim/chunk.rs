//! `Chunk`: some consecutive items, claimed off the rest of the input.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::chunk_size::ChunkSizer;
use super::source::Source;
use super::worker::OnEmpty;
use super::{Collector, Engine, Rest};
use crate::engine::user_code::UserCode;
use crate::sync::lock;
use crate::sync::pool::Scope;
use crate::token::CancelToken;

/// How often a worker spins between two looks whether the rest is back, before it gives up for now:
/// some microseconds in all. The steps are those of crossbeam's `Backoff::spin`.
const SPINS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The rest of the input, taken out of the queue by a worker that claims.
pub(super) struct ClaimedRest<S, C> {
    rest: Rest<S, C>,
    /// The index of its first item.
    start: usize,
    token: CancelToken,
    sizer: ChunkSizer,
    /// How many items the worker may claim.
    claimable: usize,
}

/// A claimed chunk.
pub(super) struct Chunk<I, C> {
    pub(super) worker: usize,
    pub(super) token: CancelToken,
    /// Its number among the chunks.
    pub(super) number: usize,
    pub(super) items: I,
    pub(super) count: usize,
    /// The index after its last item.
    pub(super) end: usize,
    pub(super) collector: C,
    /// When the first item was pulled.
    pub(super) began: Instant,
}

impl<F, S, C, E> Engine<'_, F, S, C, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<C::Value, E> + Sync,
    S: Source,
    C: Collector,
    E: Send,
{
    /// Takes the rest of the input out of the queue, for the worker to claim its next chunk.
    pub(super) fn claim_rest(&self, worker: usize, on_empty: OnEmpty) -> Option<ClaimedRest<S, C>> {
        let mut spins_left = SPINS.into_iter();
        loop {
            let mut queue = lock(&self.queue);
            if queue.closed {
                return None;
            }
            let claimable = queue.claimable();
            let (rest, spins) = if claimable == 0 {
                // Only the end of another chunk changes that, so spinning is no use.
                (None, None)
            } else {
                (queue.rest.take(), spins_left.next())
            };
            if let Some(rest) = rest {
                let start = queue.next;
                let worker = &mut queue.workers[worker];
                // From here on a failure before `start` finds this worker (invariant 3).
                worker.start = start;
                return Some(ClaimedRest {
                    rest,
                    start,
                    token: worker.token.clone(),
                    sizer: worker.sizer,
                    claimable,
                });
            }
            let Some(spins) = spins else {
                if let OnEmpty::Park = on_empty {
                    queue.park(worker);
                }
                return None;
            };
            drop(queue);
            for _ in 0..spins {
                hint::spin_loop();
            }
        }
    }

    /// Claims a chunk off the rest, and puts the rest back.
    pub(super) fn claim_chunk<'s>(
        &'s self,
        scope: &Scope<'s>,
        worker: usize,
        claimed: ClaimedRest<S, C>,
    ) -> Option<Chunk<S::Chunk, C>> {
        let ClaimedRest {
            mut rest,
            start,
            token,
            sizer,
            claimable,
        } = claimed;
        let began = Instant::now();
        let user_code = UserCode::enter();
        // Without the lock, since this is user code. If it panics, the rest is put back all the
        // same: the other workers wait for it.
        let pulled = catch_unwind(AssertUnwindSafe(|| {
            if self.run.token().is_cancelled() {
                self.prove_incomplete(&mut rest.source);
                return None;
            }
            let max_len = self.chunk_len(&rest.source, sizer).min(claimable);
            let (items, count) = rest.source.pull(max_len, &token)?;
            if token.is_cancelled() {
                // None of them will run. Said now, so that no other worker pulls an item as the
                // proof.
                self.run.mark_incomplete();
            }
            let (collector, others) = rest.collector.take()?.split_at(count);
            rest.collector = Some(others);
            Some((items, count, collector))
        }));
        drop(user_code);
        let pulled = pulled.unwrap_or_else(|payload| {
            self.run.panicked(payload);
            None
        });
        let mut queue = lock(&self.queue);
        queue.closed |= pulled.is_none() || rest.source.has_ended();
        queue.rest = Some(rest);
        let chunk = pulled.map(|(items, count, collector)| {
            queue.next = start + count;
            queue.reserve(count);
            Chunk {
                worker,
                token,
                number: queue.results.begin(),
                end: queue.next,
                items,
                count,
                collector,
                began,
            }
        });
        // The rest is back, and perhaps the input has ended: wake those that wait for either.
        let parked = queue.unpark();
        self.wake(&mut queue);
        drop(queue);
        self.enqueue(scope, parked);
        chunk
    }

    /// How many items a worker claims next.
    fn chunk_len(&self, source: &S, sizer: ChunkSizer) -> usize {
        let (min_len, max_len) = source.chunk_limits();
        let fitting = sizer.next(source.max_left(), self.workers);
        let items = fitting.clamp(min_len, max_len);
        // If what is left afterwards is shorter than `min_len`, it becomes part of this chunk.
        let last = source
            .opt_len()
            .filter(|left| left - items.min(*left) < min_len);
        last.map_or(items, |left| left.min(max_len))
            .min(self.limits.max_chunk)
    }

    /// The run is cancelled, and is incomplete if an item is left. An open queue implies one,
    /// unless the length is unknown: then one more item is pulled to find out.
    fn prove_incomplete(&self, source: &mut S) {
        if self.run.is_incomplete() {
            return;
        }
        if source.opt_len().is_some() || source.pull(1, self.run.token()).is_some() {
            self.run.mark_incomplete();
        }
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator};

    use super::*;
    use crate::engine::claim::source::{Ordered, SourceCallback};
    use crate::engine::collect::Unit;
    use crate::run::Run;

    /// The size of the first chunk, for a worker that knows nothing of its items yet.
    struct FirstChunk;

    impl SourceCallback<usize> for FirstChunk {
        type Output = usize;

        fn callback<S: Source<Item = usize>>(self, source: S) -> usize {
            let run = Run::bare();
            let f = |_: &CancelToken, _| Ok::<(), ()>(());
            let engine = Engine::of(&run, &f, source, Unit);
            let queue = lock(&engine.queue);
            let rest = queue.rest.as_ref().unwrap();
            engine.chunk_len(&rest.source, ChunkSizer::new(engine.workers))
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
