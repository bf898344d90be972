//! `Values`: what a body makes its result of.

use std::fmt;
use std::iter::FusedIterator;

use crate::engine::sequential::Loop;
use crate::token::CancelToken;

/// The values of a run, in the order of the items, up to the first failure. The body of
/// [`try_process_group`](super::ErrGroupExt::try_process_group) is given them.
///
/// Each call of `next` runs one item. Under a group that tolerates errors, an item that fails has
/// no value, and the next one runs.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
///
/// let sum: Result<i32, _> = ["1", "2"].par_iter().try_process_group(
///     |_, word| word.parse::<i32>(),
///     |values| values.map(|value| 10 * value).sum(),
/// );
/// assert_eq!(sum, Ok(30));
/// ```
#[must_use = "iterators are lazy"]
pub struct Values<'r, I, F, E> {
    items: Loop<'r, &'r mut I, &'r F, E>,
}

impl<'r, I, F, E> Values<'r, I, F, E> {
    pub(super) fn new(items: Loop<'r, &'r mut I, &'r F, E>) -> Self {
        Values { items }
    }
}

impl<I, F, T, E> Iterator for Values<'_, I, F, E>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.items.max_left())
    }

    /// In one loop: `sum`, `count`, `max`, `for_each` and their kin end in this.
    #[inline]
    fn fold<A, G: FnMut(A, T) -> A>(mut self, init: A, fold: G) -> A {
        self.items.fold(init, fold)
    }
}

impl<I, F, T, E> FusedIterator for Values<'_, I, F, E>
where
    I: Iterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E>,
{
}

impl<I, F, E> fmt::Debug for Values<'_, I, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").finish_non_exhaustive()
    }
}
