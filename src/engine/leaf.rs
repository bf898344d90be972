//! `TryConsumer` as the folder of a leaf: a part of the input whose items run.
//!
//! The items of a leaf run one after another on one thread, but for those that are postponed
//! ([`postponed`](super::postponed)). How small leaves are is up to the iterator (`with_max_len`).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rayon::iter::plumbing::Folder;

use super::collect::{ConsumeAll, LeafCollector};
use super::postponed::read_ahead;
use super::steal::{Shared, TryConsumer};
use super::unwind_flag::UnwindFlag;
use super::user_code::{RunId, UserCode, is_too_deep};
use crate::panic::Payload;
use crate::run::{Failure, Kind, Reaction, Run};
use crate::token::{CancelToken, Signal};

impl<'j, F, C: LeafCollector, E, const TOLERANT: bool> TryConsumer<'_, 'j, F, C, E, TOLERANT> {
    fn run_id(&self) -> RunId {
        RunId::of(self.fuse.run())
    }

    /// Postpones the items of a leaf. Returns those that are left, if there are too many: they run
    /// on the deep stack.
    #[cold]
    #[inline(never)]
    fn postpone_leaf<I, S: Iterator<Item = I>>(mut self, items: S) -> (Self, Option<S>)
    where
        I: Send + 'j,
        F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
        C: 'j,
        E: Send,
    {
        let mut read = Vec::new();
        let rest = read_ahead(&self.fuse, &mut read, items);
        self.postpone(read);
        (self, rest.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Makes a job of some items, in the place of their values.
    #[cold]
    fn postpone<I>(&mut self, items: Vec<I>)
    where
        I: Send + 'j,
        F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
        C: 'j,
        E: Send,
    {
        let Shared { leaves, f } = self.shared;
        let its_own = self.collector.postpone(items.len());
        leaves.postponed.push(leaves.run, *f, items, its_own);
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
        let (run, f) = self.run_and_closure();
        let signal = self.fuse.node().signal();
        if let Some(slots) = self.collector.in_place() {
            while run_until_failure::<_, _, _, _, _, true>(run, signal, f, &mut items, slots)
                == Reaction::Continue
            {}
        }
        (self, items)
    }

    /// The same for a list of values, and for a run that may tolerate nothing.
    #[inline(never)]
    fn run_list<I, S: Iterator<Item = I>>(mut self, mut items: S) -> (Self, S)
    where
        F: Fn(&CancelToken, I) -> Result<C::Value, E>,
    {
        let (run, f) = self.run_and_closure();
        let signal = self.fuse.node().signal();
        if let Some(list) = self.collector.list() {
            while run_until_failure::<_, _, _, _, _, true>(run, signal, f, &mut items, list)
                == Reaction::Continue
            {}
        }
        (self, items)
    }
}

/// Runs items until one fails, and returns the run's reaction: whether to go on with the next item.
/// At the end of the items it is `Stop`.
///
/// `AGAIN` makes a second copy of the loop for [`run_tolerant`](TryConsumer::run_tolerant). Its
/// value is not read. With one copy for both, a run that tolerates nothing would keep in registers
/// what only the other needs in order to go on: two instructions of about fifteen for an item.
#[expect(
    clippy::inline_always,
    reason = "the items must not leave their registers"
)]
#[inline(always)]
fn run_until_failure<I, T, F, S, E, const AGAIN: bool>(
    run: &Run<E>,
    signal: Signal<'_>,
    f: &F,
    items: &mut S,
    collector: &mut impl ConsumeAll<T>,
) -> Reaction
where
    S: Iterator<Item = I>,
    F: Fn(&CancelToken, I) -> Result<T, E>,
{
    let token = run.token();
    let (closure, mut reaction) = (UnwindFlag::default(), Reaction::Stop);
    // The items stay outside: what a panic leaves of them is dropped after the unwinding, so that a
    // second panic, from the drop of an item, does not abort the process.
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        collector.consume_all(|| {
            let item = items.next()?;
            if signal.is_raised() {
                run.mark_incomplete();
                return None;
            }
            match closure.run(|| f(token, item)) {
                Ok(value) => Some(value),
                Err(error) => {
                    reaction = stopped(run, None, true, Some(error));
                    None
                }
            }
        });
    }));
    // Recorded at once, and not after the items are dropped, which may take long.
    match unwound {
        Ok(()) => reaction,
        Err(payload) => stopped(run, Some(payload), closure.take(), None),
    }
}

/// The loop over the items has ended with a panic of the closure, with one of the source, or with
/// an error.
#[cold]
#[inline(never)]
fn stopped<E>(
    run: &Run<E>,
    payload: Option<Payload>,
    is_of_closure: bool,
    error: Option<E>,
) -> Reaction {
    match (payload, error) {
        (Some(payload), _) if is_of_closure => run.fail(Failure::new(None, Kind::Panic(payload))),
        (Some(payload), _) => {
            run.panicked(payload);
            Reaction::Stop
        }
        (None, Some(error)) => run.fail(Failure::new(None, Kind::Error(error))),
        (None, None) => Reaction::Stop,
    }
}

impl<'j, I, F, C, E, const TOLERANT: bool> Folder<I> for TryConsumer<'_, 'j, F, C, E, TOLERANT>
where
    I: Send + 'j,
    F: Fn(&CancelToken, I) -> Result<C::Value, E> + Sync,
    C: LeafCollector + 'j,
    E: Send,
{
    type Result = C::Collected;

    #[inline]
    fn consume(mut self, item: I) -> Self {
        let (run, f) = self.run_and_closure();
        if self.fuse.node().is_cancelled() {
            run.mark_incomplete();
            // Here, and not after `self` has been moved out: if it panics, `self` is dropped too.
            drop(item);
            return self;
        }
        if is_too_deep(self.run_id()) && self.shared.leaves.postponed.has_room() {
            self.postpone(vec![item]);
            return self;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _user_code = UserCode::enter(RunId::of(run));
            f(run.token(), item)
        }));
        match result {
            Ok(Ok(value)) => self.collector.consume(value),
            Ok(Err(error)) => _ = stopped(run, None, true, Some(error)),
            Err(payload) => _ = stopped(run, Some(payload), true, None),
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
        let user_code = if let Some(user_code) = self.fuse.begin_leaf() {
            user_code
        } else {
            let rest;
            (self, rest) = self.postpone_leaf(items);
            let Some(rest) = rest else { return self };
            items = rest;
            UserCode::enter(self.run_id())
        };
        let (run, f) = self.run_and_closure();
        let tolerates = TOLERANT && run.policy.tolerates_errors();
        match self.collector.in_place() {
            Some(_) if tolerates => (self, items) = self.run_tolerant(items),
            Some(slots) => {
                let signal = self.fuse.node().signal();
                _ = run_until_failure::<_, _, _, _, _, false>(run, signal, f, &mut items, slots);
            }
            None => (self, items) = self.run_list(items),
        }
        self.fuse.end_leaf(user_code);
        // A panic is caught here: otherwise `self`, which has been moved out, would be lost.
        self.fuse.run().drop_value(items);
        self
    }

    #[inline]
    fn complete(self) -> C::Collected {
        self.collector.complete()
    }

    #[inline]
    fn full(&self) -> bool {
        self.fuse.is_over_for_item()
    }
}
