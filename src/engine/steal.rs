//! The stealing engine: rayon's own splitting, for every parallel iterator.
//!
//! rayon splits the input and the consumer with it, lets idle threads steal the right halves, and
//! at each leaf turns the consumer into a folder, which is given the leaf's items. All of them
//! borrow the [`Run`]. The folder checks the token for each item it is given: if the run is
//! cancelled, the item is dropped, which proves that the run is not complete. From then on the
//! consumers are `full`, and rayon produces nothing more.
//!
//! The items of one leaf run one after another on one thread, but for those that are postponed
//! ([`parts`](super::parts)). How small leaves are is up to the iterator (`with_max_len`).

use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

use super::collect::{LeafCollector, PerLeaf, Unit, concatenate};
use super::grace_period::GracePeriod;
use super::panic_fuse::PanicFuse;
use super::parts::{Part, Parts};
use super::slots::Buffer;
use super::unwind_flag::UnwindFlag;
use super::user_code::{RunId, UserCode, is_too_deep};
use crate::run::{Failure, Kind, Reaction, Run};
use crate::token::CancelToken;

/// How many items of one leaf are postponed at most. A leaf may be endless; what comes after runs
/// on the deep stack, and so makes it deeper by one item for each leaf of this length.
pub(super) const MAX_POSTPONED: usize = 100_000;

/// Calls `f` for every item. `None` if the source panicked.
pub(crate) fn for_each<I, F, E>(items: I, run: &Run<E>, f: &F) -> Option<()>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<(), E> + Sync,
    E: Send,
{
    let grace_period = GracePeriod::of(run);
    run.drive(|| drive(items, &grace_period, f, Unit))
}

/// The values of `f` in the order of the items. `None`, or an incomplete vector, if the run does
/// not end with `Ok`.
pub(crate) fn map<I, F, T, E>(items: I, run: &Run<E>, f: &F) -> Option<Vec<T>>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    let grace_period = &GracePeriod::of(run);
    run.drive(|| {
        // Without a length, or with one too long for the memory: the run may still fail early.
        let Some(buffer) = items.opt_len().and_then(Buffer::new) else {
            return concatenate(drive(items, grace_period, f, PerLeaf::new()));
        };
        let values = buffer.fill(|slots| Some(drive(items, grace_period, f, slots)));
        values.unwrap_or_else(|| {
            assert!(
                run.has_failure(),
                "an iterator gave fewer items than its length"
            );
            Vec::new()
        })
    })
}

/// Lets rayon run the items, and returns what they have collected.
#[inline]
fn drive<I, F, C, E>(
    items: I,
    grace_period: &GracePeriod<'_, E>,
    f: &F,
    collector: C,
) -> C::Collected
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<C::Value, E> + Sync,
    C: LeafCollector,
    E: Send,
{
    let parts = items.drive_unindexed(TryConsumer {
        fuse: PanicFuse::new(grace_period),
        f,
        collector,
        postponed: None,
    });
    parts.complete(C::reduce)
}

/// A part of the input: rayon's consumer while it may still be split, the folder afterwards.
#[expect(
    clippy::box_collection,
    reason = "it is moved more often than it is used"
)]
struct TryConsumer<'r, F, C: LeafCollector, E> {
    fuse: PanicFuse<'r, E>,
    f: &'r F,
    /// For the items that come next.
    collector: C,
    /// What comes before them, if items were postponed.
    postponed: Option<Box<Vec<Part<'r, C::Collected>>>>,
}

impl<'r, F, C: LeafCollector, E> TryConsumer<'r, F, C, E> {
    /// For another part of the input.
    fn with(&self, collector: C) -> Self {
        TryConsumer {
            fuse: self.fuse.split(),
            f: self.f,
            collector,
            postponed: None,
        }
    }

    fn run_id(&self) -> RunId {
        RunId::of(self.fuse.run())
    }

    /// Whether the next item is postponed.
    #[inline]
    fn postpones(&self) -> bool {
        is_too_deep(self.run_id()) && self.may_postpone()
    }

