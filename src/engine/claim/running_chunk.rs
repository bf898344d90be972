//! `RunningChunk`: the loop over the items of a chunk, and what ends it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::Collector;
use super::item_loop::LoopExit;
use super::source::Source;
use super::worker::Worker;
use crate::engine::unwind_flag::UnwindFlag;
use crate::panic::Payload;
use crate::run::{Abandoned, Failure, Kind, Reaction};
use crate::sync::lock;
use crate::time::Moment;
use crate::token::CancelToken;

/// How long a worker iterates over the items that it hands over, at most.
const HAND_OVER_TIME: Duration = Duration::from_micros(50);

/// How a loop over the items of a chunk has ended.
pub(super) enum LoopEnd<I> {
    /// Every item has run.
    Complete,
    /// The item at this index has failed, and the run goes on with the next one.
    Tolerated(usize),
    /// The rest of the chunk no longer counts.
    Stopped,
    /// The worker is cancelled or called. It has not begun this item.
    Signalled(Option<I>),
    /// These items are for other workers.
    HandedOver(VecDeque<I>),
}

/// A chunk that is running, without its items and its collector.
pub(super) struct RunningChunk<'c, 'w, 's, S: Source, C: Collector, E> {
    pub(super) worker: &'c Worker<'w, 's, S, C, E>,
    pub(super) token: &'c CancelToken,
    /// The index of its first item, and the one after its last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Since when its items run.
    pub(super) began: Moment,
    /// How many failures were tolerated.
    pub(super) failures: usize,
    /// Their indices, if anybody asks for them.
    pub(super) failed: Vec<usize>,
    /// The errors that count, if the run keeps all of them.
    pub(super) errors: Vec<(usize, E)>,
}

