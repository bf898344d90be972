//! `Through`: hands the values of a run on to another consumer, on the stealing engine.
//!
//! The same as [`steal`](super::steal), with a consumer of the caller in the place of the
//! collector: that of a `sum`, a `fold` or a `collect`. It splits when this one splits, and at each
//! leaf its folder is given an iterator of values, so that it keeps its own loop.
//!
//! A panic takes the caller's folder with it, and without a folder there is no result. So the panic
//! is recorded at once, and [`Abandoned`] unwinds to the body in its place.

use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

use super::grace_period::GracePeriod;
use super::leaf_values::{LeafEnd, LeafValues, TolerantValues};
use super::panic_fuse::PanicFuse;
use super::parts::{Part, Parts};
use super::postponed::read_ahead;
use super::unwind_flag::UnwindFlag;
use super::user_code::{RunId, UserCode, is_too_deep};
use crate::run::{Abandoned, Failure, Kind, Run};
use crate::token::CancelToken;

/// Calls `f` for every item, and gives the values to `base`.
///
/// # Panics
///
/// If the iterator, `base` or `f` does: see [`Run::drive_for_body`].
pub(crate) fn consume<I, F, T, C, E>(items: I, run: &Run<E>, f: &F, base: C) -> C::Result
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    C: UnindexedConsumer<T>,
    E: Send,
{
    let grace_period = GracePeriod::of(run);
    // A panic must not drop the items while it unwinds: the drop of one may panic, too.
    let spare = catch_unwind(AssertUnwindSafe(|| base.split_off_left()));
    let spare = match spare {
        Ok(spare) => spare,
        Err(payload) => {
            run.abandoned(payload, false);
            run.drop_value(items);
            resume_unwind(Box::new(Abandoned))
        }
    };
    let leaf = Leaf {
        fuse: PanicFuse::new(&grace_period),
        f,
    };
    let parts = items.drive_unindexed(Through { leaf, base });
    parts.complete(&|left, right| spare.to_reducer().reduce(left, right))
}

/// A part of the input, while it may still be split.
struct Through<'r, F, C, E> {
    leaf: Leaf<'r, F, E>,
    base: C,
}

/// How the items of a leaf are run.
struct Leaf<'r, F, E> {
    fuse: PanicFuse<'r, E>,
    f: &'r F,
}

impl<F, C, E> Through<'_, F, C, E> {
    fn with(&self, base: C) -> Self {
        let leaf = Leaf {
            fuse: self.leaf.fuse.split(),
            f: self.leaf.f,
        };
        Through { leaf, base }
    }
}

impl<'r, I, T, F, C, E> Consumer<I> for Through<'r, F, C, E>
where
    I: Send + 'r,
    T: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
    C: UnindexedConsumer<T> + 'r,
    C::Result: 'r,
    E: Send,
{
    type Folder = ThroughFolder<'r, I, T, F, C, E>;
    type Reducer = ThroughReducer<'r, C::Reducer, E>;
    type Result = Parts<'r, C::Result>;

    /// Without the position, since items that fail have no value.
    fn split_at(self, _: usize) -> (Self, Self, Self::Reducer) {
        let left = UnindexedConsumer::<I>::split_off_left(&self);
        let reducer = UnindexedConsumer::<I>::to_reducer(&self);
        (left, self, reducer)
    }

    fn into_folder(self) -> Self::Folder {
        let Through { leaf, base } = self;
        leaf.fuse.arm();
        let stage = if is_too_deep(RunId::of(leaf.fuse.run())) {
            Stage::Postponing(Box::new((Unread::new(leaf.fuse.run()), base)))
        } else {
            Stage::Folding(base.into_folder())
        };
        ThroughFolder {
            leaf,
            stage,
            postponed: None,
        }
    }

    fn full(&self) -> bool {
        // rayon asks this first on the thread that is to work on this part.
        self.leaf.fuse.arm();
        self.base.full() || self.leaf.fuse.is_over()
    }
}

impl<'r, I, T, F, C, E> UnindexedConsumer<I> for Through<'r, F, C, E>
where
    I: Send + 'r,
    T: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
    C: UnindexedConsumer<T> + 'r,
    C::Result: 'r,
    E: Send,
{
    fn split_off_left(&self) -> Self {
        self.with(self.base.split_off_left())
    }

    fn to_reducer(&self) -> Self::Reducer {
        ThroughReducer {
            run: self.leaf.fuse.run(),
            base: self.base.to_reducer(),
        }
    }
}

/// A leaf whose items run.
struct ThroughFolder<'r, I, T, F, C: Consumer<T>, E> {
    leaf: Leaf<'r, F, E>,
    stage: Stage<'r, I, C, C::Folder, E>,
    /// What comes before, if items were postponed.
    postponed: Option<Box<Part<'r, C::Result>>>,
}

