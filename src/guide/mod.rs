//! How to get here from there: what you know, side by side with what this crate calls it.
//!
//! | page | for those who know |
//! | --- | --- |
//! | [Coming from Go](from_go) | `golang.org/x/sync/errgroup` and `context` |
//! | [Coming from rayon](from_rayon) | `try_for_each`, `collect` into a `Result`, `scope` |
//! | [Coming from tokio's `CancellationToken`](from_tokio) | `tokio_util::sync`, `TaskTracker`, `JoinSet` |
//!
//! The Rust code on these pages is compiled and run by `cargo test`.

pub mod from_go;
pub mod from_rayon;
pub mod from_tokio;
