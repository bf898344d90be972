//! [`rayon-errgroup`](rayon_errgroup) beyond one machine: a batch that runs as several processes,
//! on the engines that people have, answers as the sequential loop would.
//!
//! **Shards**, for Slurm arrays, GNU parallel, Kubernetes indexed jobs and the like: each process
//! runs a block of the items ([`Shard`]) and writes what came of it ([`Report`]). [`merge()`] says
//! where the sequential loop would have stopped, or which items have to run again for that.
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
//! **MPI**, behind the feature `mpi`: `Ranks` runs one batch on all ranks of a job. Rank 0 hands
//! out the items in ascending order, and a failure cancels the items above it on all ranks. So each
//! rank returns the sequential loop's index, error and account.
//!
//! The truth about shards is the merge, and never the exit status of a launcher: a report that is
//! missing counts as lost. The guide of `rayon-errgroup` says which engine is for whom.

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
