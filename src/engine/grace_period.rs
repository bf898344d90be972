//! `GracePeriod`: whether the result of a run is decided, once its token is cancelled.

use std::sync::OnceLock;
use std::time::Duration;

use crate::run::Run;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, lock, pool};
use crate::time::Moment;
use crate::token::Node;

/// How long a thread of a run that was cancelled from outside waits for proof that an item was
/// left: as long as a `filter` takes for some ten million items.
const GRACE_PERIOD: Duration = Duration::from_millis(250);

/// How many items a thread drops between two looks at the clock, at most.
const MAX_STRIDE: u32 = 256;

/// How many items a thread drops before it gives up, where there is no clock.
const GRACE_ITEMS: u32 = 10_000;

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
    /// That of the run: to reach it from there is two more steps.
    node: &'r Node,
    /// For each thread of the pool, made when the first thread sees the cancellation.
    threads: OnceLock<Box<[Thread]>>,
}

#[derive(Default)]
struct Thread {
    looks: Mutex<Option<Looks>>,
    countdown: Countdown,
}

/// How many items a thread may drop before it looks at the clock again.
#[derive(Default)]
pub(super) struct Countdown(AtomicU32);

impl Countdown {
    /// Counts an item. `false` if it is time to look.
    #[inline]
    pub(super) fn count(&self) -> bool {
        // Relaxed: only one thread uses it.
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        left > 0
    }
}

/// What a thread that has seen the cancellation remembers.
#[derive(Clone, Copy)]
struct Looks {
    /// Since when it waits for an item.
    since: Moment,
    last: Moment,
    /// How many items it drops before it looks again.
    stride: u32,
}

impl<'r, E> GracePeriod<'r, E> {
    pub(super) fn of(run: &'r Run<E>) -> Self {
        GracePeriod {
            run,
            node: run.token().node(),
            threads: OnceLock::new(),
        }
    }

    #[inline]
    pub(super) fn run(&self) -> &'r Run<E> {
        self.run
    }

    #[inline]
    pub(super) fn node(&self) -> &'r Node {
        self.node
    }

    /// No other thread uses it.
    fn this_thread(&self) -> &Thread {
        let threads = self.threads.get_or_init(|| {
            // And one for a caller outside of the pool.
            let count = pool::current_num_threads() + 1;
            (0..count).map(|_| Thread::default()).collect()
        });
        let index = rayon::current_thread_index().map_or(0, |index| index + 1);
        // Not out of range, as long as a run stays in its pool.
        &threads[index.min(threads.len() - 1)]
    }

    /// Looks whether the result is decided. If not, returns what to count before the next look.
    pub(super) fn look(&self) -> Option<&Countdown> {
        if self.run.is_incomplete() {
            return None;
        }
        let thread = self.this_thread();
        let Some(stride) = Looks::look(&mut lock(&thread.looks)) else {
            self.run.mark_incomplete();
            return None;
        };
        // Relaxed: see `Countdown::count`.
        thread.countdown.0.store(stride, Ordering::Relaxed);
        Some(&thread.countdown)
    }

    /// An item that began before the cancellation may have ended on this thread, and the next one
    /// may be the proof.
    pub(super) fn restart(&self) {
        *lock(&self.this_thread().looks) = None;
    }
}

impl Looks {
    /// Returns how many items may come before the next look, or `None` if the thread gives up.
    fn look(looks: &mut Option<Looks>) -> Option<u32> {
        let now = Moment::now();
        let first = Looks {
            since: now,
            last: now,
            stride: 1,
        };
        if !Moment::PASSES {
            return looks.replace(first).is_none().then_some(GRACE_ITEMS);
        }
        let looks = looks.get_or_insert(first);
        looks.stride = if now - looks.last < STRIDE_TIME {
            (looks.stride * 2).min(MAX_STRIDE)
        } else {
            1
        };
        looks.last = now;
        (now - looks.since <= GRACE_PERIOD).then_some(looks.stride)
    }
}
