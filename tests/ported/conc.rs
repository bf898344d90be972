//! Derived from the tests of sourcegraph/conc (MIT): its pools, `iter` and `stream`.
//!
//! The tests that change the limit of a pool after its first task are missing: this API has no way
//! to write them.

mod iter;
mod pool;
mod results;
mod stream;

use std::sync::Barrier;

/// Makes calls end in reverse order. All of them must run at once.
struct Reverse(Vec<Barrier>);

impl Reverse {
    fn new(calls: usize) -> Self {
        Reverse((1..calls).map(|_| Barrier::new(2)).collect())
    }

    /// The call with this number waits for the next one, and then lets the previous one end.
    fn end(&self, number: usize) {
        if let Some(later) = self.0.get(number) {
            later.wait();
        }
        if number > 0 {
            self.0[number - 1].wait();
        }
    }
}
