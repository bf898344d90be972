//! `WithGroup`: an iterator and the options of its run.

use rayon::iter::ParallelIterator;

use crate::engine::steal;
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::token::CancelToken;
use crate::values::{Values, finish_partial, process};

/// An iterator together with the options of its run.
///
/// It is made by `with_group` from [rayon's iterators](crate::ErrGroupExt::with_group) and from
/// [`InOrder`](crate::InOrder::with_group).
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{ErrGroup, prelude::*};
///
/// let group = ErrGroup::new().concurrency(2);
/// let items = (1..4).into_par_iter().with_group(&group);
/// let squares = items.try_map(|_, n| Ok::<_, ()>(n * n));
/// assert_eq!(squares.unwrap(), [1, 4, 9]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until a terminal method such as `err_group`, `try_map` or `outcome` is called"]
pub struct WithGroup<'g, S> {
    pub(crate) source: S,
    pub(crate) group: &'g ErrGroup,
}

impl<I: ParallelIterator> WithGroup<'_, I> {
    /// Calls `f` for every item in parallel, with the group's options.
    ///
    /// This is [`try_for_each`](#method.try_for_each-1) for closures that do not need the token.
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
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().concurrency(2);
    /// let words = ["1", "x"];
    /// let result = words.par_iter().with_group(&group).err_group(|word| {
    ///     word.parse::<i32>().map(drop)
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "an item or task failed");
    /// ```
    pub fn err_group<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(I::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each(|_, item| f(item))
    }

    /// Calls `f` for every item in parallel, with the group's options and the run's token.
    ///
    /// # Order
    ///
    /// Items start in any order. If several fail, the first error in time is returned. The items of
    /// one leaf, as rayon splits the input, run one after another: before items that block, put
    /// [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len).
    ///
    /// # Cancellation
    ///
    /// The run is cancelled by the first error or panic, by the group's token or deadline, or by
    /// the token that `f` is given. Afterwards each other thread starts at most one more item.
    /// The call waits for the items that run, and the rest are dropped. An item that stops
    /// early because of the cancellation must return an `Err`, whose value is dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, which outranks every error; see
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the run. The result is `Ok` if and only if
    /// every item returned `Ok`. If the group tolerates errors and several counted, all of them are
    /// returned, in the order in time, as [`GroupError::Several`]. Behind an adaptor that drops
    /// items, such as `filter`, a run that is cancelled from outside gives up after 250
    /// milliseconds in which no item came through, and reports the cancellation without knowing
    /// whether one would have come.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().timeout(Duration::from_secs(60));
    /// let result = (0..9).into_par_iter().with_group(&group).try_for_each(|token, n| {
    ///     if n == 0 { return Err("zero") }
    ///     token.sleep(Duration::from_secs(3600)).map_err(|_| "woken")
    /// });
    /// assert_eq!(result.unwrap_err().into_error(), Some("zero"));
    /// ```
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let run = group.start_keeping_errors();
        let result = group.install(|| steal::for_each::<true, _, _, _>(source, &run, &f));
        group.finish(run, result)
    }

    /// Calls `f` for every item in parallel, with the group's options, and returns the values in
    /// the order of the items.
    ///
    /// Order, cancellation, panics and errors are those of
    /// [`try_for_each`](#method.try_for_each-1). The cost is that of
    /// [`try_map_group`](crate::ErrGroupExt::try_map_group).
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
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let (words, group) = (["1", "2", "3"], ErrGroup::new());
    /// let numbers = words.par_iter().with_group(&group).try_map(|_, word| word.parse::<u8>());
    /// assert_eq!(numbers.unwrap(), [1, 2, 3]);
    /// ```
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let run = group.start_keeping_errors();
        let result = group.install(|| steal::map::<true, _, _, _, _>(source, &run, &f));
        group.finish(run, result)
    }

    /// Calls `f` for every item in parallel, with the group's options, and gives the values to
    /// `body` as a parallel iterator, for any of rayon's methods.
    ///
    /// Order, cancellation and the panics of the body are those of
    /// [`try_process_group`](crate::ErrGroupExt::try_process_group). The items run on the group's
    /// threads, if it has some, and the body on the calling thread. Where the group tolerates
    /// errors, the body does not see the items that fail, and the result is an error all the same.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each-1).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each-1). Only the items that the body asked for count.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let (words, group) = (["a", "bc"], ErrGroup::new().concurrency(2));
    /// let longest = words.par_iter().with_group(&group).try_process(
    ///     |_, word| if word.is_empty() { Err("empty word") } else { Ok(word.len()) },
    ///     |lengths| lengths.max(),
    /// );
    /// assert_eq!(longest.unwrap(), Some(2));
    /// ```
    #[doc(alias = "process_results")]
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, I, F, E>) -> R,
    {
        let (source, group) = (self.source, self.group);
        let run = group.start_keeping_errors();
        let result = process(source, &run, Some(group), &f, body);
        group.finish(run, result)
    }

    /// Like [`try_process`](#method.try_process-1), but returns the result of the body also if the
    /// run has failed or was cancelled.
    ///
    /// Use it for a search that may be stopped, and then shows what it has found. The body sees the
    /// values of the items that ended before the run was stopped. Its result is `None` if it
    /// panicked.
    ///
    /// # Panics
    ///
    /// See [`try_process`](#method.try_process-1).
    ///
    /// # Errors
    ///
    /// See [`try_process`](#method.try_process-1). The error is returned beside the result of the
    /// body.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().keep_going();
    /// let (sum, result) = ["1", "x", "3"].par_iter().with_group(&group).try_process_partial(
    ///     |_, word| word.parse::<u32>(),
    ///     |numbers| numbers.sum::<u32>(),
    /// );
    /// assert_eq!(sum, Some(4));
    /// assert!(result.is_err());
    /// ```
    pub fn try_process_partial<F, T, E, B, R>(
        self,
        f: F,
        body: B,
    ) -> (Option<R>, Result<(), GroupError<E>>)
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, I, F, E>) -> R,
    {
        let (source, group) = (self.source, self.group);
        let run = group.start_keeping_errors();
        finish_partial(group, run, |run| {
            process(source, run, Some(group), &f, body)
        })
    }
}
