//! `InOrder`: the methods with a deterministic result, without and with a group.

mod with_group;

use crate::cut::Cut;
use crate::engine::claim;
use crate::engine::claim::source::Ordered;
use crate::engine::claim::stream::SinkResult;
use crate::group::ErrGroup;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::token::CancelToken;
use crate::values::{Values, process};
use crate::with_group::WithGroup;

/// An input whose items run in parallel, with a deterministic result: the values or the error of
/// the sequential loop, on any number of threads.
///
/// It is made by [`in_order`](crate::IndexedErrGroupExt::in_order) from rayon's indexed iterators
/// and by [`par_in_order`](crate::IteratorErrGroupExt::par_in_order) from any sequential iterator.
///
/// # Order
///
/// Each thread of the pool claims the next few items from the start of the input: items are claimed
/// in ascending order, and on one thread they run as in a loop. If several items fail, the failure
/// with the lowest index is returned: for a closure without side effects, the one that `for item in
/// items { f(item)?; }` would end with. When an item fails, each thread starts at most one more of
/// the later items, and all earlier items run to their end.
///
/// # Cancellation
///
/// Each item is given a token. A failure cancels the tokens of later items, at once. Earlier items
/// never see it; otherwise the result would depend on timing. Any other cancellation (the run's
/// token, a deadline, a panic, an item that calls [`cancel`](CancelToken::cancel)) reaches all
/// items, and from then on the failure that was the first so far stays the result. Items in flight
/// may have different tokens, but each behaves like the run's token.
///
/// # Panics
///
/// See [`err_group`](crate::ErrGroupExt::err_group). A panic has no place in the order: it cancels
/// the run at once, and outranks a failure even of an earlier item.
///
/// # Cost
///
/// That of rayon's `try_for_each` or `collect`, and a few small allocations for each thread and one
/// for each chunk of items. Chunks are sized by guided self-scheduling: a thread claims as many
/// items as fit into about 50 µs, judged by its last chunk, and towards the end a share of what is
/// left. So quick items cost no more, and slow items are claimed one by one, so there are no
/// stragglers. Where quick items turn slow without warning, the thread that has claimed many of
/// them hands over the items that it has not started, as soon as another thread is idle.
/// `with_max_len` limits the chunks; it is respected, as `with_min_len` is (but not above 1024 in
/// `try_stream`). There is nothing else to tune.
///
/// Behind `map_init` or `map_with` each chunk has a state of its own. A chunk lasts at least eight
/// times as long as it takes to make one, so the states cost at most a ninth of the time.
///
/// A progress bar belongs into the closure or the sink. Adaptors that count items as they are read,
/// such as indicatif's `progress_with`, see the end of every chunk as the end of the input:
/// [recipe](crate::guide::recipes#a-progress-bar).
///
/// # When not to use it
///
/// If it does not matter which error comes back, the methods of [`ErrGroupExt`](crate::ErrGroupExt)
/// stop sooner where an early item is slow and a later one fails: there the early item is
/// cancelled; here it is on the critical path: the run waits for it, because it may fail, too. They
/// also take iterators that have no order, such as those behind `filter` or of a hash map.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// let words = ["1", "2", "x", "y"];
/// let result = words.par_iter().in_order().try_map(|_, word| {
///     word.parse::<i32>().map_err(|_| format!("{word} is not a number"))
/// });
/// assert_eq!(result, Err("x is not a number".to_string())); // never y
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until a terminal method such as `err_group`, `try_map` or `outcome` is called"]
pub struct InOrder<S> {
    pub(crate) source: S,
    cut: Option<Cut>,
}

impl<S> InOrder<S> {
    pub(crate) fn new(source: S) -> Self {
        InOrder { source, cut: None }
    }

