//! `Source`: an input from whose start chunks are pulled.

use rayon::iter::IndexedParallelIterator;
use rayon::iter::plumbing::{Producer, ProducerCallback};

use super::lazy::Lazy;
use crate::token::CancelToken;

/// The rest of an input. User code may run in its methods, except for the last four.
pub trait Source: Send {
    /// An element of the input.
    type Item: Send;
    /// Some consecutive items, for another thread to iterate over.
    type Chunk: Send;
    /// The items of a chunk, in order.
    type Items: ExactSizeIterator<Item = Self::Item>;
    /// Where items are read to, and from where they are claimed.
    type Writer;
    type Buffer: Buffer<Self::Chunk>;
    /// What a chunk may borrow of the source.
    type Loan;
    /// Whether it is split, and not read. Then it may cost something to make a chunk and to begin
    /// with it, as behind `map_init`.
    const IS_SPLIT: bool;

    /// The smallest and the largest chunk that the input asks for (rayon's `min_len`, `max_len`).
    fn chunk_limits(&self) -> (usize, usize);
    /// An upper bound on how many items are left, if the input has one.
    fn max_left(&self) -> Option<usize>;
    /// Pulls the next items, at most `max_len`: a chunk, or, with a writer, into the buffer. Stops
    /// early once the token is cancelled. Is not called again once the input has ended.
    fn pull(
        &mut self,
        max_len: usize,
        writer: Option<Self::Writer>,
        token: &CancelToken,
    ) -> Pulled<Self::Chunk>;
    /// Whether an item is left. It may read one to find out, and keeps that.
    fn has_next(&mut self) -> bool;
    /// Begins with a chunk.
    fn iterate(chunk: Self::Chunk) -> Self::Items;
    /// A buffer for so many items, if this kind of source is read and not split.
    fn buffer(capacity: usize) -> Option<(Self::Writer, Self::Buffer)>;
    /// Takes what a chunk has borrowed of the source, if it has, when the chunk has ended.
    fn take_loan(items: &mut Self::Items) -> Option<Self::Loan>;
    /// Puts it back.
    fn put_back(&mut self, loan: Self::Loan);
    /// How many items are left, if that is known for certain.
    fn opt_len(&self) -> Option<usize>;
    /// Whether it is known that no item is left.
    fn has_ended(&self) -> bool;
    /// How many items the source still owns: neither a chunk nor the buffer has them.
    fn held(&self) -> usize;
}

/// What [`Source::pull`] has found.
#[derive(Debug, PartialEq)]
pub enum Pulled<C> {
    /// A chunk of so many items.
    Chunk(C, usize),
    /// The next items are in the buffer.
    Buffered,
    /// The input has ended.
    Nothing,
}

/// Items that were read and are not claimed. They are claimed even while the source is read.
pub trait Buffer<C>: Send {
    /// How many there are.
    fn len(&self) -> usize;
    /// Takes the first ones, at least one and at most `max_len`, and says how many they are.
    fn take(&mut self, max_len: usize) -> Option<(C, usize)>;
}

/// Generic code for a source whose type only the input knows, as rayon's `ProducerCallback`.
pub trait SourceCallback<T> {
    /// What it returns.
    type Output;
    /// Called with the source.
    fn callback<S: Source<Item = T>>(self, source: S) -> Self::Output;
}

/// An input that has an order: every [`IndexedParallelIterator`], and every [`Iterator`] wrapped in
/// [`Sequential`]. Use it as a bound for functions that take either.
///
/// The trait is sealed: it cannot be implemented outside of this crate.
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{InOrder, Ordered, prelude::*};
///
/// fn lengths<'a, W>(words: InOrder<W>) -> Result<Vec<usize>, &'a str>
/// where
///     W: Ordered<Item = &'a str>,
/// {
///     words.try_map(|_, word| match word.len() {
///         0 => Err("empty word"),
///         length => Ok(length),
///     })
/// }
/// assert_eq!(lengths(vec!["a", "bc"].into_par_iter().in_order()), Ok(vec![1, 2]));
/// assert_eq!(lengths("a bc".split(' ').par_in_order()), Ok(vec![1, 2]));
/// ```
pub trait Ordered: Sized + Send {
    /// An element of the input.
    type Item: Send;

    #[doc(hidden)]
    fn with_source<C: SourceCallback<Self::Item>>(self, callback: C) -> C::Output;
}

