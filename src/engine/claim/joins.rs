//! `Joins`: what the chunks of a run have become, joined by the workers.

use std::mem;
use std::ops::Range;

use crate::sync::{Mutex, lock};

/// The results of chunks. Neighbours are joined as soon as both are there, by the worker that
/// brought the second one.
///
/// A result is joined with one that is at most about twice as large. So each item takes part in a
/// join some `log2` times, as in a merge sort: otherwise the first result would be joined with
/// every chunk, and where joining costs as much as what is joined (concatenation, the union of two
/// maps) the cost would grow with the square of the number of chunks.
pub(super) struct Joins<R> {
    /// In order.
    results: Mutex<Vec<Part<R>>>,
}

/// What the items with these indices have become.
struct Part<R> {
    items: Range<usize>,
    result: R,
}

impl<R> Joins<R> {
    pub(super) fn new() -> Self {
        Joins {
            results: Mutex::new(Vec::new()),
        }
    }

    /// Adds a result. `join` is called without a lock. Returns whether it was.
    pub(super) fn add(&self, items: Range<usize>, result: R, join: impl Fn(R, R) -> R) -> bool {
        let mut neighbours = self.add_or_take(Part { items, result });
        let is_joined = neighbours.is_some();
        while let Some((new, neighbour)) = neighbours {
            neighbours = self.add_or_take(new.join(neighbour, &join));
        }
        is_joined
    }

    /// Adds a result, if there is no neighbour to join it with. Otherwise takes that one out.
    fn add_or_take(&self, new: Part<R>) -> Option<(Part<R>, Part<R>)> {
        let mut results = lock(&self.results);
        let place = results.partition_point(|other| other.items.start < new.items.start);
        let before = place.checked_sub(1);
        let neighbours = before.into_iter().chain([place]);
        let neighbour = neighbours.into_iter().find(|at| {
            let other = results.get(*at);
            other.is_some_and(|other| other.touches(&new) && other.is_joined_with(&new))
        });
        if let Some(at) = neighbour {
            return Some((new, results.remove(at)));
        }
        results.insert(place, new);
        None
    }

    /// Joins all results, in order.
    pub(super) fn join_all(&self, join: impl Fn(R, R) -> R) -> Option<R> {
        let mut parts = mem::take(&mut *lock(&self.results));
        // In pairs, for the same reason as above.
        while parts.len() > 1 {
            let mut rest = mem::take(&mut parts).into_iter();
            while let Some(left) = rest.next() {
                parts.push(match rest.next() {
                    Some(right) => left.join(right, &join),
                    None => left,
                });
            }
        }
        Some(parts.pop()?.result)
    }
}

impl<R> Part<R> {
    fn touches(&self, other: &Part<R>) -> bool {
        self.items.end == other.items.start || other.items.end == self.items.start
    }

    fn is_joined_with(&self, other: &Part<R>) -> bool {
        let (len, other_len) = (self.items.len(), other.items.len());
        len / 2 <= other_len && other_len / 2 <= len
    }

    fn join(self, other: Part<R>, join: impl Fn(R, R) -> R) -> Part<R> {
        let (left, right) = if self.items.start <= other.items.start {
            (self, other)
        } else {
            (other, self)
        };
        Part {
            items: left.items.start..right.items.end,
            result: join(left.result, right.result),
        }
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    fn concatenate(mut left: String, mut right: String) -> String {
        left.extend(right.drain(..));
        left
    }

    fn lengths(joins: &Joins<String>) -> Vec<usize> {
        let results = lock(&joins.results);
        results.iter().map(|part| part.items.len()).collect()
    }

    #[test]
    fn neighbours_are_joined_in_order() {
        let joins = Joins::new();
        assert_eq!(joins.join_all(concatenate), None);
        joins.add(2..3, "c".to_owned(), concatenate);
        joins.add(0..1, "a".to_owned(), concatenate);
        assert_eq!(lengths(&joins), [1, 1]);
        joins.add(1..2, "b".to_owned(), concatenate);
        assert_eq!(lengths(&joins), [3]);
        joins.add(4..5, "e".to_owned(), concatenate);
        assert_eq!(
            joins.join_all(concatenate).unwrap(),
            "abce",
            "three is missing"
        );
        assert_eq!(joins.join_all(concatenate), None);
    }

    #[test]
    fn a_small_result_is_not_joined_with_a_large_one() {
        let joins = Joins::new();
        let mut joined = 0;
        for index in 0..1024 {
            joins.add(index..index + 1, String::from("x"), concatenate);
            joined = joined.max(lengths(&joins).len());
        }
        assert!(joined <= 12, "they are joined");
        assert_eq!(joins.join_all(concatenate).unwrap().len(), 1024);
        joins.add(0..10, "long".to_owned(), concatenate);
        joins.add(10..11, "x".to_owned(), concatenate);
        assert_eq!(lengths(&joins), [10, 1]);
    }
}
