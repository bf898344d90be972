//! The iterators over an `Outcome`: three sorted lists, merged.

use std::fmt;
use std::iter::{FusedIterator, Map, Peekable};

use crate::by_index::{ByIndex, ByIndexIntoIter, ByIndexIter};

/// Values and errors that are sorted by index, merged.
struct Merge<V: Iterator, R: Iterator> {
    values: Peekable<V>,
    errors: Peekable<R>,
    late_errors: Peekable<R>,
}

impl<V, R, T, E> Merge<V, R>
where
    V: Iterator<Item = (usize, T)>,
    R: Iterator<Item = (usize, E)>,
{
    fn new(values: V, errors: R, late_errors: R) -> Self {
        Merge {
            values: values.peekable(),
            errors: errors.peekable(),
            late_errors: late_errors.peekable(),
        }
    }

    fn next(&mut self) -> Option<(usize, Result<T, E>)> {
        // No index is in two lists.
        let value = self.values.peek().map(|(index, _)| *index);
        let error = self.errors.peek().map(|(index, _)| *index);
        let late_error = self.late_errors.peek().map(|(index, _)| *index);
        let lowest = [value, error, late_error].into_iter().flatten().min()?;
        if value == Some(lowest) {
            let (index, value) = self.values.next()?;
            return Some((index, Ok(value)));
        }
        let errors = if error == Some(lowest) {
            &mut self.errors
        } else {
            &mut self.late_errors
        };
        errors.next().map(|(index, error)| (index, Err(error)))
    }

    fn len(&self) -> usize
    where
        V: ExactSizeIterator,
        R: ExactSizeIterator,
    {
        self.values.len() + self.errors.len() + self.late_errors.len()
    }
}

impl<V, R> Clone for Merge<V, R>
where
    V: Iterator<Item: Clone> + Clone,
    R: Iterator<Item: Clone> + Clone,
{
    fn clone(&self) -> Self {
        Merge {
            values: self.values.clone(),
            errors: self.errors.clone(),
            late_errors: self.late_errors.clone(),
        }
    }
}

type ByRef<'o, X> = Map<ByIndexIter<'o, X>, fn(&'o (usize, X)) -> (usize, &'o X)>;

fn by_ref<X>(list: &ByIndex<X>) -> ByRef<'_, X> {
    list.iter().map(|(index, x)| (*index, x))
}

/// An iterator over the results of an [`Outcome`](crate::Outcome) by reference, sorted by index.
///
/// It is made by [`Outcome::iter`](crate::Outcome::iter).
///
/// ```
/// use rayon_errgroup::prelude::*;
///
/// let outcome = [3, 4].into_iter().par_in_order().outcome(|_, n| Ok::<_, ()>(n));
/// assert_eq!(outcome.iter().next(), Some((0, Ok(&3))));
/// ```
#[must_use = "iterators are lazy"]
pub struct OutcomeIter<'o, T, E>(Merge<ByRef<'o, T>, ByRef<'o, E>>);

impl<'o, T, E> OutcomeIter<'o, T, E> {
    pub(super) fn new(
        values: &'o ByIndex<T>,
        errors: &'o ByIndex<E>,
        late_errors: &'o ByIndex<E>,
    ) -> Self {
        OutcomeIter(Merge::new(
            by_ref(values),
            by_ref(errors),
            by_ref(late_errors),
        ))
    }
}

impl<T, E> Clone for OutcomeIter<'_, T, E> {
    fn clone(&self) -> Self {
        OutcomeIter(self.0.clone())
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for OutcomeIter<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'o, T, E> Iterator for OutcomeIter<'o, T, E> {
    type Item = (usize, Result<&'o T, &'o E>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<T, E> ExactSizeIterator for OutcomeIter<'_, T, E> {}
impl<T, E> FusedIterator for OutcomeIter<'_, T, E> {}

/// An iterator over the results of an [`Outcome`](crate::Outcome), sorted by index.
///
/// It is made by its `into_iter`.
///
/// ```
/// use rayon_errgroup::prelude::*;
///
/// let outcome = [3, 4].into_iter().par_in_order().outcome(|_, n| Ok::<_, ()>(n));
/// assert_eq!(outcome.into_iter().last(), Some((1, Ok(4))));
/// ```
#[must_use = "iterators are lazy"]
pub struct OutcomeIntoIter<T, E>(Merge<ByIndexIntoIter<T>, ByIndexIntoIter<E>>);

impl<T, E> OutcomeIntoIter<T, E> {
    pub(super) fn new(values: ByIndex<T>, errors: ByIndex<E>, late_errors: ByIndex<E>) -> Self {
        OutcomeIntoIter(Merge::new(
            values.into_iter(),
            errors.into_iter(),
            late_errors.into_iter(),
        ))
    }
}

impl<T, E> fmt::Debug for OutcomeIntoIter<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutcomeIntoIter")
            .field("len", &self.0.len())
            .finish_non_exhaustive()
    }
}

impl<T, E> Iterator for OutcomeIntoIter<T, E> {
    type Item = (usize, Result<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<T, E> ExactSizeIterator for OutcomeIntoIter<T, E> {}
impl<T, E> FusedIterator for OutcomeIntoIter<T, E> {}
