//! The shared checks on the calling thread.

mod imports {
    pub(super) use rayon_errgroup::sequential::prelude::*;
    pub(super) use rayon_errgroup::sequential::{InOrder, Ordered};
}

#[path = "../process.rs"]
mod process;
#[path = "../shared.rs"]
mod shared;

pub(crate) use process::CHECKS as PROCESS_CHECKS;
pub(crate) use shared::CHECKS;
