//! `Slots`: every value is written straight into its final slot.
//!
//! A vector with room for all values, a [`Buffer`], is allocated once. [`Slots`] are a range of its
//! uninitialized elements. They are split as the input is split, so each leaf writes to the slots
//! of its own items, and two leaves never meet. Slots own the values written to them, and drop
//! these values unless they become part of the vector: a run that stops half-way leaks nothing and
//! drops nothing twice.
//!
//! Two neighbours are joined when the left one is full: then the written values are one range
//! again. A left one that is not full belongs to a run that stopped, or to an iterator that lied
//! about its length, and the right one is dropped. So if a result has as many written values as
//! there are slots, each slot was written.
//!
//! rayon's own `collect` works in this way (`rayon::iter::collect`). What is added is that a run
//! may stop.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use super::collect::{BLOCK, Collector, LeafCollector};

/// The end of the slots is checked once for so many blocks. Short items are unrolled so many times;
/// of longer ones the compiler unrolls one block only, or none.
const BLOCKS: usize = 4;

#[cold]
fn too_many<T>(surplus: T) -> ! {
    // Drop before panicking: a panicking `Drop` during unwinding aborts.
    drop(surplus);
    panic!("an iterator gave more items than its length");
}

/// A vector that has memory for `len` values and holds none.
pub(super) struct Buffer<T> {
    values: Vec<T>,
    len: usize,
}

impl<T> Buffer<T> {
    /// `None` if the memory cannot be had.
    pub(super) fn new(len: usize) -> Option<Self> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).ok()?;
        Some(Buffer { values, len })
    }

    /// Lets `fill` write to the slots, and returns the values if every slot was written.
    pub(super) fn fill(
        mut self,
        fill: impl for<'v> FnOnce(Slots<'v, T>) -> Option<Slots<'v, T>>,
    ) -> Option<Vec<T>> {
        let start = self.values.as_mut_ptr();
        let filled = fill(Slots::empty(start, self.len))?;
        if !ptr::eq(filled.start, start) || filled.written != self.len {
            return None;
        }
        filled.release();
        // SAFETY: the capacity is at least `len`. `filled` begins where the vector does and had
        // `len` slots written, which by the invariant of `Slots` are initialized. It has just given
        // up their ownership, so the vector is their only owner.
        unsafe { self.values.set_len(self.len) };
        Some(self.values)
    }
}

/// A range of the slots of a buffer, of which the first `written` hold values.
///
/// Invariants: `start` points to `len` slots that nothing else uses during `'v`; the first
/// `written` of them are initialized and owned by this value; `written <= len`; all `Slots` of one
/// `'v` are of one buffer.
pub(super) struct Slots<'v, T> {
    /// A raw pointer with the provenance of the whole allocation, so that neighbours can be
    /// joined; a slice could not grow again.
    start: *mut T,
    len: usize,
    written: usize,
    /// The buffer is borrowed, and the values are owned. `'v` is invariant, by the cell, so that
    /// the slots of two buffers are of two types; see [`Buffer::fill`].
    buffer: PhantomData<(Cell<&'v mut Buffer<T>>, T)>,
}

// SAFETY: `Slots` are a unique borrow of memory together with ownership of the values in it, like
// `(&mut [MaybeUninit<T>], Vec<T>)`, and that is `Send` if `T` is.
unsafe impl<T: Send> Send for Slots<'_, T> {}

impl<T> Slots<'_, T> {
    fn empty(start: *mut T, len: usize) -> Self {
        Slots {
            start,
            len,
            written: 0,
            buffer: PhantomData,
        }
    }

    /// Gives up the ownership of the values, and returns how many they are.
    fn release(mut self) -> usize {
        mem::take(&mut self.written)
    }
}

/// Where the next value is written, while it borrows the slots. A pointer that stays in a register:
/// a count would take more instructions for each value. The drop counts the values, however the
/// loop ends.
///
/// Invariant: the slots from `start` to `free` are initialized; those from `free` on belong to the
/// same `Slots` and are not. For values with a size only: otherwise the pointer would not move.
struct Cursor<'p, T> {
    start: *mut T,
    /// The first slot that is not written.
    free: *mut T,
    written: &'p mut usize,
}