/// A sequential iterator whose items run in parallel, in order.
///
/// It is made by [`par_in_order`](crate::IteratorErrGroupExt::par_in_order). Name it where a type
/// is needed:
///
/// ```
/// use rayon_errgroup::{InOrder, Sequential, prelude::*};
/// use std::str::Lines;
///
/// fn lines(text: &str) -> InOrder<Sequential<Lines<'_>>> {
///     text.lines().par_in_order()
/// }
/// assert_eq!(lines("1\n2").try_map(|_, line| line.parse::<u8>()), Ok(vec![1, 2]));
/// ```
#[derive(Clone, Debug)]
pub struct Sequential<I>(pub(crate) I);

impl<I: IndexedParallelIterator> Ordered for I {
    type Item = I::Item;

    fn with_source<C: SourceCallback<I::Item>>(self, callback: C) -> C::Output {
        struct Bridge<C>(usize, C);

        impl<T: Send, C: SourceCallback<T>> ProducerCallback<T> for Bridge<C> {
            type Output = C::Output;

            fn callback<P: Producer<Item = T>>(self, producer: P) -> C::Output {
                let Bridge(left, callback) = self;
                callback.callback(Indexed {
                    rest: Some(producer),
                    left,
                })
            }
        }

        let len = self.len();
        self.with_producer(Bridge(len, callback))
    }
}

/// The producer of a parallel iterator, and its length.
struct Indexed<P> {
    /// `None` only if a split has panicked.
    rest: Option<P>,
    left: usize,
}

impl<P: Producer> Source for Indexed<P>
where
    P::Item: Send,
{
    type Item = P::Item;
    type Chunk = P;
    type Items = P::IntoIter;
    type Writer = ();
    type Buffer = NoBuffer;
    type Loan = ();
    const IS_SPLIT: bool = true;

    fn chunk_limits(&self) -> (usize, usize) {
        self.rest.as_ref().map_or((1, 1), |rest| {
            let min_len = rest.min_len().max(1);
            (min_len, rest.max_len().max(min_len))
        })
    }

    fn max_left(&self) -> Option<usize> {
        Some(self.left)
    }

    fn pull(&mut self, max_len: usize, _: Option<()>, _: &CancelToken) -> Pulled<P> {
        let len = max_len.min(self.left);
        let Some(rest) = self.rest.take().filter(|_| len > 0) else {
            return Pulled::Nothing;
        };
        // This may panic, and then no chunk has these items: they stay in `left`.
        let (chunk, rest) = rest.split_at(len);
        self.rest = Some(rest);
        self.left -= len;
        Pulled::Chunk(chunk, len)
    }

    fn has_next(&mut self) -> bool {
        self.left > 0
    }

    /// The chunk is not asked for its length: that is user code, and may be wrong.
    fn iterate(chunk: P) -> P::IntoIter {
        chunk.into_iter()
    }

    fn buffer(_capacity: usize) -> Option<((), NoBuffer)> {
        None
    }

    fn take_loan(_items: &mut P::IntoIter) -> Option<()> {
        None
    }

    fn put_back(&mut self, (): ()) {}

    fn opt_len(&self) -> Option<usize> {
        Some(self.left)
    }

    fn has_ended(&self) -> bool {
        self.left == 0
    }

    fn held(&self) -> usize {
        self.left
    }
}

/// A source that splits reads nothing ahead.
pub(crate) struct NoBuffer;

impl<C> Buffer<C> for NoBuffer {
    fn len(&self) -> usize {
        0
    }

    fn take(&mut self, _max_len: usize) -> Option<(C, usize)> {
        None
    }
}

impl<I> Ordered for Sequential<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;

    fn with_source<C: SourceCallback<I::Item>>(self, callback: C) -> C::Output {
        callback.callback(Lazy::new(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indexed_iterator_is_split_until_it_is_empty() {
        struct Split;
        impl SourceCallback<u8> for Split {
            type Output = Vec<(usize, usize)>;
            fn callback<S: Source<Item = u8>>(self, mut source: S) -> Self::Output {
                assert!(S::buffer(3).is_none());
                let (mut seen, token) = (Vec::new(), CancelToken::new());
                while let Pulled::Chunk(chunk, len) = source.pull(3, None, &token) {
                    assert_eq!(S::iterate(chunk).len(), len);
                    assert_eq!(
                        (source.opt_len(), source.max_left()),
                        (Some(source.held()), source.opt_len())
                    );
                    assert_eq!(source.has_ended(), source.held() == 0);
                    assert_eq!(source.has_next(), source.held() > 0);
                    assert_eq!(source.chunk_limits(), (2, 4));
                    seen.push((len, source.held()));
                }
                seen
            }
        }
        let items = rayon::iter::repeat_n(0_u8, 8)
            .with_min_len(2)
            .with_max_len(4);
        assert_eq!(items.with_source(Split), [(3, 5), (3, 2), (2, 0)]);
    }
}
