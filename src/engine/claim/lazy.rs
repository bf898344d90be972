//! `Lazy`: a sequential iterator as a source, which is read and not split.

use std::time::Duration;

use super::block::{self, Reader, Writer};
use super::source::{Buffer, Pulled, Source};
use crate::time::Moment;
use crate::token::CancelToken;

/// How many items of a sequential iterator are read at once, at most.
const MAX_READ: usize = 1024;

/// How many bytes of items are read ahead, at most: 256 KiB.
const MAX_READ_BYTES: usize = 256 * 1024;

/// How long a sequential iterator is read before its items run, at most.
const READ_TIME: Duration = Duration::from_micros(50);

/// Where `next` takes longer than this on average, its items had better run.
const SLOW_NEXT: Duration = Duration::from_micros(5);

/// After how many items the clock is read. Before that, whenever their number has doubled.
const CLOCK_EVERY: usize = 64;

/// A sequential iterator.
///
/// What was read must not wait for the next item (guarantee 9). So the items are read into a
/// buffer, from which other workers claim them even while `next` waits. A worker that is alone has
/// nobody to do that: it takes the iterator into its chunk, and runs each item before it reads the
/// next one.
pub(super) struct Lazy<I: Iterator> {
    /// `None` while a chunk has it, or if it has panicked there.
    rest: Option<I>,
    /// An item that was read only as a proof that there is one.
    extra: Option<I::Item>,
    /// It has returned `None`, and is not asked again.
    ended: bool,
}

impl<I: Iterator> Lazy<I> {
    pub(super) fn new(items: I) -> Self {
        Lazy {
            rest: Some(items),
            extra: None,
            ended: false,
        }
    }

    fn next(&mut self) -> Option<I::Item> {
        let next = self.rest.as_mut()?.next();
        self.ended |= next.is_none();
        next
    }
}

impl<I> Source for Lazy<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;
    type Chunk = LazyItems<I>;
    type Items = LazyItems<I>;
    type Writer = Writer<I::Item>;
    type Buffer = Reader<I::Item>;
    /// The iterator, and whether it has returned `None`.
    type Loan = (I, bool);
    const IS_SPLIT: bool = false;

    fn chunk_limits(&self) -> (usize, usize) {
        (1, MAX_READ)
    }

    fn max_left(&self) -> Option<usize> {
        self.rest.as_ref()?.size_hint().1
    }

    /// Reads until there are enough items, or until reading has taken so long that the items had
    /// better run.
    fn pull(
        &mut self,
        max_len: usize,
        writer: Option<Writer<I::Item>>,
        token: &CancelToken,
    ) -> Pulled<LazyItems<I>> {
        let Some(mut writer) = writer else {
            let Some(direct) = self.rest.take() else {
                return Pulled::Nothing;
            };
            let items = LazyItems {
                read: block::Items::none(),
                direct: Some(direct),
                left: max_len,
                ended: false,
            };
            return Pulled::Chunk(items, max_len);
        };
        let (began, signal) = (Moment::now(), token.node().signal());
        let (mut asked, mut next_look) = (0, 0);
        let count = writer.fill(|| {
            if asked == max_len || asked > 0 && signal.ends_reading() {
                return None;
            }
            if asked == next_look {
                next_look += asked.clamp(1, CLOCK_EVERY);
                if asked > 0 && is_slow(began.elapsed(), asked) {
                    return None;
                }
            }
            asked += 1;
            self.next()
        });
        if count == 0 && (self.ended || self.rest.is_none()) {
            Pulled::Nothing
        } else {
            Pulled::Buffered
        }
    }

    fn has_next(&mut self) -> bool {
        if self.extra.is_none() && !self.ended {
            self.extra = self.next();
        }
        self.extra.is_some()
    }

    fn iterate(chunk: LazyItems<I>) -> LazyItems<I> {
        chunk
    }

    fn buffer(capacity: usize) -> Option<(Writer<I::Item>, Reader<I::Item>)> {
        let max = MAX_READ_BYTES / size_of::<I::Item>().max(1);
        Some(block::block(capacity.min(MAX_READ).min(max).max(1)))
    }

    fn take_loan(items: &mut LazyItems<I>) -> Option<(I, bool)> {
        Some((items.direct.take()?, items.ended))
    }

    fn put_back(&mut self, (rest, ended): (I, bool)) {
        self.rest = Some(rest);
        self.ended |= ended;
    }

    fn opt_len(&self) -> Option<usize> {
        None
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn held(&self) -> usize {
        usize::from(self.extra.is_some())
    }
}

/// Whether reading so many items has taken so long that they had better run.
fn is_slow(took: Duration, count: usize) -> bool {
    took > READ_TIME || took > SLOW_NEXT * u32::try_from(count).unwrap_or(u32::MAX)
}

/// The items of a chunk: those that were read; or, if the worker is alone, the next ones of the
/// iterator itself.
pub(crate) struct LazyItems<I: Iterator> {
    read: block::Items<I::Item>,
    /// `None` if they were read, or if the iterator is back in the source.
    direct: Option<I>,
    /// How many more may be read directly.
    left: usize,
    /// The iterator has returned `None`.
    ended: bool,
}

