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
mod deadlines;
mod drops;
mod fixture;
#[path = "../laws/harness.rs"]
#[expect(dead_code, reason = "the laws need more of it")]
mod harness;
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
