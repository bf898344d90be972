//! The items of the benchmarks.

use std::hint::black_box;

/// The number of items, unless a benchmark states another.
pub(crate) const ITEMS: u64 = 4_000_000;

pub(crate) fn items() -> Vec<u64> {
    black_box((0..ITEMS).collect())
}
