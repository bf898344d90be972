//! `Source`: an input from whose front chunks are pulled.

use std::time::{Duration, Instant};
use std::{mem, vec};

use rayon::iter::IndexedParallelIterator;
use rayon::iter::plumbing::{Producer, ProducerCallback};

use crate::token::CancelToken;

/// The rest of an input. User code may run in its methods, except for the last three.
pub trait Source: Send {
    /// An element of the input.
    type Item: Send;
    /// The items of a chunk, in order.
    type Chunk: ExactSizeIterator<Item = Self::Item>;

    /// The smallest and the largest chunk that the input asks for (rayon's `min_len`, `max_len`).
    fn chunk_limits(&self) -> (usize, usize);
    /// An upper bound on how many items are left, if the input has one.
    fn max_left(&self) -> Option<usize>;
    /// Pulls the next items, at least one and at most `max_len`, and returns them with their
    /// number, or `None` if there are none. Stops early once the token is cancelled. Is not
    /// called again once the input has ended.
    fn pull(&mut self, max_len: usize, token: &CancelToken) -> Option<(Self::Chunk, usize)>;
    /// How many items are left, if that is known for certain.
    fn opt_len(&self) -> Option<usize>;
    /// Whether it is known that no item is left.
    fn has_ended(&self) -> bool;
    /// How many items the source still owns: no chunk has them.
    fn held(&self) -> usize;
}

/// Generic code for a source whose type only the input knows, as rayon's `ProducerCallback`.
pub trait SourceCallback<T> {
    /// What it returns.
    type Output;
    /// Called with the source.
    fn callback<S: Source<Item = T>>(self, source: S) -> Self::Output;
}

/// An input that has an order: every [`IndexedParallelIterator`], and every [`Iterator`] wrapped in
/// [`Sequential`]. It is the bound for functions that take either.
///
/// The trait is sealed: it cannot be implemented outside of this crate.
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{InOrder, Ordered, prelude::*};
///
/// fn lengths<'a>(words: InOrder<impl Ordered<Item = &'a str>>) -> Result<Vec<usize>, &'a str> {
///     words.try_map(|_, word| if word.is_empty() { Err("empty word") } else { Ok(word.len()) })
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

/// A sequential iterator whose items run in parallel, in order. Made by
/// [`par_in_order`](crate::IteratorErrGroupExt::par_in_order), and named where a type has to be:
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
    type Chunk = P::IntoIter;

    fn chunk_limits(&self) -> (usize, usize) {
        self.rest.as_ref().map_or((1, 1), |rest| {
            let min_len = rest.min_len().max(1);
            (min_len, rest.max_len().max(min_len))
        })
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.left)
    }

    fn max_left(&self) -> Option<usize> {
        Some(self.left)
    }

    fn has_ended(&self) -> bool {
        self.left == 0
    }

    fn held(&self) -> usize {
        self.left
    }

    /// The chunk is not asked for its length: that is user code, and may be wrong.
    fn pull(&mut self, max_len: usize, _token: &CancelToken) -> Option<(P::IntoIter, usize)> {
        let len = max_len.min(self.left);
        let rest = self.rest.take().filter(|_| len > 0)?;
        let (chunk, rest) = rest.split_at(len);
        self.rest = Some(rest);
        // This may panic, and then no chunk has these items: they stay in `left`.
        let chunk = chunk.into_iter();
        self.left -= len;
        Some((chunk, len))
    }
}

impl<I> Ordered for Sequential<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;

    fn with_source<C: SourceCallback<I::Item>>(self, callback: C) -> C::Output {
        callback.callback(Lazy {
            rest: self.0,
            read: Vec::new(),
            ended: false,
        })
    }
}

/// How many items of a sequential iterator are read at once, at most.
const MAX_READ: usize = 1024;

/// How long a chunk of a sequential iterator is read, at most.
const READ_TIME: Duration = Duration::from_micros(50);

/// After how many items the clock is read.
const CLOCK_EVERY: usize = 8;

