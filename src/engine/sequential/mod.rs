//! The sequential engine: a plain loop on the calling thread.
//!
//! It needs no pool and starts no thread. What a failure or a cancellation means is decided by the
//! [`Run`], as in the other engines.

mod taker;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::taker::{Folded, Nothing, OneByOne, Taker, Values, WithIndices};
use super::claim::outcome::Results;
use super::claim::stream::SinkResult;
use super::collect::incomplete;
use super::slots::Buffer;
use super::unwind_flag::UnwindFlag;
use crate::by_index::ByIndex;
use crate::run::{Abandoned, Failure, Kind, Reaction, Run};
use crate::token::CancelToken;

/// The input of a run.
#[derive(Clone, Debug)]
pub struct Input<I> {
    items: I,
    /// Whether failures name the index of their item.
    in_order: bool,
    /// Whether an exact `size_hint` is its length. Then items that were never read count as
    /// skipped.
    has_len: bool,
}

impl<I: Iterator> Input<I> {
    pub(crate) fn unordered(items: I) -> Self {
        Input {
            items,
            in_order: false,
            has_len: true,
        }
    }

    pub(crate) fn in_order(items: I) -> Self {
        Input {
            items,
            in_order: true,
            has_len: true,
        }
    }

    /// Of unknown length, as `par_in_order` takes it.
    pub(crate) fn read_lazily(items: I) -> Self {
        Input {
            items,
            in_order: true,
            has_len: false,
        }
    }

    fn len(&self) -> Option<usize> {
        let (least, most) = self.items.size_hint();
        (self.has_len && most == Some(least)).then_some(least)
    }

    fn into_loop<F, E>(self, run: &Run<E>, f: F) -> Loop<'_, I, F, E> {
        Loop::new(self.items, self.in_order, run, f)
    }
}

/// Calls `f` for every item. `None` if the length of the source panicked.
#[inline]
pub(crate) fn for_each<I, F, E>(input: Input<I>, run: &Run<E>, f: F) -> Option<()>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<(), E>,
{
    run.drive(|| {
        let mut items = input.into_loop(run, f);
        items.run(&mut Nothing);
        items.end();
    })
}

/// The values of `f`. `None`, or an incomplete vector, if the run does not end with `Ok`.
#[inline]
pub(crate) fn map<I, F, T, E>(input: Input<I>, run: &Run<E>, f: F) -> Option<Vec<T>>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
    T: Send,
{
    run.drive(|| {
        // Without a length, or with one too long for the memory: the run may still fail early.
        let Some(buffer) = input.len().and_then(Buffer::new) else {
            let mut values = Values(reserve(&input));
            let mut items = input.into_loop(run, f);
            items.run(&mut values);
            items.end();
            return values.0;
        };
        let values = buffer.fill(|mut slots| {
            let mut items = input.into_loop(run, f);
            items.run(&mut slots);
            items.end();
        });
        values.unwrap_or_else(|| incomplete(run))
    })
}

/// Gives the values of `f` to `sink`, each before the next item begins.
pub(crate) fn stream<I, F, K, T, R, E>(
    input: Input<I>,
    run: &Run<E>,
    f: F,
    mut sink: K,
) -> Option<()>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
    K: FnMut(T) -> Result<R, E>,
    R: SinkResult,
{
    run.drive(|| {
        let mut items = input.into_loop(run, f);
        items.run(&mut OneByOne(|index, value| {
            if run.token().is_cancelled() {
                // The sink has not had them all.
                run.mark_incomplete();
                return ControlFlow::Break(());
            }
            match sink(value).map(R::into_flow) {
                Ok(ControlFlow::Continue(())) => return ControlFlow::Continue(()),
                Ok(ControlFlow::Break(())) => run.succeed(index),
                Err(error) => _ = run.fail(Failure::fatal(Some(index), Kind::Error(error))),
            }
            ControlFlow::Break(())
        }));
        items.end();
    })
}

/// All results of `f`.
pub(crate) fn outcome<I, F, T, E>(input: Input<I>, run: &Run<E>, f: F) -> Option<Results<T, E>>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
{
    run.drive(|| {
        let len = input.len().unwrap_or(0);
        let mut all = WithIndices(reserve(&input));
        let mut items = input.into_loop(run, f);
        items.run(&mut all);
        // The run may have stopped long before its end.
        all.0.shrink_to_fit();
        let (mut values, mut errors) = (ByIndex::new(), ByIndex::new());
        values.push_part(all.0);
        let (read, failed) = items.end();
        errors.push_part(failed);
        let items = len.max(read);
        Results {
            values,
            errors,
            items,
        }
    })
}

/// What `body` makes of the values of `f`, which run when it asks for them. `None` if it panicked.
pub(crate) fn process<I, F, T, E, B, R>(input: Input<I>, run: &Run<E>, f: F, body: B) -> Option<R>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
    B: for<'l> FnOnce(Loop<'l, &'l mut I, &'l F, E>) -> R,
{
    let Input {
        mut items,
        in_order,
        ..
    } = input;
    // The items stay outside: the body may panic, and may forget what it is given.
    let result = run.with_body(|| body(Loop::new(&mut items, in_order, run, &f)));
    run.drop_value(items);
    result
}

/// A vector with room for the values, if there is so much memory. The run may still fail early.
fn reserve<I: Iterator, T>(input: &Input<I>) -> Vec<T> {
    let mut values = Vec::new();
    _ = values.try_reserve_exact(input.items.size_hint().0);
    values
}

