//! The shapes of `serial.rs` on the calling thread.

mod imports {
    pub(super) use rayon_errgroup::sequential::prelude::*;
}

#[path = "../serial.rs"]
mod serial;

pub(crate) use serial::SHAPES;
