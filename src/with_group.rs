//! `WithGroup`: an iterator and its policy; the terminal methods.

use rayon::iter::ParallelIterator;

use crate::engine::claim::source::Ordered;
use crate::engine::{claim, steal};
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::in_order::InOrder;
use crate::outcome::Outcome;
use crate::token::CancelToken;

/// A parallel iterator together with the policy of its run. Made by
/// [`with_group`](crate::ErrGroupExt::with_group).
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{ErrGroup, prelude::*};
///
/// let group = ErrGroup::new().concurrency(2);
/// let squares = (1..4).into_par_iter().with_group(&group).try_map(|_, n| Ok::<_, ()>(n * n));
/// assert_eq!(squares.unwrap(), [1, 4, 9]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a group does nothing until one of its `try_` methods is called"]
pub struct WithGroup<'g, S> {
    source: S,
    group: &'g ErrGroup,
}

impl<'g, S> WithGroup<'g, S> {
    pub(crate) fn new(source: S, group: &'g ErrGroup) -> Self {
        WithGroup { source, group }
    }
}

impl<I: ParallelIterator> WithGroup<'_, I> {
    /// Calls `f` for every item in parallel, under the group's policy.
    ///
    /// # Order
    ///
    /// Items start in any order. Of several errors the earliest in time is returned. The items of one
    /// leaf, as rayon splits the input, run one after another: before items that block, put
    /// [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len).
    ///
    /// # Cancellation
    ///
    /// By the first error or panic, by the group's token or deadline, or by the token that `f` is
    /// given. Afterwards each other worker begins at most one more item; the items that run are
    /// waited for, the rest are dropped. An item that stops early because of the cancellation must
    /// say so with an `Err`, whose value is dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, which outranks every error; see
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// Names the one event that cancelled the run. `Ok` if and only if every item returned `Ok`.
    /// Behind an adaptor that drops items, such as `filter`, a run that is cancelled from outside
    /// gives up after 20 milliseconds in which no item came through, and reports the cancellation
    /// without knowing whether one would have come.
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
        group.run(|run| steal::for_each(source, run, &f))
    }

    /// Calls `f` for every item in parallel, under the group's policy, and returns the values in
    /// the order of the items.
    ///
    /// In order, cancellation, panics and errors it is as [`try_for_each`](WithGroup::try_for_each).
    /// In cost it is as [`try_map_group`](crate::ErrGroupExt::try_map_group).
    ///
    /// # Panics
    ///
    /// As [`try_for_each`](WithGroup::try_for_each).
    ///
    /// # Errors
    ///
    /// As [`try_for_each`](WithGroup::try_for_each). The values that were ready are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let words = ["1", "2", "3"];
    /// let numbers = words.par_iter().with_group(&ErrGroup::new()).try_map(|_, word| word.parse::<u8>());
    /// assert_eq!(numbers.unwrap(), [1, 2, 3]);
    /// ```
    pub fn try_map<F, T, E>(self, f: F) -> Result<Vec<T>, GroupError<E>>
    where
        F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        group.run(|run| steal::map(source, run, &f))
    }
}

