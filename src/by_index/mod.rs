//! `ByIndex`: the values or the errors of several items, each with its index.

mod iter;

use std::fmt;

pub use self::iter::{ByIndexIntoIter, ByIndexIter};

/// Parts that have no more items together are joined: one item in each would need more memory for
/// the parts than for the items.
const SMALL: usize = 64;

/// The values or the errors of several items, each with its index, in ascending order.
///
/// It is a list of parts, not a slice. The threads of the run have filled the parts, and joining
/// them into one slice would copy everything again, on one thread.
///
/// It compares with arrays and vectors, and `into_iter().collect()` makes a vector of it.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::{ErrGroup, prelude::*};
///
/// let group = ErrGroup::new().keep_going();
/// let words = ["1", "x", "3"].into_iter().par_in_order().with_group(&group);
/// let outcome = words.outcome(|_, word| word.parse::<i32>().map_err(|_| word));
/// assert_eq!(outcome.values(), [(0, 1), (2, 3)]);
/// assert_eq!(outcome.values().get(2), Some(&3));
/// for (index, word) in outcome.errors() {
///     println!("item {index} is not a number: {word}");
/// }
/// ```
#[derive(Clone)]
pub struct ByIndex<T> {
    /// None is empty.
    parts: Vec<Vec<(usize, T)>>,
    len: usize,
}

impl<T> ByIndex<T> {
    pub(crate) fn new() -> Self {
        ByIndex {
            parts: Vec::new(),
            len: 0,
        }
    }

    pub(crate) fn from_unsorted(mut part: Vec<(usize, T)>) -> Self {
        // No two items have the same index.
        part.sort_unstable_by_key(|(index, _)| *index);
        let mut all = ByIndex::new();
        all.push_part(part);
        all
    }

    /// Adds a part whose items come after all others.
    pub(crate) fn push_part(&mut self, mut part: Vec<(usize, T)>) {
        if part.is_empty() {
            return;
        }
        self.len += part.len();
        match self.parts.last_mut() {
            Some(last) if last.len() + part.len() <= SMALL => last.append(&mut part),
            last => {
                if let Some(last) = last {
                    // It has grown, if others were joined to it.
                    last.shrink_to_fit();
                }
                self.parts.push(part);
            }
        }
    }

    /// Adds an item anywhere. The cost is that of a part.
    pub(crate) fn insert(&mut self, index: usize, item: T) {
        let is_before = |part: &Vec<(usize, T)>| part.last().is_some_and(|(at, _)| *at < index);
        let number = self.parts.partition_point(is_before);
        // After the last item the last part grows.
        let number = number.min(self.parts.len().saturating_sub(1));
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        let part = &mut self.parts[number];
        let place = part.partition_point(|(at, _)| *at < index);
        part.insert(place, (index, item));
        self.len += 1;
    }

    /// Takes the items after `bound` out.
    pub(crate) fn split_off_after(&mut self, bound: usize) -> Vec<(usize, T)> {
        let mut after = Vec::new();
        while let Some(mut last) = self.parts.pop() {
            let place = last.partition_point(|(index, _)| *index <= bound);
            after.extend(last.drain(place..));
            if !last.is_empty() {
                self.parts.push(last);
                break;
            }
        }
        self.len -= after.len();
        after
    }

    /// The item with the lowest index. There is at least one.
    pub(crate) fn into_first(self) -> (usize, T) {
        self.into_iter().next().unwrap_or_else(|| unreachable!())
    }

    /// The items without their indices. Each part is freed when its items have been moved.
    pub(crate) fn into_items(self) -> Vec<T> {
        let mut items = Vec::with_capacity(self.len);
        for part in self.parts {
            items.extend(part.into_iter().map(|(_, item)| item));
        }
        items
    }

    /// Returns the number of items.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values().len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no items.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert!(outcome.errors().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the value or the error of the item at this index of the input, if it is in this
    /// list. It is a binary search.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let words = ["1", "x"].into_iter().par_in_order();
    /// let outcome = words.outcome(|_, word| word.parse::<u8>().map_err(|_| word));
    /// assert_eq!(outcome.errors().get(1), Some(&"x"));
    /// assert_eq!(outcome.errors().get(0), None);
    /// ```
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        let is_before = |part: &Vec<(usize, T)>| part.last().is_some_and(|(at, _)| *at < index);
        let part = self.parts.get(self.parts.partition_point(is_before))?;
        let place = part.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        Some(&part[place].1)
    }

    /// The item with the lowest index.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values().first(), Some(&(0, 1)));
    /// ```
    #[must_use]
    pub fn first(&self) -> Option<&(usize, T)> {
        self.parts.first()?.first()
    }

    /// The item with the highest index.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values().last(), Some(&(1, 2)));
    /// ```
    #[must_use]
    pub fn last(&self) -> Option<&(usize, T)> {
        self.parts.last()?.last()
    }

    /// All items, with their indices, in ascending order.
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    ///
    /// let outcome = ["1", "2"].into_iter().par_in_order().outcome(|_, word| word.parse::<u8>());
    /// assert_eq!(outcome.values().iter().map(|(_, value)| value).sum::<u8>(), 3);
    /// ```
    pub fn iter(&self) -> ByIndexIter<'_, T> {
        ByIndexIter {
            items: self.parts.iter().flatten(),
            left: self.len,
        }
    }
}

