//! `Keyed`: values under keys that only grow.

use std::mem;

/// A sorted list in the place of a map: a program with one call of this crate does not need the
/// code of a tree for it.
///
/// A value that is removed leaves a tombstone. These are cleared when there are more of them than
/// values. So on average an insertion takes constant time, and a removal that of a binary search.
pub(super) struct Keyed<T> {
    /// In ascending order of the keys.
    entries: Vec<(u64, Option<T>)>,
    /// How many of them are values.
    len: usize,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Keyed {
            entries: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Keyed<T> {
    /// The key is larger than all before.
    pub(super) fn push(&mut self, key: u64, value: T) {
        debug_assert!(self.entries.last().is_none_or(|(last, _)| *last < key));
        self.entries.push((key, Some(value)));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<T> {
        let place = self.entries.binary_search_by_key(&key, |entry| entry.0);
        let removed = self.entries[place.ok()?].1.take()?;
        self.len -= 1;
        if self.len * 2 < self.entries.len() {
            self.entries.retain(|(_, value)| value.is_some());
            self.entries.shrink_to(self.len * 2);
        }
        Some(removed)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// Takes all values, in the order in which they came.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        let entries = mem::take(self).entries;
        entries.into_iter().filter_map(|(_, value)| value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_keys_whatever_was_removed() {
        let mut keyed = Keyed::default();
        for key in 1..=100 {
            keyed.push(key, key * 10);
        }
        for key in (1..=100).filter(|key| key % 3 != 0) {
            assert_eq!(keyed.remove(key), Some(key * 10));
            assert_eq!(keyed.remove(key), None, "it is gone");
        }
        assert_eq!((keyed.len(), keyed.remove(101)), (33, None));
        keyed.push(102, 1020);
        let left: Vec<_> = (1..=100).filter(|key| key % 3 == 0).chain([102]).collect();
        assert!(keyed.values().copied().eq(left.iter().map(|key| key * 10)));
        assert_eq!(keyed.remove(102), Some(1020));
        assert!(keyed.take().eq((1..=33).map(|n| n * 30)));
        assert_eq!(keyed.len(), 0);
    }

    #[test]
    fn what_was_removed_leaves_no_memory_behind() {
        let mut keyed = Keyed::default();
        for key in 0..10_000 {
            keyed.push(key, key);
            assert!(keyed.remove(key).is_some());
            assert!(keyed.entries.capacity() < 8);
        }
        for key in 10_000..20_000 {
            keyed.push(key, key);
        }
        for key in 10_000..20_000 {
            assert!(keyed.remove(key).is_some());
            assert!(keyed.entries.len() <= 2 * keyed.len());
        }
        assert_eq!(keyed.entries.capacity(), 0);
    }
}
