//! The public API under hostile use: extreme sizes and times, iterators that lie about their
//! length, drops that panic, callbacks that call back into the crate, and very deep and wide token
//! trees.

#[cfg(target_os = "linux")]
mod absurd;
#[cfg(panic = "unwind")]
mod bomb;
#[cfg(panic = "unwind")]
mod bombs;
mod callbacks;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the guarantees need more of it")]
mod common;
mod deadlines;
mod drops;
mod fixture;
mod liar;
mod liars;
#[cfg(panic = "unwind")]
mod payloads;
mod races;
mod reference;
#[cfg(panic = "unwind")]
mod regressions;
mod sizes;
mod trees;
