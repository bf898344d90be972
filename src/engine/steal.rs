//! The stealing engine: rayon's own splitting, for every parallel iterator.
//!
//! rayon splits the input and the consumer with it, lets idle threads steal the right halves, and
//! at each leaf turns the consumer into a folder, which is given the leaf's items. All of them
//! borrow the [`Run`]. The folder looks at the token with each item in hand: an item in hand when
//! the run is cancelled is dropped, and proves that the run is not complete. From then on the
//! consumers are `full`, and rayon produces nothing more.
//!
//! The items of one leaf run one after another on one thread. How small leaves are is the
//! iterator's affair (`with_max_len`).

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

use super::busy::InTheMiddle;
use super::gather::{Gather, Join, Nothing, Piece, concatenate};
use super::mark::Mark;
use super::place::Room;
use super::watch::Watch;
use crate::run::{GoOn, Run};
use crate::token::CancelToken;

/// Calls `f` for every item.
pub(crate) fn for_each<I, F, E>(items: I, run: &Run<E>, f: &F)
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<(), E> + Sync,
    E: Send,
{
    items.drive_unindexed(Stretch::new(run, f, Nothing));
}

/// The values of `f` in the order of the items; an incomplete vector if the run does not end well.
pub(crate) fn map<I, F, T, E>(items: I, run: &Run<E>, f: &F) -> Vec<T>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    // An input whose length is not known, or too long for the memory: it may still fail early.
    let Some(room) = items.opt_len().and_then(Room::new) else {
        return concatenate(items.drive_unindexed(Stretch::new(run, f, Piece::new())));
    };
    let values = room.fill(|place| Some(items.drive_unindexed(Stretch::new(run, f, place))));
    values.unwrap_or_else(|| {
        assert!(
            run.is_flawed(),
            "an iterator gave fewer items than its length"
        );
        Vec::new()
    })
}

/// A stretch of the input: rayon's consumer while it may still be split, the folder afterwards.
struct Stretch<'r, F, G, E> {
    watch: Watch<'r, E>,
    f: &'r F,
    gather: G,
}

impl<'r, F, G, E> Stretch<'r, F, G, E> {
    fn new(run: &'r Run<E>, f: &'r F, gather: G) -> Self {
        Stretch {
            watch: Watch::new(run),
            f,
            gather,
        }
    }

    /// Another stretch of the same run.
    fn with(&self, gather: G) -> Self {
        Stretch {
            watch: self.watch.another(),
            f: self.f,
            gather,
        }
    }
}

impl<F, G: Gather, E> Stretch<'_, F, G, E> {
    /// Works on the items up to a failure, and says whether to go on with those behind it.
    #[expect(
        clippy::inline_always,
        reason = "the items must not leave their registers; see `passes`"
    )]
    #[inline(always)]
    fn pass<I, S: Iterator<Item = I>, const BEARS: bool>(&mut self, items: &mut S) -> GoOn
    where
        F: Fn(&CancelToken, I) -> Result<G::Value, E>,
    {
        let (run, f, gather) = (self.watch.run(), self.f, &mut self.gather);
        let (token, cancelled) = (run.token(), run.token().node().flag());
        let (in_item, mut go_on) = (Mark::default(), GoOn(false));
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            gather.extend(|| {
                let item = items.next()?;
                if cancelled.is_set() {
                    run.skip();
                    return None;
                }
                match in_item.watch(|| f(token, item)) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        go_on = run.fail(error);
                        None
                    }
                }
            });
        }));
        // At once, and not after the items, whose drops may take long.
        match unwound {
            Ok(()) => go_on,
            Err(payload) if in_item.take() => run.item_panicked(payload),
            Err(payload) => {
                run.panicked(payload);
                GoOn(false)
            }
        }
    }

    /// Goes on after each failure that the run bears.
    ///
    /// In a function of its own, to which the items are moved and not lent, and with a copy of `pass`
    /// of its own: so that a run that bears none has the tightest loop that the compiler finds, with
    /// nothing in it that is kept for going on. That is two instructions of some fifteen for an item.
    #[inline(never)]
    fn passes<I, S: Iterator<Item = I>>(mut self, mut items: S) -> (Self, S)
    where
        F: Fn(&CancelToken, I) -> Result<G::Value, E>,
    {
        while self.pass::<_, _, true>(&mut items) == GoOn(true) {}
        (self, items)
    }
}