    #[cold]
    fn may_postpone(&self) -> bool {
        let parts = (self.postponed.as_ref()).map_or(0, |parts| parts.len());
        parts < 2 * MAX_POSTPONED
    }

    /// Postpones the items of a leaf. Returns those that are left, if there are too many. The items
    /// are moved, as in [`run_tolerant`](TryConsumer::run_tolerant).
    #[cold]
    #[inline(never)]
    fn postpone_leaf<I, S: Iterator<Item = I>>(mut self, mut items: S) -> (Self, Option<S>)
    where
        I: Send + 'r,
        F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
        C: 'r,
        E: Send,
    {
        let mut postponed = Vec::new();
        while postponed.len() < MAX_POSTPONED && !self.fuse.is_over() {
            match items.next() {
                Some(item) => postponed.push(item),
                None => break,
            }
        }
        let may_have_more = postponed.len() == MAX_POSTPONED;
        self.postpone(postponed);
        (self, may_have_more.then_some(items))
    }

    /// Makes a job of some items, in the place of their values.
    #[cold]
    fn postpone<I>(&mut self, items: Vec<I>)
    where
        I: Send + 'r,
        F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
        C: 'r,
        E: Send,
    {
        let (its_own, rest) = self.collector.split_rest().split_at(items.len());
        let before = mem::replace(&mut self.collector, rest);
        let consumer = TryConsumer {
            fuse: self.fuse.unarmed(),
            f: self.f,
            collector: its_own,
            postponed: None,
        };
        let job = Box::new(move || {
            let mut folder = Consumer::<I>::into_folder(consumer);
            for item in items {
                folder = folder.consume(item);
            }
            folder.complete()
        });
        let parts = self.postponed.get_or_insert_default();
        parts.extend([Part::Collected(before.complete()), Part::Job(job)]);
    }
}

impl<F, C: LeafCollector, E> TryConsumer<'_, F, C, E> {
    /// Runs items until one fails, and returns the run's reaction: whether to go on with the next
    /// item. At the end of the items it is `Stop`.
    ///
    /// `TOLERANT` makes a second copy of the loop for [`run_tolerant`](TryConsumer::run_tolerant);
    /// its value is not read. With one copy for both, a run that tolerates nothing would keep
    /// in registers what only the other needs in order to go on: two instructions of about
    /// fifteen for an item.
    #[expect(
        clippy::inline_always,
        reason = "the items must not leave their registers"
    )]
    #[inline(always)]
    fn run_until_failure<I, S, const TOLERANT: bool>(&mut self, items: &mut S) -> Reaction
    where
        S: Iterator<Item = I>,
        F: Fn(&CancelToken, I) -> Result<C::Value, E>,
    {
        let (run, f, collector) = (self.fuse.run(), self.f, &mut self.collector);
        let (token, signal) = (run.token(), run.token().node().signal());
        let (closure, mut reaction) = (UnwindFlag::default(), Reaction::Stop);
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            collector.consume_iter(|| {
                let item = items.next()?;
                if signal.is_raised() {
                    run.mark_incomplete();
                    return None;
                }
                match closure.run(|| f(token, item)) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        reaction = run.fail(Failure::new(None, Kind::Error(error)));
                        None
                    }
                }
            });
        }));
        // Recorded at once, and not after the items are dropped, which may take long.
        match unwound {
            Ok(()) => reaction,
            Err(payload) if closure.take() => run.fail(Failure::new(None, Kind::Panic(payload))),
            Err(payload) => {
                run.panicked(payload);
                Reaction::Stop
            }
        }
    }

    /// Goes on after each failure that the run tolerates.
    ///
    /// The items are moved here and not borrowed, and the function is not inlined: so the loop of a
    /// run that tolerates nothing stays as tight as the compiler can make it.
    #[inline(never)]
    fn run_tolerant<I, S: Iterator<Item = I>>(mut self, mut items: S) -> (Self, S)
    where
        F: Fn(&CancelToken, I) -> Result<C::Value, E>,
    {
        while self.run_until_failure::<_, _, true>(&mut items) == Reaction::Continue {}
        (self, items)
    }
}

