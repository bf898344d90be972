//! `ItemLoop`: the loop over the items of a chunk, and the one part of the engine that is compiled
//! for each closure.
//!
//! Everything else sees the closure through this trait. So the calls of a program that have the
//! same kind of source, value and error share one engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Collector;
use super::source::Source;
use crate::engine::unwind_flag::UnwindFlag;
use crate::panic::Payload;
use crate::token::CancelToken;

/// A closure, as the engine calls it.
pub(super) trait ItemLoop<S: Source, C: Collector, E>: Sync {
    /// Runs items until one fails, or until the worker is signalled.
    ///
    /// Items and collector are moved in and out. Behind a reference, which anybody could have
    /// kept, each item would cost a store.
    fn run_until_failure(
        &self,
        token: &CancelToken,
        items: S::Items,
        collector: C,
    ) -> (LoopExit<S::Item, E>, S::Items, C);

    /// Runs one item.
    fn run_one(&self, token: &CancelToken, item: S::Item) -> Result<C::Value, E>;
}

/// Why the loop over some items has ended.
pub(super) enum LoopExit<I, E> {
    /// Every item has run, or the collector wants no more values.
    Complete,
    /// The worker is cancelled or called. It has not begun this item.
    Signalled(Option<I>),
    Failed(E),
    /// The closure has panicked.
    ItemPanicked(Payload),
    /// The source or the collector has.
    Panicked(Payload),
    /// The closure has, and the collector has returned nevertheless: the values are the source of
    /// another run, which has caught the panic.
    PanicCaught,
}

impl<F, S, C, E> ItemLoop<S, C, E> for F
where
    F: Fn(&CancelToken, S::Item) -> Result<C::Value, E> + Sync,
    S: Source,
    C: Collector,
{
    fn run_until_failure(
        &self,
        token: &CancelToken,
        mut items: S::Items,
        mut collector: C,
    ) -> (LoopExit<S::Item, E>, S::Items, C) {
        let (signal, closure) = (token.node().signal(), UnwindFlag::default());
        // Written only on the way out of the loop.
        let (mut is_signalled, mut held, mut failed) = (false, None, None);
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            collector.consume_iter(|| {
                // Before the next item is taken, so that nothing has to be kept. But a sequential
                // iterator is not read on if it was cancelled by its own `next`.
                if S::IS_SPLIT && signal.is_raised() {
                    is_signalled = true;
                    return None;
                }
                let item = items.next()?;
                if !S::IS_SPLIT && signal.is_raised() {
                    (is_signalled, held) = (true, Some(item));
                    return None;
                }
                match closure.run(|| self(token, item)) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        failed = Some(error);
                        None
                    }
                }
            });
        }));
        let exit = match unwound {
            Ok(()) if closure.take() => LoopExit::PanicCaught,
            Ok(()) => match failed {
                Some(error) => LoopExit::Failed(error),
                None if is_signalled => LoopExit::Signalled(held),
                None => LoopExit::Complete,
            },
            Err(payload) if closure.take() => LoopExit::ItemPanicked(payload),
            Err(payload) => LoopExit::Panicked(payload),
        };
        (exit, items, collector)
    }

    fn run_one(&self, token: &CancelToken, item: S::Item) -> Result<C::Value, E> {
        self(token, item)
    }
}
