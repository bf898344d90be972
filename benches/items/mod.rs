//! The items that the benchmarks work on.

use std::hint::black_box;

/// How many items there are where nothing else is said.
pub(crate) const ITEMS: u64 = 4 << 20;

/// What an item costs, by name. A round is about a nanosecond.
pub(crate) const COSTS: [(&str, u32); 3] = [("1ns", 1), ("10ns", 10), ("100ns", 100)];

/// An item: a chain of multiplications that cannot be done side by side.
#[inline]
pub(crate) fn work(item: u64, rounds: u32) -> u64 {
    let mut x = item | 1;
    for _ in 0..rounds {
        x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    x
}

/// The same with a result. Nothing fails: a product of odd numbers is odd.
#[inline]
pub(crate) fn fallible(item: u64, rounds: u32) -> Result<u64, u64> {
    let x = work(item, rounds);
    if x == 0 { Err(item) } else { Ok(x) }
}

pub(crate) fn items() -> Vec<u64> {
    black_box((0..ITEMS).collect())
}
