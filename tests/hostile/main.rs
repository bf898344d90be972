//! The public API in bad company: absurd sizes and times, iterators that lie, drops that panic,
//! callbacks that do everything at once, token trees as deep and as wide as memory allows.

#[cfg(target_os = "linux")]
mod absurd;
mod bench;
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
#[cfg(panic = "unwind")]
mod found;
mod liar;
mod liars;
mod model;
#[cfg(panic = "unwind")]
mod payloads;
mod races;
mod sizes;
mod trees;

use common as harness;
