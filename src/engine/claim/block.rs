//! A block of items that were read from a sequential iterator.
//!
//! The worker that reads has the [`Writer`], and the claim queue has the [`Reader`]. So an item can
//! be claimed as soon as it was read, while the next call of `next` waits. What is claimed stays in
//! the block, and is moved out when it runs.
//!
//! A `Mutex<VecDeque>` or a channel takes 8 to 12 ns for each item, and all of
//! `par_in_order().err_group` takes 4 ns for an item of 1 ns. Here an item costs two stores.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// Makes a block for so many items.
pub(super) fn block<T>(capacity: usize) -> (Writer<T>, Reader<T>) {
    let block = Arc::new(Block {
        slots: Box::new_uninit_slice(capacity),
        written: AtomicUsize::new(0),
        taken: AtomicUsize::new(0),
    });
    let writer = Writer {
        block: Arc::clone(&block),
    };
    (writer, Reader { block })
}

/// Invariants: only the one writer stores `written`, and only the one reader stores `taken`; both
/// only grow, and `taken <= written <= capacity`. The slots before `taken` belong to the [`Items`]
/// that were taken, each to one of them. Those from there to `written` are initialized, and belong
/// to the reader. The rest belongs to the writer.
struct Block<T> {
    slots: Box<[MaybeUninit<UnsafeCell<T>>]>,
    written: AtomicUsize,
    taken: AtomicUsize,
}

// SAFETY: by the invariants each slot is used by one side at a time, so items move between threads
// but are never shared.
unsafe impl<T: Send> Send for Block<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Block<T> {}

impl<T> Block<T> {
    /// The first slot. The pointer may be used for all of them, and for writing, since they are
    /// cells.
    fn start(&self) -> *mut T {
        self.slots.as_ptr().cast_mut().cast()
    }
}

impl<T> Drop for Block<T> {
    fn drop(&mut self) {
        // Relaxed: the last owner has synchronized with the others, as every drop of an `Arc` does.
        let taken = self.taken.load(Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        // SAFETY: these slots are initialized, nobody has taken them, and reader and writer are
        // gone.
        unsafe { drop_range(self.start(), taken, written) };
    }
}

/// # Safety
///
/// The slots from `from` to `to` are initialized, and owned by the caller, who gives them up.
unsafe fn drop_range<T>(start: *mut T, from: usize, to: usize) {
    // SAFETY: both are at most the capacity.
    let first = unsafe { start.add(from) };
    // As a slice: if a drop panics, the others are dropped all the same.
    let items = ptr::slice_from_raw_parts_mut(first, to - from);
    // SAFETY: by the contract of this function.
    unsafe { items.drop_in_place() };
}

/// The end that the worker which reads has.
pub(crate) struct Writer<T> {
    block: Arc<Block<T>>,
}

impl<T> Writer<T> {
    /// Adds items until there is no next one, or the block is full. Returns their number. Each can
    /// be taken before the next call of `next`.
    #[inline]
    pub(super) fn fill(&mut self, mut next: impl FnMut() -> Option<T>) -> usize {
        let (block, start) = (&*self.block, self.block.start());
        // Relaxed: only the writer, which is unique, stores this.
        let before = block.written.load(Ordering::Relaxed);
        let mut written = before;
        while written < block.slots.len() {
            let Some(item) = next() else { break };
            // SAFETY: less than the capacity.
            let slot = unsafe { start.add(written) };
            // SAFETY: the slot is not counted yet, so it belongs to the writer.
            unsafe { slot.write(item) };
            written += 1;
            // Release pairs with the load in `Reader::len`: the item is there before it is counted.
            block.written.store(written, Ordering::Release);
        }
        written - before
    }
}

/// The end that the claim queue has.
pub(crate) struct Reader<T> {
    block: Arc<Block<T>>,
}

impl<T> Reader<T> {
    /// How many items can be taken.
    #[inline]
    pub(super) fn len(&self) -> usize {
        // Acquire pairs with the store in `Writer::fill`.
        let written = self.block.written.load(Ordering::Acquire);
        // Relaxed: only the reader, which is unique, stores this.
        written - self.block.taken.load(Ordering::Relaxed)
    }

