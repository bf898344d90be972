//! Everything that comes of the items: values with their positions, whatever fails.

use std::iter::Zip;
use std::ops::Range;

use super::Claims;
use super::source::{Callback, Ordered, Source};
use crate::engine::gather::Batch;
use crate::run::Run;
use crate::token::CancelToken;

/// The values of a run, sorted by position, and how many items there were, as far as is known.
pub(crate) struct Values<T> {
    pub(crate) values: Vec<(usize, T)>,
    pub(crate) items: usize,
}

/// Calls `f` for every item. What comes of it is left in `slot` before anything is dropped.
pub(crate) fn outcome<O, F, T, E>(items: O, run: &Run<E>, f: &F, slot: &mut Option<Values<T>>)
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct Account<'r, F, T, E> {
        run: &'r Run<E>,
        f: &'r F,
        slot: &'r mut Option<Values<T>>,
    }

    impl<I, F, T, E> Callback<I> for Account<'_, F, T, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = ();

        fn call<S: Source<Item = I>>(self, source: S) {
            let Account { run, f, slot } = self;
            let f = |token: &CancelToken, (index, item): (usize, I)| {
                f(token, item).map(|value| (index, value))
            };
            let source = Numbered { source, taken: 0 };
            let (pieces, source) = Claims::of(run, &f, source, Batch::new()).work_off();
            let items = source
                .as_ref()
                .map_or(0, |source| source.taken + source.held());
            let values: Vec<_> = pieces.into_iter().flatten().collect();
            let is_short = values.len() < items && !run.is_flawed();
            *slot = Some(Values { values, items });
            run.contain(|| drop(source));
            assert!(!is_short, "an iterator gave fewer items than its length");
        }
    }

    items.with_source(Account { run, f, slot });
}

/// A source whose items know their positions, and which knows how many were taken.
struct Numbered<S> {
    source: S,
    taken: usize,
}

impl<S: Source> Source for Numbered<S> {
    type Item = (usize, S::Item);
    type Chunk = Zip<Range<usize>, S::Chunk>;

    fn bounds(&self) -> (usize, usize) {
        self.source.bounds()
    }

    fn left_at_most(&self) -> Option<usize> {
        self.source.left_at_most()
    }

    fn take(&mut self, most: usize, token: &CancelToken) -> Option<(Self::Chunk, usize)> {
        let (chunk, len) = self.source.take(most, token)?;
        let start = self.taken;
        self.taken += len;
        Some(((start..self.taken).zip(chunk), len))
    }

    fn left(&self) -> Option<usize> {
        self.source.left()
    }

    fn has_ended(&self) -> bool {
        self.source.has_ended()
    }

    fn held(&self) -> usize {
        self.source.held()
    }
}

#[cfg(test)]
mod tests {
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator};

    use super::*;

    #[test]
    fn a_numbered_source_is_the_source_with_numbers() {
        struct Look;
        impl Callback<char> for Look {
            type Output = ();
            fn call<S: Source<Item = char>>(self, source: S) {
                let bounds = source.bounds();
                let mut source = Numbered { source, taken: 0 };
                assert_eq!((source.bounds(), bounds), (bounds, (2, 3)));
                let mut take = |most| {
                    let taken = source.take(most, &CancelToken::new());
                    let taken = taken.map(|(items, len)| (items.collect::<Vec<_>>(), len));
                    let (left, at_most) = (source.left(), source.left_at_most());
                    assert_eq!((left, at_most), (Some(source.held()), left));
                    assert_eq!(source.has_ended(), left == Some(0));
                    (taken, source.taken)
                };
                assert_eq!(take(2), (Some((vec![(0, 'a'), (1, 'b')], 2)), 2));
                assert_eq!(take(2), (Some((vec![(2, 'c')], 1)), 3));
                assert_eq!(take(2), (None, 3));
            }
        }
        let items = vec!['a', 'b', 'c'].into_par_iter();
        items.with_min_len(2).with_max_len(3).with_source(Look);
    }
}
