//! Values for a sink: in order, on the calling thread, while the lanes work ahead.
//!
//! The lanes may hold so many chunks and no more: a chunk counts until the sink has had its last
//! value. A lane that would go further parks itself, and the sink's thread queues it again. So
//! memory is bounded, and no worker waits.
//!
//! The sink's thread is a lane too if it is a worker of the pool: as long as the next value is not
//! there it works on a chunk of its own. On a pool of one thread it is the only lane.

use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;
use std::vec;

use super::lanes::Busy;
use super::source::{Callback, Ordered, Source};
use super::{Claims, Reach, Worked};
use crate::engine::busy::{InTheMiddle, nap};
use crate::engine::gather::Batch;
use crate::run::Run;
use crate::sync::pool::{self, Scope, ThreadPool, Yield};
use crate::sync::{lock, thread};
use crate::token::CancelToken;

/// How many chunks each lane may be ahead of the sink. Few in a model, so that lanes are often too far.
const WINDOW: usize = if cfg!(all(test, model = "shuttle")) {
    1
} else {
    16
};

/// How many items a chunk may have.
const MOST: usize = 1024;

/// How often a worker that waits for the next value looks for other jobs before it naps, as often
/// as rayon's own workers do.
const LOOKS: u32 = 32;

/// How long a thread that is no worker waits for many values.
const PATIENCE: Duration = Duration::from_millis(1);

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
            let threads =
                pool.map_or_else(pool::current_num_threads, ThreadPool::current_num_threads);
            let claims = Claims::new(run, f, source, Batch::new(), threads, reach(threads));
            let is_lane = pool::is_worker(pool);
            match pool {
                Some(pool) => {
                    pool::in_place_scope_on(pool, |scope| claims.feed(scope, is_lane, sink));
                }
                None => pool::in_place_scope(|scope| claims.feed(scope, is_lane, sink)),
            }
        }
    }

    items.with_source(Stream { run, pool, f, sink });
}

/// How far so many lanes may go.
fn reach(lanes: usize) -> Reach {
    let window = WINDOW.saturating_mul(lanes);
    Reach {
        window,
        // Half emptied first: to wake a thread costs more than a chunk.
        resume: window / 2,
        chunk: MOST,
        only_counts: false,
        streams: true,
    }
}

/// How many pieces a thread waits for at first, of those that so many lanes may have ready.
fn many(lanes: usize) -> usize {
    lanes * WINDOW / 4
}

/// Where in the input the sink is.
struct Place<'p> {
    position: &'p mut usize,
    /// The items of this chunk that have no value.
    holes: Peekable<vec::IntoIter<usize>>,
}

impl Place<'_> {
    /// Whether there were any.
    fn skip_holes(&mut self) -> bool {
        let mut were_any = false;
        while self.holes.next_if_eq(self.position).is_some() {
            *self.position += 1;
            were_any = true;
        }
        were_any
    }
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
            for Worked {
                gathered,
                holes,
                complete,
            } in pieces
            {
                let mut values = gathered.into_iter();
                let middle = InTheMiddle::new();
                // The values stay outside, as the items do where they are worked on.
                let fed = catch_unwind(AssertUnwindSafe(|| {
                    let mut place = Place {
                        position: &mut position,
                        holes: holes.into_iter().peekable(),
                    };
                    is_fed && self.feed_values(&mut values, &mut place, &mut sink) && complete
                }));
                is_fed = matches!(fed, Ok(true));
                // At once, and not after the values, whose drops may take long.
                if let Err(payload) = fed {
                    self.run.panicked(payload);
                }
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(values))) {
                    is_fed = false;
                    self.run.panicked(payload);
                }
                drop(middle);
                self.release(scope, !is_fed);
            }
        }
        self.run.retract_above(position);
    }

    /// Whether the sink has had all of the values and wants more.
    fn feed_values<K>(
        &self,
        values: &mut vec::IntoIter<T>,
        place: &mut Place<'_>,
        sink: &mut K,
    ) -> bool
    where
        K: FnMut(T) -> Result<(), E>,
    {
        for value in values {
            if self.run.token().is_cancelled() {
                self.run.skip();
                return false;
            }
            if !self.skip_holes(place) {
                return false;
            }
            if let Err(error) = sink(value) {
                self.run.abort(Some(*place.position), error);
                return false;
            }
            *place.position += 1;
        }
        self.skip_holes(place)
    }

    /// Goes on to the next item that has a value, or the end of the chunk, if the sequential loop
    /// would.
    fn skip_holes(&self, place: &mut Place<'_>) -> bool {
        !place.skip_holes() || !lock(&self.front).is_beyond_bound(*place.position)
    }

    /// The pieces that are next in order, as soon as there are any; `None` after the last.
    fn next_pieces<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: Option<usize>,
    ) -> Option<Vec<Worked<Vec<T>>>> {
        let mut idle = 0_u32;
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
            match pool::yield_now() {
                Some(Yield::Executed) => idle = 0,
                Some(Yield::Idle) => {
                    self.wait_on_worker(idle);
                    idle = idle.saturating_add(1);
                }
                None => {
                    self.wait_outside(idle == 0);
                    idle = idle.saturating_add(1);
                }
            }
        }
    }

    /// A worker must look for other jobs now and then, as rayon can wake it for none.
    fn wait_on_worker(&self, idle: u32) {
        match idle.checked_sub(LOOKS) {
            None => thread::yield_now(),
            Some(naps) => self.wait(1, Some(nap(naps))),
        }
    }

    /// To be woken for every chunk costs more than most chunks do, so at first it waits for many,
    /// for a while. If that is in vain, chunks are slow in coming, and it waits for the next one.
    fn wait_outside(&self, at_first: bool) {
        if at_first {
            self.wait(many(self.lanes), Some(PATIENCE));
        } else {
            self.wait(1, None);
        }
    }

    /// Waits until so many pieces are ready, or the run is over; in vain, perhaps.
    fn wait(&self, wanted: usize, limit: Option<Duration>) {
        let mut front = lock(&self.front);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parked_lanes_are_started_again_when_half_of_the_window_is_free() {
        let reach = reach(3);
        assert_eq!((reach.window, reach.resume), (3 * WINDOW, 3 * WINDOW / 2));
        assert_eq!(many(3), 3 * WINDOW / 4);
    }
}
