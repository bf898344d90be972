//! The iterators over a `ByIndex`.

use std::fmt;
use std::iter::{Flatten, FusedIterator};
use std::{slice, vec};

#[cfg(doc)]
use super::ByIndex;

/// An iterator over the items of a [`ByIndex`] by reference.
///
/// It is made by [`ByIndex::iter`].
///
/// ```
/// use rayon_errgroup::prelude::*;
///
/// let outcome = [3, 4].into_iter().par_in_order().outcome(|_, n| Ok::<_, ()>(n));
/// assert_eq!(outcome.values().iter().next_back(), Some(&(1, 4)));
/// ```
#[must_use = "iterators are lazy"]
pub struct ByIndexIter<'b, T> {
    pub(super) items: Flatten<slice::Iter<'b, Vec<(usize, T)>>>,
    pub(super) left: usize,
}

impl<T> Clone for ByIndexIter<'_, T> {
    fn clone(&self) -> Self {
        ByIndexIter {
            items: self.items.clone(),
            left: self.left,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for ByIndexIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// An iterator over the items of a [`ByIndex`].
///
/// It is made by its `into_iter`. A part is freed when its items have been taken.
///
/// ```
/// use rayon_errgroup::prelude::*;
///
/// let outcome = [3, 4].into_iter().par_in_order().outcome(|_, n| Ok::<_, ()>(n));
/// assert_eq!(outcome.into_values().into_iter().next(), Some((0, 3)));
/// ```
#[must_use = "iterators are lazy"]
pub struct ByIndexIntoIter<T> {
    pub(super) items: Flatten<vec::IntoIter<Vec<(usize, T)>>>,
    pub(super) left: usize,
}

impl<T> fmt::Debug for ByIndexIntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByIndexIntoIter")
            .field("len", &self.left)
            .finish_non_exhaustive()
    }
}

macro_rules! iterate {
    ($([$($lifetime:lifetime)?] $iterator:ty => $item:ty),* $(,)?) => {$(
        impl<$($lifetime,)? T> Iterator for $iterator {
            type Item = $item;

            fn next(&mut self) -> Option<Self::Item> {
                let item = self.items.next()?;
                self.left -= 1;
                Some(item)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.left, Some(self.left))
            }

            /// Part by part.
            fn fold<A, F: FnMut(A, Self::Item) -> A>(self, init: A, fold: F) -> A {
                self.items.fold(init, fold)
            }
        }

        impl<$($lifetime,)? T> DoubleEndedIterator for $iterator {
            fn next_back(&mut self) -> Option<Self::Item> {
                let item = self.items.next_back()?;
                self.left -= 1;
                Some(item)
            }
        }

        impl<$($lifetime,)? T> ExactSizeIterator for $iterator {}
        impl<$($lifetime,)? T> FusedIterator for $iterator {}
    )*};
}

iterate!(
    ['b] ByIndexIter<'b, T> => &'b (usize, T),
    [] ByIndexIntoIter<T> => (usize, T),
);
