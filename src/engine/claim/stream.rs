//! Values for a sink: in order, on the calling thread, while the lanes work ahead.
//!
//! The lanes may hold so many chunks and no more: a chunk counts until the sink has had its last
//! value. A lane that would go further parks itself, and the sink's thread queues it again. So
//! memory is bounded, and no worker waits.
//!
//! The sink's thread is a lane too if it is a worker of the pool: as long as the next value is not
//! there it works on a chunk of its own. On a pool of one thread it is the only lane.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use rayon::{Scope, ThreadPool, Yield};

use super::lanes::Busy;
use super::source::{Callback, Ordered, Source};
use super::{Claims, Worked};
use crate::engine::gather::Batch;
use crate::lock::lock;
use crate::run::Run;
use crate::token::CancelToken;

/// How many chunks each lane may be ahead of the sink.
const WINDOW: usize = 16;

/// How many items a chunk may have.
const MOST: usize = 1024;

/// How long a worker that waits for the next value goes without looking for other work.
const NAP: Duration = Duration::from_millis(1);

/// Gives the values of `f` to `sink`, in order. The lanes run on `pool`, or on the current one.
pub(crate) fn stream<O, F, K, T, E>(
    items: O,
    run: &Run<E>,
    pool: Option<&ThreadPool>,
    f: &F,
    sink: K,
) where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    K: FnMut(T) -> Result<(), E>,
    T: Send,
    E: Send,
{
    struct Stream<'r, F, K, E> {
        run: &'r Run<E>,
        pool: Option<&'r ThreadPool>,
        f: &'r F,
        sink: K,
    }

    impl<I, F, K, T, E> Callback<I> for Stream<'_, F, K, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        K: FnMut(T) -> Result<(), E>,
        T: Send,
        E: Send,
    {
        type Output = ();

        fn call<S: Source<Item = I>>(self, source: S) {
            let Stream { run, pool, f, sink } = self;
            let threads = pool.map_or_else(rayon::current_num_threads, |pool| {
                pool.current_num_threads()
            });
            let window = WINDOW.saturating_mul(threads);
            let mut claims = Claims::new(run, f, source, Batch::new(), threads, window);
            claims.most = MOST;
            claims.streams = true;
            match pool {
                Some(pool) => pool.in_place_scope(|scope| {
                    claims.feed(scope, pool.current_thread_index().is_some(), sink);
                }),
                None => rayon::in_place_scope(|scope| {
                    claims.feed(scope, rayon::current_thread_index().is_some(), sink);
                }),
            }
        }
    }

    items.with_source(Stream { run, pool, f, sink });
}

/// How patiently the sink's thread waits.
#[derive(Clone, Copy)]
enum Wait {
    /// For a while, until it is worth its while: to be woken for every chunk costs more than most
    /// chunks do.
    ForMany,
    /// Chunks are slow in coming. For the next one.
    ForOne,
}

impl<F, S, T, E> Claims<'_, F, S, Batch<T>, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync,
    S: Source,
    T: Send,
    E: Send,
{
    /// Feeds the sink until the input is used up, or the run is over; and then goes on until every
    /// chunk has ended. `is_lane` says that this thread is one of the pool.
    fn feed<'s, K>(&'s self, scope: &Scope<'s>, is_lane: bool, mut sink: K)
    where
        K: FnMut(T) -> Result<(), E>,
    {
        let lane = if is_lane {
            self.start_others(scope, 0);
            self.new_lane()
        } else {
            self.start(scope, 0);
            None
        };
        let (mut position, mut is_fed) = (0, true);
        while let Some(pieces) = self.next_pieces(scope, lane) {
            for piece in pieces {
                let feeding =
                    AssertUnwindSafe(|| is_fed && self.feed_piece(piece, &mut position, &mut sink));
                is_fed = catch_unwind(feeding).unwrap_or_else(|payload| {
                    self.run.panicked(payload);
                    false
                });
                self.release(scope, !is_fed);
            }
        }
    }

    /// Whether the sink is to have the next piece too.
    fn feed_piece<K>(&self, piece: Worked<Vec<T>>, position: &mut usize, sink: &mut K) -> bool
    where
        K: FnMut(T) -> Result<(), E>,
    {
        for value in piece.gathered {
            if self.run.token().is_cancelled() {
                self.run.skip();
                return false;
            }
            if let Err(error) = sink(value) {
                self.fail(*position, error);
                return false;
            }
            *position += 1;
        }
        piece.complete
    }

    /// The pieces that are next in order, as soon as there are any; `None` after the last.
    fn next_pieces<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: Option<usize>,
    ) -> Option<Vec<Worked<Vec<T>>>> {
        let mut wait = Wait::ForMany;
        loop {
            let mut front = lock(&self.front);
            let ready = front.pieces.take_ready();
            let is_over = front.is_over();
            drop(front);
            if !ready.is_empty() {
                return Some(ready);
            }
            if is_over {
                return None;
            }
            if lane.is_some_and(|lane| self.work(scope, lane, Busy::Leave).is_some()) {
                continue;
            }
            let is_worker = match rayon::yield_now() {
                Some(Yield::Executed) => continue,
                Some(Yield::Idle) => true,
                None => false,
            };
            self.wait(wait, is_worker);
            wait = Wait::ForOne;
        }
    }

    /// Waits for pieces; in vain, perhaps.
    fn wait(&self, wait: Wait, is_worker: bool) {
        let mut front = lock(&self.front);
        let (wanted, limit) = match wait {
            Wait::ForMany => (front.window / 4, Some(NAP)),
            Wait::ForOne => (1, is_worker.then_some(NAP)),
        };
        front.wanted = Some(wanted);
        if !front.is_served() {
            front = if let Some(limit) = limit {
                let woken = self.changed.wait_timeout(front, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let woken = self.changed.wait(front);
                woken.unwrap_or_else(PoisonError::into_inner)
            };
        }
        front.wanted = None;
    }

    /// The sink is done with a piece.
    fn release<'s>(&'s self, scope: &Scope<'s>, close: bool) {
        let mut front = lock(&self.front);
        front.pieces.release(1);
        front.closed |= close;
        let parked = front.unpark();
        drop(front);
        self.queue(scope, parked);
    }
}