impl<T> Cursor<'_, T> {
    /// # Safety
    ///
    /// There is a slot left.
    #[inline]
    unsafe fn write(&mut self, value: T) {
        // SAFETY: `free` is a slot, which is an element of a vector: valid for writes and aligned.
        // It is not initialized, so no value is lost.
        unsafe { self.free.write(value) };
        // SAFETY: the slot was inside the allocation, so the next is too, or one past its end.
        self.free = unsafe { self.free.add(1) };
    }
}

impl<T> Drop for Cursor<'_, T> {
    #[inline]
    fn drop(&mut self) {
        *self.written = (self.free.addr() - self.start.addr()) / size_of::<T>();
    }
}

impl<T: Send> Collector for Slots<'_, T> {
    type Value = T;
    type Collected = Self;

    fn split_at(self, mid: usize) -> (Self, Self) {
        assert!(mid <= self.len, "an iterator was split beyond its length");
        assert_eq!(self.written, 0, "an iterator was split after it was read");
        // SAFETY: `mid <= len`, so the sum stays inside the allocation or one past its end.
        let middle = unsafe { self.start.add(mid) };
        // The halves do not overlap, and `self`, which owns nothing, ends here.
        (
            Slots::empty(self.start, mid),
            Slots::empty(middle, self.len - mid),
        )
    }

    fn count(&self) -> Option<usize> {
        Some(self.written)
    }

    fn split_rest(&mut self) -> Self {
        // SAFETY: `written <= len`, so the sum stays inside the allocation or one past its end.
        let free = unsafe { self.start.add(self.written) };
        let rest = Slots::empty(free, self.len - self.written);
        // The written slots stay here, and the others are given away: no slot is in both.
        self.len = self.written;
        rest
    }

    #[inline]
    fn consume_iter(&mut self, mut next: impl FnMut() -> Option<T>) {
        if size_of::<T>() == 0 {
            while let Some(value) = next() {
                if self.written == self.len {
                    too_many(value);
                }
                // Owned by the slots from now on: there is nothing to write.
                mem::forget(value);
                self.written += 1;
            }
            return;
        }
        // SAFETY: `written <= len`, so both sums stay inside the allocation or one past its end; or
        // there is none, and `len` is 0.
        let free = unsafe { self.start.add(self.written) };
        // SAFETY: as above.
        let end = unsafe { self.start.add(self.len) };
        let left = self.len - self.written;
        // SAFETY: not more than the slots that are left after `free`.
        let end_of_blocks = unsafe { free.add(left - left % (BLOCKS * BLOCK)) };
        let mut cursor = Cursor {
            start: self.start,
            free,
            written: &mut self.written,
        };
        while cursor.free != end_of_blocks {
            for _ in 0..BLOCKS {
                for _ in 0..BLOCK {
                    let Some(value) = next() else { return };
                    // SAFETY: `BLOCKS` blocks were left, or a multiple of them, up to
                    // `end_of_blocks`, which is not past `end`.
                    unsafe { cursor.write(value) };
                }
            }
        }
        while let Some(value) = next() {
            if cursor.free == end {
                too_many(value);
            }
            // SAFETY: `free` is before `end`.
            unsafe { cursor.write(value) };
        }
    }

    fn complete(self) -> Self {
        self
    }
}

impl<T: Send> LeafCollector for Slots<'_, T> {
    fn split_off_left(&self) -> Self {
        panic!("an iterator that knows its length was driven as if it did not");
    }

    fn reduce(mut left: Self, right: Self) -> Self {
        // SAFETY: `len` slots start here, so their end is in or one past the allocation.
        let end = unsafe { left.start.add(left.len) };
        if left.written == left.len && ptr::eq(end, right.start) {
            // The ranges touch and were split from one buffer, so together they are one. The left
            // one is full, so the values of both are its first `written`.
            left.len += right.len;
            left.written += right.release();
        } else {
            // Before `left` is moved out, which would be lost if this panicked afterwards.
            drop(right);
        }
        left
    }
}

