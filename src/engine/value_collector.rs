//! `ValueCollector`: the values of a run on the stealing engine, in the order of the items.
//!
//! Whether the length of the input is known shows at run time. So there is one type for both: with
//! two, rayon's code and the engine's would be compiled twice for each call.

use std::mem;
use std::sync::Arc;

use super::collect::{Collector, LeafCollector};
use super::slots::Slots;
use crate::sync::{Mutex, lock};

pub(super) enum ValueCollector<'v, T> {
    /// Each value has its place.
    Slots(Slots<'v, T>),
    /// A list for each leaf. Boxed, because adaptors such as `filter` move the folder through every
    /// item, and moving a vector that was just pushed to costs more than the push: a filtered run
    /// takes 1.3 times as long without.
    List(Box<List<T>>),
}

/// The values of one leaf, for inputs whose length is unknown, or too long for the memory.
pub(super) struct List<T> {
    /// Those before `values`, if items were postponed.
    segments: Vec<Segment<T>>,
    values: Vec<T>,
    /// Where they are expected, if they are those of postponed items.
    expected_in: Option<Arc<Expected<T>>>,
}

/// Values that belong together. A leaf has one segment, or none if it has no value.
pub(super) enum Segment<T> {
    Values(Vec<T>),
    /// Those of items that were postponed.
    Expected(Arc<Expected<T>>),
}

pub(super) type Expected<T> = Mutex<Vec<T>>;

impl<T> ValueCollector<'_, T> {
    /// For an input of unknown length.
    pub(super) fn list() -> Self {
        ValueCollector::expected(None)
    }

    fn expected(expected_in: Option<Arc<Expected<T>>>) -> Self {
        ValueCollector::List(Box::new(List {
            segments: Vec::new(),
            values: Vec::new(),
            expected_in,
        }))
    }
}

impl<T> List<T> {
    fn end_segment(&mut self) {
        if !self.values.is_empty() {
            self.segments
                .push(Segment::Values(mem::take(&mut self.values)));
        }
    }

    fn into_segments(mut self) -> Vec<Segment<T>> {
        match self.expected_in {
            None => self.end_segment(),
            Some(expected) => *lock(&expected) = self.values,
        }
        self.segments
    }
}

impl<T: Send> Collector for ValueCollector<'_, T> {
    type Value = T;
    /// In order. Empty where each value has its place.
    type Collected = Vec<Segment<T>>;

    fn split_at(self, mid: usize) -> (Self, Self) {
        match self {
            ValueCollector::Slots(slots) => {
                let (left, right) = slots.split_at(mid);
                (ValueCollector::Slots(left), ValueCollector::Slots(right))
            }
            ValueCollector::List(list) => (ValueCollector::list(), ValueCollector::List(list)),
        }
    }

    fn count(&self) -> Option<usize> {
        None
    }

    fn split_rest(&mut self) -> Self {
        match self {
            ValueCollector::Slots(slots) => ValueCollector::Slots(slots.split_rest()),
            ValueCollector::List(_) => ValueCollector::list(),
        }
    }

    #[inline]
    fn consume_iter(&mut self, next: impl FnMut() -> Option<T>) {
        match self {
            ValueCollector::Slots(slots) => slots.consume_iter(next),
            ValueCollector::List(list) => list.values.extend(std::iter::from_fn(next)),
        }
    }

    #[inline]
    fn consume(&mut self, value: T) {
        match self {
            ValueCollector::Slots(slots) => consume_one(slots, value),
            ValueCollector::List(list) => list.values.push(value),
        }
    }

    #[inline]
    fn complete(self) -> Vec<Segment<T>> {
        match self {
            ValueCollector::Slots(_) => Vec::new(),
            ValueCollector::List(list) => list.into_segments(),
        }
    }
}

impl<'v, T: Send> LeafCollector for ValueCollector<'v, T> {
    type InPlace = Slots<'v, T>;

    #[inline]
    fn in_place(&mut self) -> Option<&mut Slots<'v, T>> {
        match self {
            ValueCollector::Slots(slots) => Some(slots),
            ValueCollector::List(_) => None,
        }
    }

    #[inline]
    fn list(&mut self) -> Option<&mut Vec<T>> {
        match self {
            ValueCollector::Slots(_) => None,
            ValueCollector::List(list) => Some(&mut list.values),
        }
    }

    fn split_off_left(&self) -> Self {
        match self {
            ValueCollector::Slots(_) => {
                panic!("an iterator that knows its length was driven as if it did not")
            }
            ValueCollector::List(_) => ValueCollector::list(),
        }
    }

    fn postpone(&mut self, items: usize) -> Self {
        match self {
            ValueCollector::Slots(slots) => {
                let (postponed, rest) = slots.split_rest().split_at(items);
                *slots = rest;
                ValueCollector::Slots(postponed)
            }
            ValueCollector::List(list) => {
                list.end_segment();
                let expected = Arc::default();
                list.segments.push(Segment::Expected(Arc::clone(&expected)));
                ValueCollector::expected(Some(expected))
            }
        }
    }

    fn reduce(mut left: Vec<Segment<T>>, mut right: Vec<Segment<T>>) -> Vec<Segment<T>> {
        if left.is_empty() {
            return right;
        }
        left.append(&mut right);
        left
    }
}

/// Not inlined: where values have their places, they nearly always come as an iterator.
#[cold]
#[inline(never)]
fn consume_one<T: Send>(slots: &mut Slots<'_, T>, value: T) {
    slots.consume(value);
}

/// The vectors of all values, when nothing is expected any more.
pub(super) fn into_parts<T>(segments: Vec<Segment<T>>) -> Vec<Vec<T>> {
    let values = |segment| match segment {
        Segment::Values(values) => values,
        Segment::Expected(expected) => mem::take(&mut *lock(&expected)),
    };
    segments.into_iter().map(values).collect()
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    fn list(values: &[u8]) -> ValueCollector<'static, u8> {
        let mut list = ValueCollector::list();
        for value in values {
            list.consume(*value);
        }
        list
    }

    #[test]
    fn the_values_of_postponed_items_are_in_their_place() {
        let (mut left, mut right) = (list(&[0, 1]), list(&[]));
        let mut second = left.postpone(2);
        left.consume(4);
        let mut third = right.postpone(1);
        let left = ValueCollector::reduce(left.complete(), right.complete());
        third.consume(5);
        assert!(third.complete().is_empty());
        second.consume(2);
        second.consume(3);
        assert!(second.complete().is_empty());
        assert_eq!(into_parts(left).concat(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_leaf_without_values_is_no_piece() {
        let left = ValueCollector::reduce(list(&[]).complete(), list(&[1]).complete());
        assert_eq!(left.len(), 1);
        let both = ValueCollector::reduce(left, list(&[]).complete());
        assert_eq!(both.len(), 1);
        assert_eq!(into_parts(both), [[1]]);
    }
}
