//! The number of a thread, which is the number of its slot.

use std::cell::Cell;
// Not those of `crate::sync`: the numbers belong to the process, and models choose their own.
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads outside of pools have a number.
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread: it never changes. A thread of a pool has its index, which is unique
/// in that pool only; others count down from `usize::MAX`, to share none with a pool.
#[inline]
pub(super) fn thread_number() -> usize {
    rayon::current_thread_index().unwrap_or_else(number_outside)
}

fn number_outside() -> usize {
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            // Relaxed: the number is all there is to it.
            let new = usize::MAX - OUTSIDE.fetch_add(1, Ordering::Relaxed);
            number.set(Some(new));
            new
        })
    })
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_two_threads_have_one_number() {
        let outside = || [thread_number(), thread_number()];
        let numbers = [outside(), thread::spawn(outside).join().unwrap()];
        assert!(numbers.iter().all(|[first, second]| first == second));
        assert!(numbers[0][0] != numbers[1][0] && numbers[0][0] > usize::MAX / 2);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        assert_eq!(pool.broadcast(|_| thread_number()), [0, 1, 2]);
    }
}