enum Stage<'r, I, C, B, E> {
    Folding(B),
    /// On a stack that is too deep: the items so far, and who is to have their values.
    Postponing(Box<(Unread<'r, I, E>, C)>),
}

/// Items that wait to be made a job.
struct Unread<'r, I, E> {
    run: &'r Run<E>,
    items: Vec<I>,
}

impl<'r, I, E> Unread<'r, I, E> {
    fn new(run: &'r Run<E>) -> Self {
        let items = Vec::new();
        Unread { run, items }
    }

    fn into_items(mut self) -> Vec<I> {
        mem::take(&mut self.items)
    }
}

impl<I, E> Drop for Unread<'_, I, E> {
    /// If there are items left, the source has panicked.
    fn drop(&mut self) {
        self.run.drop_each(mem::take(&mut self.items));
    }
}

impl<'r, F, E: Send> Leaf<'r, F, E> {
    /// Runs items until one fails. `Err` if the folder is lost.
    #[inline]
    fn run_until_failure<I, T, B, S>(&self, base: B, items: S) -> Result<B, Abandoned>
    where
        F: Fn(&CancelToken, I) -> Result<T, E>,
        B: Folder<T>,
        S: Iterator<Item = I>,
    {
        let (run, f) = (self.fuse.run(), self.f);
        let (closure, mut end, mut rest) = (UnwindFlag::default(), LeafEnd::Complete, None);
        let folded = catch_unwind(AssertUnwindSafe(|| {
            let values = LeafValues::new(items, &mut rest, &mut end, &closure, run.token(), f);
            base.consume_iter(values)
        }));
        // Recorded at once, and not after the items are dropped, which may take long.
        let folded = match folded {
            Ok(base) => {
                if closure.take() {
                    // The base is another run, which has caught the panic.
                    run.panic_in_flight();
                }
                match end {
                    LeafEnd::Complete => {}
                    LeafEnd::Cancelled => self.mark_incomplete(&base),
                    LeafEnd::Failed(error) => {
                        _ = run.fail(Failure::new(None, Kind::Error(error)));
                    }
                }
                Ok(base)
            }
            Err(payload) => {
                run.abandoned(payload, closure.take());
                Err(Abandoned)
            }
        };
        run.drop_value(rest);
        folded
    }

    /// Runs all items that the run tolerates to fail.
    #[inline(never)]
    fn run_tolerant<I, T, B, S>(&self, base: B, mut items: S) -> Result<B, Abandoned>
    where
        F: Fn(&CancelToken, I) -> Result<T, E>,
        B: Folder<T>,
        S: Iterator<Item = I>,
    {
        let (run, mut is_cancelled) = (self.fuse.run(), false);
        let folded = catch_unwind(AssertUnwindSafe(|| {
            base.consume_iter(TolerantValues::new(
                &mut items,
                &mut is_cancelled,
                run,
                self.f,
            ))
        }));
        let folded = folded.map_err(|payload| {
            run.abandoned(payload, false);
            Abandoned
        });
        match &folded {
            Ok(base) if is_cancelled => self.mark_incomplete(base),
            _ => {}
        }
        run.drop_value(items);
        folded
    }

    /// An item was dropped because of a cancellation, which is no loss if nobody wants its value.
    #[cold]
    fn mark_incomplete<T, B: Folder<T>>(&self, base: &B) {
        if !base.full() {
            self.fuse.run().mark_incomplete();
        }
    }

    /// Makes a job of items that are postponed.
    fn postpone<I, T, C>(&self, items: Vec<I>, base: C) -> Part<'r, C::Result>
    where
        I: Send + 'r,
        T: Send + 'r,
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        C: UnindexedConsumer<T> + 'r,
        C::Result: 'r,
    {
        let leaf = Leaf {
            fuse: self.fuse.unarmed(),
            f: self.f,
        };
        Part::Job(Box::new(move || {
            let mut folder = Consumer::<I>::into_folder(Through { leaf, base });
            for item in items {
                folder = folder.consume(item);
            }
            folder.complete()
        }))
    }
}

