//! The command line.

use std::path::PathBuf;
use std::thread;

use clap::Parser;
use rayon_errgroup::ErrGroup;

use crate::digest::Algorithm;
use crate::exit::STATUSES;

const NOTES: &str = "\
There is no output unless every file was hashed. Of several files that cannot be
read, the first in the order of the output is named. What is in a folder and no
regular file (a link, a pipe) is counted on standard error.";

/// Hash every file of the given folders in parallel, and stop at the first unreadable one
///
/// Prints the same lines as sha256sum or b3sum, sorted by path. Symbolic links are followed if they
/// are given as arguments, but not inside a folder.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_help = format!("{NOTES}\n\n{STATUSES}"))]
pub(crate) struct Options {
    /// Folders and files, "-" for standard input [default: the sources of this crate]
    #[arg(value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/src"))]
    #[arg(hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// The hash function
    #[arg(short, long, value_enum, default_value_t = Algorithm::Sha256)]
    pub(crate) algorithm: Algorithm,

    /// How many files are hashed at once [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    #[arg(allow_negative_numbers = true)]
    jobs: Option<u16>,
}

impl Options {
    /// A group with a thread for each core or job, but not more threads than files.
    pub(crate) fn group(&self, files: usize) -> anyhow::Result<ErrGroup> {
        let jobs = match self.jobs {
            Some(jobs) => jobs.into(),
            None => thread::available_parallelism()?.get(),
        };
        Ok(ErrGroup::new().try_concurrency(files.clamp(1, jobs))?)
    }
}
