//! All that comes of a run: values with their indices, whatever fails.

use std::iter::Zip;
use std::ops::Range;

use super::Engine;
use super::source::{Ordered, Source, SourceCallback};
use crate::engine::collect::PerChunk;
use crate::run::Run;
use crate::token::CancelToken;

/// The values of a run, sorted by index, and how many items there were, as far as is known.
pub(crate) struct Values<T> {
    pub(crate) values: Vec<(usize, T)>,
    pub(crate) items: usize,
}

/// The values of `f`. `None` if the source panicked before all items had ended.
pub(crate) fn outcome<O, F, T, E>(items: O, run: &Run<E>, f: &F) -> Option<Values<T>>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct AllValues<'r, F, T, E> {
        run: &'r Run<E>,
        f: &'r F,
        values: &'r mut Option<Values<T>>,
    }

    impl<I, F, T, E> SourceCallback<I> for AllValues<'_, F, T, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = ();

        fn callback<S: Source<Item = I>>(self, source: S) {
            let run = self.run;
            let f = |token: &CancelToken, (index, item): (usize, I)| {
                (self.f)(token, item).map(|value| (index, value))
            };
            let source = Numbered { source, pulled: 0 };
            let (parts, source) = Engine::of(run, &f, source, PerChunk::new()).join();
            let items = source
                .as_ref()
                .map_or(0, |source| source.pulled + source.held());
            let values: Vec<_> = parts.into_iter().flatten().collect();
            let is_short = values.len() < items && !run.has_failure();
            // Before anything is dropped: no value is lost if a drop panics.
            *self.values = Some(Values { values, items });
            run.drop_value(source);
            assert!(!is_short, "an iterator gave fewer items than its length");
        }
    }

    let mut values = None;
    run.drive(|| {
        items.with_source(AllValues {
            run,
            f,
            values: &mut values,
        });
    });
    values
}

/// A source whose items know their indices, and which counts the items that were pulled.
struct Numbered<S> {
    source: S,
    pulled: usize,
}

impl<S: Source> Source for Numbered<S> {
    type Item = (usize, S::Item);
    type Chunk = Zip<Range<usize>, S::Chunk>;

    fn chunk_limits(&self) -> (usize, usize) {
        self.source.chunk_limits()
    }

    fn max_left(&self) -> Option<usize> {
        self.source.max_left()
    }

    fn pull(&mut self, max_len: usize, token: &CancelToken) -> Option<(Self::Chunk, usize)> {
        let (chunk, len) = self.source.pull(max_len, token)?;
        let start = self.pulled;
        self.pulled += len;
        Some(((start..self.pulled).zip(chunk), len))
    }

    fn opt_len(&self) -> Option<usize> {
        self.source.opt_len()
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
        impl SourceCallback<char> for Look {
            type Output = ();
            fn callback<S: Source<Item = char>>(self, source: S) {
                let chunk_limits = source.chunk_limits();
                let mut source = Numbered { source, pulled: 0 };
                assert_eq!(
                    (source.chunk_limits(), chunk_limits),
                    (chunk_limits, (2, 3))
                );
                let mut pull = |max_len| {
                    let pulled = source.pull(max_len, &CancelToken::new());
                    let pulled = pulled.map(|(items, len)| (items.collect::<Vec<_>>(), len));
                    let (left, at_most) = (source.opt_len(), source.max_left());
                    assert_eq!((left, at_most), (Some(source.held()), left));
                    assert_eq!(source.has_ended(), left == Some(0));
                    (pulled, source.pulled)
                };
                assert_eq!(pull(2), (Some((vec![(0, 'a'), (1, 'b')], 2)), 2));
                assert_eq!(pull(2), (Some((vec![(2, 'c')], 1)), 3));
                assert_eq!(pull(2), (None, 3));
            }
        }
        let items = vec!['a', 'b', 'c'].into_par_iter();
        items.with_min_len(2).with_max_len(3).with_source(Look);
    }
}
