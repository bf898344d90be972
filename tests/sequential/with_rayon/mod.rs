//! The shared checks on rayon.

mod imports {
    pub(super) use rayon::prelude::*;
    pub(super) use rayon_errgroup::prelude::*;
    pub(super) use rayon_errgroup::{InOrder, Ordered};
}

#[path = "../process.rs"]
mod process;
#[path = "../shared.rs"]
mod shared;

pub(crate) use process::CHECKS as PROCESS_CHECKS;
pub(crate) use shared::CHECKS;
