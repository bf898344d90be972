//! `Gather`: the values of a run on the stealing engine, in the order of the items.
//!
//! Whether the length of the input is known shows at run time. So there is one type for both: with
//! two, rayon's code and the engine's would be compiled twice for each call.

use std::mem;
use std::sync::Arc;

use super::collect::{Collector, LeafCollector};
use super::slots::Slots;
use crate::sync::{Mutex, lock};

pub(super) enum Gather<'v, T> {
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
    pieces: Vec<Piece<T>>,
    values: Vec<T>,
    /// Where they are expected, if they are those of postponed items.
    expected_in: Option<Arc<Expected<T>>>,
}

/// Values that belong together. A leaf has one piece, or none if it has no value.
pub(super) enum Piece<T> {
    Values(Vec<T>),
    /// Those of items that were postponed.
    Expected(Arc<Expected<T>>),
}

pub(super) type Expected<T> = Mutex<Vec<T>>;

impl<T> Gather<'_, T> {
    /// For an input of unknown length.
    pub(super) fn list() -> Self {
        Gather::expected(None)
    }

    fn expected(expected_in: Option<Arc<Expected<T>>>) -> Self {
        Gather::List(Box::new(List {
            pieces: Vec::new(),
            values: Vec::new(),
            expected_in,
        }))
    }
}

impl<T> List<T> {
    fn end_piece(&mut self) {
        if !self.values.is_empty() {
            self.pieces.push(Piece::Values(mem::take(&mut self.values)));
        }
    }

    fn into_pieces(mut self) -> Vec<Piece<T>> {
        match self.expected_in {
            None => self.end_piece(),
            Some(expected) => *lock(&expected) = self.values,
        }
        self.pieces
    }
}

impl<T: Send> Collector for Gather<'_, T> {
    type Value = T;
    /// In order. Empty where each value has its place.
    type Collected = Vec<Piece<T>>;

    fn split_at(self, mid: usize) -> (Self, Self) {
        match self {
            Gather::Slots(slots) => {
                let (left, right) = slots.split_at(mid);
                (Gather::Slots(left), Gather::Slots(right))
            }
            Gather::List(list) => (Gather::list(), Gather::List(list)),
        }
    }

    fn count(&self) -> Option<usize> {
        None
    }

    fn split_rest(&mut self) -> Self {
        match self {
            Gather::Slots(slots) => Gather::Slots(slots.split_rest()),
            Gather::List(_) => Gather::list(),
        }
    }

    #[inline]
    fn consume_iter(&mut self, next: impl FnMut() -> Option<T>) {
        match self {
            Gather::Slots(slots) => slots.consume_iter(next),
            Gather::List(list) => list.values.extend(std::iter::from_fn(next)),
        }
    }

    #[inline]
    fn consume(&mut self, value: T) {
        match self {
            Gather::Slots(slots) => slots.consume(value),
            Gather::List(list) => list.values.push(value),
        }
    }

    #[inline]
    fn complete(self) -> Vec<Piece<T>> {
        match self {
            Gather::Slots(_) => Vec::new(),
            Gather::List(list) => list.into_pieces(),
        }
    }
}

impl<'v, T: Send> LeafCollector for Gather<'v, T> {
    type Places = Slots<'v, T>;

    #[inline]
    fn places(&mut self) -> Option<&mut Slots<'v, T>> {
        match self {
            Gather::Slots(slots) => Some(slots),
            Gather::List(_) => None,
        }
    }

    #[inline]
    fn list(&mut self) -> Option<&mut Vec<T>> {
        match self {
            Gather::Slots(_) => None,
            Gather::List(list) => Some(&mut list.values),
        }
    }

    fn split_off_left(&self) -> Self {
        match self {
            Gather::Slots(_) => {
                panic!("an iterator that knows its length was driven as if it did not")
            }
            Gather::List(_) => Gather::list(),
        }
    }

    fn postpone(&mut self, items: usize) -> Self {
        match self {
            Gather::Slots(slots) => {
                let (postponed, rest) = slots.split_rest().split_at(items);
                *slots = rest;
                Gather::Slots(postponed)
            }
            Gather::List(list) => {
                list.end_piece();
                let expected = Arc::default();
                list.pieces.push(Piece::Expected(Arc::clone(&expected)));
                Gather::expected(Some(expected))
            }
        }
    }

    fn reduce(mut left: Vec<Piece<T>>, mut right: Vec<Piece<T>>) -> Vec<Piece<T>> {
        if left.is_empty() {
            return right;
        }
        left.append(&mut right);
        left
    }
}

/// The vectors of all values, when nothing is expected any more.
pub(super) fn into_parts<T>(pieces: Vec<Piece<T>>) -> Vec<Vec<T>> {
    let values = |piece| match piece {
        Piece::Values(values) => values,
        Piece::Expected(expected) => mem::take(&mut *lock(&expected)),
    };
    pieces.into_iter().map(values).collect()
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    fn list(values: &[u8]) -> Gather<'static, u8> {
        let mut list = Gather::list();
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
        let left = Gather::reduce(left.complete(), right.complete());
        third.consume(5);
        assert!(third.complete().is_empty());
        second.consume(2);
        second.consume(3);
        assert!(second.complete().is_empty());
        assert_eq!(into_parts(left).concat(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_leaf_without_values_is_no_piece() {
        let left = Gather::reduce(list(&[]).complete(), list(&[1]).complete());
        assert_eq!(left.len(), 1);
        let both = Gather::reduce(left, list(&[]).complete());
        assert_eq!(both.len(), 1);
        assert_eq!(into_parts(both), [[1]]);
    }
}