/// A sequential iterator.
struct Lazy<I: Iterator> {
    rest: I,
    /// The chunk that is being read. Not a local variable: if reading it panics, its items are
    /// dropped later, so that a second panic does not abort the process.
    read: Vec<I::Item>,
    /// It has returned `None`, and is not asked again.
    ended: bool,
}

impl<I> Source for Lazy<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;
    type Chunk = vec::IntoIter<I::Item>;

    fn chunk_limits(&self) -> (usize, usize) {
        (1, MAX_READ)
    }

    fn opt_len(&self) -> Option<usize> {
        None
    }

    fn max_left(&self) -> Option<usize> {
        self.rest.size_hint().1
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    /// What was read before a read panicked.
    fn held(&self) -> usize {
        self.read.len()
    }

    /// Reads until there are enough items, or until reading has taken so long that the items had
    /// better run.
    fn pull(&mut self, max_len: usize, token: &CancelToken) -> Option<(Self::Chunk, usize)> {
        let (began, cancelled) = (Instant::now(), token.node().flag());
        self.read.reserve(max_len);
        while self.read.len() < max_len {
            let Some(item) = self.rest.next() else {
                self.ended = true;
                break;
            };
            self.read.push(item);
            let is_late = self.read.len() % CLOCK_EVERY == 0 && began.elapsed() > READ_TIME;
            if is_late || cancelled.is_set() {
                break;
            }
        }
        let chunk = mem::take(&mut self.read);
        let len = chunk.len();
        (len > 0).then(|| (chunk.into_iter(), len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lazy<I: Iterator>(rest: I) -> Lazy<I> {
        Lazy {
            rest,
            read: Vec::new(),
            ended: false,
        }
    }

    fn lengths<I: Iterator<Item: Send> + Send>(
        source: &mut Lazy<I>,
        max_lens: &[usize],
        token: &CancelToken,
    ) -> Vec<Option<usize>> {
        let pull = |max_len: &usize| source.pull(*max_len, token).map(|(_, len)| len);
        max_lens.iter().map(pull).collect()
    }

    #[test]
    fn a_sequential_iterator_is_read_until_there_are_enough() {
        let mut source = lazy(0..10);
        assert_eq!(source.chunk_limits(), (1, MAX_READ));
        let read = lengths(&mut source, &[3, 7], &CancelToken::new());
        assert_eq!((read, source.has_ended()), (vec![Some(3), Some(7)], false));
        let read = lengths(&mut source, &[1], &CancelToken::new());
        assert_eq!((read, source.has_ended()), (vec![None], true));
    }

    #[test]
    fn a_slow_iterator_is_read_until_the_clock_is_read() {
        let slow = (0..20).inspect(|_| {
            let began = Instant::now();
            while began.elapsed() <= READ_TIME {}
        });
        let read = lengths(&mut lazy(slow), &[4, 100, 100], &CancelToken::new());
        assert_eq!(read, [Some(4), Some(8), Some(8)]);
    }

    #[test]
    fn one_item_is_the_proof_after_a_cancellation() {
        let token = CancelToken::new();
        token.cancel();
        assert_eq!(lengths(&mut lazy(0..20), &[16], &token), [Some(1)]);
    }

    #[test]
    fn an_indexed_iterator_is_split_until_it_is_empty() {
        struct Bounds;
        impl SourceCallback<u8> for Bounds {
            type Output = Vec<(usize, usize)>;
            fn callback<S: Source<Item = u8>>(self, mut source: S) -> Self::Output {
                let mut seen = Vec::new();
                while let Some((chunk, len)) = source.pull(3, &CancelToken::new()) {
                    assert_eq!(chunk.len(), len);
                    assert_eq!(
                        (source.opt_len(), source.max_left()),
                        (Some(source.held()), source.opt_len())
                    );
                    assert_eq!(source.has_ended(), source.held() == 0);
                    assert_eq!(source.chunk_limits(), (2, 4));
                    seen.push((len, source.held()));
                }
                seen
            }
        }
        let items = rayon::iter::repeat_n(0_u8, 8)
            .with_min_len(2)
            .with_max_len(4);
        assert_eq!(items.with_source(Bounds), [(3, 5), (3, 2), (2, 0)]);
    }
}
