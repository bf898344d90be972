//! The extension traits for std's iterators.

use super::in_order::InOrder;
use super::stand_ins::{IndexedParallelIterator, ParallelIterator};
use super::values::Values;
use super::with_group::WithGroup;
use crate::Sequential;
use crate::engine::sequential::{self, Input};
use crate::group::ErrGroup;
use crate::run::Run;
use crate::token::CancelToken;

/// Adds the methods of [`rayon_errgroup::ErrGroupExt`](crate::ErrGroupExt) to every sequential
/// iterator.
///
/// Items run one after another, in order, on the calling thread. Errors, panics and values are
/// those of the parallel methods on a pool of one thread.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
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
    /// Calls `f` for every item, and stops at the first failure. See
    /// [`err_group`](crate::ErrGroupExt::err_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, after the items that are left were dropped.
    ///
    /// # Errors
    ///
    /// Returns the first error, and `Ok` if and only if `f` returned `Ok` for every item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let words = ["1", "2", "three", "4"];
    /// let result = words.par_iter().err_group(|word| word.parse::<i32>().map(drop));
    /// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    #[inline]
    fn err_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(Self::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each_group(|_, item| f(item))
    }

    /// Calls `f` for every item, with the run's token. See
    /// [`try_for_each_group`](crate::ErrGroupExt::try_for_each_group).
    ///
    /// Here no other item can cancel the token while one runs. It is there for what an item gives
    /// it to: its own threads, callbacks, nested runs.
    ///
    /// # Panics
    ///
    /// See [`err_group`](ErrGroupExt::err_group). It also panics if `f` cancels the token itself,
    /// items were skipped because of that, and none returned an error.
    ///
    /// # Errors
    ///
    /// See [`err_group`](ErrGroupExt::err_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let result = (0..9).into_par_iter().try_for_each_group(|token, n| {
    ///     assert!(!token.is_cancelled());
    ///     if n == 3 { Err("three") } else { Ok(()) }
    /// });
    /// assert_eq!(result, Err("three"));
    /// ```
    #[inline]
    fn try_for_each_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = Run::bare();
        let result = sequential::for_each(Input::unordered(self), &run, f);
        run.finish(result).into_bare()
    }

    /// Calls `f` for every item, and returns the values. See
    /// [`try_map_group`](crate::ErrGroupExt::try_map_group).
    ///
    /// # Panics
    ///
    /// See [`try_for_each_group`](ErrGroupExt::try_for_each_group).
    ///
    /// # Errors
    ///
    /// See [`err_group`](ErrGroupExt::err_group). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let words = ["1", "2", "3"];
    /// let numbers = words.par_iter().try_map_group(|_, word| word.parse::<i32>());
    /// assert_eq!(numbers, Ok(vec![1, 2, 3]));
    /// ```
    #[inline]
    fn try_map_group<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let run = Run::bare();
        let result = sequential::map(Input::unordered(self), &run, f);
        run.finish(result).into_bare()
    }

    /// Gives the values of `f` to `body`, as an iterator that ends at the first failure, and
    /// returns what `body` makes of them.
    ///
    /// An item runs when `body` asks for its value. What it never asks for is dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, which outranks everything else, or the panic of `body`. If
    /// items have failed or were skipped, `body` did not get the values that it asked for: then
    /// its panic is dropped. It also panics as
    /// [`try_for_each_group`](ErrGroupExt::try_for_each_group) does.
    ///
    /// # Errors
    ///
    /// Returns the first error, and drops what `body` returned. The result is `Ok` if and only if
    /// every item that `body` asked for returned `Ok`: a body that asks for nothing gets nothing
    /// wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let total = |words: &[&str]| -> Result<u32, _> {
    ///     let parse = |_: &_, word: &&str| word.parse::<u32>();
    ///     words.par_iter().try_process_group(parse, |values| values.sum())
    /// };
    /// assert_eq!(total(&["1", "2"]), Ok(3));
    /// assert!(total(&["1", "x"]).is_err());
    /// ```
    fn try_process_group<F, T, E, B, R>(self, f: F, body: B) -> Result<R, E>
    where
        F: Fn(&CancelToken, Self::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, Self, F, E>) -> R,
    {
        let (run, input) = (Run::bare(), Input::unordered(self));
        let result = sequential::process(input, &run, f, |items| body(Values::new(items)));
        run.finish(result).into_bare()
    }

    /// Attaches a group: a token or deadline that stops the run from outside, an error limit. Its
    /// concurrency is ignored. See [`with_group`](crate::ErrGroupExt::with_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
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

/// Adds the method of [`rayon_errgroup::IndexedErrGroupExt`](crate::IndexedErrGroupExt) to every
/// sequential iterator.
pub trait IndexedErrGroupExt: IndexedParallelIterator {
    /// Adds the methods of [`InOrder`]. The order is the same without it; with it, failures name
    /// the index of their item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let numbers = [3, 2, 0, 5, 0];
    /// let result = numbers.par_iter().enumerate().in_order().try_map(|_, (at, number)| {
    ///     60_i32.checked_div(*number).ok_or(at)
    /// });
    /// assert_eq!(result, Err(2));
    /// ```
    fn in_order(self) -> InOrder<Self> {
        InOrder::new(self)
    }
}

impl<I: IndexedParallelIterator> IndexedErrGroupExt for I {}

/// Adds the method of [`rayon_errgroup::IteratorErrGroupExt`](crate::IteratorErrGroupExt), without
/// threads.
pub trait IteratorErrGroupExt: Iterator {
    /// Adds the methods of [`InOrder`]. Each item runs before the next one is read, and after the
    /// first failure none is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let text = "1\n2\nthree\nfour";
    /// let result = text.lines().zip(1..).par_in_order().err_group(|(line, number)| {
    ///     line.parse::<i32>().map(drop).map_err(|error| format!("line {number}: {error}"))
    /// });
    /// assert_eq!(result, Err("line 3: invalid digit found in string".to_string()));
    /// ```
    fn par_in_order(self) -> InOrder<Sequential<Self>>
    where
        Self: Sized + Send,
        Self::Item: Send,
    {
        InOrder::new(Sequential(self))
    }
}

impl<I: Iterator> IteratorErrGroupExt for I {}