/// After [`in_order`](crate::IndexedErrGroupExt::in_order) or
/// [`par_in_order`](crate::IteratorErrGroupExt::par_in_order).
impl<S: Ordered> WithGroup<'_, InOrder<S>> {
    /// Calls `f` for every item in parallel, under the group's policy, and answers as the
    /// sequential loop would.
    ///
    /// # Order
    ///
    /// Items are taken in ascending order; of several errors the one with the lowest position is
    /// returned, and that position with it. See [`InOrder`].
    ///
    /// # Cancellation
    ///
    /// By the first error or panic, by the group's token or deadline, or by the token that `f` is
    /// given. An error cancels the items above it only. The items that run are waited for, the
    /// rest are dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, which outranks every error; see
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// Names the one event that cancelled the run; where that is an error, the one with the lowest
    /// position that was recorded before anything else cancelled the run. `Ok` if and only if every
    /// item returned `Ok`.
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
        let WithGroup { source, group } = self;
        group.run(|run| claim::for_each(source.into_source(), run, &f))
    }

    /// Calls `f` for every item in parallel, under the group's policy, and returns the values in
    /// the order of the items.
    ///
    /// In order, cancellation and panics it is as
    /// [`try_for_each`](#method.try_for_each-1).
    /// In cost it is as [`try_map_group`](InOrder::try_map_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, unless the group says
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// As [`try_for_each`](#method.try_for_each-1). The values that were ready are dropped.
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
        let WithGroup { source, group } = self;
        group.run(|run| claim::map(source.into_source(), run, &f))
    }

    /// Calls `f` for every item in parallel, and gives the values to `sink` as they come, one by
    /// one, in the order of the items, on the calling thread.
    ///
    /// `for item in items { sink(f(item)?)?; }`, with `f` in parallel. The sink needs no `Send`, and
    /// may write to a file, or fill a map.
    ///
    /// # Order
    ///
    /// When item `i` is the lowest that fails, in `f` or in the sink, the sink has been given
    /// exactly the values before it (and its own, where it failed itself). If something else cancels
    /// the run before the sink has had them all, the failure is not reported but the cancellation.
    ///
    /// A value is given on when its chunk has ended, so an item must not wait for what the sink does
    /// with an earlier one. The threads work ahead of the sink by a bounded number of values, however long the input is:
    /// 16 chunks for each thread, and a chunk has at most 1024 items, or one where items take long. One
    /// that is too far ahead does not wait: it does other work of the pool until the sink has caught
    /// up.
    ///
    /// If the calling thread is a worker of the pool, it works on items itself while the next value
    /// is not there, and on a pool of one thread it does everything. Else it sleeps meanwhile, and may
    /// let a value wait for up to a millisecond, to take several at once.
    ///
    /// # Cancellation
    ///
    /// As [`try_for_each`](#method.try_for_each-1). The sink is called no more after a cancellation
    /// from outside, and the values that it has not had are dropped.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item or of the sink, unless the group says
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// As [`try_for_each`](#method.try_for_each-1), where an error of the sink is one of the item
    /// whose value it was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, prelude::*};
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
    pub fn try_stream<F, T, K, E>(self, f: F, sink: K) -> Result<(), GroupError<E>>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        K: FnMut(T) -> Result<(), E>,
        T: Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let source = source.into_source();
        group.run_here(|run, pool| claim::stream::stream(source, run, pool, &f, sink))
    }

    /// Calls `f` for every item in parallel, under the group's policy, and returns everything that
    /// came of it: the values and the errors with their positions, and how many items never ran.
    ///
    /// # Order
    ///
    /// Values and errors are sorted by position. With [`max_errors(n)`](ErrGroup::max_errors), for
    /// closures without side effects, the `n` lowest errors and the values below them are those that the
    /// sequential loop would have found before it stopped, on any number of threads. Above them
    /// there may be what the other threads had in hand then ([`Outcome::secondary`]): on `t` threads
    /// there are at most `n + t - 1` errors.
    ///
    /// # Cancellation
    ///
    /// As [`try_for_each`](#method.try_for_each-1). What was ready is kept.
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item, unless the group says [`catch_panics`](ErrGroup::catch_panics):
    /// then the panics are in the [`Outcome`], and are borne like errors by
    /// [`keep_going`](ErrGroup::keep_going) and [`max_errors`](ErrGroup::max_errors).
    ///
    /// # Cost
    ///
    /// Each value is kept with its position, in a vector for each chunk, and these are joined. With
    /// `max_errors(n)` for an `n` above 1 the chunks are small, whatever `with_min_len` says: there are
    /// never more items in hand than errors that are left to be borne, and one for each thread. For a small
    /// `n` that is some tenths of a microsecond for each item.
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
    /// assert_eq!(outcome.errors, [(7, "seven"), (507, "seven")]);
    /// ```
    pub fn outcome<F, T, E>(self, f: F) -> Outcome<T, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        let WithGroup { source, group } = self;
        let source = source.into_source();
        group.account(|run, slot| claim::outcome::outcome(source, run, &f, slot))
    }
}
