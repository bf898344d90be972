//! `Reduce`: hands the values of a run in order on to another consumer, that of a `sum`, a `fold`
//! or a `collect`.
//!
//! Each chunk has a consumer of its own, split off the caller's, from left to right, and the
//! workers join what the chunks have become (see [`joins`](super::joins)). A consumer is user code:
//! that of `map_with` clones a value for each split. So it is not split under the lock of the
//! queue, where a chunk is claimed. A few consumers are there in advance, the worker that claims
//! takes one, and splits off more before it runs its chunk if they are about to run out.

use std::collections::VecDeque;
use std::iter;
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

use super::Engine;
use super::joins::Joins;
use super::source::{Ordered, Source, SourceCallback};
use super::splitter::Splitter;
use crate::engine::collect::{Collector, Supply};
use crate::run::{Abandoned, Run};
use crate::sync::{Mutex, lock, pool};
use crate::time::Moment;
use crate::token::CancelToken;

/// Calls `f` for every item, and gives the values to `base`.
pub(crate) fn consume<O, F, T, C, E>(items: O, run: &Run<E>, f: &F, base: C) -> C::Result
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    C: UnindexedConsumer<T>,
    E: Send,
{
    struct ConsumeAll<'r, F, C, E> {
        run: &'r Run<E>,
        f: &'r F,
        base: C,
    }

    impl<I, T, F, C, E> SourceCallback<I> for ConsumeAll<'_, F, C, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        C: UnindexedConsumer<T>,
        E: Send,
    {
        type Output = C::Result;

        fn callback<S: Source<Item = I>>(self, source: S) -> C::Result {
            let ConsumeAll { run, f, base } = self;
            // No more consumers than there can be chunks: each may be a clone of the user's.
            let workers = pool::current_num_threads();
            let workers = workers.min(source.opt_len().unwrap_or(usize::MAX)).max(1);
            let new = || Reduction::new(run, base, workers);
            let reduction = match catch_unwind(AssertUnwindSafe(new)) {
                Ok(reduction) => reduction,
                Err(payload) => {
                    // Not while the panic unwinds: the drop of an item may panic, too.
                    run.abandoned(payload, false);
                    run.drop_value(source);
                    resume_unwind(Box::new(Abandoned))
                }
            };
            let queue = Engine::of(run, f, source, Reduce::rest(&reduction)).join();
            let (_, _, leftover) = queue.into_parts();
            leftover.drop_in(run);
            reduction.complete()
        }
    }

    items.with_source(ConsumeAll { run, f, base })
}

/// What the chunks of a run share.
struct Reduction<'r, C: UnindexedConsumer<T>, T, E> {
    run: &'r Run<E>,
    stock: Mutex<Stock<C>>,
    joins: Joins<C::Result>,
    /// With fewer consumers in stock, a worker splits off more.
    low: usize,
    /// Whether there is more than one worker.
    has_others: bool,
}

struct Stock<C> {
    /// For the next chunks, from left to right.
    consumers: VecDeque<C>,
    /// Taken out by the worker that splits, since that is user code.
    splitter: Option<Splitter<C>>,
    /// The values after all chunks may not be wanted. To be asked when the splitter is back.
    may_be_full: bool,
}

impl<'r, C, T, E> Reduction<'r, C, T, E>
where
    C: UnindexedConsumer<T>,
{
    fn new(run: &'r Run<E>, base: C, workers: usize) -> Self {
        let mut splitter = Splitter::new(base);
        // One for each worker, and one that is not claimed (see `can_split`). In a model, so few
        // that they run out.
        let low = if cfg!(all(test, model = "shuttle")) {
            2
        } else {
            workers + 1
        };
        Reduction {
            run,
            joins: Joins::new(),
            low,
            has_others: workers > 1,
            stock: Mutex::new(Stock {
                consumers: (0..2 * low).map(|_| splitter.next()).collect(),
                splitter: Some(splitter),
                may_be_full: false,
            }),
        }
    }

    /// Splits off more consumers, if there are few, and asks whether the values that are left are
    /// wanted, if somebody wants to know.
    fn supply(&self) -> Supply {
        let mut supply = Supply::Enough;
        loop {
            let mut stock = lock(&self.stock);
            let missing = (2 * self.low).saturating_sub(stock.consumers.len());
            let is_low = stock.consumers.len() < self.low;
            if !is_low && !stock.may_be_full {
                return supply;
            }
            // Otherwise the worker that has it comes here again.
            let Some(mut splitter) = stock.splitter.take() else {
                return supply;
            };
            let asks = mem::take(&mut stock.may_be_full);
            drop(stock);
            let split = catch_unwind(AssertUnwindSafe(|| {
                let more: Vec<_> = (0..missing).map(|_| splitter.next()).collect();
                (more, asks && splitter.rest().full(), splitter)
            }));
            let (more, is_full, splitter) = match split {
                Ok(split) => split,
                Err(payload) => {
                    self.run.abandoned(payload, false);
                    return Supply::Ended;
                }
            };
            let mut stock = lock(&self.stock);
            stock.consumers.extend(more);
            stock.splitter = Some(splitter);
            if is_full {
                return Supply::Ended;
            }
            supply = Supply::Restocked;
        }
    }

    /// What all chunks have become.
    fn complete(self) -> C::Result {
        let stock = self.stock.into_inner();
        let stock = stock.unwrap_or_else(PoisonError::into_inner);
        let Some(rest) = stock.splitter.map(Splitter::into_rest) else {
            // A consumer panicked when it was split, and the run has recorded that.
            resume_unwind(Box::new(Abandoned));
        };
        let joined = (self.joins).join_all(|left, right| rest.to_reducer().reduce(left, right));
        joined.unwrap_or_else(|| rest.into_folder().complete())
    }
}

