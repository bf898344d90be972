//! `Slots`: every value is written straight into its final slot.
//!
//! A vector with room for all values, a [`Buffer`], is allocated once. [`Slots`] are a range of its
//! uninitialized elements. They are split as the input is split, so each part of the input writes
//! to the slots of its own items, and two parts never meet.
//!
//! When a part ends, it tells the [`Ledger`] how many of its slots are written, and which are not.
//! So there is nothing to return and to join: if as many slots are written as there are, every one
//! is. And a run that stops half-way leaks nothing and drops nothing twice: what is dropped are the
//! slots without the gaps.
//!
//! rayon's own `collect` writes in place, too (`rayon::iter::collect`). What is added is that a run
//! may stop.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::collect::{BLOCK, Collector};
use crate::panic::{Payload, drop_catching, first_panic};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};

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

/// What became of the slots of a buffer.
struct Ledger {
    /// How many are written.
    written: AtomicUsize,
    /// Those that are not, of parts that have ended: the address of the first one, and how many.
    gaps: Mutex<Vec<(usize, usize)>>,
}

impl<T> Buffer<T> {
    /// `None` if the memory cannot be had.
    pub(super) fn new(len: usize) -> Option<Self> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).ok()?;
        Some(Buffer { values, len })
    }

    /// Lets `fill` write to the slots, and returns the values if every slot was written.
    ///
    /// # Panics
    ///
    /// If `fill` does, or the drop of a value. All values are dropped before.
    pub(super) fn fill(self, fill: impl for<'v> FnOnce(Slots<'v, T>)) -> Option<Vec<T>> {
        let mut fill = Some(fill);
        self.fill_dyn(&mut |slots| {
            if let Some(fill) = fill.take() {
                fill(slots);
            }
        })
    }

    /// Compiled once for each kind of value.
    fn fill_dyn(mut self, fill: &mut dyn for<'v> FnMut(Slots<'v, T>)) -> Option<Vec<T>> {
        let ledger = Ledger {
            written: AtomicUsize::new(0),
            gaps: Mutex::new(Vec::new()),
        };
        let unfilled = Unfilled {
            start: self.values.as_mut_ptr(),
            len: self.len,
            ledger: &ledger,
        };
        let slots = Slots {
            start: unfilled.start,
            len: self.len,
            written: 0,
            ledger: &ledger,
        };
        let mut panic = catch_unwind(AssertUnwindSafe(|| fill(slots))).err();
        // Relaxed, and paired with the addition in the drop of `Slots`: whoever has let other
        // threads use slots has joined them, since `fill` works for every lifetime.
        if panic.is_some() || ledger.written.load(Ordering::Relaxed) != self.len {
            // Not while the panic unwinds: the drop of a value may panic, too.
            first_panic(&mut panic, unfilled.drop_values());
            return panic.and_then(|payload| resume_unwind(payload));
        }
        // SAFETY: the capacity is at least `len`. All slots were one `Slots` at first, which were
        // split into ranges that do not overlap, and each range has counted at most once the slots
        // that it has initialized. So if the sum is `len`, all are initialized. No `Slots` is left
        // that owns them: those that have counted have ended.
        unsafe { self.values.set_len(self.len) };
        Some(self.values)
    }
}

/// A buffer that was not filled.
struct Unfilled<'v, T> {
    start: *mut T,
    len: usize,
    ledger: &'v Ledger,
}

impl<T> Unfilled<'_, T> {
    /// Drops the values, one by one. Returns the first panic of a drop.
    #[cold]
    fn drop_values(self) -> Option<Payload> {
        if !mem::needs_drop::<T>() {
            return None;
        }
        // Relaxed: as in `Buffer::fill`.
        let written = self.ledger.written.load(Ordering::Relaxed);
        let mut gaps = mem::take(&mut *lock(&self.ledger.gaps));
        let missing: usize = gaps.iter().map(|(_, len)| len).sum();
        if written + missing != self.len {
            // Some slots were neither counted nor reported, because somebody has forgotten a part
            // of the input. Nobody knows which ones, so the values are forgotten, too.
            return None;
        }
        gaps.sort_unstable();
        let mut gaps = gaps.into_iter().peekable();
        let (mut number, mut left, mut panic) = (0, written, None);
        while left > 0 {
            // SAFETY: `number` is less than `len` as long as a written slot is left, so the sum
            // stays inside the allocation.
            let slot = unsafe { self.start.add(number) };
            // Slots without a size have one address: the first ones stand for those written.
            let gap = gaps.next_if(|gap| size_of::<T>() > 0 && gap.0 == slot.addr());
            if let Some((_, len)) = gap {
                number += len;
                continue;
            }
            // SAFETY: every slot is counted as written or is in a gap, and this one is in none: it
            // is initialized, and its owner has ended. It is read once.
            let value = unsafe { slot.read() };
            first_panic(&mut panic, drop_catching(value));
            (number, left) = (number + 1, left - 1);
        }
        panic
    }
}

/// A range of the slots of a buffer, of which the first `written` hold values.
///
/// Invariants: `start` points to `len` slots that nothing else uses during `'v`; the first
/// `written` of them are initialized; `written <= len`.
pub(super) struct Slots<'v, T> {
    start: *mut T,
    len: usize,
    written: usize,
    ledger: &'v Ledger,
}