impl<T> Drop for Slots<'_, T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant these values are initialized and owned here, and nothing uses
        // them after the drop of their owner.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start, self.written)) };
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;

    /// Writes values until `count` are written.
    fn write<T: Send>(slots: &mut Slots<'_, T>, count: usize, value: impl Fn(usize) -> T) {
        let mut written = 0;
        slots.consume_iter(|| {
            (written < count).then(|| {
                written += 1;
                value(written - 1)
            })
        });
    }

    /// Fills two halves of which the left one has `mid` slots.
    fn halves(len: usize, mid: usize, left: usize, right: usize) -> Option<Vec<String>> {
        Buffer::new(len).unwrap().fill(|slots| {
            let (mut first, mut second) = slots.split_at(mid);
            write(&mut second, right, |n| format!("right {n}"));
            write(&mut first, left, |n| format!("left {n}"));
            Some(Slots::reduce(first.complete(), second.complete()))
        })
    }

    #[test]
    fn all_slots_are_written_or_there_is_no_vector() {
        // Lengths around a block, and around the blocks between two checks of the end.
        for len in [0, 1, 3, 4, 5, 15, 16, 17, 33] {
            let mid = len / 2;
            let values = halves(len, mid, mid, len - mid).unwrap();
            assert_eq!(values.len(), len);
            assert!(values[..mid].iter().all(|value| value.starts_with("left")));
            assert!(values[mid..].iter().all(|value| value.starts_with("right")));
        }
        assert!(halves(9, 4, 3, 5).is_none(), "a hole between the halves");
        assert!(halves(9, 4, 4, 4).is_none(), "a hole at the end");
    }

    #[test]
    fn neighbours_on_two_threads() {
        let values = Buffer::new(40).unwrap().fill(|slots| {
            let (mut left, mut right) = slots.split_at(20);
            std::thread::scope(|threads| {
                threads.spawn(|| write(&mut left, 20, Box::new));
                threads.spawn(|| write(&mut right, 20, |n| Box::new(n + 20)));
            });
            Some(Slots::reduce(left, right))
        });
        let expected = (0..40).map(Box::new);
        assert!(values.unwrap().into_iter().eq(expected));
    }

    #[test]
    fn values_that_are_not_returned_are_dropped_once() {
        let counter = Arc::new(());
        let result = Buffer::new(20).unwrap().fill(|slots| {
            let (mut left, mut right) = slots.split_at(10);
            write(&mut left, 10, |_| Arc::clone(&counter));
            write(&mut right, 3, |_| Arc::clone(&counter));
            assert_eq!(Arc::strong_count(&counter), 14);
            Some(Slots::reduce(left, right))
        });
        assert!(result.is_none());
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn a_panic_while_values_are_written_drops_those_that_were() {
        let counter = Arc::new(());
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Buffer::new(9).unwrap().fill(|mut slots| {
                write(&mut slots, 9, |n| {
                    assert!(n < 5, "the sixth panics");
                    Arc::clone(&counter)
                });
                Some(slots)
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn a_surplus_value_is_a_panic() {
        for count in [1, 2, 17] {
            let counter = Arc::new(());
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                Buffer::new(count - 1).unwrap().fill(|mut slots| {
                    write(&mut slots, count, |_| Arc::clone(&counter));
                    Some(slots)
                })
            }));
            assert!(unwound.is_err());
            assert_eq!(Arc::strong_count(&counter), 1);
        }
    }

    #[test]
    fn values_without_a_size_are_counted() {
        let fill = |count| {
            Buffer::new(5).unwrap().fill(|mut slots| {
                write(&mut slots, count, |_| ());
                Some(slots)
            })
        };
        assert_eq!(fill(5).map(|values| values.len()), Some(5));
        assert!(fill(4).is_none());
    }

    #[test]
    fn slots_of_another_part_are_not_a_result() {
        let result = Buffer::new(4).unwrap().fill(|slots| {
            let (_, mut right) = slots.split_at(2);
            write(&mut right, 2, |n| n);
            Some(right)
        });
        assert!(result.is_none());
        static_assertions::assert_not_impl_any!(Slots<'static, Rc<()>>: Send);
    }
}
