//! The stealing engine: rayon's own splitting, for every parallel iterator.
//!
//! rayon splits the input and the consumer with it, lets idle threads steal the right halves, and
//! at each [`leaf`](super::leaf) gives the leaf's items to the consumer, as to a folder. All of
//! them borrow the [`Run`]. The token is checked before each item: if the run is cancelled, the
//! item is dropped, which proves that the run is not complete. From then on the consumers are
//! `full`, and rayon produces nothing more.
//!
//! A consumer is compiled for each closure, and rayon's own code with it. So it has few fields, and
//! what does not depend on the closure is in functions of their own.

use std::marker::PhantomData;

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Reducer, UnindexedConsumer};

use super::collect::{LeafCollector, Unit, concatenate, incomplete};
use super::grace_period::GracePeriod;
use super::panic_fuse::PanicFuse;
use super::postponed::Postponed;
use super::slots::Buffer;
use super::value_collector::{Segment, ValueCollector, into_parts};
use crate::run::Run;
use crate::token::CancelToken;

/// Calls `f` for every item. `None` if the source panicked.
///
/// `TOLERANT`: the run may have a policy that tolerates errors. If not, the loop that goes on after
/// an error is not compiled.
pub(crate) fn for_each<const TOLERANT: bool, I, F, E>(items: I, run: &Run<E>, f: &F) -> Option<()>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<(), E> + Sync,
    E: Send,
{
    run.drive(|| drive::<TOLERANT, _, _, _, _>(items, run, f, Unit))
}

/// The values of `f` in the order of the items. `None`, or an incomplete vector, if the run does
/// not end with `Ok`.
pub(crate) fn map<const TOLERANT: bool, I, F, T, E>(items: I, run: &Run<E>, f: &F) -> Option<Vec<T>>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    run.drive(|| {
        // Without a length, or with one too long for the memory: the run may still fail early.
        let Some(buffer) = items.opt_len().and_then(Buffer::new) else {
            let segments =
                collect_values::<TOLERANT, _, _, _, _>(items, run, f, ValueCollector::list());
            return concatenate(into_parts(segments), run);
        };
        let values = buffer.fill(|slots| {
            drop(collect_values::<TOLERANT, _, _, _, _>(
                items,
                run,
                f,
                ValueCollector::Slots(slots),
            ));
        });
        values.unwrap_or_else(|| incomplete(run))
    })
}

/// In a function of its own, so that it is compiled once for both kinds of input.
#[inline(never)]
fn collect_values<const TOLERANT: bool, I, F, T, E>(
    items: I,
    run: &Run<E>,
    f: &F,
    collector: ValueCollector<'_, T>,
) -> Vec<Segment<T>>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    drive::<TOLERANT, _, _, _, _>(items, run, f, collector)
}

/// Lets rayon run the items, and returns what they have collected.
#[inline]
fn drive<const TOLERANT: bool, I, F, C, E>(
    items: I,
    run: &Run<E>,
    f: &F,
    collector: C,
) -> C::Collected
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<C::Value, E> + Sync,
    C: LeafCollector,
    E: Send,
{
    let shared = Shared {
        leaves: Leaves::of(run),
        f,
    };
    let collected = items.drive_unindexed(TryConsumer::<_, _, _, TOLERANT> {
        fuse: PanicFuse::new(&shared.leaves.grace_period),
        shared: &shared,
        collector,
    });
    shared.leaves.postponed.run();
    collected
}

/// What all parts of a run share, in one place: a thread that steals a part of a short run waits
/// for each line of memory that it reads for the first time. `'j` is the lifetime of what postponed
/// items borrow.
pub(super) struct Shared<'j, F, E> {
    pub(super) leaves: Leaves<'j, E>,
    pub(super) f: &'j F,
}

/// The same without the closure.
pub(super) struct Leaves<'j, E> {
    pub(super) run: &'j Run<E>,
    grace_period: GracePeriod<'j, E>,
    pub(super) postponed: Postponed<'j>,
}

impl<'j, E> Leaves<'j, E> {
    #[inline(never)]
    fn of(run: &'j Run<E>) -> Self {
        Leaves {
            run,
            grace_period: GracePeriod::of(run),
            postponed: Postponed::default(),
        }
    }
}

/// A part of the input: rayon's consumer, and the folder of a [`leaf`](super::leaf).
///
/// One type for both: rayon need not move one into the other, and its drop is compiled once.
pub(super) struct TryConsumer<'r, 'j, F, C, E, const TOLERANT: bool> {
    pub(super) fuse: PanicFuse<'r, E>,
    pub(super) shared: &'r Shared<'j, F, E>,
    /// For the items that come next.
    pub(super) collector: C,
}

impl<'r, F, C, E, const TOLERANT: bool> TryConsumer<'r, '_, F, C, E, TOLERANT> {
    #[inline]
    pub(super) fn run_and_closure(&self) -> (&'r Run<E>, &'r F) {
        (self.fuse.run(), self.shared.f)
    }

    /// Another part of the input.
    fn with(&self, collector: C) -> Self {
        TryConsumer {
            fuse: self.fuse.split(),
            shared: self.shared,
            collector,
        }
    }
}

impl<'j, I, F, C, E, const TOLERANT: bool> Consumer<I> for TryConsumer<'_, 'j, F, C, E, TOLERANT>
where
    I: Send + 'j,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'j,
    E: Send,
{
    type Folder = Self;
    type Reducer = TryReducer<C>;
    type Result = C::Collected;

    fn split_at(self, mid: usize) -> (Self, Self, TryReducer<C>) {
        let TryConsumer {
            fuse,
            shared,
            collector,
        } = self;
        let (left, right) = collector.split_at(mid);
        let right = TryConsumer {
            fuse,
            shared,
            collector: right,
        };
        (right.with(left), right, TryReducer(PhantomData))
    }

    fn into_folder(self) -> Self::Folder {
        self.fuse.arm();
        self
    }

    fn full(&self) -> bool {
        // rayon asks this first on the thread that is to work on this part.
        self.fuse.arm_or_end()
    }
}

impl<'j, I, F, C, E, const TOLERANT: bool> UnindexedConsumer<I>
    for TryConsumer<'_, 'j, F, C, E, TOLERANT>
where
    I: Send + 'j,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'j,
    E: Send,
{
    fn split_off_left(&self) -> Self {
        self.with(self.collector.split_off_left())
    }

    fn to_reducer(&self) -> TryReducer<C> {
        TryReducer(PhantomData)
    }
}

/// Joins what neighbouring parts have collected.
pub(super) struct TryReducer<C>(PhantomData<C>);

impl<C: LeafCollector> Reducer<C::Collected> for TryReducer<C> {
    fn reduce(self, left: C::Collected, right: C::Collected) -> C::Collected {
        C::reduce(left, right)
    }
}