    /// Takes the next items, at most so many.
    pub(super) fn take(&mut self, max: usize) -> Items<T> {
        let count = self.len().min(max);
        // Relaxed: see `len`; and the drop of the block has synchronized with it.
        let next = self.block.taken.load(Ordering::Relaxed);
        self.block.taken.store(next + count, Ordering::Relaxed);
        Items {
            start: self.block.start(),
            next,
            end: next + count,
            _block: Some(Arc::clone(&self.block)),
        }
    }
}

/// Items that were taken from a block, in order.
///
/// Invariant: the slots from `next` to `end` are initialized, and belong to this value.
pub(crate) struct Items<T> {
    start: *mut T,
    next: usize,
    end: usize,
    /// Keeps the slots alive. `None` only if there are none.
    _block: Option<Arc<Block<T>>>,
}

// SAFETY: it owns its items, and shares nothing but the block, which is `Sync` if `T` is `Send`.
unsafe impl<T: Send> Send for Items<T> {}

impl<T> Items<T> {
    pub(super) fn none() -> Self {
        Items {
            start: ptr::dangling_mut(),
            next: 0,
            end: 0,
            _block: None,
        }
    }
}

impl<T> Iterator for Items<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.next == self.end {
            return None;
        }
        // SAFETY: before `end`, so it is a slot of the block.
        let slot = unsafe { self.start.add(self.next) };
        self.next += 1;
        // SAFETY: by the invariant it is initialized and belongs to this value. It does not any
        // more, since `next` has moved on.
        Some(unsafe { slot.read() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl<T> ExactSizeIterator for Items<T> {}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant. The fields are not used again, and `_block` is dropped after
        // this.
        unsafe { drop_range(self.start, self.next, self.end) };
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    fn taken<T>(reader: &mut Reader<T>, max: usize) -> Vec<T> {
        reader.take(max).collect()
    }

    #[test]
    fn items_come_out_in_order() {
        let (mut writer, mut reader) = block(5);
        let mut numbers = 0..;
        assert_eq!(writer.fill(|| numbers.next().filter(|n| *n < 2)), 2);
        assert_eq!(reader.len(), 2);
        assert_eq!(taken(&mut reader, 1), [0]);
        assert_eq!(writer.fill(|| numbers.next()), 3, "the capacity is five");
        assert_eq!(writer.fill(|| panic!("it is full")), 0);
        let mut items = reader.take(2);
        assert_eq!((items.next(), items.len()), (Some(1), 1));
        assert_eq!(taken(&mut reader, 9), [4, 5]);
        assert_eq!(items.collect::<Vec<_>>(), [3]);
        assert_eq!(reader.take(9).len(), 0);
    }

    /// An item can be taken before the next one is there.
    #[test]
    fn the_reader_does_not_wait_for_the_next_item() {
        let (mut writer, mut reader) = block(3);
        let mut seen = Vec::new();
        _ = writer.fill(|| {
            seen.extend(reader.take(9));
            Some(seen.len())
        });
        assert_eq!(seen, [0, 1]);
        assert_eq!(taken(&mut reader, 9), [2]);
    }

    #[test]
    fn every_item_is_dropped_once() {
        let item = Arc::new(());
        let (mut writer, mut reader) = block(8);
        let mut left = 6;
        _ = writer.fill(|| {
            left -= 1;
            (left >= 0).then(|| Arc::clone(&item))
        });
        let mut items = reader.take(3);
        assert_eq!(Arc::strong_count(&item), 7);
        drop(items.next());
        drop(reader);
        assert_eq!(Arc::strong_count(&item), 6);
        drop(writer);
        assert_eq!(Arc::strong_count(&item), 6, "two were taken");
        drop(items);
        assert_eq!(Arc::strong_count(&item), 1);
    }

    /// What was read before a panic is still there.
    #[test]
    fn a_panic_of_the_source_loses_nothing() {
        let item = Arc::new(());
        let (mut writer, mut reader) = block(8);
        let mut left = 3;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            writer.fill(|| {
                left -= 1;
                assert!(left >= 0, "no more");
                Some(Arc::clone(&item))
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(writer.fill(|| None), 0);
        assert_eq!(reader.take(9).len(), 3);
        assert_eq!(Arc::strong_count(&item), 1);
    }

    /// A panic of one drop does not keep the others from being dropped.
    #[test]
    fn a_drop_that_panics_leaks_nothing() {
        struct Fragile(Arc<()>, bool);
        impl Drop for Fragile {
            fn drop(&mut self) {
                assert!(!self.1 || Arc::strong_count(&self.0) == 0, "fragile");
            }
        }
        for is_taken in [true, false] {
            let item = Arc::new(());
            let (mut writer, mut reader) = block(4);
            let mut first = true;
            _ = writer.fill(|| Some(Fragile(Arc::clone(&item), std::mem::take(&mut first))));
            let items = if is_taken {
                reader.take(4)
            } else {
                Items::none()
            };
            let panicked = catch_unwind(AssertUnwindSafe(|| drop((items, reader, writer))));
            assert!(panicked.is_err());
            assert_eq!(Arc::strong_count(&item), 1);
        }
    }

    #[test]
    fn items_without_a_size() {
        let (mut writer, mut reader) = block(4);
        assert_eq!(writer.fill(|| Some(())), 4);
        assert_eq!((reader.take(3).count(), reader.take(3).count()), (3, 1));
    }

    #[test]
    fn two_threads_share_a_block() {
        const ITEMS: usize = if cfg!(miri) { 100 } else { 100_000 };
        let (mut writer, mut reader) = block(ITEMS);
        let writing = thread::spawn(move || {
            let mut numbers = (0..ITEMS).map(Box::new);
            writer.fill(|| numbers.next())
        });
        let mut next = 0;
        while next < ITEMS {
            for number in reader.take(3) {
                assert_eq!(*number, next);
                next += 1;
            }
            thread::yield_now();
        }
        assert_eq!(writing.join().unwrap(), ITEMS);
        assert_eq!(reader.len(), 0);
    }
}