impl<S, C, E> RunningChunk<'_, '_, '_, S, C, E>
where
    S: Source,
    C: Collector,
    E: Send,
{
    /// Runs fresh items, in a tight loop while nothing happens.
    pub(super) fn run(
        &mut self,
        mut items: S::Items,
        mut collector: C,
    ) -> (LoopEnd<S::Item>, S::Items, C) {
        let item_loop = self.worker.engine.item_loop;
        let mut exit;
        loop {
            (exit, items, collector) = item_loop.run_until_failure(self.token, items, collector);
            // Recorded at once, and not after the items are dropped, which may take long.
            match self.loop_end(exit, &items, &collector) {
                LoopEnd::Tolerated(index) => self.tolerate(index),
                LoopEnd::Signalled(held) => return self.run_signalled(held, items, collector),
                LoopEnd::Complete if Self::leaves_items(&items, &collector) => {
                    return self.run_signalled(None, items, collector);
                }
                loop_end => return (loop_end, items, collector),
            }
        }
    }

    /// What the end of the loop means for the chunk.
    fn loop_end(
        &mut self,
        exit: LoopExit<S::Item, E>,
        items: &S::Items,
        collector: &C,
    ) -> LoopEnd<S::Item> {
        match exit {
            LoopExit::Complete => LoopEnd::Complete,
            LoopExit::Signalled(held) => LoopEnd::Signalled(held),
            LoopExit::Failed(error) => self.fail(items, collector, Kind::Error(error)),
            LoopExit::ItemPanicked(payload) => self.fail(items, collector, Kind::Panic(payload)),
            LoopExit::Panicked(payload) => self.stop(payload),
            LoopExit::PanicCaught => {
                self.worker.engine.run.panic_in_flight();
                LoopEnd::Stopped
            }
        }
    }

    #[inline]
    fn leaves_items(items: &S::Items, collector: &C) -> bool {
        // Both are user code. A panic of the length shows again when the items are run.
        let leaves = || collector.stops_early() && items.len() > 0;
        catch_unwind(AssertUnwindSafe(leaves)).unwrap_or(true)
    }

    /// Goes on after a signal, or where the collector has stopped.
    #[cold]
    #[inline(never)]
    fn run_signalled(
        &mut self,
        held: Option<S::Item>,
        mut items: S::Items,
        mut collector: C,
    ) -> (LoopEnd<S::Item>, S::Items, C) {
        let loop_end = self.run_carefully(held, &mut items, &mut collector);
        (loop_end, items, collector)
    }

    /// Runs items one by one, and looks before each whether other workers call for the rest. For
    /// items that were handed over, and for the worker that is called.
    #[cold]
    #[inline(never)]
    pub(super) fn run_carefully(
        &mut self,
        held: Option<S::Item>,
        rest: &mut dyn ExactSizeIterator<Item = S::Item>,
        collector: &mut C,
    ) -> LoopEnd<S::Item> {
        let engine = self.worker.engine;
        let (item_loop, token) = (engine.item_loop, self.token);
        let (signal, closure) = (token.node().signal(), UnwindFlag::default());
        let cut = engine.run.cut.as_ref();
        let mut hands_over = true;
        let mut items = Pending {
            read: held.into_iter().collect(),
            rest,
        };
        loop {
            if hands_over && signal.is_call() && self.began.elapsed() >= engine.keep_time() {
                // What has run is a chunk, and what is handed over is one, too. To hand over one
                // item would gain nothing.
                let min_chunk = engine.limits.min_chunk;
                let count = min_chunk.max(2)..=(self.end - self.start).saturating_sub(min_chunk);
                match catch_unwind(AssertUnwindSafe(|| {
                    (count.contains(&items.len())).then(|| items.read_all())
                })) {
                    // Checked again, since an iterator may lie about its length: no more than there
                    // is room for.
                    Ok(Some(true))
                        if count.contains(&items.read.len())
                            && items.read.len() <= self.left(collector) =>
                    {
                        return LoopEnd::HandedOver(items.read);
                    }
                    Ok(Some(true)) => hands_over = false,
                    // The rest is read after the next item.
                    Ok(Some(false) | None) => {}
                    Err(payload) => return self.give_up(items.read, payload),
                }
            }
            let mut is_cut = false;
            if let Some(cut) = cut {
                match catch_unwind(AssertUnwindSafe(|| self.next_index(collector, &items))) {
                    // In this order: see `Node::cut_above`.
                    Ok(index) => {
                        token.node().set_position(index);
                        is_cut = cut.is_below(index);
                    }
                    Err(payload) => return self.give_up(items.read, payload),
                }
            }
            let item = match catch_unwind(AssertUnwindSafe(|| items.next())) {
                Ok(Some(item)) => item,
                Ok(None) => return LoopEnd::Complete,
                Err(payload) => return self.give_up(items.read, payload),
            };
            if is_cut || token.node().stops_worker() {
                engine.run.mark_incomplete();
                if cut.is_some() {
                    // What is left of the input comes after this item.
                    lock(&engine.queue).closed = true;
                }
                items.read.push_front(item);
                return self.drop_read(items.read);
            }
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let value = closure.run(|| item_loop.run_one(token, item))?;
                collector.consume(value);
                Ok(())
            }));
            let loop_end = match ran {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => self.fail(&items, collector, Kind::Error(error)),
                Err(payload) if closure.take() => {
                    self.fail(&items, collector, Kind::Panic(payload))
                }
                Err(payload) => self.stop(payload),
            };
            match loop_end {
                LoopEnd::Tolerated(index) => self.tolerate(index),
                _ => return self.drop_read(items.read),
            }
        }
    }

    /// The item at this index has failed, and has no value.
    fn tolerate(&mut self, index: usize) {
        self.failures += 1;
        // Otherwise the list would grow with the number of failures, and for nothing.
        if self.worker.engine.asks_for_failed() {
            self.failed.push(index);
        }
    }

    /// The index of the item that is next, if `rest` are the items that have not begun.
    fn next_index<R: ExactSizeIterator>(&self, collector: &C, rest: &R) -> usize {
        // Without values nobody has counted the items.
        match collector.count() {
            Some(values) => self.start + values + self.failures,
            None => self.end.saturating_sub(rest.len()),
        }
    }

    /// How many items have not begun, if the collector counts them. At most the whole chunk.
    fn left(&self, collector: &C) -> usize {
        let begun = collector.count().map_or(0, |values| values + self.failures);
        (self.end - self.start).saturating_sub(begun)
    }

    /// The source has panicked, so what comes after this is unknown.
    #[cold]
    fn stop(&self, payload: Payload) -> LoopEnd<S::Item> {
        self.worker.engine.run.abandoned(payload, false);
        LoopEnd::Stopped
    }

    #[cold]
    fn give_up(&self, read: VecDeque<S::Item>, payload: Payload) -> LoopEnd<S::Item> {
        self.worker.engine.run.panicked(payload);
        self.drop_read(read)
    }

    #[cold]
    fn drop_read(&self, read: VecDeque<S::Item>) -> LoopEnd<S::Item> {
        self.worker.engine.run.drop_each(read);
        LoopEnd::Stopped
    }

    /// The item before `rest` has failed.
    #[cold]
    #[inline(never)]
    fn fail<R>(&mut self, rest: &R, collector: &C, kind: Kind<E>) -> LoopEnd<S::Item>
    where
        R: ExactSizeIterator<Item = S::Item>,
    {
        if matches!(&kind, Kind::Panic(payload) if payload.is::<Abandoned>()) {
            self.worker.engine.run.panic_in_flight();
            return LoopEnd::Stopped;
        }
        // Without values nobody has counted the items. The length of the rest is user code, and may
        // panic.
        let index = catch_unwind(AssertUnwindSafe(|| match collector.count() {
            Some(values) => self.start + values + self.failures,
            None => self.end.saturating_sub(rest.len().saturating_add(1)),
        }));
        match (index, kind) {
            (Ok(index), kind) => self.fail_at(index, kind),
            (Err(payload), Kind::Error(error)) => {
                self.worker.engine.run.panicked(payload);
                self.worker.engine.run.drop_value(error);
                LoopEnd::Stopped
            }
            (Err(payload), Kind::Panic(first)) => {
                self.worker.engine.run.panicked(first);
                self.stop(payload)
            }
        }
    }

    /// Records a failure, and stops what no longer counts: if the error limit is reached,
    /// everything after the bound. Everything before it runs to its end.
    fn fail_at(&mut self, index: usize, kind: Kind<E>) -> LoopEnd<S::Item> {
        let engine = self.worker.engine;
        let (reaction, unwanted) = engine.run.record(Failure::new(Some(index), kind));
        let later = lock(&engine.queue).narrow(self.worker.id, index, reaction);
        (engine.run).cancel_workers(later.iter().map(|later| (&later.token, later.held)));
        if let Some(error) = engine.run.give_back(unwanted) {
            self.errors.push((index, error));
        }
        match reaction {
            Reaction::Continue => LoopEnd::Tolerated(index),
            Reaction::StopAbove(bound) if index < bound => LoopEnd::Tolerated(index),
            Reaction::StopAbove(_) | Reaction::Stop => LoopEnd::Stopped,
        }
    }
}

/// The items of a chunk that have not begun, of which the first were read.
struct Pending<'c, I> {
    read: VecDeque<I>,
    rest: &'c mut dyn ExactSizeIterator<Item = I>,
}

impl<I> Pending<'_, I> {
    /// Reads the items, to hand them over, but not for long. Whether these are all.
    fn read_all(&mut self) -> bool {
        let began = Moment::now();
        for item in &mut *self.rest {
            self.read.push_back(item);
            if began.elapsed() > HAND_OVER_TIME {
                return false;
            }
        }
        true
    }
}

impl<I> Iterator for Pending<'_, I> {
    type Item = I;

    fn next(&mut self) -> Option<I> {
        self.read.pop_front().or_else(|| self.rest.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.read.len().saturating_add(self.rest.len());
        (left, Some(left))
    }
}

impl<I> ExactSizeIterator for Pending<'_, I> {}
