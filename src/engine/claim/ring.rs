//! A ring buffer from one thread to another: what was read from a sequential iterator.
//!
//! The worker that reads holds the [`Writer`], and the claim queue holds the [`Reader`]. So an item
//! can be claimed as soon as it was read, while the next call of `next` waits.
//!
//! A `Mutex<VecDeque>` or a channel takes 8 to 12 ns for each item, and all of
//! `par_in_order().err_group` takes 4 ns for an item of 1 ns. So this is the queue of Lamport (1977)
//! for one producer and one consumer: a push is two stores.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// Makes a ring buffer for at least one item and at most `max`.
pub(super) fn ring<T>(max: usize) -> (Writer<T>, Reader<T>) {
    // A power of two, so that a position becomes the number of a slot by a mask.
    let capacity = 1 << max.max(1).ilog2();
    let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit()));
    let ring = Arc::new(Ring {
        slots: slots.collect(),
        read: AtomicUsize::new(0),
        written: AtomicUsize::new(0),
    });
    let writer = Writer {
        ring: Arc::clone(&ring),
        written: 0,
        read: 0,
    };
    (writer, Reader { ring, read: 0 })
}

/// Positions count items, and wrap around. Invariants: `read` and `written` are stored only by the
/// one reader and the one writer; the slots of the positions from `read` to `written` are
/// initialized, and belong to the reader; all others belong to the writer.
struct Ring<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    read: AtomicUsize,
    written: AtomicUsize,
}

// SAFETY: by the invariant each slot is used by one side at a time, so items move between threads
// but are never shared.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    fn slot(&self, position: usize) -> *mut T {
        self.slots[position & (self.slots.len() - 1)].get().cast()
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Relaxed: the last owner has synchronized with the others, as every drop of an `Arc` does.
        let (read, written) = (
            self.read.load(Ordering::Relaxed),
            self.written.load(Ordering::Relaxed),
        );
        let mut position = read;
        while position != written {
            let slot = self.slot(position);
            position = position.wrapping_add(1);
            // SAFETY: initialized by the invariant, and dropped once: both sides are gone.
            unsafe { slot.drop_in_place() };
        }
    }
}

/// The end that the worker which reads has.
pub(super) struct Writer<T> {
    ring: Arc<Ring<T>>,
    written: usize,
    /// `ring.read`, as it was when this side last looked.
    read: usize,
}

impl<T> Writer<T> {
    /// Whether there is no room for another item.
    #[inline]
    pub(super) fn is_full(&mut self) -> bool {
        let capacity = self.ring.slots.len();
        if self.written.wrapping_sub(self.read) < capacity {
            return false;
        }
        // Acquire pairs with the store in `Reader::take`: the slots were emptied before.
        self.read = self.ring.read.load(Ordering::Acquire);
        self.written.wrapping_sub(self.read) == capacity
    }

    /// Adds an item.
    ///
    /// # Panics
    ///
    /// If there is no room.
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        assert!(!self.is_full(), "there is no room in the ring");
        let slot = self.ring.slot(self.written);
        // SAFETY: not full, so by the invariant this slot belongs to the writer, which is unique.
        unsafe { slot.write(item) };
        self.written = self.written.wrapping_add(1);
        // Release pairs with the load in `Reader::len`: the item is there before it is counted.
        self.ring.written.store(self.written, Ordering::Release);
    }
}

/// The end that the claim queue has.
pub(super) struct Reader<T> {
    ring: Arc<Ring<T>>,
    read: usize,
}

impl<T> Reader<T> {
    /// How many items can be taken.
    #[inline]
    pub(super) fn len(&self) -> usize {
        // Acquire pairs with the store in `Writer::push`.
        let written = self.ring.written.load(Ordering::Acquire);
        written.wrapping_sub(self.read)
    }

    /// Takes the next items, at most so many.
    pub(super) fn take(&mut self, max: usize) -> Vec<T> {
        let count = self.len().min(max);
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            let slot = self.ring.slot(self.read);
            // SAFETY: `len` has counted this item, so the slot is initialized and belongs to the
            // reader, which is unique. It is read once, since the position moves on.
            items.push(unsafe { slot.read() });
            self.read = self.read.wrapping_add(1);
        }
        // Release pairs with the load in `Writer::is_full`: the items were moved out before.
        self.ring.read.store(self.read, Ordering::Release);
        items
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn items_come_out_in_order() {
        let (mut writer, mut reader) = ring(5);
        for round in 0..10 {
            for number in 0..4 {
                assert!(!writer.is_full());
                writer.push(4 * round + number);
            }
            assert!(writer.is_full(), "four is the largest power of two");
            assert_eq!(reader.take(3), [4 * round, 4 * round + 1, 4 * round + 2]);
            assert!(!writer.is_full());
            assert_eq!(reader.len(), 1);
            assert_eq!(reader.take(3), [4 * round + 3]);
        }
        assert!(reader.take(1).is_empty());
    }

    #[test]
    #[should_panic(expected = "no room")]
    fn a_full_ring_takes_no_more() {
        let (mut writer, _reader) = ring(1);
        writer.push(1);
        writer.push(2);
    }

    #[test]
    fn every_item_is_dropped_once() {
        let item = Arc::new(());
        let (mut writer, mut reader) = ring(8);
        (0..8).for_each(|_| writer.push(Arc::clone(&item)));
        assert_eq!(reader.take(3).len(), 3);
        assert_eq!(Arc::strong_count(&item), 6);
        drop(reader);
        assert_eq!(Arc::strong_count(&item), 6, "the writer is left");
        drop(writer);
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn two_threads_share_a_ring() {
        const ITEMS: usize = if cfg!(miri) { 200 } else { 100_000 };
        let (mut writer, mut reader) = ring(8);
        let writing = thread::spawn(move || {
            for number in 0..ITEMS {
                while writer.is_full() {
                    thread::yield_now();
                }
                writer.push(Box::new(number));
            }
        });
        let mut next = 0;
        while next < ITEMS {
            for number in reader.take(3) {
                assert_eq!(*number, next);
                next += 1;
            }
        }
        writing.join().unwrap();
        assert_eq!(reader.len(), 0);
    }
}
