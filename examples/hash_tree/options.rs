//! The command line.

use std::path::PathBuf;

use clap::Parser;
use rayon_errgroup::ErrGroup;

use crate::digest::Algorithm;

/// Hash every file of the given folders in parallel, and stop at the first unreadable one
///
/// Prints the same lines as sha256sum or b3sum, sorted by path. Symbolic links are followed if they
/// are given as arguments, but not inside a folder.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit status: 0 if every file was hashed, 1 if not, 2 if the arguments are \
    wrong, 130 after Ctrl-C. There is no output unless every file was hashed."
)]
pub(crate) struct Options {
    /// Folders and files [default: the sources of this crate]
    #[arg(value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/src"))]
    #[arg(hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// The hash function
    #[arg(short, long, value_enum, default_value_t = Algorithm::Sha256)]
    pub(crate) algorithm: Algorithm,

    /// How many files are hashed at once [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Options {
    /// Without `--jobs` the run uses rayon's global pool, one thread for each core.
    pub(crate) fn group(&self) -> ErrGroup {
        match self.jobs {
            Some(jobs) => ErrGroup::new().concurrency(jobs.into()),
            None => ErrGroup::new(),
        }
    }
}