/// A consumer of the caller as a collector.
struct Reduce<'p, 'r, C: UnindexedConsumer<T>, T, E> {
    reduction: &'p Reduction<'r, C, T, E>,
    /// For the values that come next. The rest of the input has none.
    consumer: Option<C>,
    /// Values that have no folder yet: items that run one by one.
    waiting: Vec<T>,
    result: Option<C::Result>,
}

impl<'p, 'r, C: UnindexedConsumer<T>, T, E> Reduce<'p, 'r, C, T, E> {
    fn rest(reduction: &'p Reduction<'r, C, T, E>) -> Self {
        Reduce::with(reduction, None)
    }

    fn with(reduction: &'p Reduction<'r, C, T, E>, consumer: Option<C>) -> Self {
        Reduce {
            reduction,
            consumer,
            waiting: Vec::new(),
            result: None,
        }
    }

    /// For the values before those of `self`. `None` after a panic, which has stopped the run.
    fn split_off_left(&self) -> Option<C> {
        let split = || Some(self.consumer.as_ref()?.split_off_left());
        catch_unwind(AssertUnwindSafe(split)).unwrap_or_else(|payload| {
            self.reduction.run.abandoned(payload, false);
            None
        })
    }

    /// Gives values to a folder of their own.
    #[inline]
    fn fold(&mut self, values: impl Iterator<Item = T>) {
        let Some(consumer) = &self.consumer else {
            return;
        };
        let folder = consumer.split_off_left().into_folder();
        if folder.full() {
            return;
        }
        let result = folder.consume_iter(values).complete();
        self.result = Some(match self.result.take() {
            Some(before) => consumer.to_reducer().reduce(before, result),
            None => result,
        });
    }

    #[cold]
    fn fold_waiting(&mut self) {
        let waiting = mem::take(&mut self.waiting);
        self.fold(waiting.into_iter());
    }
}

impl<C, T, E> Collector for Reduce<'_, '_, C, T, E>
where
    C: UnindexedConsumer<T>,
    T: Send,
    E: Send,
{
    type Value = T;
    /// How long it took to join the result of a chunk, if it was joined.
    type Collected = Option<Duration>;
    const KEEPS: bool = false;

    fn can_split(&self) -> bool {
        // One is left for the worker that has the source, and claims without asking.
        lock(&self.reduction.stock).consumers.len() > 1
    }

    fn supply(&mut self) -> Supply {
        let is_full = catch_unwind(AssertUnwindSafe(|| {
            if !self.waiting.is_empty() {
                self.fold_waiting();
            }
            self.consumer.as_ref().is_none_or(Consumer::full)
        }));
        match is_full {
            Ok(true) => lock(&self.reduction.stock).may_be_full = true,
            Ok(false) => {}
            Err(payload) => self.reduction.run.abandoned(payload, false),
        }
        self.reduction.supply()
    }

    fn stops_early(&self) -> bool {
        self.reduction.has_others && self.consumer.as_ref().is_some_and(Consumer::full)
    }

    fn split_at(self, _: usize) -> (Self, Self) {
        let consumer = match &self.consumer {
            None => lock(&self.reduction.stock).consumers.pop_front(),
            Some(_) => self.split_off_left(),
        };
        (Reduce::with(self.reduction, consumer), self)
    }

    fn count(&self) -> Option<usize> {
        None
    }

    fn split_rest(&mut self) -> Self {
        let left = self.split_off_left();
        Reduce::with(self.reduction, mem::replace(&mut self.consumer, left))
    }

    #[inline]
    fn consume_iter(&mut self, next: impl FnMut() -> Option<T>) {
        if !self.waiting.is_empty() {
            self.fold_waiting();
        }
        self.fold(iter::from_fn(next));
    }

    fn consume(&mut self, value: T) {
        self.waiting.push(value);
    }

    fn complete(self) -> Option<Duration> {
        None
    }

    fn complete_chunk(self, items: Range<usize>, _: &[usize]) -> Option<Duration> {
        let run = self.reduction.run;
        let add = || {
            let (consumer, result) = (self.consumer?, self.result?);
            let began = Moment::now();
            let join = |left, right| consumer.to_reducer().reduce(left, right);
            let is_joined = self.reduction.joins.add(items, result, join);
            is_joined.then(|| began.elapsed())
        };
        catch_unwind(AssertUnwindSafe(add)).unwrap_or_else(|payload| {
            run.abandoned(payload, false);
            None
        })
    }

    fn joining(collected: &Option<Duration>) -> Option<Duration> {
        *collected
    }
}
