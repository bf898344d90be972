//! The methods of `WithGroup` for runs in order.

use super::InOrder;
use crate::engine::claim;
use crate::engine::claim::source::Ordered;
use crate::engine::claim::stream::SinkResult;
use crate::error::GroupError;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::token::CancelToken;
use crate::values::{Values, finish_partial, process};
use crate::with_group::WithGroup;

/// After [`in_order`](crate::IndexedErrGroupExt::in_order) or
/// [`par_in_order`](crate::IteratorErrGroupExt::par_in_order).
impl<S: Ordered> WithGroup<'_, InOrder<S>> {
    /// Calls `f` for every item in parallel, with the group's options, and returns what the
    /// sequential loop would.
    ///
    /// This is [`try_for_each`](#method.try_for_each) for closures that do not need the token.
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
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let words = ["1", "2", "x"].into_iter().par_in_order();
    /// let result = words.with_group(&ErrGroup::new()).err_group(|word| {
    ///     word.parse::<i32>().map(drop)
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "item 2 failed");
    /// ```
    pub fn err_group<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = self.start(false);
        let (source, group) = (self.source.source, self.group);
        let result = group.install(|| claim::for_each(source, &run, &|_: &_, item| f(item)));
        group.finish(run, result)
    }

    fn start<E>(&self, see_token: bool) -> Run<E> {
        let run = self.group.start();
        run.cut_by(self.source.cut.clone(), see_token)
    }

    /// Calls `f` for every item in parallel, with the group's options, and returns what the
    /// sequential loop would.
    ///
    /// # Order
    ///
    /// Items start in ascending order. If several items fail, the first error in iteration order is
    /// returned, with its index. See [`InOrder`].
    ///
    /// # Cancellation
    ///
    /// The run is cancelled by the first error or panic, by the group's token or deadline, or by
    /// the token that `f` is given. An error cancels later items only. The call waits for the
    /// items that run, and the rest are dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, which outranks every error; see
    /// [`catch_panics`](crate::ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the run. If that is an error, it is the one
    /// with the lowest index that was recorded before anything else cancelled the run. The result
    /// is `Ok` if and only if every item returned `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let items = (0..9_u32).into_par_iter().in_order().with_group(&group);
    /// let error = items.try_for_each(|_, n| if n < 5 { Ok(()) } else { Err(n) }).unwrap_err();
    /// assert_eq!(error.index(), Some(5));
    /// assert_eq!(error.to_string(), "item 5 failed");
    /// ```
    pub fn try_for_each<F, E>(self, f: F) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        let run = self.start(true);
        let (source, group) = (self.source.source, self.group);
        let result = group.install(|| claim::for_each(source, &run, &f));
        group.finish(run, result)
    }

    /// Calls `f` for every item in parallel, with the group's options, and returns the values in
    /// the order of the items.
    ///
    /// Order, cancellation and panics are those of [`try_for_each`](#method.try_for_each). The
    /// cost is that of [`InOrder::try_map`].
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, unless the group
    /// [catches panics](crate::ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let words = ["1", "2", "x", "y"].into_iter().par_in_order().with_group(&group);
    /// let result = words.try_map(|_, word| word.parse::<u8>());
    /// assert!(matches!(result, Err(GroupError::Failed { index: Some(2), .. })));
    /// ```
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let run = self.start(true);
        let (source, group) = (self.source.source, self.group);
        let result = group.install(|| claim::map(source, &run, &f));
        group.finish(run, result)
    }

    /// Calls `f` for every item in parallel, with the group's options, and gives the values to
    /// `body` as a parallel iterator, for any of rayon's methods.
    ///
    /// Order, cancellation and the panics of the body are those of [`InOrder::try_process`]. The
    /// items run on the group's threads, if it has some, and the body on the calling thread. Where
    /// the group tolerates errors, the body does not see the items that fail, and the result is an
    /// error all the same.
    ///
    /// # Panics
    ///
    /// See [`try_for_each`](#method.try_for_each).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). Only the items that the body asked for count.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let (words, group) = ("1 2 x y", ErrGroup::new());
    /// let result = words.split(' ').par_in_order().with_group(&group).try_process(
    ///     |_, word| word.parse::<u32>(),
    ///     |numbers| numbers.sum::<u32>(),
    /// );
    /// assert_eq!(result.unwrap_err().index(), Some(2));
    /// ```
    #[doc(alias = "process_results")]
    pub fn try_process<F, T, E, B, R>(self, f: F, body: B) -> Result<R, GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, InOrder<S>, F, E>) -> R,
    {
        let run = self.start(true);
        let (source, group) = (self.source, self.group);
        let result = process(source, &run, Some(group), &f, body);
        group.finish(run, result)
    }

    /// Like [`try_process`](#method.try_process), but returns the result of the body also if the
    /// run has failed or was cancelled.
    ///
    /// Use it for a search that may be stopped, and then shows what it has found. The body sees the
    /// values of the items that ended before the run was stopped. Its result is `None` if it
    /// panicked.
    ///
    /// # Panics
    ///
    /// See [`try_process`](#method.try_process).
    ///
    /// # Errors
    ///
    /// See [`try_process`](#method.try_process). The error is returned beside the result of the
    /// body.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().token(&stop);
    /// let files = (0..1000).into_par_iter().in_order().with_group(&group);
    /// let (found, result) = files.try_process_partial(
    ///     |_, file| {
    ///         if file == 100 { stop.cancel(); }
    ///         Ok::<_, std::io::Error>(file)
    ///     },
    ///     |files| files.filter(|file| file % 7 == 0).collect::<Vec<_>>(),
    /// );
    /// assert!(result.is_err(), "it was stopped");
    /// assert!(found.unwrap().starts_with(&[0, 7, 14, 21]));
    /// ```
    pub fn try_process_partial<F, T, E, B, R>(
        self,
        f: F,
        body: B,
    ) -> (Option<R>, Result<(), GroupError<E>>)
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
        B: FnOnce(Values<'_, InOrder<S>, F, E>) -> R,
    {
        let run = self.start(true);
        let (source, group) = (self.source, self.group);
        finish_partial(group, run, |run| {
            process(source, run, Some(group), &f, body)
        })
    }

    /// Calls `f` for every item in parallel, with the group's options, and passes the values to
    /// `sink`, one by one, in the order of the items, on the calling thread.
    ///
    /// Order, cancellation and backpressure are those of [`InOrder::try_stream`].
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of the sink, unless the group
    /// [catches panics](crate::ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// See [`try_for_each`](#method.try_for_each). An error of the sink has the index of the item
    /// whose value it was given, and is never tolerated.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let (group, mut doubled) = (ErrGroup::new().concurrency(2), String::new());
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
        let run = self.start(true);
        let (source, group) = (self.source.source, self.group);
        let result = claim::stream::stream(source, &run, group.own_pool(), &f, sink);
        group.finish(run, result)
    }

    /// Calls `f` for every item in parallel, with the group's options, and returns every value and
    /// every error with its index, and how many items were skipped.
    ///
    /// # Order
    ///
    /// Values and errors are sorted by index. With [`max_errors(n)`](crate::ErrGroup::max_errors),
    /// for closures without side effects, the `n` lowest errors and the values before the last of
    /// them are those that the sequential loop would have found before it stopped, on any number of
    /// threads. After it there may be the results of items that were in flight then
    /// ([`Outcome::late_errors`]): on `t` threads there are at most `n + t - 1` errors.
    ///
    /// # Cancellation
    ///
    /// See [`try_for_each`](#method.try_for_each). What was ready is kept.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, unless the group [catches
    /// panics](crate::ErrGroup::catch_panics): then the panics are in the [`Outcome`], and count as
    /// errors for [`keep_going`](crate::ErrGroup::keep_going) and
    /// [`max_errors`](crate::ErrGroup::max_errors).
    ///
    /// # Cost
    ///
    /// Each value is kept with its index, in a vector for each chunk, and these are joined. With
    /// `max_errors(n)` for an `n` above 1 the chunks are small, whatever `with_min_len` says: at
    /// most (errors still allowed + threads) items are in flight. For a small `n` that costs a few
    /// hundred nanoseconds per item.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
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
        let run = self.group.start_keeping_all();
        let run = run.cut_by(self.source.cut.clone(), true);
        let (source, group) = (self.source.source, self.group);
        let values = group.install(|| claim::outcome::outcome(source, &run, &f));
        Outcome::new(run.finish(values), group.catches_panics())
    }
}
