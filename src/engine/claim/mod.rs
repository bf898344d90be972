//! The claiming engine: the sequential loop's answer, in parallel.
//!
//! As many *lanes* as the pool has threads take consecutive chunks off the front of the input. So
//! items start in ascending order, and of all items below one that fails each has begun: they run
//! to their end, and the lowest position that failed is what the sequential loop would have
//! stopped at. Only the lanes that work above a failure are told of it, each by a token of its own.
//!
//! A chunk grows while items are quick, so that claims cost nothing, and shrinks to one item while
//! they are slow, so that no lane is left with a long tail (see [`Pace`]).
//!
//! A lane is not a loop but a chain of jobs: it works on one chunk, and queues itself again. A
//! worker that waits for a nested run of its item may find a lane in its queue and start it on top
//! of that item. It then looks up again after one chunk, as it would after any job of rayon's,
//! instead of staying until the whole input is used up; and where nothing waits below, to queue
//! and unqueue a job costs a hundred nanoseconds in each chunk.
//!
//! No lane ever blocks. One that finds the front of the input taken out for long (the iterator
//! reads from a slow source), or too far ahead of those who wait for its values, ends, and is
//! queued again by whoever changes that.

mod front;
mod pace;
mod pieces;
pub(crate) mod source;
pub(crate) mod stream;

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use rayon::Scope;

use self::front::{Front, Lane};
use self::pace::Pace;
use self::source::{Callback, Ordered, Source};
use super::gather::{Batch, Gather, Join, Nothing, concatenate};
use super::place::{Place, Room};
use crate::lock::lock;
use crate::run::Run;
use crate::token::CancelToken;

/// How many chunks each lane may be ahead of the first item that has not ended, where the input is
/// read lazily: far enough for one item to take a thousand times as long as the others.
const LAZY_WINDOW: usize = 1024;

/// How often a lane looks whether the front is back before it gives up for the time being.
const PATIENCE: u32 = 200;

/// Calls `f` for every item.
pub(crate) fn for_each<O, F, E>(items: O, run: &Run<E>, f: &F)
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<(), E> + Sync,
    E: Send,
{
    struct ForEach<'r, F, E>(&'r Run<E>, &'r F);

    impl<T, F, E> Callback<T> for ForEach<'_, F, E>
    where
        F: Fn(&CancelToken, T) -> Result<(), E> + Sync,
        E: Send,
    {
        type Output = ();

        fn call<S: Source<Item = T>>(self, source: S) {
            let ForEach(run, f) = self;
            Claims::of(run, f, source, Nothing).work_off();
        }
    }

    items.with_source(ForEach(run, f));
}

/// The values of `f` in the order of the items; an incomplete vector if the run does not end well.
pub(crate) fn map<O, F, T, E>(items: O, run: &Run<E>, f: &F) -> Vec<T>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct Map<'r, F, E>(&'r Run<E>, &'r F);

    impl<I, F, T, E> Callback<I> for Map<'_, F, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = Vec<T>;

        fn call<S: Source<Item = I>>(self, source: S) -> Vec<T> {
            let Map(run, f) = self;
            let Some(room) = source.left().and_then(Room::new) else {
                return concatenate(Claims::of(run, f, source, Batch::new()).work_off());
            };
            let values = room.fill(|place| {
                let places = Claims::of(run, f, source, place).work_off().into_iter();
                places.reduce(Place::join)
            });
            values.unwrap_or_else(|| {
                assert!(
                    run.is_spoilt(),
                    "an iterator gave fewer items than its length"
                );
                Vec::new()
            })
        }
    }

    items.with_source(Map(run, f))
}

/// A run in order.
struct Claims<'r, F, S, G: Gather, E> {
    run: &'r Run<E>,
    f: &'r F,
    lanes: usize,
    /// The largest chunk.
    most: usize,
    /// Whether somebody takes the values away as they arrive.
    streams: bool,
    front: Mutex<Front<Rest<S, G>, Worked<G::Gathered>>>,
    /// Something has changed for the one who takes the values away.
    changed: Condvar,
}

/// What is left of the input, and of the room for its values.
struct Rest<S, G> {
    source: S,
    /// `None` only if taking a chunk off it has panicked.
    gather: Option<G>,
}

/// A chunk on its way through a lane.
struct Chunk<C, G> {
    lane: usize,
    token: CancelToken,
    /// Its number among the chunks.
    number: usize,
    items: C,
    /// The position after its last item.
    end: usize,
    gather: G,
    began: Instant,
}

