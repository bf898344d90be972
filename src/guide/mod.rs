//! Recipes, and migration guides: Go's, rayon's and tokio's calls, side by side with those of this
//! crate.
//!
//! | page | for users of |
//! | --- | --- |
//! | [Coming from Go](from_go) | `golang.org/x/sync/errgroup` and `context` |
//! | [Coming from rayon](from_rayon) | `try_for_each`, `collect` into a `Result`, `reduce`, `scope` |
//! | [Coming from tokio's `CancellationToken`](from_tokio) | `tokio_util::sync`, `TaskTracker`, `JoinSet` |
//!
//! [Errors](errors): `?` with `anyhow`, boxes, `io::Error` and an enum, and type annotations that
//! the compiler asks for.
//!
//! [More than one machine](more_than_one_machine): which engine for whom, the lines that start it,
//! and what is exact.
//!
//! The [recipes] are for jobs where the obvious code hangs, loses data or does not compile:
//!
//! - [a child process](recipes#a-child-process),
//!   [a channel between tasks](recipes#a-channel-between-tasks),
//!   [a sink that may block](recipes#a-sink-that-may-block)
//! - [the first success wins](recipes#the-first-success-wins),
//!   [a timeout for each item](recipes#a-timeout-for-each-item)
//! - [buffered writers](recipes#buffered-writers),
//!   [a source that fails forever](recipes#a-source-that-fails-forever)
//! - [Ctrl-C and SIGTERM](recipes#ctrl-c-and-sigterm), [a progress bar](recipes#a-progress-bar)
//! - [sources that do not compile](recipes#sources-that-do-not-compile),
//!   [a larger stack, names of threads](recipes#a-larger-stack-names-of-threads)
//!
//! `cargo test` compiles and runs the examples on these pages that need only this crate and rayon.
//! Go code is not run, nor is code that needs tokio.

pub mod errors;
pub mod from_go;
pub mod from_rayon;
pub mod from_tokio;
pub mod more_than_one_machine;
pub mod recipes;
