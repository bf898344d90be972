//! The work of an item.

/// Work that takes about so many nanoseconds on the machine of BENCHMARKS.md: a chain of folded
/// multiplications, as hash functions use them. The compiler knows the length of the chain, as it
/// knows the code of a closure, but has no vector instruction for it. So all contenders do the same
/// work, and differ in the loop around it.
#[inline]
pub(crate) fn work<const NANOSECONDS: u32>(item: u64) -> u64 {
    let rounds = const {
        match NANOSECONDS {
            1 => 1,
            10 => 15,
            _ if NANOSECONDS.is_multiple_of(100) => NANOSECONDS / 100 * 71,
            _ => panic!("not measured"),
        }
    };
    let mut x = item;
    for _ in 0..rounds {
        let product = u128::from(x ^ 0x9e37_79b9_7f4a_7c15) * 0xbf58_476d_1ce4_e5b9;
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        x = u64::try_from(low ^ high).unwrap_or(0);
    }
    x
}

/// The same as a `Result`. No item fails, but the compiler cannot know that.
#[inline]
pub(crate) fn fallible<const NANOSECONDS: u32>(item: u64) -> Result<u64, u64> {
    let x = work::<NANOSECONDS>(item);
    if x == 0x0123_4567 { Err(item) } else { Ok(x) }
}
