//! `InOrder`: the methods of a run in order, without a group.

use super::ordered::Ordered;
use super::values::Values;
use super::with_group::WithGroup;
use crate::SinkResult;
use crate::engine::sequential::{self, Input};
use crate::group::ErrGroup;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::token::CancelToken;

/// An input whose run is a sequential loop. It stands in for
/// [`rayon_errgroup::InOrder`](crate::InOrder), and returns the same results.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
///
/// let words = ["1", "2", "x", "y"];
/// let result = words.par_iter().in_order().try_map(|_, word| {
///     word.parse::<i32>().map_err(|_| format!("{word} is not a number"))
/// });
/// assert_eq!(result, Err("x is not a number".to_string()));
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until a terminal method such as `err_group`, `try_map` or `outcome` is called"]
pub struct InOrder<S> {
    source: S,
}

impl<S> InOrder<S> {
    pub(super) fn new(source: S) -> Self {
        InOrder { source }
    }
}

impl<S: Ordered> InOrder<S> {
    pub(super) fn into_input(self) -> Input<S::Items> {
        self.source.into_input()
    }

    /// Calls `f` for every item, and stops at the first failure. See
    /// [`err_group`](crate::InOrder::err_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item.
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
    /// let result = (0..1_000_000).into_par_iter().in_order().err_group(|n| {
    ///     if n % 1000 == 999 { Err(n) } else { Ok(()) }
    /// });
    /// assert_eq!(result, Err(999));
    /// ```
    #[inline]
    pub fn err_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each(|_, item| f(item))
    }

    /// Calls `f` for every item, with the run's token. See
    /// [`try_for_each`](crate::InOrder::try_for_each).
    ///
    /// # Panics
    ///
    /// See [`err_group`](InOrder::err_group). It also panics if `f` cancels the token itself, items
    /// were skipped because of that, and none returned an error.
    ///
    /// # Errors
    ///
    /// See [`err_group`](InOrder::err_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let result = (0_u64..).par_in_order().try_for_each(|token, n| {
    ///     assert!(!token.is_cancelled());
    ///     if n == 3 { Err("three") } else { Ok(()) }
    /// });
    /// assert_eq!(result, Err("three"));
    /// ```
    #[inline]
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = Run::bare();
        let result = sequential::for_each(self.into_input(), &run, f);
        run.finish(result).into_bare()
    }

    /// Calls `f` for every item, and returns the values. See [`try_map`](crate::InOrder::try_map).
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](InOrder::try_for_each).
    ///
    /// # Errors
    ///
    /// See [`err_group`](InOrder::err_group). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let numbers = "1 2 3".split(' ').par_in_order().try_map(|_, word| word.parse::<i32>());
    /// assert_eq!(numbers, Ok(vec![1, 2, 3]));
    /// ```
    #[inline]
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let run = Run::bare();
        let result = sequential::map(self.into_input(), &run, f);
        run.finish(result).into_bare()
    }

    /// Calls `f` for every item, and gives each value to `sink` before the next item starts. See
    /// [`try_stream`](crate::InOrder::try_stream).
    ///
    /// This is `for item in items { sink(f(item)?)?; }`. After a cancellation the sink is not
    /// called again, and a value that it has not received is dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of the sink. It also panics as
    /// [`try_for_each`](InOrder::try_for_each) does.
    ///
    /// # Errors
    ///
    /// Returns the first error, of `f` or of the sink. A sink that breaks ends the run with `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
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
        let run = Run::bare();
        let result = sequential::stream(self.into_input(), &run, f, sink);
        run.finish(result).into_bare()
    }

    /// Calls `f` for every item up to the first failure, and returns every result with its index.
    /// See [`outcome`](crate::InOrder::outcome).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let outcome = ["1", "x", "3"].par_iter().in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values(), [(0, 1)]);
    /// assert_eq!(outcome.to_string(), "1 ok, 1 failed, 1 skipped");
    /// ```
    pub fn outcome<F, T, E>(self, f: F) -> Outcome<T, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        self.with_group(&ErrGroup::new()).outcome(f)
    }

    /// Gives the values of `f` to `body`, and returns what `body` makes of them. See
    /// [`try_process_group`](super::ErrGroupExt::try_process_group).
    ///
    /// # Panics
    ///
    /// See [`try_process_group`](super::ErrGroupExt::try_process_group).
    ///
    /// # Errors
    ///
    /// Returns the first error of the items that `body` asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let lines = "1\n2".lines().par_in_order();
    /// let count = lines.try_process(|_, line| line.parse::<u8>(), |values| values.count());
    /// assert_eq!(count, Ok(2));
    /// ```
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, S::Items, F, E>) -> R,
    {
        let (run, input) = (Run::bare(), self.into_input());
        let result = sequential::process(input, &run, f, |items| body(Values::new(items)));
        run.finish(result).into_bare()
    }

    /// Attaches a group: a token or deadline that stops the run from outside, an error limit. The
    /// errors of its methods have the index of the item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let group = ErrGroup::new();
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