/// What came of a chunk.
struct Worked<T> {
    gathered: T,
    /// Whether every item returned `Ok`.
    complete: bool,
}

impl<'r, F, S, G, E> Claims<'r, F, S, G, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<G::Value, E> + Sync,
    S: Source,
    G: Gather,
    E: Send,
{
    fn new(run: &'r Run<E>, f: &'r F, source: S, gather: G, threads: usize, window: usize) -> Self {
        let lanes = source.left().map_or(threads, |left| left.min(threads));
        let mut front = Front::new(
            Rest {
                source,
                gather: Some(gather),
            },
            window,
        );
        front.closed = lanes == 0;
        Claims {
            run,
            f,
            lanes,
            most: usize::MAX,
            streams: false,
            front: Mutex::new(front),
            changed: Condvar::new(),
        }
    }

    /// For a run on the current pool that keeps all values, or has none.
    fn of(run: &'r Run<E>, f: &'r F, source: S, gather: G) -> Self {
        let threads = rayon::current_num_threads();
        let window = match source.left() {
            // The input is there already, and may be claimed however far.
            Some(_) => usize::MAX,
            None => LAZY_WINDOW.saturating_mul(threads),
        };
        Claims::new(run, f, source, gather, threads, window)
    }

    /// Runs all lanes, on the current pool, and returns what came of the chunks, in order, and of
    /// the rest that nobody claimed.
    fn work_off(self) -> Vec<G::Gathered> {
        if self.lanes > 1 {
            rayon::scope(|scope| self.lead(scope));
        } else {
            // Of an item alone rayon, too, makes no work for another thread.
            rayon::in_place_scope(|scope| self.lead(scope));
        }
        let front = self.front.into_inner();
        let mut front = front.unwrap_or_else(PoisonError::into_inner);
        let pieces = front.pieces.take_ready().into_iter();
        let rest = front.rest.and_then(|rest| rest.gather).map(G::finish);
        pieces.map(|piece| piece.gathered).chain(rest).collect()
    }

    /// The first lane. It stays until it finds no chunk: below it waits nobody but the caller.
    fn lead<'s>(&'s self, scope: &Scope<'s>) {
        self.start_others(scope, 0);
        if let Some(lane) = self.new_lane() {
            while let Some(GoOn(true)) = self.work(scope, lane, Busy::Park) {}
        }
    }

    /// Starts a lane on another thread. All lanes form a tree: each starts those below it.
    fn start_lane<'s>(&'s self, scope: &Scope<'s>, place: usize) {
        if place < self.lanes {
            scope.spawn(move |scope| {
                self.start_others(scope, place);
                if let Some(lane) = self.new_lane() {
                    self.advance(scope, lane);
                }
            });
        }
    }

    fn start_others<'s>(&'s self, scope: &Scope<'s>, place: usize) {
        self.start_lane(scope, 2 * place + 1);
        self.start_lane(scope, 2 * place + 2);
    }

    /// A lane with a token of its own, if there is something to do.
    fn new_lane(&self) -> Option<usize> {
        if lock(&self.front).closed {
            return None;
        }
        let lane = Lane {
            start: 0,
            token: self.run.token().lane(),
            pace: Pace::new(self.lanes),
        };
        let lanes = &mut lock(&self.front).lanes;
        lanes.push(lane);
        Some(lanes.len() - 1)
    }

    /// One job of a lane: a chunk, and the next job.
    fn advance<'s>(&'s self, scope: &Scope<'s>, lane: usize) {
        if let Some(GoOn(true)) = self.work(scope, lane, Busy::Park) {
            self.queue(scope, [lane]);
        }
    }

    fn queue<'s>(&'s self, scope: &Scope<'s>, lanes: impl IntoIterator<Item = usize>) {
        for lane in lanes {
            scope.spawn(move |scope| self.advance(scope, lane));
        }
    }

    /// Claims a chunk and works on it, if there is one to be had at the moment.
    fn work<'s>(&'s self, scope: &Scope<'s>, lane: usize, busy: Busy) -> Option<GoOn> {
        let chunk = self
            .take_rest(lane, busy)
            .and_then(|rest| self.take_chunk(scope, lane, rest));
        chunk.map(|chunk| self.run_chunk(scope, chunk))
    }

    /// Takes the rest of the input out of the front, for the lane to take its next chunk off it.
    fn take_rest(&self, lane: usize, busy: Busy) -> Option<(Rest<S, G>, usize, Pace)> {
        let mut attempts = 0;
        loop {
            let mut front = lock(&self.front);
            if front.closed {
                return None;
            }
            let is_window_full = front.is_window_full();
            if !is_window_full && let Some(rest) = front.rest.take() {
                let start = front.next;
                front.lanes[lane].start = start;
                return Some((rest, start, front.lanes[lane].pace));
            }
            if is_window_full || attempts == PATIENCE {
                if let Busy::Park = busy {
                    front.park(lane);
                }
                return None;
            }
            drop(front);
            attempts += 1;
            hint::spin_loop();
        }
    }

    /// Takes a chunk off the rest, and puts the rest back.
    fn take_chunk<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: usize,
        (mut rest, start, pace): (Rest<S, G>, usize, Pace),
    ) -> Option<Chunk<S::Chunk, G>> {
        let began = Instant::now();
        let taken = catch_unwind(AssertUnwindSafe(|| {
            if self.run.token().is_cancelled() {
                self.skip(&mut rest.source);
                return None;
            }
            let (least, most) = rest.source.bounds();
            let items = pace
                .next(rest.source.left_at_most(), self.lanes)
                .min(self.most);
            let items = rest.source.take(items.clamp(least, most))?;
            let (gather, others) = rest.gather.take()?.split_at(items.len());
            rest.gather = Some(others);
            let is_last = rest.source.has_ended();
            Some((items, gather, is_last))
        }));
        let taken = taken.unwrap_or_else(|payload| {
            self.run.panicked(payload);
            None
        });
        let mut front = lock(&self.front);
        front.rest = Some(rest);
        front.closed |= taken.as_ref().is_none_or(|(.., is_last)| *is_last);
        let chunk = taken.map(|(items, gather, _)| {
            front.next = start + items.len();
            Chunk {
                lane,
                token: front.lanes[lane].token.clone(),
                number: front.pieces.open(),
                end: front.next,
                items,
                gather,
                began,
            }
        });
        let parked = front.unpark();
        self.wake(&mut front);
        drop(front);
        self.queue(scope, parked);
        chunk
    }

    /// The run is cancelled, and is not complete if an item is left. Of a source that cannot say
    /// so one more item is read.
    fn skip(&self, source: &mut S) {
        let is_left = match source.left() {
            Some(left) => left > 0,
            None => source.take(1).is_some(),
        };
        if is_left {
            self.run.skip();
        }
    }

    /// Works on a chunk.
    fn run_chunk<'s>(&'s self, scope: &Scope<'s>, chunk: Chunk<S::Chunk, G>) -> GoOn {
        let Chunk {
            lane,
            token,
            number,
            mut items,
            end,
            mut gather,
            began,
        } = chunk;
        let (f, count) = (self.f, items.len());
        let mut complete = true;
        let cancelled = token.node().flag();
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            gather.extend(|| {
                let item = items.next()?;
                if cancelled.is_raised() {
                    self.run.skip();
                    complete = false;
                    return None;
                }
                match f(&token, item) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        self.fail(end - 1 - items.len(), error);
                        complete = false;
                        None
                    }
                }
            });
        }));
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(items)));
        for payload in [unwound.err(), dropped.err()].into_iter().flatten() {
            self.run.panicked(payload);
            complete = false;
        }
        let took = began.elapsed();
        let worked = Worked {
            gathered: gather.finish(),
            complete,
        };
        let mut front = lock(&self.front);
        front.lanes[lane].pace.learn(count, took);
        front.pieces.arrive(number, worked);
        if !self.streams {
            front.pieces.release_ready();
        }
        let go_on = GoOn(!front.closed);
        let parked = front.unpark();
        self.wake(&mut front);
        drop(front);
        self.queue(scope, parked);
        go_on
    }

    /// Wakes the one who waits for values, if there are enough now.
    fn wake(&self, front: &mut Front<Rest<S, G>, Worked<G::Gathered>>) {
        // To notify is a system call, even if nobody waits.
        if front.wanted.is_some() && front.is_served() {
            front.wanted = None;
            self.changed.notify_one();
        }
    }

    /// The item at this position has failed: nothing above it goes on, and everything below does.
    #[cold]
    fn fail(&self, index: usize, error: E) {
        // Before anybody can see the cancellation.
        self.run.fail_at(index, error);
        let mut front = lock(&self.front);
        front.closed = true;
        let above = front.lanes_above(index);
        drop(front);
        for token in above {
            self.run.cancel_lane(&token);
        }
    }
}

/// Whether there is more for a lane to do.
struct GoOn(bool);

/// What a lane does that cannot claim at the moment.
#[derive(Clone, Copy)]
enum Busy {
    /// It waits to be started again.
    Park,
    /// Its owner does something else.
    Leave,
}
