//! The command line.

use std::fs::File;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use rayon_errgroup::ErrGroup;

use crate::files::quoted;

const NOTES: &str = "\
A file is valid if it is a JSON object with a string \"station\" and an array
\"readings\" of at least 24 objects. Each has an integer \"second\", in ascending
order, and a number \"celsius\" from -90 to 60.

Exit status: 0 if every file is valid, 1 if some are invalid or were skipped, 2
if there is no report because the arguments are wrong or a named file cannot be
read or written, 130 after Ctrl-C. Invalid files are a result, so the status is 1
as with grep and diff, which use 2 for trouble. The demonstration exits with 0 if
exactly the files that it broke are reported.

Ctrl-C skips the rest and reports what was done until then. A file that is being
read counts as cancelled. Press Ctrl-C twice to exit at once. A panic of the validator
counts as a failure; set RUST_BACKTRACE to see where it comes from.";

/// Validate every file of the given folders in parallel, even if some fail, and report on all
///
/// Prints the failures as a table, and draws which worker ran which file when. In folders it reads
/// the files whose names end in .json. Without a path it runs a demonstration on generated files.
#[derive(Debug, Parser)]
#[command(after_help = NOTES)]
pub(crate) struct Options {
    /// Folders and files
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Write the picture, an SVG, to this file [default: a file in the temporary folder]
    #[arg(short, long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Skip the rest after this many failures [default: keep going]
    #[arg(short = 'e', long, value_name = "N")]
    max_errors: Option<NonZero<usize>>,

    /// Skip the rest after this time
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,

    /// How many files are validated at once [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Options {
    /// The policy of a run over this many files, which may be fewer than the threads allowed.
    pub(crate) fn group(&self, files: usize) -> ErrGroup {
        let mut group = ErrGroup::new().catch_panics();
        group = match self.max_errors {
            Some(limit) => group.max_errors(limit.get()),
            None => group.keep_going(),
        };
        if let Some(limit) = self.timeout {
            group = group.timeout(limit);
        }
        if let Some(jobs) = self.jobs {
            group = group.concurrency(files.clamp(1, jobs.into()));
        }
        group
    }

    /// Creates the file for the picture. A failure is reported before the run, which may be long.
    pub(crate) fn picture(&self, files: &[PathBuf]) -> anyhow::Result<(File, PathBuf)> {
        let path = self.report.clone().unwrap_or_else(|| {
            let name = format!("batch_report-{}.svg", std::process::id());
            std::env::temp_dir().join(name)
        });
        // An error means that the picture does not exist yet.
        let is_picture = |file| same_file::is_same_file(file, &path).unwrap_or(false);
        let name = quoted(&path);
        ensure!(
            !files.iter().any(is_picture),
            "the picture would overwrite {name}"
        );
        let svg = File::create(&path).with_context(|| format!("cannot write to {name}"))?;
        Ok((svg, path))
    }
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let limit = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(!limit.is_zero(), "it must be more than zero");
    Ok(limit)
}