/// The items of a run, and `f`.
pub(crate) struct Loop<'r, I, F, E> {
    run: &'r Run<E>,
    items: I,
    f: F,
    in_order: bool,
    /// How many items have begun. The next one has this index.
    begun: usize,
    /// How many were read as a proof that the run is incomplete, and dropped: one at most.
    dropped: usize,
    /// The source has ended or panicked, or what is left of it does not count.
    is_over: bool,
    /// The errors that count, if the run keeps all of them.
    errors: Vec<(usize, E)>,
}

impl<'r, I: Iterator, F, E> Loop<'r, I, F, E> {
    fn new(items: I, in_order: bool, run: &'r Run<E>, f: F) -> Self {
        Loop {
            run,
            items,
            f,
            in_order,
            begun: 0,
            dropped: 0,
            is_over: false,
            errors: Vec::new(),
        }
    }

    /// Drops what is left. Returns how many items were read, and the errors that count.
    fn end(self) -> (usize, Vec<(usize, E)>) {
        self.run.drop_value(self.items);
        (self.begun + self.dropped, self.errors)
    }

    /// How many values may come.
    pub(crate) fn max_left(&self) -> Option<usize> {
        if self.is_over {
            return Some(0);
        }
        self.items.size_hint().1
    }
}

impl<I: Iterator, F, T, E> Loop<'_, I, F, E>
where
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
{
    /// Gives values to `taker` until it has enough, or the run is over. Goes on after each failure
    /// that the run tolerates.
    #[inline]
    fn run(&mut self, taker: &mut impl Taker<T>) {
        if self.is_over {
            return;
        }
        if self.run.policy.tolerates_errors() {
            self.run_tolerant(taker);
        } else {
            _ = self.run_until_failure(taker);
        }
    }

    /// In a function of its own, for the sake of the loop of a run that tolerates nothing.
    #[inline(never)]
    fn run_tolerant(&mut self, taker: &mut impl Taker<T>) {
        while self.run_until_failure(taker) == Reaction::Continue {}
    }

    /// The next value, if the run is not over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<T> {
        let mut next = None;
        self.run(&mut OneByOne(|_, value| {
            next = Some(value);
            ControlFlow::Break(())
        }));
        next
    }

    /// Folds all values that are left. A panic of `fold` is the caller's.
    #[inline]
    pub(crate) fn fold<A>(&mut self, init: A, fold: impl FnMut(A, T) -> A) -> A {
        let mut folded = Folded {
            result: Some(init),
            fold,
            unwinding: UnwindFlag::default(),
        };
        self.run(&mut folded);
        folded.result.unwrap_or_else(|| unreachable!())
    }

    /// Runs items until one fails or `taker` has enough, and returns the run's reaction: whether to
    /// go on with the next item. At the end of the items, or if it is enough, that is `Stop`.
    #[inline]
    fn run_until_failure(&mut self, taker: &mut impl Taker<T>) -> Reaction {
        let (run, f, items) = (self.run, &self.f, &mut self.items);
        let (token, signal) = (run.token(), run.token().node().signal());
        let (closure, mut begun) = (UnwindFlag::default(), self.begun);
        // Written only on the way out of the loop.
        let mut end = LoopEnd::Enough;
        // The items stay outside: what a panic leaves of them is dropped after the unwinding, so
        // that a second panic, from the drop of an item, does not abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            taker.take_from(|| {
                let Some(item) = items.next() else {
                    end = LoopEnd::Ended;
                    return None;
                };
                if signal.is_raised() {
                    run.mark_incomplete();
                    drop(item);
                    end = LoopEnd::Cancelled;
                    return None;
                }
                let index = begun;
                begun += 1;
                match closure.run(|| f(token, item)) {
                    Ok(value) => Some((index, value)),
                    Err(error) => {
                        end = LoopEnd::Failed(error);
                        None
                    }
                }
            });
        }));
        self.begun = begun;
        match (unwound, end) {
            (Ok(()), LoopEnd::Enough) => Reaction::Stop,
            (Ok(()), LoopEnd::Ended) => self.stop(),
            (Ok(()), LoopEnd::Cancelled) => {
                self.dropped += 1;
                self.stop()
            }
            (Ok(()), LoopEnd::Failed(error)) => self.fail(Kind::Error(error)),
            (Err(payload), _) if closure.take() => self.fail(Kind::Panic(payload)),
            // The body may catch it, but it is not lost beside a failure that was tolerated.
            (Err(payload), _) if taker.has_unwound() && run.has_failure() => {
                run.panicked(payload);
                resume_unwind(Box::new(Abandoned))
            }
            (Err(payload), _) if taker.has_unwound() => resume_unwind(payload),
            (Err(payload), _) => {
                run.panicked(payload);
                self.stop()
            }
        }
    }

    /// The item that began last has failed.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, kind: Kind<E>) -> Reaction {
        let index = self.begun - 1;
        let failure = Failure::new(self.in_order.then_some(index), kind);
        let (reaction, unwanted) = self.run.record(failure);
        if let Some(error) = self.run.give_back(unwanted) {
            self.errors.push((index, error));
        }
        match reaction {
            Reaction::Continue => Reaction::Continue,
            // No earlier item is left that might still fail.
            Reaction::StopAbove(_) | Reaction::Stop => self.stop(),
        }
    }

    fn stop(&mut self) -> Reaction {
        self.is_over = true;
        Reaction::Stop
    }
}

/// How the loop has ended, if nothing has panicked.
enum LoopEnd<E> {
    /// The taker has enough for now.
    Enough,
    /// There is no other item.
    Ended,
    /// The run is cancelled, and an item was dropped because of that.
    Cancelled,
    Failed(E),
}