    /// Stops the run also at what fails elsewhere: at the lowest index that `cut` has, now or
    /// later. Items at and below that index run to their end; those above it are cancelled or
    /// dropped, as after a failure of the run itself.
    ///
    /// The indices are those of this input, counted from 0. If it is a part of a larger batch, they
    /// are to be converted first; a failure before the whole part is a case for the
    /// [token](ErrGroup::token) of the group.
    ///
    /// # Errors
    ///
    /// A run that the cut has stopped is incomplete, and never ends with `Ok`. With a
    /// [group](InOrder::with_group) its result is
    ///
    /// - a failure of its own, if one was recorded before its item was cut off. It may have a
    ///   higher index than the cut: which of the two counts is for the caller to say;
    /// - otherwise [`GroupError::Cancelled`](crate::GroupError::Cancelled), whose source says
    ///   `item 7 failed elsewhere`.
    ///
    /// An [`outcome`](InOrder::outcome) has the values and errors of the items below, and counts
    /// the others as cancelled or skipped. If nothing was left above the cut, nothing was skipped,
    /// and the run is complete. Values that were ready before the cut are kept, also above it.
    ///
    /// # Panics
    ///
    /// A run without a group can return nothing but an error of its own. If the cut has stopped it
    /// and there is none, the method panics, as it does if a closure cancels its own run. Use
    /// [`outcome`](InOrder::outcome) or [`with_group`](InOrder::with_group).
    ///
    /// # Cost
    ///
    /// Until the cut is lowered, none for the closures of [`err_group`](InOrder::err_group), which
    /// see no token. For a closure that is given one, some nanoseconds for each item: the run
    /// remembers which item it is, so that one that waits can be cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{Cancelled, Cut, ErrGroup, GroupError, prelude::*};
    /// use std::{error::Error, time::Duration};
    ///
    /// let (cut, group) = (Cut::new(), ErrGroup::new());
    /// let items = (0..100).into_par_iter().in_order().cut(&cut).with_group(&group);
    /// let result = items.try_for_each(|token, n| {
    ///     match n {
    ///         40 => cut.lower(60), // news from elsewhere
    ///         70 => token.sleep(Duration::from_secs(3600))?, // told to stop
    ///         _ => {}
    ///     }
    ///     Ok::<_, Cancelled>(())
    /// });
    /// let Err(GroupError::Cancelled(cancelled)) = result else { unreachable!() };
    /// assert_eq!(cancelled.source().unwrap().to_string(), "item 60 failed elsewhere");
    /// ```
    pub fn cut(mut self, cut: &Cut) -> Self {
        self.cut = Some(cut.clone());
        self
    }

    /// Starts a run without a policy.
    fn start<E>(&self, see_token: bool) -> Run<E> {
        Run::bare().cut_by(self.cut.clone(), see_token)
    }
}

