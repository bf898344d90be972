//! `Collector`: where the values of a run go. Each part of the input collects its own.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use crate::run::Run;

/// How many short items run in a row, because the compiler unrolls a loop of so many.
///
/// Where an item takes a nanosecond, a loop of one item is slower by a quarter and more if chance
/// puts it badly across cache lines (the same 13 instructions, measured in two builds).
pub(super) const BLOCK: usize = 4;

/// Collects the values of one part of the input. The verbs are those of rayon's `Folder`.
pub(super) trait Collector: Send + Sized {
    type Value;
    type Collected: Send;
    /// Whether anything is collected.
    const KEEPS: bool = true;

    /// Whether a part can be split off now.
    fn can_split(&self) -> bool {
        true
    }
    /// Whether it may have stopped before the values ended, because of a value after them. The
    /// items that are left run all the same: the loop would have run them before.
    #[inline]
    fn stops_early(&self) -> bool {
        false
    }
    /// Prepares to split off the next parts. Called before and after a part is collected, without a
    /// lock, since it may run user code.
    fn supply(&mut self) -> Supply {
        Supply::Enough
    }

    /// For the first `mid` items of the part, and for the rest.
    fn split_at(self, mid: usize) -> (Self, Self);
    /// How many values were collected, if they are.
    fn count(&self) -> Option<usize>;
    /// For the items after those whose values were collected.
    fn split_rest(&mut self) -> Self;
    /// Collects values until there is no next one.
    fn consume_iter(&mut self, next: impl FnMut() -> Option<Self::Value>);
    #[inline]
    fn consume(&mut self, value: Self::Value) {
        let mut value = Some(value);
        self.consume_iter(|| value.take());
    }
    /// Takes the values after so many: those of an iterator that gave more items than its length.
    fn take_excess(&mut self, _most: usize) -> Vec<Self::Value> {
        Vec::new()
    }
    fn complete(self) -> Self::Collected;
    /// The same for a part of these items, of which those at `failed` have no value.
    fn complete_chunk(self, _items: Range<usize>, _failed: &[usize]) -> Self::Collected {
        self.complete()
    }
    /// How long it took to join it with that of another part, if it was joined.
    fn joining(_collected: &Self::Collected) -> Option<Duration> {
        None
    }
}

/// Whether parts can be split off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    Enough,
    /// Parts can be split off again.
    Restocked,
    /// Nobody wants the values that are left, or there is no way to collect them.
    Ended,
}

/// Consumes values until there is no next one.
pub(super) trait ConsumeAll<T> {
    fn consume_all(&mut self, next: impl FnMut() -> Option<T>);
}

impl<T> ConsumeAll<T> for Vec<T> {
    #[inline]
    fn consume_all(&mut self, next: impl FnMut() -> Option<T>) {
        self.extend(iter::from_fn(next));
    }
}

impl<C: Collector> ConsumeAll<C::Value> for C {
    #[inline]
    fn consume_all(&mut self, next: impl FnMut() -> Option<C::Value>) {
        Collector::consume_iter(self, next);
    }
}

/// A collector for an input that rayon splits by halves.
pub(super) trait LeafCollector: Collector {
    type InPlace: ConsumeAll<Self::Value>;
    /// Where the values are written, if each has its place. The loop over short items is compiled
    /// for that, and not for both kinds of collector at once: the items would be kept in memory.
    fn in_place(&mut self) -> Option<&mut Self::InPlace>;
    /// The list of the values, if they have no places.
    fn list(&mut self) -> Option<&mut Vec<Self::Value>> {
        None
    }
    /// For a part to the left of this one, whose length is unknown.
    fn split_off_left(&self) -> Self;
    /// For the next items, which are postponed. This collector goes on with those after them.
    fn postpone(&mut self, items: usize) -> Self;
    /// Joins what two neighbouring parts have collected.
    fn reduce(left: Self::Collected, right: Self::Collected) -> Self::Collected;
}

/// For items that have no value.
pub(super) struct Unit;

impl Collector for Unit {
    type Value = ();
    type Collected = ();
    const KEEPS: bool = false;

    fn split_at(self, _mid: usize) -> (Self, Self) {
        (Unit, Unit)
    }

    fn count(&self) -> Option<usize> {
        None
    }

    fn split_rest(&mut self) -> Self {
        Unit
    }

    #[inline]
    fn consume_iter(&mut self, mut next: impl FnMut() -> Option<()>) {
        loop {
            for _ in 0..BLOCK {
                if next().is_none() {
                    return;
                }
            }
        }
    }

    fn complete(self) {}
}

impl LeafCollector for Unit {
    type InPlace = Self;

    #[inline]
    fn in_place(&mut self) -> Option<&mut Self> {
        Some(self)
    }

    fn split_off_left(&self) -> Self {
        Unit
    }

    fn postpone(&mut self, _items: usize) -> Self {
        Unit
    }

