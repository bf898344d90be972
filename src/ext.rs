//! The extension traits for rayon's and std's iterators.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};

use crate::engine::claim::source::Sequential;
use crate::engine::steal;
use crate::group::ErrGroup;
use crate::in_order::InOrder;
use crate::run::Run;
use crate::token::CancelToken;
use crate::values::{Values, process};
use crate::with_group::WithGroup;

/// Adds Go's errgroup to every rayon parallel iterator.
///
/// The first four methods return the item's own error type, because only an item can make them
/// fail. To stop a run from outside, or to limit it, use [`with_group`](ErrGroupExt::with_group).
///
/// Items start in any order. If several fail, the call returns the error that was first *in time*,
/// so never one that the cancellation caused. On a pool of one thread that is what the sequential
/// loop would return, unless an item waits for another pool: meanwhile its thread may start the
/// next item. For the first error *in iteration order*, use
/// [`in_order`](IndexedErrGroupExt::in_order).
///
/// # Examples
///
/// Use it as a bound for functions that take any parallel iterator. It implies
/// [`ParallelIterator`]:
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// fn total(numbers: impl ErrGroupExt<Item = u32>) -> Result<u32, &'static str> {
///     let halve = |n| if n % 2 == 0 { Ok(n / 2) } else { Err("odd") };
///     let halves = numbers.try_map_group(|_, n| halve(n))?;
///     Ok(halves.into_iter().sum())
/// }
/// assert_eq!(total((0..5).into_par_iter().filter(|n| n % 2 == 0)), Ok(3));
/// assert_eq!(total((0..5).into_par_iter()), Err("odd"));
/// ```
pub trait ErrGroupExt: ParallelIterator {
    /// Calls `f` for every item in parallel, and stops at the first failure.
    ///
    /// # Order
    ///
    /// Items start in any order. If several fail, the first error in time is returned.
    ///
    /// # Cancellation
    ///
    /// After the first error or panic each other thread starts at most one more item. The call
    /// waits for the items that run; the rest are dropped, and rayon produces no more. Long-running
    /// items can stop earlier with [`try_for_each_group`](ErrGroupExt::try_for_each_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item with its payload, after the other items have ended. A panic
    /// outranks every error. With `panic = "abort"` the process ends.
    ///
    /// # Errors
    ///
    /// Returns the error of the first failure in time. The result is `Ok` if and only if `f`
    /// returned `Ok` for every item.
    ///
    /// # Cost
    ///
    /// That of rayon's `try_for_each`, and one small allocation for each call.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let words = ["1", "2", "three", "4"];
    /// let result = words.par_iter().err_group(|word| word.parse::<i32>().map(drop));
    /// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    #[doc(alias = "errgroup")]
    #[doc(alias = "try_for_each")]
    fn err_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(Self::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each_group(|_, item| f(item))
    }

