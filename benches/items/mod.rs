//! The items that the benchmarks work on.

use std::hint::black_box;

/// How many items there are where nothing else is said.
pub(crate) const ITEMS: u64 = 4_000_000;

pub(crate) fn items() -> Vec<u64> {
    black_box((0..ITEMS).collect())
}