impl<T> Default for ByIndex<T> {
    fn default() -> Self {
        ByIndex::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for ByIndex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<T: PartialEq> PartialEq for ByIndex<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other)
    }
}

impl<T: Eq> Eq for ByIndex<T> {}

/// So that both a `ByIndex` and a reference to one compare with lists.
macro_rules! compare_with {
    ($([$($generics:tt)*] $list:ty),* $(,)?) => {$(
        impl<T: PartialEq, $($generics)*> PartialEq<$list> for ByIndex<T> {
            fn eq(&self, other: &$list) -> bool {
                self.len == other.len() && self.iter().eq(other.iter())
            }
        }

        impl<T: PartialEq, $($generics)*> PartialEq<$list> for &ByIndex<T> {
            fn eq(&self, other: &$list) -> bool {
                **self == *other
            }
        }
    )*};
}

compare_with!([const N: usize] [(usize, T); N], [] Vec<(usize, T)>);

impl<T> IntoIterator for ByIndex<T> {
    type Item = (usize, T);
    type IntoIter = ByIndexIntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        ByIndexIntoIter {
            left: self.len,
            items: self.parts.into_iter().flatten(),
        }
    }
}

impl<'b, T> IntoIterator for &'b ByIndex<T> {
    type Item = &'b (usize, T);
    type IntoIter = ByIndexIter<'b, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    /// Parts of these sizes, with the even numbers.
    fn even(sizes: &[usize]) -> ByIndex<usize> {
        let (mut all, mut numbers) = (ByIndex::new(), (0..).map(|n| (2 * n, n)));
        for size in sizes {
            all.push_part(numbers.by_ref().take(*size).collect());
        }
        all
    }

    #[test]
    fn small_parts_are_joined_and_none_is_empty() {
        let sizes = |all: ByIndex<usize>| all.parts.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(
            sizes(even(&[0, 30, 0, 34, 1, 100, 64, 0])),
            [64, 1, 100, 64]
        );
        let many = even(&[1; 1000]);
        assert!(many.parts.iter().all(|part| part.capacity() <= 64));
        assert_eq!(many.parts.len(), 16);
    }

    #[test]
    fn an_item_is_found_by_its_index() {
        let all = even(&[60, 70, 100]);
        for n in 0..230 {
            assert_eq!(all.get(2 * n), Some(&n));
            assert_eq!(all.get(2 * n + 1), None);
        }
        assert_eq!((all.get(460), even(&[]).get(0)), (None, None));
        assert_eq!(
            (all.first(), all.last()),
            (Some(&(0, 0)), Some(&(458, 229)))
        );
        assert_eq!((even(&[]).first(), even(&[]).last()), (None, None));
    }

    #[test]
    fn items_are_inserted_and_split_off_anywhere() {
        for at in [1, 119, 121, 139, 459, 1000] {
            let mut all = even(&[60, 10, 160]);
            all.insert(at, 7);
            assert!(all.iter().is_sorted() && all.get(at).is_some(), "{at}");
            assert_eq!((all.len(), all.iter().count()), (231, 231));
        }
        let mut one = even(&[]);
        one.insert(3, 9);
        one.insert(1, 8);
        assert_eq!(one, [(1, 8), (3, 9)]);
        for bound in [0, 1, 117, 118, 119, 120, 457, 458, 1000] {
            let mut all = even(&[60, 70, 100]);
            let mut after = all.split_off_after(bound);
            assert!(all.iter().all(|(index, _)| *index <= bound), "{bound}");
            assert!(after.iter().all(|(index, _)| *index > bound), "{bound}");
            assert_eq!(all.len() + after.len(), 230);
            after.extend(all);
            assert_eq!(ByIndex::from_unsorted(after), even(&[230]));
        }
    }

    #[test]
    fn the_iterators_know_how_many_items_are_left() {
        let all = even(&[60, 70, 100]);
        assert_eq!(format!("{:?}", even(&[2])), "[(0, 0), (2, 1)]");
        assert_eq!(format!("{:?}", even(&[2]).iter()), "[(0, 0), (2, 1)]");
        let debug = "ByIndexIntoIter { len: 2, .. }";
        assert_eq!(format!("{:?}", even(&[2]).into_iter()), debug);
        let (mut iter, mut into_iter) = (all.iter(), all.clone().into_iter());
        for left in (0..115).rev().map(|n| 2 * n) {
            assert_eq!(iter.next().copied(), into_iter.next());
            assert_eq!(iter.next_back().copied(), into_iter.next_back());
            assert_eq!((iter.len(), into_iter.len()), (left, left));
        }
        assert_eq!((iter.next(), into_iter.next_back()), (None, None));
        assert!(all.into_items().into_iter().eq(0..230));
    }

    #[test]
    fn lists_are_compared_item_by_item() {
        let all = even(&[60, 70]);
        let list: Vec<_> = all.iter().copied().collect();
        assert!(all == list && all == even(&[1, 64, 65]));
        let by_ref = &all;
        assert_eq!(by_ref, list);
        assert!(all != list[1..].to_vec() && all != even(&[131]));
        assert!(even(&[2]) == [(0, 0), (2, 1)] && even(&[2]) != [(0, 0), (2, 2)]);
        assert!(even(&[2]) != ByIndex::from_unsorted(vec![(0, 0), (2, 2)]));
        assert!(ByIndex::<u8>::default().is_empty());
    }
}