// SAFETY: `Slots` are a unique borrow of memory together with the values in it, like
// `(&mut [MaybeUninit<T>], Vec<T>)`, and that is `Send` if `T` is.
unsafe impl<T: Send> Send for Slots<'_, T> {}

impl<T> Drop for Slots<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Relaxed: see `Buffer::fill`.
        self.ledger
            .written
            .fetch_add(self.written, Ordering::Relaxed);
        if self.written < self.len {
            self.report_gap();
        }
    }
}

impl<T> Slots<'_, T> {
    /// Gives the slots after the first `mid` away, none of which is written.
    fn split_off(&mut self, mid: usize) -> Self {
        debug_assert!(self.written <= mid && mid <= self.len);
        // SAFETY: `mid <= len`, so the sum stays inside the allocation or one past its end.
        let middle = unsafe { self.start.add(mid) };
        let rest = Slots {
            start: middle,
            len: self.len - mid,
            written: 0,
            ledger: self.ledger,
        };
        // No slot is in both.
        self.len = mid;
        rest
    }

    #[cold]
    #[inline(never)]
    fn report_gap(&self) {
        // SAFETY: `written <= len`, so the sum stays inside the allocation or one past its end.
        let first = unsafe { self.start.add(self.written) };
        lock(&self.ledger.gaps).push((first.addr(), self.len - self.written));
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
    type Collected = ();
    /// The buffer has them.
    const KEEPS: bool = false;

    fn split_at(mut self, mid: usize) -> (Self, Self) {
        assert!(mid <= self.len, "an iterator was split beyond its length");
        assert_eq!(self.written, 0, "an iterator was split after it was read");
        let rest = self.split_off(mid);
        (self, rest)
    }

    fn count(&self) -> Option<usize> {
        Some(self.written)
    }

    fn split_rest(&mut self) -> Self {
        self.split_off(self.written)
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

    fn complete(self) {}
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
        assert!(halves(9, 4, 3, 5).is_none(), "a gap between the halves");
        assert!(halves(9, 4, 4, 4).is_none(), "a gap at the end");
    }

    #[test]
    fn neighbours_on_two_threads() {
        let values = Buffer::new(40).unwrap().fill(|slots| {
            let (mut left, mut right) = slots.split_at(20);
            std::thread::scope(|threads| {
                threads.spawn(|| write(&mut left, 20, Box::new));
                threads.spawn(|| write(&mut right, 20, |n| Box::new(n + 20)));
            });
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
        });
        assert!(result.is_none());
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn a_panic_while_values_are_written_drops_those_that_were() {
        let counter = Arc::new(());
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            Buffer::new(9).unwrap().fill(|mut slots| {
                write(&mut slots, 9, |n| {
                    assert!(n < 5, "the sixth panics");
                    Arc::clone(&counter)
                });
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn a_surplus_value_is_a_panic() {
        for count in [1, 2, 17] {
            let counter = Arc::new(());
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                Buffer::new(count - 1).unwrap().fill(|mut slots| {
                    write(&mut slots, count, |_| Arc::clone(&counter));
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
            })
        };
        assert_eq!(fill(5).map(|values| values.len()), Some(5));
        assert!(fill(4).is_none());
    }

    #[test]
    fn a_part_that_is_forgotten_is_never_a_value() {
        struct Counted<'c>(&'c AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = AtomicUsize::new(0);
        let result = Buffer::new(4).unwrap().fill(|slots| {
            let (mut left, mut right) = slots.split_at(2);
            write(&mut left, 1, |_| Counted(&drops));
            write(&mut right, 2, |_| Counted(&drops));
            mem::forget(left);
        });
        assert!(result.is_none());
        let drops = drops.load(Ordering::Relaxed);
        assert_eq!(drops, 0, "nobody knows which are written");
    }

    #[test]
    fn gaps_are_left_out_wherever_they_are() {
        // How many of two slots each part of six slots writes.
        for written in [
            [0, 1, 2],
            [2, 0, 1],
            [1, 2, 0],
            [1, 1, 1],
            [0, 0, 0],
            [2, 2, 0],
        ] {
            let counter = Arc::new(());
            let result = Buffer::new(6).unwrap().fill(|slots| {
                let (mut first, rest) = slots.split_at(2);
                let (mut second, mut third) = rest.split_at(2);
                write(&mut third, written[2], |_| Arc::clone(&counter));
                write(&mut first, written[0], |_| Arc::clone(&counter));
                write(&mut second, written[1], |_| Arc::clone(&counter));
                let values: usize = written.iter().sum();
                assert_eq!(Arc::strong_count(&counter), 1 + values);
            });
            assert!(result.is_none());
            assert_eq!(Arc::strong_count(&counter), 1, "{written:?}");
        }
    }

    #[test]
    fn a_drop_that_panics_keeps_no_other_value() {
        struct Bomb(#[expect(dead_code, reason = "counts by its drop")] Arc<()>);
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("bomb");
            }
        }
        let counter = Arc::new(());
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            Buffer::new(9).unwrap().fill(|mut slots| {
                write(&mut slots, 5, |_| Bomb(Arc::clone(&counter)));
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn slots_are_sent_with_their_values() {
        static_assertions::assert_not_impl_any!(Slots<'static, Rc<()>>: Send);
        static_assertions::assert_impl_all!(Slots<'static, u8>: Send);
    }
}
