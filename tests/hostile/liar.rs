//! A parallel iterator of indices that lies about its length in every possible way.

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, UnindexedConsumer, bridge};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

/// How the iterator lies. A leaf is a part that its producer is split into.
#[derive(Clone, Copy)]
pub(crate) struct Liar {
    /// The length that it reports.
    pub(crate) len: usize,
    /// How many items a leaf has, by how many it should have.
    pub(crate) has: fn(usize) -> usize,
    /// The length that a leaf reports, by its true length and the number of items taken from it.
    pub(crate) says: fn(usize, usize) -> usize,
}

impl Liar {
    /// This one does not lie.
    pub(crate) const HONEST: Liar = Liar {
        len: 100,
        has: |len| len,
        says: |len, _| len,
    };
    /// Every leaf has one item too many.
    pub(crate) const MORE: Liar = Liar {
        has: |len| len + 1,
        ..Liar::HONEST
    };
    /// Every leaf has one item too few.
    pub(crate) const FEWER: Liar = Liar {
        has: |len| len - 1,
        ..Liar::HONEST
    };
    pub(crate) const NONE: Liar = Liar {
        has: |_| 0,
        ..Liar::HONEST
    };
    /// Every leaf says that it is empty, and is not.
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
    /// It panics if it is asked for its length after an item was taken.
    #[cfg(panic = "unwind")]
    pub(crate) const SAYS_IT_ONCE: Liar = Liar {
        says: |len, taken| match taken {
            0 => len,
            _ => std::panic::panic_any("asked too late"),
        },
        ..Liar::HONEST
    };
}

pub(crate) struct Leaf {
    liar: Liar,
    start: usize,
    len: usize,
}

pub(crate) struct Items {
    liar: Liar,
    next: usize,
    left: usize,
    len: usize,
    taken: usize,
}

impl Producer for Leaf {
    type Item = usize;
    type IntoIter = Items;

    fn into_iter(self) -> Items {
        Items {
            liar: self.liar,
            next: self.start,
            left: (self.liar.has)(self.len),
            len: self.len,
            taken: 0,
        }
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let right = Leaf {
            liar: self.liar,
            start: self.start + index,
            len: self.len - index,
        };
        (Leaf { len: index, ..self }, right)
    }
}

impl Iterator for Items {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        self.next += 1;
        self.taken += 1;
        Some(self.next - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let says = (self.liar.says)(self.len, self.taken);
        (says, Some(says))
    }
}

impl ExactSizeIterator for Items {}

impl DoubleEndedIterator for Items {
    fn next_back(&mut self) -> Option<usize> {
        unreachable!("nothing is read from the back")
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
        let all = Leaf {
            liar: self,
            start: 0,
            len: self.len,
        };
        callback.callback(all)
    }
}
