//! Go's `errgroup` for rayon.

#![deny(unsafe_code)]

mod engine;
mod error;
mod ext;
mod group;
mod lock;
mod run;
mod token;
mod with_group;

pub use error::{Cancelled, Cause, GroupError, Panicked};
pub use ext::ErrGroupExt;
pub use group::ErrGroup;
pub use token::{CancelToken, DropGuard, OnCancel};
pub use with_group::WithGroup;

/// The extension traits, to be imported with a `*` next to rayon's prelude.
pub mod prelude {
    pub use crate::ErrGroupExt;
}