    fn reduce((): (), (): ()) {}
}

/// How many bytes a chunk reserves for its values.
const RESERVED: usize = 8 * 1024;

/// A vector for each chunk: for a stream, and for values that have no slots.
pub(super) struct PerChunk<T>(Vec<T>);

impl<T> PerChunk<T> {
    pub(super) fn new() -> Self {
        PerChunk(Vec::new())
    }
}

impl<T: Send> Collector for PerChunk<T> {
    type Value = T;
    type Collected = Vec<T>;

    fn split_at(self, mid: usize) -> (Self, Self) {
        // Not more, since a chunk may be larger than the memory and still fail early.
        let most = RESERVED / size_of::<T>().max(1);
        (PerChunk(Vec::with_capacity(mid.min(most))), self)
    }

    fn count(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn split_rest(&mut self) -> Self {
        PerChunk::new()
    }

    #[inline]
    fn consume_iter(&mut self, next: impl FnMut() -> Option<T>) {
        self.0.extend(iter::from_fn(next));
    }

    fn complete(self) -> Vec<T> {
        self.0
    }
}

/// A vector for each chunk, in which each value has the index of its item.
///
/// The indices are added when the chunk has ended, so the loop over the items does not write them.
/// And then the length is known, so no memory is held that is not used.
pub(super) struct WithIndices<T>(PerChunk<T>);

impl<T> WithIndices<T> {
    pub(super) fn new() -> Self {
        WithIndices(PerChunk::new())
    }
}

impl<T: Send> Collector for WithIndices<T> {
    type Value = T;
    type Collected = Vec<(usize, T)>;

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (left, right) = self.0.split_at(mid);
        (WithIndices(left), WithIndices(right))
    }

    fn count(&self) -> Option<usize> {
        self.0.count()
    }

    fn split_rest(&mut self) -> Self {
        WithIndices(self.0.split_rest())
    }

    #[inline]
    fn consume_iter(&mut self, next: impl FnMut() -> Option<T>) {
        self.0.consume_iter(next);
    }

    fn take_excess(&mut self, most: usize) -> Vec<T> {
        let values = &mut self.0.0;
        values.split_off(most.min(values.len()))
    }

    fn complete(self) -> Vec<(usize, T)> {
        self.complete_chunk(0..0, &[])
    }

    fn complete_chunk(self, items: Range<usize>, failed: &[usize]) -> Vec<(usize, T)> {
        let (start, values) = (items.start, self.0.complete());
        let mut all = Vec::with_capacity(values.len());
        if failed.is_empty() {
            all.extend((start..start + values.len()).zip(values));
            return all;
        }
        let mut failed = failed.iter().peekable();
        let indices = (start..).filter(|index| failed.next_if_eq(&index).is_none());
        // The values first: behind the last one there is no index to look for.
        all.extend(
            values
                .into_iter()
                .zip(indices)
                .map(|(value, index)| (index, value)),
        );
        all
    }
}

/// In the place of the values, of which some are missing: no loss, if the run has failed.
///
/// # Panics
///
/// If it has not.
#[cold]
pub(super) fn incomplete<T, E>(run: &Run<E>) -> Vec<T> {
    assert!(
        run.has_failure(),
        "an iterator gave fewer items than its length"
    );
    Vec::new()
}

/// Joins the vectors into one, unless the run has failed.
pub(super) fn concatenate<T, E>(parts: Vec<Vec<T>>, run: &Run<E>) -> Vec<T> {
    if run.has_failure() {
        run.drop_each(parts.into_iter().flatten());
        return Vec::new();
    }
    let mut values = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for mut part in parts {
        values.append(&mut part);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_index_of_its_item() {
        let collected = |excess: usize, failed: &[usize]| {
            let (mut chunk, _) = WithIndices::new().split_at(100);
            let mut values = 'a'..='d';
            chunk.consume_iter(|| values.next());
            let taken = chunk.take_excess(4 - excess);
            (chunk.complete_chunk(7..11, failed), taken.len())
        };
        let all = [(7, 'a'), (8, 'b'), (9, 'c'), (10, 'd')];
        assert_eq!(collected(0, &[]), (all.to_vec(), 0));
        assert_eq!(collected(2, &[]), (all[..2].to_vec(), 2));
        let gaps = vec![(8, 'a'), (9, 'b'), (12, 'c'), (13, 'd')];
        assert_eq!(collected(0, &[7, 10, 11, 14]), (gaps, 0));
        assert_eq!(WithIndices::<u8>::new().complete().capacity(), 0);
    }

    #[test]
    fn a_chunk_reserves_little_memory() {
        let capacity = |mid| {
            let (chunk, _) = PerChunk::<u64>::new().split_at(mid);
            chunk.0.capacity()
        };
        assert_eq!(capacity(100), 100);
        assert_eq!(capacity(1_000_000), 1024);
    }
}
