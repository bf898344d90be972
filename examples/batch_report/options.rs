//! The command line.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use clap::error::ErrorKind;
use rayon_errgroup::ErrGroup;
use same_file::is_same_file;

use crate::exit::STATUSES;
use crate::message::quoted;
use crate::svg::Svg;

const NOTES: &str = "\
A file is valid if it is a JSON object with a string \"station\" and an array
\"readings\" of at least 24 objects. Each has an integer \"second\", in ascending
order, and a number \"celsius\" from -90 to 60.

Ctrl-C skips the rest and reports what was done until then. A file that is being
read counts as cancelled. A panic of the validator counts as a failure; set
RUST_BACKTRACE to see where it comes from. The demonstration is a success if
exactly the files that it broke are reported.";

/// Validate every file of the given folders in parallel, even if some fail, and report on all
///
/// Prints the failures as a table, and draws which worker ran which file when, if a file for the
/// picture is given. In folders it reads the regular files whose names end in .json, and counts
/// what else ends so. Without a path it runs a demonstration on generated files.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, allow_negative_numbers = true)]
#[command(after_help = format!("{NOTES}\n\n{STATUSES}"))]
pub(crate) struct Options {
    /// Folders and files
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Write the picture, an SVG, to this file
    #[arg(short, long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Skip the rest after this many failures [default: keep going]
    #[arg(short = 'e', long, value_name = "N")]
    pub(crate) max_errors: Option<NonZero<usize>>,

    /// Skip the rest after this time
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// How many files are validated at once [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Options {
    /// The policy of a run over this many files, which may be fewer than the threads allowed.
    pub(crate) fn group(&self, files: usize) -> anyhow::Result<ErrGroup> {
        let mut group = ErrGroup::new().catch_panics();
        group = match self.max_errors {
            Some(limit) => group.max_errors(limit.get()),
            None => group.keep_going(),
        };
        if let Some(limit) = self.timeout {
            group = group.timeout(limit);
        }
        Ok(group.try_concurrency(self.workers(files)?)?)
    }

    /// The number of threads.
    pub(crate) fn workers(&self, files: usize) -> anyhow::Result<usize> {
        let jobs = match self.jobs {
            Some(jobs) => jobs.into(),
            None => thread::available_parallelism()?.get(),
        };
        Ok(files.clamp(1, jobs))
    }

    /// Opens the file for the picture. A failure is reported before the run, which may be long.
    pub(crate) fn picture(&self, files: &[PathBuf]) -> anyhow::Result<Option<Svg>> {
        let Some(path) = &self.report else {
            return Ok(None);
        };
        // The files are opened to compare them, and a pipe may block then. An error means that the
        // picture does not exist yet.
        let is_picture = |file: &PathBuf| {
            path.is_file() && file.is_file() && is_same_file(file, path).unwrap_or(false)
        };
        let wrong = if path == Path::new("-") {
            "standard output has the report, so the picture needs a file\n".to_owned()
        } else if files.iter().any(is_picture) {
            format!("the picture would overwrite {}\n", quoted(path))
        } else {
            return Svg::open(path).map(Some);
        };
        clap::Error::raw(ErrorKind::ValueValidation, wrong).exit()
    }
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let limit = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(!limit.is_zero(), "it must be more than zero");
    Ok(limit)
}
