//! `WithGroup`: an iterator and the options of its run.

use super::in_order::InOrder;
use super::ordered::Ordered;
use super::stand_ins::ParallelIterator;
use super::values::Values;
use crate::SinkResult;
use crate::engine::sequential::{self, Input};
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::outcome::Outcome;
use crate::token::CancelToken;

/// An iterator together with the options of its run. It stands in for
/// [`rayon_errgroup::WithGroup`](crate::WithGroup).
///
/// ```
/// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
///
/// let group = ErrGroup::new();
/// let items = (1..4).into_par_iter().with_group(&group);
/// let squares = items.try_map(|_, n| Ok::<_, ()>(n * n));
/// assert_eq!(squares.unwrap(), [1, 4, 9]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until a terminal method such as `err_group`, `try_map` or `outcome` is called"]
pub struct WithGroup<'g, S> {
    pub(super) source: S,
    pub(super) group: &'g ErrGroup,
}

impl<I: ParallelIterator> WithGroup<'_, I> {
    /// Calls `f` for every item, with the group's options.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each-1).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each-1).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let (group, words) = (ErrGroup::new(), ["1", "x"]);
    /// let result = words.par_iter().with_group(&group).err_group(|word| {
    ///     word.parse::<i32>().map(drop)
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "an item or task failed");
    /// ```
    #[inline]
    pub fn err_group<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(I::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each(|_, item| f(item))
    }

    /// Calls `f` for every item, with the group's options and the run's token. See the [parallel
    /// method](crate::WithGroup#method.try_for_each-1).
    ///
    /// The token is checked before each item.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item; see [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the run. The result is `Ok` if and only if
    /// every item returned `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, sequential::prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().token(&stop);
    /// let result = (0..9).into_par_iter().with_group(&group).try_for_each(|_, n| {
    ///     if n == 3 { stop.cancel(); }
    ///     assert!(n <= 3);
    ///     Ok::<_, ()>(())
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "cancelled by the parent token");
    /// ```
    #[inline]
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let run = group.start_keeping_errors();
        let result = sequential::for_each(Input::unordered(source), &run, f);
        group.finish(run, result)
    }

    /// Calls `f` for every item, with the group's options, and returns the values.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each-1).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each-1). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let (words, group) = (["1", "2", "3"], ErrGroup::new());
    /// let numbers = words.par_iter().with_group(&group).try_map(|_, word| word.parse::<u8>());
    /// assert_eq!(numbers.unwrap(), [1, 2, 3]);
    /// ```
    #[inline]
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let run = group.start_keeping_errors();
        let result = sequential::map(Input::unordered(source), &run, f);
        group.finish(run, result)
    }

    /// Gives the values of `f` to `body`, with the group's options, and returns what `body` makes
    /// of them. See [`try_process_group`](super::ErrGroupExt::try_process_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of `body`, unless the group
    /// [catches panics](ErrGroup::catch_panics). If items have failed or were skipped, the panic
    /// of `body` is dropped.
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each-1). Only the items that `body` asked for count.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let (words, group) = (["1", "2", "3"], ErrGroup::new());
    /// let words = words.par_iter().with_group(&group);
    /// let largest = words.try_process(|_, word| word.parse::<u8>(), |values| values.max());
    /// assert_eq!(largest.unwrap(), Some(3));
    /// ```
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, I, F, E>) -> R,
    {
        let (group, input) = (self.group, Input::unordered(self.source));
        let run = group.start_keeping_errors();
        let result = sequential::process(input, &run, f, |items| body(Values::new(items)));
        group.finish(run, result)
    }
}

