//! The claiming engine: the sequential loop's answer, in parallel.
//!
//! As many *lanes* as the pool has threads take consecutive chunks off the front of the input. So
//! items are taken in ascending order, and all items below one that fails are in the hands of a lane:
//! they run to their end, and the lowest position that failed is what the sequential loop would
//! have stopped at. Only the lanes that work above a failure are told of it, each by a token of its
//! own.
//!
//! A chunk grows while items are quick, so that claims cost nothing, and shrinks to one item while
//! they are slow, so that no lane is left with a long tail (see [`pace`]).
//!
//! No lane ever blocks. One that finds the front of the input taken out for long (the iterator
//! reads from a slow source), or too far ahead of those who wait for its values, ends, and is
//! queued again by whoever changes that.
//!
//! A reader follows an item from [`for_each`] to [`lanes`] (who works), [`chunk`] (on what),
//! [`work`] (how) and [`front`] (what they share).

mod chunk;
mod front;
mod lanes;
#[cfg(all(test, model = "shuttle"))]
mod models;
pub(crate) mod outcome;
mod pace;
mod pieces;
pub(crate) mod source;
pub(crate) mod stream;
mod work;

use self::front::Front;
use self::source::{Callback, Ordered, Source};
use super::gather::{Batch, Gather, Join, Nothing, concatenate};
use super::place::{Place, Room};
use crate::run::Run;
use crate::sync::{Condvar, Mutex, pool};
use crate::token::CancelToken;

/// How many chunks each lane may be ahead of the first item that has not ended, where the input is
/// read lazily: far enough for one item to take a thousand times as long as the others.
const LAZY_WINDOW: usize = 1024;

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
            Claims::of(self.0, self.1, source, Nothing).work_off();
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
            // An input too long for the memory may still fail early, or be cancelled.
            let Some(room) = source.left().and_then(Room::new) else {
                let (pieces, source) = Claims::of(run, f, source, Batch::new()).work_off();
                // By itself, lest its drop panics while values are held, whose drops may panic too.
                run.contain(|| drop(source));
                return concatenate(pieces);
            };
            let values = room.fill(|place| {
                let (places, source) = Claims::of(run, f, source, place).work_off();
                run.contain(|| drop(source));
                places.into_iter().reduce(Place::join)
            });
            values.unwrap_or_else(|| {
                assert!(
                    run.is_flawed(),
                    "an iterator gave fewer items than its length"
                );
                Vec::new()
            })
        }
    }

    items.with_source(Map(run, f))
}

/// A run in order: what its lanes share.
struct Claims<'r, F, S, G: Gather, E> {
    run: &'r Run<E>,
    f: &'r F,
    /// How many lanes there are.
    lanes: usize,
    reach: Reach,
    front: Mutex<FrontOf<S, G>>,
    /// The one who takes the values away has what he waits for.
    changed: Condvar,
}

type FrontOf<S, G> = Front<Rest<S, G>, Worked<<G as Gather>::Gathered>>;

/// What is left of the input, and of the room for its values.
struct Rest<S, G> {
    source: S,
    /// `None` only if taking a chunk off it has panicked.
    gather: Option<G>,
}

/// How far the lanes may go.
#[derive(Clone, Copy)]
struct Reach {
    /// How many chunks may be held at once.
    window: usize,
    /// How many may be held when parked lanes are started again, if there is room in the window.
    resume: usize,
    /// How many items a chunk may have.
    chunk: usize,
    /// Whether it is all the same which chunks have ended, as long as they all do: there are no values,
    /// and no window.
    only_counts: bool,
    /// Whether a chunk is held until somebody has taken its values away, and not only until it has
    /// ended, with all before it.
    streams: bool,
}

/// What came of a chunk.
struct Worked<T> {
    gathered: T,
    /// The positions of the items that failed and were borne, for who hands the values on one by one.
    holes: Vec<usize>,
    /// Whether every item was run to its end.
    complete: bool,
}

impl<'r, F, S: Source, G: Gather, E> Claims<'r, F, S, G, E> {
    /// For a run on the current pool that keeps all values, or has none.
    fn of(run: &'r Run<E>, f: &'r F, source: S, gather: G) -> Self {
        let threads = pool::current_num_threads();
        let window = match source.left() {
            // The input is there already, and may be claimed however far.
            Some(_) => usize::MAX,
            None => LAZY_WINDOW.saturating_mul(threads),
        };
        let reach = Reach {
            window,
            resume: window,
            chunk: usize::MAX,
            only_counts: !G::KEEPS && window == usize::MAX,
            streams: false,
        };
        Claims::new(run, f, source, gather, threads, reach)
    }

    fn new(run: &'r Run<E>, f: &'r F, source: S, gather: G, threads: usize, reach: Reach) -> Self {
        let (least, _) = source.bounds();
        let chunks = source.left().map(|left| left.div_ceil(least));
        let lanes = chunks.map_or(threads, |chunks| chunks.min(threads));
        let rest = Rest {
            source,
            gather: Some(gather),
        };
        let mut front = Front::new(rest, reach, run.counted_failures(), lanes);
        front.closed = lanes == 0;
        Claims {
            run,
            f,
            lanes,
            reach,
            front: Mutex::new(front),
            changed: Condvar::new(),
        }
    }
}