impl<'r, I, T, F, C, E> ThroughFolder<'r, I, T, F, C, E>
where
    I: Send + 'r,
    T: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
    C: UnindexedConsumer<T> + 'r,
    C::Result: 'r,
    E: Send,
{
    /// Postpones items of a leaf. Returns those that are left, if there are too many: they run on
    /// the deep stack.
    #[cold]
    #[inline(never)]
    fn postpone<S>(
        leaf: Leaf<'r, F, E>,
        mut waiting: Box<(Unread<'r, I, E>, C)>,
        items: S,
    ) -> (Self, Option<S>)
    where
        S: Iterator<Item = I>,
    {
        let rest = read_ahead(&leaf.fuse, &mut waiting.0.items, items);
        let rest = rest.unwrap_or_else(|payload| resume_unwind(payload));
        let (stage, postponed) = if rest.is_none() {
            (Stage::Postponing(waiting), None)
        } else {
            let (first, base) = *waiting;
            let part = leaf.postpone(first.into_items(), base.split_off_left());
            (Stage::Folding(base.into_folder()), Some(Box::new(part)))
        };
        let folder = ThroughFolder {
            leaf,
            stage,
            postponed,
        };
        (folder, rest)
    }
}

impl<'r, I, T, F, C, E> Folder<I> for ThroughFolder<'r, I, T, F, C, E>
where
    I: Send + 'r,
    T: Send + 'r,
    F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
    C: UnindexedConsumer<T> + 'r,
    C::Result: 'r,
    E: Send,
{
    type Result = Parts<'r, C::Result>;

    #[inline]
    fn consume(mut self, item: I) -> Self {
        let (run, f) = (self.leaf.fuse.run(), self.leaf.f);
        let base = match self.stage {
            Stage::Folding(base) => base,
            Stage::Postponing(waiting) => {
                return Self::postpone(self.leaf, waiting, iter::once(item)).0;
            }
        };
        if run.token().is_cancelled() {
            self.leaf.mark_incomplete(&base);
            self.stage = Stage::Folding(base);
            // Here, and not after `self` has been moved out: if it panics, `self` is dropped too.
            drop(item);
            return self;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _user_code = UserCode::enter(RunId::of(run));
            f(run.token(), item)
        }));
        // If the base panics, the fuse cancels the run.
        let base = match result {
            Ok(Ok(value)) => base.consume(value),
            Ok(Err(error)) => {
                _ = run.fail(Failure::new(None, Kind::Error(error)));
                base
            }
            Err(payload) => {
                run.abandoned(payload, true);
                base
            }
        };
        self.stage = Stage::Folding(base);
        self
    }

    /// The default would move the folder through every item.
    #[inline]
    fn consume_iter<S>(self, items: S) -> Self
    where
        S: IntoIterator<Item = I>,
    {
        let ThroughFolder {
            mut leaf,
            stage,
            mut postponed,
        } = self;
        let mut items = items.into_iter();
        let base = match stage {
            Stage::Folding(base) => base,
            Stage::Postponing(waiting) => {
                let (folder, rest) = Self::postpone(leaf, waiting, items);
                match (folder, rest) {
                    (
                        ThroughFolder {
                            leaf: its_leaf,
                            stage: Stage::Folding(base),
                            postponed: before,
                        },
                        Some(rest),
                    ) => {
                        (leaf, items, postponed) = (its_leaf, rest, before);
                        base
                    }
                    (folder, _) => return folder,
                }
            }
        };
        let user_code = UserCode::enter(RunId::of(leaf.fuse.run()));
        let folded = if leaf.fuse.run().policy.tolerates_errors() {
            leaf.run_tolerant(base, items)
        } else {
            leaf.run_until_failure(base, items)
        };
        drop(user_code);
        leaf.fuse.leaf_ended();
        let base = folded.unwrap_or_else(|abandoned| {
            // There is nothing left for it to do.
            leaf.fuse.disarm();
            resume_unwind(Box::new(abandoned))
        });
        ThroughFolder {
            leaf,
            stage: Stage::Folding(base),
            postponed,
        }
    }

    fn complete(self) -> Parts<'r, C::Result> {
        let rest = match self.stage {
            Stage::Folding(base) => Parts::Complete(base.complete()),
            Stage::Postponing(waiting) => {
                let (items, base) = *waiting;
                Parts::Postponed(vec![self.leaf.postpone(items.into_items(), base)])
            }
        };
        match self.postponed {
            None => rest,
            Some(part) => rest.preceded_by(*part),
        }
    }

    #[inline]
    fn full(&self) -> bool {
        let is_full = match &self.stage {
            Stage::Folding(base) => base.full(),
            Stage::Postponing(waiting) => waiting.1.full(),
        };
        is_full || self.leaf.fuse.is_over_for_item()
    }
}

/// Joins what neighbouring parts have become.
struct ThroughReducer<'r, R, E> {
    run: &'r Run<E>,
    base: R,
}

impl<'r, C: Send, R: Reducer<C>, E> Reducer<Parts<'r, C>> for ThroughReducer<'_, R, E> {
    fn reduce(self, left: Parts<'r, C>, right: Parts<'r, C>) -> Parts<'r, C> {
        let ThroughReducer { run, base } = self;
        let reduced = catch_unwind(AssertUnwindSafe(|| {
            left.join(right, |left, right| base.reduce(left, right))
        }));
        // A panic stops the other parts at once.
        reduced.unwrap_or_else(|payload| {
            run.abandoned(payload, false);
            resume_unwind(Box::new(Abandoned))
        })
    }
}
