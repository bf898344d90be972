//! The shared checks on rayon.

mod imports {
    pub(super) use rayon::prelude::*;
    pub(super) use rayon_errgroup::prelude::*;
    pub(super) use rayon_errgroup::{InOrder, Ordered};
}

#[path = "../shared.rs"]
mod shared;

pub(crate) use shared::CHECKS;
