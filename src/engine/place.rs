//! Values into place: every value is written straight to its final position.
//!
//! A vector with room for all values is allocated once. A [`Place`] is a stretch of that room; it
//! is split as the input is split, so each leaf writes to the positions of its own items and two
//! leaves never meet. A place owns the values it has written and drops them unless they become
//! part of the vector: so a run that stops half-way leaks nothing and drops nothing twice.
//!
//! Two neighbours are joined when the left one is full: then the written values are one stretch
//! again. A left one that is not full belongs to a run that stopped, or to an iterator that lied about
//! its length, and the right one is dropped. A result with as many written values as there are
//! positions is thus proof that each was written.
//!
//! rayon's own `collect` works in this way (`rayon::iter::collect`); what is added is that a run
//! may stop.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use super::gather::{BLOCK, Gather, Join};

/// Room is looked for once for so many blocks. Short items are unrolled so many times; of longer ones
/// the compiler unrolls one block only, or none.
const BLOCKS: usize = 4;

#[cold]
fn too_many<T>(surplus: T) -> ! {
    // First, so that a panic of its drop meets no other.
    drop(surplus);
    panic!("an iterator gave more items than its length");
}

/// A vector that has memory for `len` values and holds none.
pub(super) struct Room<T> {
    values: Vec<T>,
    len: usize,
}

impl<T> Room<T> {
    /// `None` if the memory cannot be had.
    pub(super) fn new(len: usize) -> Option<Self> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).ok()?;
        Some(Room { values, len })
    }

    /// Lets `fill` write behind a place, and returns the values if every position was written.
    pub(super) fn fill(
        mut self,
        fill: impl for<'v> FnOnce(Place<'v, T>) -> Option<Place<'v, T>>,
    ) -> Option<Vec<T>> {
        let start = self.values.as_mut_ptr();
        let filled = fill(Place::empty(start, self.len))?;
        if !ptr::eq(filled.start, start) || filled.written != self.len {
            return None;
        }
        filled.release();
        // SAFETY: the capacity is at least `len`. `filled` begins where the vector does and had
        // `len` positions written, which by the invariant of `Place` are initialized; it has just
        // given up their ownership, so the vector is their only owner.
        unsafe { self.values.set_len(self.len) };
        Some(self.values)
    }
}

/// A stretch of a room, of which the first `written` positions hold values.
///
/// Invariants: `start` points to `len` positions that no other place and nobody else uses during
/// `'v`; the first `written` of them are initialized and owned by this place; `written <= len`; all
/// places of one `'v` are of one room.
pub(super) struct Place<'v, T> {
    /// A raw pointer with the provenance of the whole allocation, so that neighbours can be joined;
    /// a slice could not grow again.
    start: *mut T,
    len: usize,
    written: usize,
    /// The room is borrowed, and the values are owned. `'v` is invariant, by the cell, so that places of
    /// two rooms are of two types; see [`Room::fill`].
    room: PhantomData<(Cell<&'v mut Room<T>>, T)>,
}

// SAFETY: a place is a unique borrow of positions together with ownership of the values in them,
// like `(&mut [MaybeUninit<T>], Vec<T>)`, and that is `Send` if `T` is.
unsafe impl<T: Send> Send for Place<'_, T> {}

impl<T> Place<'_, T> {
    fn empty(start: *mut T, len: usize) -> Self {
        Place {
            start,
            len,
            written: 0,
            room: PhantomData,
        }
    }

    /// Gives up the ownership of the values, and returns how many they are.
    fn release(mut self) -> usize {
        mem::take(&mut self.written)
    }
}

/// Where the next value of a place is written, while it borrows the place. A pointer that stays in a
/// register, and not the count, which takes more instructions for each value. Counted however the loop
/// ends.
///
/// Invariant: the positions from `start` to `free` are initialized, and those behind it are the place's
/// own and are not. For values with a size only: the pointer would not move.
struct Cursor<'p, T> {
    start: *mut T,
    /// The first position that is not written.
    free: *mut T,
    written: &'p mut usize,
}

impl<T> Cursor<'_, T> {
    /// # Safety
    ///
    /// There is a position left in the place.
    #[inline]
    unsafe fn write(&mut self, value: T) {
        // SAFETY: `free` is a position of the place, which is an element of a vector: valid for writes
        // and aligned. It is not initialized, so no value is lost.
        unsafe { self.free.write(value) };
        // SAFETY: the position was inside the allocation, so the next is too, or one past its end.
        self.free = unsafe { self.free.add(1) };
    }
}

impl<T> Drop for Cursor<'_, T> {
    #[inline]
    fn drop(&mut self) {
        *self.written = (self.free.addr() - self.start.addr()) / size_of::<T>();
    }
}

impl<T: Send> Gather for Place<'_, T> {
    type Value = T;
    type Gathered = Self;

    fn split_at(self, mid: usize) -> (Self, Self) {
        assert!(mid <= self.len, "an iterator was split beyond its length");
        assert_eq!(self.written, 0, "an iterator was split after it was read");
        // SAFETY: `mid <= len`, so the sum stays inside the allocation or one past its end.
        let middle = unsafe { self.start.add(mid) };
        // The halves do not overlap, and this place, which owns nothing, ends here.
        (
            Place::empty(self.start, mid),
            Place::empty(middle, self.len - mid),
        )
    }

    #[inline]
    fn extend(&mut self, mut next: impl FnMut() -> Option<T>) {
        if size_of::<T>() == 0 {
            while let Some(value) = next() {
                if self.written == self.len {
                    too_many(value);
                }
                // Owned by the place from now on: there is nothing to write.
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
        let room = self.len - self.written;
        // SAFETY: not more than the room behind `free`.
        let end_of_blocks = unsafe { free.add(room - room % (BLOCKS * BLOCK)) };
        let mut cursor = Cursor {
            start: self.start,
            free,
            written: &mut self.written,
        };
        while cursor.free != end_of_blocks {
            for _ in 0..BLOCKS {
                for _ in 0..BLOCK {
                    let Some(value) = next() else { return };
                    // SAFETY: `BLOCKS` blocks were left, or a multiple of them, up to `end_of_blocks`,
                    // which is not past `end`.
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

    fn finish(self) -> Self {
        self
    }
}

impl<T: Send> Join for Place<'_, T> {
    fn split_off_left(&self) -> Self {
        panic!("an iterator that knows its length was driven as if it did not");
    }

    fn join(mut left: Self, right: Self) -> Self {
        // SAFETY: `len` positions start here, so their end is in or one past the allocation.
        let end = unsafe { left.start.add(left.len) };
        if left.written == left.len && ptr::eq(end, right.start) {
            // The stretches touch and were split from one vector, so together they are one. The
            // left one is full, so the values of both are its first `written`.
            left.len += right.len;
            left.written += right.release();
        } else {
            // Before `left` is moved out, which would be lost if this panicked afterwards.
            drop(right);
        }
        left
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant these values are initialized and owned here; nobody uses them
        // after the drop of their owner.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start, self.written)) };
    }
}
