//! The shapes of `serial.rs` on rayon.

mod imports {
    pub(super) use rayon::prelude::*;
    pub(super) use rayon_errgroup::prelude::*;
}

#[path = "../serial.rs"]
mod serial;

pub(crate) use serial::SHAPES;