    /// Calls `f` for every item in parallel, and gives it the run's token, so that long-running
    /// items can stop early.
    ///
    /// # Order
    ///
    /// See [`err_group`](ErrGroupExt::err_group).
    ///
    /// # Cancellation
    ///
    /// See [`err_group`](ErrGroupExt::err_group). In addition, running items can see the
    /// cancellation through [`is_cancelled`](CancelToken::is_cancelled),
    /// [`sleep`](CancelToken::sleep), [`done`](CancelToken::done) or
    /// [`on_cancel`](CancelToken::on_cancel). An item that stops early must return an `Err`, which
    /// is never the one returned.
    ///
    /// # Panics
    ///
    /// See [`err_group`](ErrGroupExt::err_group). It also panics if `f` cancels the token itself,
    /// items were skipped because of that, or behind a `filter` may have been, and none returned an
    /// error: then there is nothing to return. [`with_group`](ErrGroupExt::with_group) has an error
    /// for that.
    ///
    /// # Errors
    ///
    /// See [`err_group`](ErrGroupExt::err_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let result = (0..9).into_par_iter().try_for_each_group(|token, n| {
    ///     if n == 0 { return Err("zero") }
    ///     while !token.is_cancelled() { std::hint::spin_loop() }
    ///     Err("cancelled")
    /// });
    /// assert_eq!(result, Err("zero"));
    /// ```
    fn try_for_each_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = Run::bare();
        let result = steal::for_each::<false, _, _, _>(self, &run, &f);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and returns the values in the order of the items.
    ///
    /// # Order
    ///
    /// The values are in the order of the items, as with rayon's `collect`. The items start in any
    /// order. If several fail, the first error in time is returned.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each_group`](ErrGroupExt::try_for_each_group). The values that were ready are
    /// dropped.
    ///
    /// # Panics
    ///
    /// See [`try_for_each_group`](ErrGroupExt::try_for_each_group).
    ///
    /// # Errors
    ///
    /// See [`err_group`](ErrGroupExt::err_group).
    ///
    /// # Cost
    ///
    /// If the length is known beforehand, the vector is allocated once and each value is written
    /// straight into it: the cost of rayon's `collect` into a `Vec`, and a few percent more where
    /// items take a nanosecond. Otherwise each leaf fills a vector of its own, and they are
    /// concatenated.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let words = ["1", "2", "3"];
    /// let numbers = words.par_iter().try_map_group(|_, word| word.parse::<i32>());
    /// assert_eq!(numbers, Ok(vec![1, 2, 3]));
    /// ```
    #[doc(alias = "try_map")]
    #[doc(alias = "collect")]
    fn try_map_group<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let run = Run::bare();
        let result = steal::map::<false, _, _, _, _>(self, &run, &f);
        run.end_bare(result)
    }

    /// Calls `f` for every item in parallel, and gives the values to `body` as a parallel iterator:
    /// to be summed, folded, reduced or collected by any of rayon's methods.
    ///
    /// It is rayon's `map(f).sum::<Result<_, _>>()`, for every method and with the guarantees of
    /// this crate. (itertools calls the sequential form `process_results`.)
    ///
    /// # Order
    ///
    /// See [`err_group`](ErrGroupExt::err_group): if several items fail, the first error in time is
    /// returned. The order of the values is rayon's: `collect`, `reduce` and `fold` keep that of
    /// the items.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each_group`](ErrGroupExt::try_for_each_group). The body runs on the calling
    /// thread, need not be `Send`, and is not stopped: after a failure it sees the values so far,
    /// and what it returns is dropped. So it should only make a result of them. It may also leave
    /// the values alone: then nothing runs, and nothing fails.
    ///
    /// # Panics
    ///
    /// Resumes a panic of `f`, of the iterator, or of what the body does with the values; it stops
    /// the run at once. A panic of the body after a failure is dropped, since it may come of the
    /// values that are missing, as in `values.max().unwrap()`.
    ///
    /// # Errors
    ///
    /// Returns the error of the first failure in time. The result is `Ok` if and only if every item
    /// that the body asked for returned `Ok`. A short circuit (`any`, `find_any`, `take_any`) asks
    /// for less. Whether an error among the items that it would have left out is returned depends
    /// on which came first. An error of the body itself comes out as an inner `Result`.
    ///
    /// # Cost
    ///
    /// That of rayon's `map(f)` with the same method.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    /// use std::collections::HashMap;
    ///
    /// let words = ["1", "2", "3"];
    /// let parse = |_: &_, word: &&str| word.parse::<u32>();
    /// let sum: u32 = words.par_iter().try_process_group(parse, |numbers| numbers.sum())?;
    /// assert_eq!(sum, 6);
    ///
    /// let squares: HashMap<u32, u32> = words.par_iter().try_process_group(parse, |numbers| {
    ///     numbers.map(|n| (n, n * n)).collect()
    /// })?;
    /// assert_eq!(squares[&3], 9);
    ///
    /// let words = ["1", "x"];
    /// let max = words.par_iter().try_process_group(parse, |numbers| numbers.max().unwrap());
    /// assert_eq!(max.unwrap_err().to_string(), "invalid digit found in string");
    /// # Ok::<(), std::num::ParseIntError>(())
    /// ```
    ///
    /// A closure in a variable must name the types of its parameters, as above. To pass a function
    /// as the body, wrap it in a closure: `|values| total(values)`.
    #[doc(alias = "process_results")]
    #[doc(alias = "try_reduce")]
    #[doc(alias = "try_fold")]
    #[doc(alias = "sum")]
    fn try_process_group<F, T, E, B, R>(self, f: F, body: B) -> Result<R, E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, Self, F, E>) -> R,
    {
        let run = Run::bare();
        let result = process(self, &run, None, &f, body);
        run.end_bare(result)
    }

    /// Attaches a group: a token or deadline that stops the run from outside, a number of threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::time::Duration;
    ///
    /// let (words, group) = (["a", "bc"], ErrGroup::new().timeout(Duration::from_secs(60)));
    /// let lengths = words.par_iter().with_group(&group).try_map(|_, s| Ok::<_, ()>(s.len()));
    /// assert_eq!(lengths.unwrap(), [1, 2]);
    /// ```
    fn with_group(self, group: &ErrGroup) -> WithGroup<'_, Self> {
        WithGroup {
            source: self,
            group,
        }
    }
}