impl<I, F, G, E> Consumer<I> for Stretch<'_, F, G, E>
where
    F: Fn(&CancelToken, I) -> Result<G::Value, E> + Sync,
    G: Join,
    E: Send,
{
    type Folder = Self;
    type Reducer = Neighbours<G>;
    type Result = G::Gathered;

    fn split_at(self, mid: usize) -> (Self, Self, Neighbours<G>) {
        let Stretch { watch, f, gather } = self;
        let (left, right) = gather.split_at(mid);
        let part = |gather| Stretch {
            watch: watch.another(),
            f,
            gather,
        };
        (part(left), part(right), Neighbours(PhantomData))
    }

    fn into_folder(self) -> Self {
        self.watch.arm();
        self
    }

    fn full(&self) -> bool {
        // rayon asks this first on whichever thread is to work on the stretch.
        self.watch.arm();
        self.watch.is_over()
    }
}

impl<I, F, G, E> UnindexedConsumer<I> for Stretch<'_, F, G, E>
where
    F: Fn(&CancelToken, I) -> Result<G::Value, E> + Sync,
    G: Join,
    E: Send,
{
    fn split_off_left(&self) -> Self {
        self.with(self.gather.split_off_left())
    }

    fn to_reducer(&self) -> Neighbours<G> {
        Neighbours(PhantomData)
    }
}

impl<I, F, G, E> Folder<I> for Stretch<'_, F, G, E>
where
    F: Fn(&CancelToken, I) -> Result<G::Value, E> + Sync,
    G: Join,
    E: Send,
{
    type Result = G::Gathered;

    #[inline]
    fn consume(mut self, item: I) -> Self {
        let (run, f) = (self.watch.run(), self.f);
        if run.token().is_cancelled() {
            run.skip();
            // Here, and not after `self` has been moved out: if it panics, `self` is dropped too.
            drop(item);
            return self;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _middle = InTheMiddle::new();
            f(run.token(), item)
        }));
        match result {
            Ok(Ok(value)) => self.gather.push(value),
            Ok(Err(error)) => _ = run.fail(error),
            Err(payload) => _ = run.item_panicked(payload),
        }
        self
    }

    /// The default would move the folder through every item. Inlined, as rayon calls it in one place: in
    /// a function of its own the loop over the items of a slice is some percent slower.
    #[inline]
    fn consume_iter<S>(mut self, items: S) -> Self
    where
        S: IntoIterator<Item = I>,
    {
        let middle = InTheMiddle::new();
        let mut items = items.into_iter();
        if self.watch.run().bears_failures() {
            (self, items) = self.passes(items);
        } else {
            _ = self.pass::<_, _, false>(&mut items);
        }
        drop(middle);
        // Caught so that it meets no other panic, and `self` is not lost, as it would be if a drop after
        // it has been moved out panicked.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(items))) {
            self.watch.run().panicked(payload);
        }
        self
    }

    fn complete(self) -> G::Gathered {
        self.gather.finish()
    }

    #[inline]
    fn full(&self) -> bool {
        self.watch.is_over()
    }
}

/// Joins what was gathered from neighbouring stretches.
struct Neighbours<G>(PhantomData<G>);

impl<G: Join> Reducer<G::Gathered> for Neighbours<G> {
    fn reduce(self, left: G::Gathered, right: G::Gathered) -> G::Gathered {
        G::join(left, right)
    }
}
