//! A parallel iterator of indices that lies about its length, in every way in which one can.

use std::cell::Cell;

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, UnindexedConsumer, bridge};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

/// How it lies. A stretch is what a producer is split into.
#[derive(Clone, Copy)]
pub(crate) struct Liar {
    /// What it says its length is.
    pub(crate) len: usize,
    /// How many items a stretch has that should have so many.
    pub(crate) has: fn(usize) -> usize,
    /// What a stretch says of its length when it is asked for the n-th time.
    pub(crate) says: fn(usize, usize) -> usize,
}

impl Liar {
    /// One that does not lie.
    pub(crate) const HONEST: Liar = Liar {
        len: 100,
        has: |len| len,
        says: |len, _| len,
    };
    /// Every stretch has one item more than it should have.
    pub(crate) const MORE: Liar = Liar {
        has: |len| len + 1,
        ..Liar::HONEST
    };
    /// Every stretch has one item less.
    pub(crate) const FEWER: Liar = Liar {
        has: |len| len - 1,
        ..Liar::HONEST
    };
    pub(crate) const NONE: Liar = Liar {
        has: |_| 0,
        ..Liar::HONEST
    };
    /// Every stretch says that it is empty, and is not.
    pub(crate) const SAYS_NOTHING: Liar = Liar {
        says: |_, _| 0,
        ..Liar::HONEST
    };
    pub(crate) const SAYS_LESS: Liar = Liar {
        says: |len, _| len / 2,
        ..Liar::HONEST
    };
    pub(crate) const SAYS_MORE: Liar = Liar {
        says: |len, _| len + 1,
        ..Liar::HONEST
    };
    pub(crate) const SAYS_MAX: Liar = Liar {
        says: |_, _| usize::MAX,
        ..Liar::HONEST
    };
    /// It panics when asked a second time.
    #[cfg(panic = "unwind")]
    pub(crate) const SAYS_IT_ONCE: Liar = Liar {
        says: |len, time| match time {
            0 => len,
            _ => std::panic::panic_any("asked again"),
        },
        ..Liar::HONEST
    };
}

pub(crate) struct Stretch {
    liar: Liar,
    start: usize,
    len: usize,
}

pub(crate) struct Items {
    liar: Liar,
    next: usize,
    left: usize,
    len: usize,
    asked: Cell<usize>,
}

impl Producer for Stretch {
    type Item = usize;
    type IntoIter = Items;

    fn into_iter(self) -> Items {
        Items {
            liar: self.liar,
            next: self.start,
            left: (self.liar.has)(self.len),
            len: self.len,
            asked: Cell::new(0),
        }
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let right = Stretch {
            liar: self.liar,
            start: self.start + index,
            len: self.len - index,
        };
        (Stretch { len: index, ..self }, right)
    }
}

impl Iterator for Items {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        self.next += 1;
        Some(self.next - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let says = (self.liar.says)(self.len, self.asked.get());
        self.asked.set(self.asked.get() + 1);
        (says, Some(says))
    }
}

impl ExactSizeIterator for Items {}

impl DoubleEndedIterator for Items {
    fn next_back(&mut self) -> Option<usize> {
        unreachable!("nothing here is read from its end")
    }
}

impl ParallelIterator for Liar {
    type Item = usize;

    fn drive_unindexed<C: UnindexedConsumer<usize>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.len)
    }
}

impl IndexedParallelIterator for Liar {
    fn len(&self) -> usize {
        self.len
    }

    fn drive<C: Consumer<usize>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<C: ProducerCallback<usize>>(self, callback: C) -> C::Output {
        let all = Stretch {
            liar: self,
            start: 0,
            len: self.len,
        };
        callback.callback(all)
    }
}
