//! `GracePeriod`: whether the result of a run is decided, once its token is cancelled.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::run::Run;
use crate::sync::{Mutex, lock, pool};

/// How long a thread of a run that was cancelled from outside waits for proof that an item was
/// left: as long as a `filter` takes for some ten million items.
const GRACE_PERIOD: Duration = Duration::from_millis(100);

/// How many items a thread drops between two looks at the clock, at most.
const MAX_STRIDE: u32 = 256;

/// A thread looks at the clock about this often.
const STRIDE_TIME: Duration = Duration::from_micros(20);

/// A run on the stealing engine.
///
/// An item's failure or panic decides the result. A cancellation from outside does not: if it came
/// after the last item, the run is a success, and only an item that is left proves that it is not.
/// So the run stays open until the next item arrives, is dropped, and marks the run incomplete.
/// Behind a `filter` that lets nothing through no item ever arrives, and the source may be endless:
/// after the grace period the run gives up without proof.
pub(super) struct GracePeriod<'r, E> {
    run: &'r Run<E>,
    /// For each thread of the pool, made when the first thread sees the cancellation.
    threads: OnceLock<Box<[Mutex<Option<Looks>>]>>,
}

/// What a thread that has seen the cancellation remembers.
#[derive(Clone, Copy)]
struct Looks {
    /// Since when it waits for an item.
    since: Instant,
    last: Instant,
    /// How many items it drops before it looks again.
    stride: u32,
}

impl<'r, E> GracePeriod<'r, E> {
    pub(super) fn of(run: &'r Run<E>) -> Self {
        GracePeriod {
            run,
            threads: OnceLock::new(),
        }
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.run
    }

    /// What this thread remembers. No other thread locks it.
    fn this_thread(&self) -> &Mutex<Option<Looks>> {
        let threads = self.threads.get_or_init(|| {
            // And one for a caller outside of the pool.
            let count = pool::current_num_threads() + 1;
            (0..count).map(|_| Mutex::new(None)).collect()
        });
        let index = rayon::current_thread_index().map_or(0, |index| index + 1);
        // Not out of range, as long as a run stays in its pool.
        &threads[index.min(threads.len() - 1)]
    }

    /// Looks at the clock. Returns how many items may come before the next look, or `None` if the
    /// run gives up.
    #[cold]
    pub(super) fn look(&self) -> Option<u32> {
        let now = Instant::now();
        let mut looks = lock(self.this_thread());
        let looks = looks.get_or_insert(Looks {
            since: now,
            last: now,
            stride: 1,
        });
        if now - looks.since > GRACE_PERIOD {
            self.run.mark_incomplete();
            return None;
        }
        looks.stride = if now - looks.last < STRIDE_TIME {
            (looks.stride * 2).min(MAX_STRIDE)
        } else {
            1
        };
        looks.last = now;
        Some(looks.stride)
    }

    /// An item that began before the cancellation has ended on this thread, and the next one may be
    /// the proof.
    #[cold]
    pub(super) fn restart(&self) {
        *lock(self.this_thread()) = None;
    }
}
