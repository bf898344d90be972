//! Derived from the tests of sourcegraph/conc (MIT): its pools, `iter` and `stream`.
//!
//! Of its pools a limit that is changed after the first task is missing: here nobody can write it.

mod iter;
mod pool;
mod results;
mod stream;

use std::sync::Barrier;

/// Calls that end in the reverse of their order. All of them must run at once.
struct Reverse(Vec<Barrier>);

impl Reverse {
    fn new(calls: usize) -> Self {
        Reverse((1..calls).map(|_| Barrier::new(2)).collect())
    }

    /// The call with this number waits for the one after it, and lets the one before it end.
    fn end(&self, number: usize) {
        if let Some(later) = self.0.get(number) {
            later.wait();
        }
        if number > 0 {
            self.0[number - 1].wait();
        }
    }
}