/// After [`in_order`](super::IndexedErrGroupExt::in_order) or
/// [`par_in_order`](super::IteratorErrGroupExt::par_in_order).
impl<S: Ordered> WithGroup<'_, InOrder<S>> {
    /// Calls `f` for every item, with the group's options.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let words = ["1", "2", "x"].into_iter().par_in_order();
    /// let result = words.with_group(&ErrGroup::new()).err_group(|word| {
    ///     word.parse::<i32>().map(drop)
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "item 2 failed");
    /// ```
    #[inline]
    pub fn err_group<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each(|_, item| f(item))
    }

    /// Calls `f` for every item, with the group's options and the run's token. See the [parallel
    /// method](crate::WithGroup#method.try_for_each).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item; see [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the run, and the index of an item that failed.
    /// The result is `Ok` if and only if every item returned `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    /// let error = items.try_for_each(|_, n| if n < 5 { Ok(()) } else { Err(n) }).unwrap_err();
    /// assert_eq!(error.index(), Some(5));
    /// ```
    #[inline]
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let (group, input) = (self.group, self.source.into_input());
        let run = group.start();
        let result = sequential::for_each(input, &run, f);
        group.finish(run, result)
    }

    /// Calls `f` for every item, with the group's options, and returns the values.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, sequential::prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let words = ["1", "2", "x", "y"].into_iter().par_in_order().with_group(&group);
    /// let result = words.try_map(|_, word| word.parse::<u8>());
    /// assert!(matches!(result, Err(GroupError::Failed { index: Some(2), .. })));
    /// ```
    #[inline]
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let (group, input) = (self.group, self.source.into_input());
        let run = group.start();
        let result = sequential::map(input, &run, f);
        group.finish(run, result)
    }

    /// Calls `f` for every item, with the group's options, and gives each value to `sink` before
    /// the next item starts. See [`InOrder::try_stream`].
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of the sink, unless the group
    /// [catches panics](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). An error of the sink has the index of the item
    /// whose value it was given, and is never tolerated.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let (group, mut doubled) = (ErrGroup::new(), String::new());
    /// let lines = "1\n2\nthree\n4".lines().par_in_order().with_group(&group);
    /// let result = lines.try_stream(
    ///     |_, line| line.parse::<i32>().map(|number| 2 * number),
    ///     |number| Ok(doubled += &format!("{number} ")),
    /// );
    /// assert_eq!(result.unwrap_err().index(), Some(2));
    /// assert_eq!(doubled, "2 4 ");
    /// ```
    pub fn try_stream<F, T, K, R, E>(self, f: F, sink: K) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        K: FnMut(T) -> Result<R, E>,
        T: Send,
        R: SinkResult,
        E: Send,
    {
        let (group, input) = (self.group, self.source.into_input());
        let run = group.start();
        let result = sequential::stream(input, &run, f, sink);
        group.finish(run, result)
    }

    /// Calls `f` for every item, with the group's options, and returns every result with its index.
    /// See the [parallel method](crate::WithGroup::outcome).
    ///
    /// No item runs after the one that stops the run, so the only
    /// [late error](Outcome::late_errors) there can be is that of an item that ran when something
    /// else cancelled the run.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, unless the group [catches panics](ErrGroup::catch_panics).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let numbers = (0..1000_u32).into_par_iter().in_order().with_group(&group);
    /// let outcome = numbers.outcome(|_, n| if n % 500 == 7 { Err("seven") } else { Ok(n) });
    /// assert_eq!(outcome.to_string(), "998 ok, 2 failed, 0 skipped");
    /// assert_eq!(outcome.errors(), [(7, "seven"), (507, "seven")]);
    /// ```
    pub fn outcome<F, T, E>(self, f: F) -> Outcome<T, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let (group, input) = (self.group, self.source.into_input());
        let run = group.start_keeping_all();
        let results = sequential::outcome(input, &run, f);
        Outcome::new(run.finish(results), group.catches_panics())
    }

    /// Gives the values of `f` to `body`, with the group's options, and returns what `body` makes
    /// of them. See [`try_process_group`](super::ErrGroupExt::try_process_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of `body`, unless the group
    /// [catches panics](ErrGroup::catch_panics). If items have failed or were skipped, the panic
    /// of `body` is dropped.
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). Only the items that `body` asked for count.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, sequential::prelude::*};
    ///
    /// let (words, group) = (["1", "2", "x"], ErrGroup::new());
    /// let words = words.par_iter().in_order().with_group(&group);
    /// let largest = words.try_process(|_, word| word.parse::<u8>(), |values| values.max());
    /// assert_eq!(largest.unwrap_err().index(), Some(2));
    /// ```
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, S::Items, F, E>) -> R,
    {
        let (group, input) = (self.group, self.source.into_input());
        let run = group.start();
        let result = sequential::process(input, &run, f, |items| body(Values::new(items)));
        group.finish(run, result)
    }
}
