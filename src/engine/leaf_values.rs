//! `LeafValues`: the values of the items of a leaf, as an iterator for the folder of somebody else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::collect::BLOCK;
use super::unwind_flag::UnwindFlag;
use crate::run::{Failure, Kind, Reaction, Run};
use crate::token::{CancelToken, Signal};

/// How the values of a leaf have ended.
pub(super) enum LeafEnd<E> {
    /// The items have ended, or the folder asked for no more of them.
    Complete,
    /// An item was dropped, because the run is cancelled.
    Cancelled,
    /// An item has failed.
    Failed(E),
}

/// Calls `f` for each item, until one fails.
///
/// It owns the items. Behind a reference they would stay in memory, since the folder's loop is
/// often a function of its own, and each item would cost a load and a store.
pub(super) struct LeafValues<'l, S, F, E> {
    items: HandBack<'l, S>,
    step: Step<'l, F, E>,
}

/// Hands the items back when it is dropped. If a panic dropped them while it unwinds, a second
/// panic, from the drop of an item, would abort the process.
struct HandBack<'l, S> {
    items: Option<S>,
    back: &'l mut Option<S>,
}

impl<S> Drop for HandBack<'_, S> {
    fn drop(&mut self) {
        *self.back = self.items.take();
    }
}

struct Step<'l, F, E> {
    f: &'l F,
    token: &'l CancelToken,
    signal: Signal<'l>,
    closure: &'l UnwindFlag,
    end: &'l mut LeafEnd<E>,
}

impl<F, E> Step<'_, F, E> {
    /// The value of the next item.
    #[expect(
        clippy::inline_always,
        reason = "the items must not leave their registers"
    )]
    #[inline(always)]
    fn next<I, T>(&mut self, items: &mut impl Iterator<Item = I>) -> Option<T>
    where
        F: Fn(&CancelToken, I) -> Result<T, E>,
    {
        let item = items.next()?;
        if self.signal.is_raised() {
            *self.end = LeafEnd::Cancelled;
            return None;
        }
        match self.closure.run(|| (self.f)(self.token, item)) {
            Ok(value) => Some(value),
            Err(error) => {
                *self.end = LeafEnd::Failed(error);
                None
            }
        }
    }
}

impl<'l, S, F, E> LeafValues<'l, S, F, E> {
    #[inline]
    pub(super) fn new(
        items: S,
        back: &'l mut Option<S>,
        end: &'l mut LeafEnd<E>,
        closure: &'l UnwindFlag,
        token: &'l CancelToken,
        f: &'l F,
    ) -> Self {
        let items = HandBack {
            items: Some(items),
            back,
        };
        let signal = token.node().signal();
        let step = Step {
            f,
            token,
            signal,
            closure,
            end,
        };
        LeafValues { items, step }
    }
}

impl<I, T, S, F, E> Iterator for LeafValues<'_, S, F, E>
where
    S: Iterator<Item = I>,
    F: Fn(&CancelToken, I) -> Result<T, E>,
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.step.next(self.items.items.as_mut()?)
    }

    /// Most folders end here.
    #[inline]
    fn fold<A, G>(self, init: A, mut fold: G) -> A
    where
        G: FnMut(A, T) -> A,
    {
        let LeafValues {
            mut items,
            mut step,
        } = self;
        let mut folded = init;
        if let Some(items) = &mut items.items {
            loop {
                for _ in 0..BLOCK {
                    let Some(value) = step.next(items) else {
                        return folded;
                    };
                    folded = fold(folded, value);
                }
            }
        }
        folded
    }
}

/// Calls `f` for each item, and leaves out the failures that the run tolerates.
pub(super) struct TolerantValues<'l, S, F, E> {
    items: &'l mut S,
    is_cancelled: &'l mut bool,
    run: &'l Run<E>,
    f: &'l F,
}

impl<'l, S, F, E> TolerantValues<'l, S, F, E> {
    pub(super) fn new(
        items: &'l mut S,
        is_cancelled: &'l mut bool,
        run: &'l Run<E>,
        f: &'l F,
    ) -> Self {
        TolerantValues {
            items,
            is_cancelled,
            run,
            f,
        }
    }
}

impl<I, T, S, F, E> Iterator for TolerantValues<'_, S, F, E>
where
    S: Iterator<Item = I>,
    F: Fn(&CancelToken, I) -> Result<T, E>,
{
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            let item = self.items.next()?;
            let token = self.run.token();
            if token.is_cancelled() {
                *self.is_cancelled = true;
                return None;
            }
            let kind = match catch_unwind(AssertUnwindSafe(|| (self.f)(token, item))) {
                Ok(Ok(value)) => return Some(value),
                Ok(Err(error)) => Kind::Error(error),
                Err(payload) => Kind::Panic(payload),
            };
            if self.run.fail(Failure::new(None, kind)) == Reaction::Stop {
                return None;
            }
        }
    }
}