impl<I: Iterator> LazyItems<I> {
    #[inline]
    fn next_direct(&mut self) -> Option<I::Item> {
        let direct = self.direct.as_mut()?;
        if self.left == 0 || self.ended {
            return None;
        }
        let next = direct.next();
        if next.is_some() {
            self.left -= 1;
        } else {
            self.ended = true;
        }
        next
    }
}

impl<I: Iterator> Iterator for LazyItems<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        match self.read.next() {
            None => self.next_direct(),
            item => item,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.read.len() + self.left;
        (left, Some(left))
    }
}

/// Of those that are read directly, the length is how many more may be read.
impl<I: Iterator> ExactSizeIterator for LazyItems<I> {}

impl<I> Buffer<LazyItems<I>> for Reader<I::Item>
where
    I: Iterator<Item: Send> + Send,
{
    fn len(&self) -> usize {
        Reader::len(self)
    }

    fn take(&mut self, max_len: usize) -> Option<(LazyItems<I>, usize)> {
        let read = Reader::take(self, max_len);
        let count = read.len();
        let items = LazyItems {
            read,
            direct: None,
            left: 0,
            ended: false,
        };
        (count > 0).then_some((items, count))
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    /// How many items each pull has read.
    fn lengths<I: Iterator<Item: Send> + Send>(
        source: &mut Lazy<I>,
        max_lens: &[usize],
        token: &CancelToken,
    ) -> Vec<usize> {
        let mut lengths = Vec::new();
        for max_len in max_lens {
            let (writer, mut reader) = Lazy::<I>::buffer(MAX_READ).unwrap();
            match source.pull(*max_len, Some(writer), token) {
                Pulled::Buffered => lengths.push(reader.take(usize::MAX).len()),
                Pulled::Nothing => lengths.push(0),
                Pulled::Chunk(..) => panic!("it is read into the buffer"),
            }
        }
        lengths
    }

    #[test]
    fn a_sequential_iterator_is_read_until_there_are_enough() {
        // A thread that is interrupted while it reads stops earlier, so it has several attempts.
        let attempts = (0..100).map(|_| {
            let mut lazy = Lazy::new(0..10);
            assert_eq!(lazy.chunk_limits(), (1, MAX_READ));
            let read = lengths(&mut lazy, &[3, 7], &CancelToken::new());
            (lazy, read)
        });
        let mut whole = attempts.filter(|(_, read)| read == &[3, 7]);
        let (mut lazy, _) = whole.next().unwrap();
        assert!(!lazy.has_ended());
        assert_eq!(lengths(&mut lazy, &[1], &CancelToken::new()), [0]);
        assert!(lazy.has_ended() && !lazy.has_next());
    }

    #[test]
    fn a_slow_iterator_is_read_one_by_one() {
        let slow = (0..20).inspect(|_| {
            let began = Moment::now();
            while began.elapsed() <= SLOW_NEXT {}
        });
        let read = lengths(&mut Lazy::new(slow), &[4, 100], &CancelToken::new());
        assert_eq!(read, [1, 1]);
    }

    #[test]
    fn reading_takes_a_limited_time() {
        assert!(!is_slow(Duration::from_micros(50), 20));
        assert!(is_slow(Duration::from_micros(51), 20));
        assert!(!is_slow(Duration::from_micros(5), 1));
        assert!(is_slow(Duration::from_micros(6), 1));
    }

    #[test]
    fn few_large_items_are_read_ahead() {
        let mut source = Lazy::new((0..99).map(|_| [0_u8; MAX_READ_BYTES / 16]));
        let (writer, reader) = buffer_of(&source);
        _ = source.pull(99, Some(writer), &CancelToken::new());
        assert!((1..=16).contains(&reader.len()));
    }

    fn buffer_of<I: Iterator<Item: Send> + Send>(
        _: &Lazy<I>,
    ) -> (Writer<I::Item>, Reader<I::Item>) {
        Lazy::<I>::buffer(99).unwrap()
    }

    #[test]
    fn a_cancelled_source_reads_one_item() {
        let token = CancelToken::new();
        token.cancel();
        assert_eq!(lengths(&mut Lazy::new(0..20), &[16], &token), [1]);
        let mut source = Lazy::new(0..20);
        assert!(source.has_next() && source.has_next());
        assert_eq!(source.held(), 1);
    }

    #[test]
    fn a_worker_that_is_alone_reads_nothing_ahead() {
        let mut source = Lazy::new(0..5);
        let read = |source: &mut Lazy<_>| {
            let Pulled::Chunk(chunk, 3) = source.pull(3, None, &CancelToken::new()) else {
                panic!("a chunk of up to three")
            };
            let mut items = Lazy::iterate(chunk);
            let mut seen = Vec::new();
            while let Some(item) = items.next() {
                seen.push((item, items.len()));
            }
            source.put_back(Lazy::take_loan(&mut items).unwrap());
            seen
        };
        assert_eq!(read(&mut source), [(0, 2), (1, 1), (2, 0)]);
        assert!(!source.has_ended());
        assert_eq!(read(&mut source), [(3, 2), (4, 1)]);
        assert!(source.has_ended());
    }
}
