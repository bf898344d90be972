//! `HandedOver`: what a worker has not begun of its chunk, for others to claim.

use std::collections::VecDeque;

use super::Collector;

/// The items of a chunk that its worker has not begun, and the room for their values.
pub(super) struct HandedOver<I, C> {
    pub(super) start: usize,
    pub(super) items: VecDeque<I>,
    pub(super) collector: C,
}

impl<I, C: Collector> HandedOver<I, C> {
    /// The first `count` items, and the rest, if there is one.
    pub(super) fn split(mut self, count: usize) -> (Self, Option<Self>) {
        if count >= self.items.len() {
            return (self, None);
        }
        let items = self.items.drain(..count).collect();
        let (left, right) = self.collector.split_at(count);
        let first = HandedOver {
            start: self.start,
            items,
            collector: left,
        };
        let rest = HandedOver {
            start: self.start + count,
            items: self.items,
            collector: right,
        };
        (first, Some(rest))
    }
}
