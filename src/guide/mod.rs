//! Migration guides: Go's, rayon's and tokio's calls, side by side with those of this crate.
//!
//! | page | for users of |
//! | --- | --- |
//! | [Coming from Go](from_go) | `golang.org/x/sync/errgroup` and `context` |
//! | [Coming from rayon](from_rayon) | `try_for_each`, `collect` into a `Result`, `scope` |
//! | [Coming from tokio's `CancellationToken`](from_tokio) | `tokio_util::sync`, `TaskTracker`, `JoinSet` |
//!
//! `cargo test` compiles and runs the examples on these pages that need only this crate and rayon.
//! Go code is not run, nor is code that needs tokio.

pub mod from_go;
pub mod from_rayon;
pub mod from_tokio;
