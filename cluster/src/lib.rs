//! Runs a [`rayon-errgroup`](rayon_errgroup) batch as several processes, on one machine or many,
//! and returns the error that a sequential loop would return.
//!
//! **Shards** are for Slurm arrays, GNU parallel, Kubernetes indexed jobs and similar launchers.
//! Each process runs a block of the items ([`Shard`]) and writes a [`Report`]. [`merge()`] then
//! returns where the sequential loop would have stopped, or which items have to run again to find
//! out.
//!
//! ```
//! use rayon_errgroup::prelude::*;
//! use rayon_errgroup_cluster::{Report, Shard, Verdict, merge};
//!
//! let items: Vec<u32> = (0..1000).collect();
//! // In each process:
//! let shard = Shard::from_env()?.unwrap_or(Shard::new(0, 1)?);
//! let range = shard.range(items.len());
//! let mine = items[range.clone()].iter().par_in_order();
//! let outcome = mine.outcome(|token, n| {
//!     token.check().map_err(|cancelled| cancelled.to_string())?;
//!     if *n == 700 { Err("seven hundred".to_owned()) } else { Ok(()) }
//! });
//! let reports = tempfile::tempdir()?;
//! Report::new(range, items.len(), &outcome).write(reports.path())?;
//!
//! // At the end, in one:
//! let verdict = merge(&Report::read_all(reports.path())?, items.len())?;
//! assert_eq!(verdict, Verdict::Failed { index: 700, error: "seven hundred".into() });
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! **Ranks** are for MPI, behind the feature `mpi`. They run one batch on all processes of a job.
//! Rank 0 hands out the items in ascending order, and a failure cancels the later items on all
//! ranks. Every rank returns the same error, that of the sequential loop, with its index.
//!
//! Do not rely on the exit status of a launcher: `merge` decides, and it treats the items of a
//! missing report as unknown. The guide of `rayon-errgroup` compares the launchers
//! ([More than one machine](rayon_errgroup::guide::more_than_one_machine)).

mod launcher;
mod merge;
#[cfg(any(feature = "mpi", test))]
mod ranks;
mod report;
mod shard;

pub use merge::{Account, MergeError, Verdict, merge};
#[cfg(feature = "mpi")]
pub use ranks::Ranks;
#[cfg(any(feature = "mpi", test))]
pub use ranks::{Ended, RanksError};
pub use report::{ReadError, Report};
pub use shard::{Shard, ShardError};
