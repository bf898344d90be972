//! `InOrder`: the methods that answer as the sequential loop would.

use crate::engine::claim;
use crate::engine::claim::source::Ordered;
use crate::group::ErrGroup;
use crate::run;
use crate::token::CancelToken;
use crate::with_group::WithGroup;

/// An input that is worked on in parallel, and answers as the sequential loop would: the same
/// values, the same error, on any number of threads.
///
/// Made by [`in_order`](crate::IndexedErrGroupExt::in_order) from rayon's indexed iterators and by
/// [`par_in_order`](crate::IteratorErrGroupExt::par_in_order) from any sequential iterator.
///
/// # Order
///
/// Each thread of the pool takes the next few items off the front of the input: they are taken in
/// ascending order, and on one thread they run as in a loop. Of several failures the one with the
/// lowest position is returned, which for a closure without side effects is the one that
/// `for item in items { f(item)?; }` would end with. When an item fails, each thread begins at
/// most one more of those above it, and all below it run to their end.
///
/// # Cancellation
///
/// Each item is given a token. A failure cancels the tokens of the items above it, at once; those
/// below never see it, since one that gave up because of it would change the answer. Whatever else
/// cancels the run (its token, a deadline, a panic, an item that calls
/// [`cancel`](CancelToken::cancel)) reaches all of them, and from then on the failure that was the
/// lowest so far stays the result. Items that run at the same time may have different tokens; all
/// are the run's for what is asked of them.
///
/// # Panics
///
/// As [`err_group`](crate::ErrGroupExt::err_group): a panic has no place in the order. It cancels the
/// run at once, and outranks a failure even of an item below it.
///
/// # Cost
///
/// That of rayon's `try_for_each` or `collect`. The items that a thread takes at once are as many as
/// fit into some fifty microseconds, judged by the last ones, and towards the end a share of what is
/// left: so quick items cost no more, and slow ones are taken one by one and leave no long tail. Where
/// very quick items turn very slow without warning, the thread that has just taken many of them is
/// left with these; if you know of it, say `with_max_len`, which is kept, as `with_min_len` is (but not above 1024 in
/// `try_stream`). There
/// is nothing else to be tuned. A few small allocations for each thread, and one for each time that a
/// thread takes items.
///
/// # When not to use it
///
/// If it does not matter which error comes back, the methods of
/// [`ErrGroupExt`](crate::ErrGroupExt) stop sooner where an early item is slow and a later one
/// fails: there the early one is told to give up, here it is waited for, because it may fail too. And
/// they take iterators that have no order, such as those behind `filter` or of a hash map.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// let words = ["1", "2", "x", "y"];
/// let result = words.par_iter().in_order().try_map_group(|_, word| {
///     word.parse::<i32>().map_err(|_| format!("{word} is no number"))
/// });
/// assert_eq!(result, Err("x is no number".to_string())); // never y
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until one of its methods is called"]
pub struct InOrder<S> {
    source: S,
}

impl<S> InOrder<S> {
    pub(crate) fn new(source: S) -> Self {
        InOrder { source }
    }

    pub(crate) fn into_source(self) -> S {
        self.source
    }
}

impl<S: Ordered> InOrder<S> {
    /// Calls `f` for every item in parallel, and stops at the lowest position that fails.
    ///
    /// # Order
    ///
    /// Items are taken in ascending order; of several errors the one with the lowest position is
    /// returned. See [`InOrder`].
    ///
    /// # Cancellation
    ///
    /// Of the items above one that has failed each thread begins at most one more. Those that run are waited for; the rest
    /// are dropped. Items that take long can stop earlier with
    /// [`try_for_each_group`](InOrder::try_for_each_group).
    ///
    /// # Panics
    ///
    /// Resumes the panic of an item with its payload, after the other items have ended.
    ///
    /// # Errors
    ///
    /// The error of the lowest position that failed. `Ok` if and only if `f` returned `Ok` for every
    /// item.
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
        self.try_for_each_group(|_, item| f(item))
    }

    /// As [`err_group`](InOrder::err_group), with a token for items that take long.
    ///
    /// # Order
    ///
    /// As [`err_group`](InOrder::err_group).
    ///
    /// # Cancellation
    ///
    /// As [`err_group`](InOrder::err_group), and the items above one that has failed can see it by
    /// their token; those below cannot. An item that stops early must say so with an `Err`, which
    /// is never the one returned.
    ///
    /// # Panics
    ///
    /// As [`err_group`](InOrder::err_group). Also if `f` cancels the token itself, items were skipped,
    /// and none returned an error: `with_group` has an error for that.
    ///
    /// # Errors
    ///
    /// As [`err_group`](InOrder::err_group).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// // An endless source: the items above the failure are told to give up.
    /// let result = (0_u64..).par_in_order().try_for_each_group(|token, n| {
    ///     if n == 3 { return Err("three") }
    ///     while n > 3 { token.check().map_err(|_| "a consequence")? }
    ///     Ok(())
    /// });
    /// assert_eq!(result, Err("three"));
    /// ```
    pub fn try_for_each_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        run::bare(|run| claim::for_each(self.source, run, &f))
    }

    /// Calls `f` for every item in parallel, and returns the values in the order of the items.
    ///
    /// # Order
    ///
    /// As [`err_group`](InOrder::err_group), for the items, the values and the error.
    ///
    /// # Cancellation
    ///
    /// As [`try_for_each_group`](InOrder::try_for_each_group). The values that were ready are
    /// dropped.
    ///
    /// # Panics
    ///
    /// As [`try_for_each_group`](InOrder::try_for_each_group).
    ///
    /// # Errors
    ///
    /// As [`err_group`](InOrder::err_group).
    ///
    /// # Cost
    ///
    /// The values of an indexed iterator are written straight to their places in one vector, at
    /// the cost of rayon's `collect` into a `Vec`, and 1.2 to 1.4 times that where items take a nanosecond.
    /// Those of a sequential iterator are gathered by chunks, which are then joined.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let numbers = "1 2 3".split(' ').par_in_order().try_map_group(|_, word| word.parse::<i32>());
    /// assert_eq!(numbers, Ok(vec![1, 2, 3]));
    /// ```
    pub fn try_map_group<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        run::bare(|run| claim::map(self.source, run, &f))
    }

    /// Attaches a policy: a token or deadline to stop the run from outside, a number of threads. Its
    /// methods name the position that failed, and one of them streams the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().concurrency(4);
    /// let lines = "1\n2\nthree\nfour".lines();
    /// let result = lines.par_in_order().with_group(&group).try_map(|_, line| line.parse::<u8>());
    /// assert_eq!(result.unwrap_err().index(), Some(2));
    /// ```
    pub fn with_group(self, group: &ErrGroup) -> WithGroup<'_, Self> {
        WithGroup::new(self, group)
    }
}