impl<S: Ordered> InOrder<S> {
    /// Calls `f` for every item in parallel, and stops at the lowest index that fails.
    ///
    /// # Order
    ///
    /// Items start in ascending order. If several items fail, the first error in iteration order is
    /// returned. See [`InOrder`].
    ///
    /// # Cancellation
    ///
    /// When an item has failed, each thread starts at most one more of the later items. The call
    /// waits for the items that run, and the rest are dropped. Long-running items can stop earlier
    /// with [`try_for_each`](InOrder::try_for_each).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item with its payload, after the other items have ended.
    ///
    /// # Errors
    ///
    /// Returns the error of the lowest index that failed. The result is `Ok` if and only if `f`
    /// returned `Ok` for every item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let result = (0..1_000_000).into_par_iter().in_order().err_group(|n| {
    ///     if n % 1000 == 999 { Err(n) } else { Ok(()) }
    /// });
    /// assert_eq!(result, Err(999));
    /// ```
    pub fn err_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = self.start(false);
        let result = claim::for_each(self.source, &run, &|_: &_, item| f(item));
        run.finish(result).into_bare()
    }

    /// Calls `f` for every item in parallel, and gives it a token, so that long-running items can
    /// stop early.
    ///
    /// # Order
    ///
    /// See [`err_group`](InOrder::err_group).
    ///
    /// # Cancellation
    ///
    /// See [`err_group`](InOrder::err_group). In addition, a failure cancels the tokens of later
    /// items; earlier items do not see it. An item that stops early must return an `Err`, which is
    /// never the one returned.
    ///
    /// # Panics
    ///
    /// See [`err_group`](InOrder::err_group). It also panics if `f` cancels the token itself, items
    /// were skipped because of that, and none returned an error:
    /// [`with_group`](InOrder::with_group) has an error for that.
    ///
    /// # Errors
    ///
    /// See [`err_group`](InOrder::err_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// // An infinite source: the failure cancels later items.
    /// let result = (0_u64..).par_in_order().try_for_each(|token, n| {
    ///     if n == 3 { return Err("three") }
    ///     while n > 3 { token.check().map_err(|_| "cancelled")? }
    ///     Ok(())
    /// });
    /// assert_eq!(result, Err("three"));
    /// ```
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = self.start(true);
        let result = claim::for_each(self.source, &run, &f);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and returns the values in the order of the items.
    ///
    /// # Order
    ///
    /// See [`err_group`](InOrder::err_group). The values are in the order of the items.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each`](InOrder::try_for_each). The values that were ready are dropped.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](InOrder::try_for_each).
    ///
    /// # Errors
    ///
    /// See [`err_group`](InOrder::err_group).
    ///
    /// # Cost
    ///
    /// The values of an indexed iterator are written straight into one vector, at the cost of
    /// rayon's `collect` into a `Vec`, and 1.2 to 1.4 times that where items take a nanosecond.
    /// Those of a sequential iterator are collected by chunks, which are then joined.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let numbers = "1 2 3".split(' ').par_in_order().try_map(|_, word| word.parse::<i32>());
    /// assert_eq!(numbers, Ok(vec![1, 2, 3]));
    /// ```
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let run = self.start(true);
        let result = claim::map(self.source, &run, &f);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and gives the values to `body` as a parallel iterator:
    /// to be summed, folded, reduced or collected by any of rayon's methods.
    ///
    /// # Order
    ///
    /// Items start in ascending order, and the error is that of the lowest index that failed. What
    /// `fold`, `reduce` and `collect` make of the values is in the order of the items; the threads
    /// join their parts as they go.
    ///
    /// A short circuit (`any`, `find_first`, `take_any`) ends the run at the match: after it, only
    /// the chunks that were claimed before run to their end. All items before the match run, so an
    /// error there is the result, as in the loop. An error behind it, in one of those chunks, may
    /// be the result, too, where the loop would have ended with the match. `find_last` runs all
    /// items.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each`](InOrder::try_for_each). The body is not stopped: see
    /// [`try_process_group`](crate::ErrGroupExt::try_process_group).
    ///
    /// # Panics
    ///
    /// Resumes a panic of `f`, of the iterator, or of what the body does with the values; it stops
    /// the run at once. A panic of the body after a failure is dropped, since it may come of the
    /// values that are missing.
    ///
    /// # Errors
    ///
    /// Returns the error of the lowest index that failed. The result is `Ok` if and only if every
    /// item that the body asked for returned `Ok`.
    ///
    /// # Cost
    ///
    /// That of rayon's `map(f)` with the same method, and up to a quarter more where an item takes
    /// a nanosecond. Where joining two parts is slow (if each is a map), there are few parts: each
    /// is a share of what is left. Those of a sequential iterator have at most 1024 items.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    /// use std::collections::BTreeMap;
    ///
    /// let lines = ["a b", "b", "c!", "!"];
    /// let count = |_: &_, line: &&'static str| {
    ///     let words = line.split(' ').map(|word| (word, 1)).collect::<BTreeMap<_, _>>();
    ///     if line.contains('!') { Err(*line) } else { Ok(words) }
    /// };
    /// let add = |mut all: BTreeMap<_, _>, words: BTreeMap<_, _>| {
    ///     words.into_iter().for_each(|(word, n)| *all.entry(word).or_default() += n);
    ///     all
    /// };
    /// let sum = |lines: &[&'static str]| {
    ///     let lines = lines.par_iter().in_order();
    ///     lines.try_process(count, |counts| counts.reduce(BTreeMap::new, add))
    /// };
    /// assert_eq!(sum(&lines[..2]), Ok(BTreeMap::from([("a", 1), ("b", 2)])));
    /// assert_eq!(sum(&lines), Err("c!"));
    /// ```
    #[doc(alias = "process_results")]
    #[doc(alias = "try_reduce")]
    #[doc(alias = "try_fold")]
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, Self, F, E>) -> R,
    {
        let run = self.start(true);
        let result = process(self, &run, None, &f, body);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and passes the values to `sink`, one by one, in the
    /// order of the items, on the calling thread.
    ///
    /// This is `for item in items { sink(f(item)?)?; }`, with `f` in parallel. The sink need not be
    /// `Send`: it may write to a file, or fill a map.
    ///
    /// # Order
    ///
    /// If item `i` is the first in iteration order that fails, in `f` or in the sink, the sink has
    /// been given exactly the values before it (and the value of `i`, if the sink failed). If
    /// something else cancels the run before the sink has had them all, the cancellation is the
    /// result, and not the failure.
    ///
    /// The sink gets a value when the chunk of the value has ended, so an item must not wait for
    /// what the sink does with an earlier one. The threads run ahead of the sink by a bounded
    /// number of values, however long the input is (backpressure): 16 chunks for each thread. A
    /// chunk has at most 1024 values and 256 KiB of them (without what they point to), so at most
    /// 4 MiB wait for each thread; or it has one item, where items take long or a value is larger.
    /// A thread that is too far ahead does not wait: it does other work of the pool until the sink
    /// has caught up.
    ///
    /// A sink that needs no more values returns `Ok(ControlFlow::Break(()))` ([`SinkResult`]), and
    /// the run ends successfully: the values after that are dropped, items that run are cancelled,
    /// and an error behind it does not count. A panic does, and so does a tolerated error before
    /// it.
    ///
    /// If the calling thread is one of the pool's, it runs items itself while the next value is not
    /// there, and reads the iterator; on a pool of one thread it does everything. The sink waits
    /// meanwhile. So where `next` or an item waits for the sink, as in a server whose sink sends
    /// the answers, call this from a thread outside of the pool. The thread takes up other jobs of
    /// the pool only after a quarter of a second without a value, since these may take long. A
    /// thread outside of the pool sleeps meanwhile, and may leave a value waiting for up to a
    /// millisecond, to take several at once.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each`](InOrder::try_for_each). After a cancellation from outside the sink is
    /// not called again, and the values that it has not received are dropped. A blocking sink
    /// cannot be interrupted: [recipe](crate::guide::recipes#a-sink-that-may-block).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of the sink. It also panics as
    /// [`try_for_each`](InOrder::try_for_each) does, if `f` cancels the token itself.
    ///
    /// # Errors
    ///
    /// Returns the error of the lowest index that failed. An error of the sink has the index of the
    /// item whose value it was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let mut doubled = String::new();
    /// let result = "1\n2\nthree\n4".lines().par_in_order().try_stream(
    ///     |_, line| line.parse::<i32>().map(|number| 2 * number),
    ///     |number| Ok(doubled += &format!("{number} ")),
    /// );
    /// assert!(result.is_err());
    /// assert_eq!(doubled, "2 4 ");
    /// ```
    pub fn try_stream<F, T, K, R, E>(self, f: F, sink: K) -> Result<(), E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        K: FnMut(T) -> Result<R, E>,
        T: Send,
        R: SinkResult,
        E: Send,
    {
        let run = self.start(true);
        let result = claim::stream::stream(self.source, &run, None, &f, sink);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and returns every value and every error with its
    /// index, and how many items were skipped.
    ///
    /// The run stops at the first error in iteration order. To keep going, or to stop at a later
    /// error, attach a [group](InOrder::with_group): the [same method](WithGroup::outcome) is
    /// there.
    ///
    /// # Order
    ///
    /// Values and errors are sorted by index. For closures without side effects, the error and the
    /// values before it are those of the sequential loop, on any number of threads. After it there
    /// may be the results of items that were in flight then ([`Outcome::late_errors`]).
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each`](InOrder::try_for_each). What was ready is kept.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "x", "3"].par_iter().in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values().get(0), Some(&1));
    /// assert!(outcome.errors().get(1).is_some());
    /// assert_eq!(outcome.into_result().unwrap_err().to_string(), "item 1 failed");
    /// ```
    pub fn outcome<F, T, E>(self, f: F) -> Outcome<T, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        self.with_group(&ErrGroup::new()).outcome(f)
    }

    /// Attaches a group: a token or deadline that stops the run from outside, a number of threads,
    /// an error limit. The errors of its methods have the index of the item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().concurrency(4);
    /// let lines = "1\n2\nthree\nfour".lines().par_in_order().with_group(&group);
    /// let result = lines.try_map(|_, line| line.parse::<u8>());
    /// assert_eq!(result.unwrap_err().index(), Some(2));
    /// ```
    pub fn with_group(self, group: &ErrGroup) -> WithGroup<'_, Self> {
        WithGroup {
            source: self,
            group,
        }
    }
}