impl<'r, I, F, C, E> Consumer<I> for TryConsumer<'r, F, C, E>
where
    I: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'r,
    E: Send,
{
    type Folder = Self;
    type Reducer = TryReducer<'r, C>;
    type Result = Parts<'r, C::Collected>;

    fn split_at(self, mid: usize) -> (Self, Self, TryReducer<'r, C>) {
        let TryConsumer {
            fuse, f, collector, ..
        } = self;
        let (left, right) = collector.split_at(mid);
        let part = |collector| TryConsumer {
            fuse: fuse.split(),
            f,
            collector,
            postponed: None,
        };
        (part(left), part(right), TryReducer(PhantomData))
    }

    fn into_folder(self) -> Self {
        self.fuse.arm();
        self
    }

    fn full(&self) -> bool {
        // rayon asks this first on the thread that is to work on this part.
        self.fuse.arm();
        self.fuse.is_over()
    }
}

impl<'r, I, F, C, E> UnindexedConsumer<I> for TryConsumer<'r, F, C, E>
where
    I: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'r,
    E: Send,
{
    fn split_off_left(&self) -> Self {
        self.with(self.collector.split_off_left())
    }

    fn to_reducer(&self) -> TryReducer<'r, C> {
        TryReducer(PhantomData)
    }
}

impl<'r, I, F, C, E> Folder<I> for TryConsumer<'r, F, C, E>
where
    I: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'r,
    E: Send,
{
    type Result = Parts<'r, C::Collected>;

    #[inline]
    fn consume(mut self, item: I) -> Self {
        let (run, f) = (self.fuse.run(), self.f);
        if run.token().is_cancelled() {
            run.mark_incomplete();
            // Here, and not after `self` has been moved out: if it panics, `self` is dropped too.
            drop(item);
            return self;
        }
        if self.postpones() {
            self.postpone(vec![item]);
            return self;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _user_code = UserCode::enter(RunId::of(run));
            f(run.token(), item)
        }));
        match result {
            Ok(Ok(value)) => self.collector.consume(value),
            Ok(Err(error)) => _ = run.fail(Failure::new(None, Kind::Error(error))),
            Err(payload) => _ = run.fail(Failure::new(None, Kind::Panic(payload))),
        }
        self
    }

    /// The default would move the folder through every item. Inlined, as rayon calls it in one
    /// place: in a function of its own the loop over the items of a slice is some percent
    /// slower.
    #[inline]
    fn consume_iter<S>(mut self, items: S) -> Self
    where
        S: IntoIterator<Item = I>,
    {
        let mut items = items.into_iter();
        if self.postpones() {
            let rest;
            (self, rest) = self.postpone_leaf(items);
            match rest {
                Some(rest) => items = rest,
                None => return self,
            }
        }
        let user_code = UserCode::enter(self.run_id());
        if self.fuse.run().policy.tolerates_errors() {
            (self, items) = self.run_tolerant(items);
        } else {
            _ = self.run_until_failure::<_, _, false>(&mut items);
        }
        drop(user_code);
        // A panic is caught here: otherwise `self`, which has been moved out, would be lost.
        self.fuse.run().drop_value(items);
        self.fuse.leaf_ended();
        self
    }

    #[inline]
    fn complete(self) -> Parts<'r, C::Collected> {
        let collected = self.collector.complete();
        match self.postponed {
            None => Parts::Complete(collected),
            Some(parts) => Parts::Postponed(*parts).join(Parts::Complete(collected), C::reduce),
        }
    }

    #[inline]
    fn full(&self) -> bool {
        self.fuse.is_over()
    }
}

/// Joins what neighbouring parts have collected.
struct TryReducer<'r, C>(PhantomData<(&'r (), C)>);

impl<'r, C: LeafCollector> Reducer<Parts<'r, C::Collected>> for TryReducer<'r, C> {
    fn reduce(
        self,
        left: Parts<'r, C::Collected>,
        right: Parts<'r, C::Collected>,
    ) -> Parts<'r, C::Collected> {
        left.join(right, C::reduce)
    }
}
