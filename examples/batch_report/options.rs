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
A file is valid if it is a JSON object with a text \"station\" and an array
\"readings\" of at least 24 objects with a whole number \"second\", which ascends,
and a number \"celsius\" from -90 to 60.

Exit status: 0 if every file is valid, 1 if not, be it that some were skipped, 2
if there is no report because the arguments are wrong or something named there
cannot be read or written, 130 after Ctrl-C. It is 1 and not the 2 of `make -k`
because invalid files are a result, and 2 means trouble, as with grep and diff.
The demonstration ends with 0 if the files that it broke are those reported.

Ctrl-C skips the rest, and the report is of what was done by then; a file that was
being read counts as failed. Press it twice not to wait. A panic of the validator
is a failure too; set RUST_BACKTRACE to see where it comes from.";

/// Validate every file of the given folders in parallel, whatever fails, and report on all
///
/// Prints the failures as a table, and draws which worker had which file when. In folders it reads
/// the files whose names end in .json. Without a path it runs a demonstration on files of its own.
#[derive(Debug, Parser)]
#[command(after_help = NOTES)]
pub(crate) struct Options {
    /// Folders and files
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Draw the picture, an SVG, to this file [default: one in the temporary folder]
    #[arg(short, long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Skip the rest after so many failures [default: keep going]
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
    /// The policy of a run over so many files, which may be fewer than the threads allowed.
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

    /// The file for the picture. It is made before the run, which may be long.
    pub(crate) fn picture(&self, files: &[PathBuf]) -> anyhow::Result<(File, PathBuf)> {
        let path = self.report.clone().unwrap_or_else(|| {
            let name = format!("batch_report-{}.svg", std::process::id());
            std::env::temp_dir().join(name)
        });
        // Of a file that is not there yet it is an error to ask.
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