impl<I: ParallelIterator> ErrGroupExt for I {}

/// Adds deterministic runs to rayon's indexed iterators.
///
/// These are slices, vectors, ranges such as `0..n`, and what `map`, `enumerate`, `zip` and
/// `chunks` make of them, but not `1..=n` or hash maps: see [sources that do not
/// compile](crate::guide::recipes#sources-that-do-not-compile).
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// let pairs = [1, 2, 3, 4].par_chunks(2).zip(["a", "b"]);
/// let check = |(pair, name): (&[i32], _)| if pair[1] < 4 { Ok(()) } else { Err(name) };
/// let result = pairs.in_order().err_group(check);
/// assert_eq!(result, Err("b"));
/// ```
pub trait IndexedErrGroupExt: IndexedParallelIterator {
    /// Makes the run return the first failure *in iteration order*: the one that the sequential
    /// loop would end with, on any number of threads.
    ///
    /// See [`InOrder`] for what that means and what it costs.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::prelude::*;
    ///
    /// let numbers = [3, 2, 0, 5, 0];
    /// let result = numbers.par_iter().enumerate().in_order().try_map(|_, (at, number)| {
    ///     60_i32.checked_div(*number).ok_or(at)
    /// });
    /// assert_eq!(result, Err(2)); // never 4
    /// ```
    #[doc(alias = "deterministic")]
    fn in_order(self) -> InOrder<Self> {
        InOrder::new(self)
    }
}

impl<I: IndexedParallelIterator> IndexedErrGroupExt for I {}

/// Adds deterministic parallel runs to any sequential iterator: the lines of a file, a channel's
/// messages, an infinite range.
///
/// ```
/// use rayon_errgroup::prelude::*;
///
/// let numbers = (0_u64..).par_in_order();
/// let result = numbers.err_group(|n| if n * n < 1000 { Ok(()) } else { Err(n) });
/// assert_eq!(result, Err(32));
/// ```
pub trait IteratorErrGroupExt: Iterator {
    /// Runs the items in parallel, and returns what the sequential loop would; see [`InOrder`]. To
    /// stream the values, see [`try_stream`](InOrder::try_stream).
    ///
    /// Unlike rayon's `par_bridge` it keeps the order, and returns the first failure in iteration
    /// order.
    ///
    /// The iterator must be `Send`, and `stdin().lines()` is not: see
    /// [sources that do not compile](crate::guide::recipes#sources-that-do-not-compile).
    ///
    /// # Order
    ///
    /// The iterator is read by the thread that needs items, one thread at a time. It is read
    /// lazily, chunk by chunk: at most 1024 items or 256 KiB of them, and fewer where reading or
    /// running them takes more than about 50 µs. It is never read further ahead of the first item
    /// that has not ended than 1024 chunks for each thread, or 16 for
    /// [`try_stream`](InOrder::try_stream). After a failure no further chunk is read, and after the
    /// first `None`, `next` is not called again.
    ///
    /// Nothing that was read waits for the iterator. While a call of `next` waits (for a network, a
    /// terminal, the effect of an item), the other threads run what was read before. On a pool of
    /// one thread each item runs before the next one is read. So an iterator may wait for its own
    /// items. Another thread finds an item within some 10 ms: one of them looks for it, after
    /// 0.1 ms at first and then less often.
    ///
    /// # Cancellation
    ///
    /// After a cancellation that is not an item's failure, at most one more item is read, to prove
    /// that not all items had run, and it is dropped. A blocking `next` cannot be interrupted, so
    /// even a deadline cannot end a run whose source blocks.
    ///
    /// # Cost
    ///
    /// A few nanoseconds per item, on one thread at a time. Where the items of a slice or range are
    /// cheap, [`in_order`](IndexedErrGroupExt::in_order) is several times as fast. While `next`
    /// waits, a second thread of the pool is kept, at less than one percent of a core; it runs
    /// other jobs of the pool every 0.8 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let text = "1\n2\nthree\nfour";
    /// let result = text.lines().zip(1..).par_in_order().err_group(|(line, number)| {
    ///     line.parse::<i32>().map(drop).map_err(|error| format!("line {number}: {error}"))
    /// });
    /// assert_eq!(result, Err("line 3: invalid digit found in string".to_string()));
    /// ```
    #[doc(alias = "par_bridge")]
    fn par_in_order(self) -> InOrder<Sequential<Self>>
    where
        Self: Sized + Send,
        Self::Item: Send,
    {
        InOrder::new(Sequential(self))
    }
}

impl<I: Iterator> IteratorErrGroupExt for I {}
