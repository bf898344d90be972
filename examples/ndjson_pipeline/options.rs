//! The command line.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use bytesize::ByteSize;
use clap::Parser;
use rayon_errgroup::ErrGroup;

use crate::input::Input;
use crate::output::Output;
use crate::record::JQ;

const NOTES: &str = "\
Blank lines are counted, but have no result. Lines may end in CRLF, and the last
line needs no line end. A line that is not a JSON object in UTF-8 stops the run.
The first such line is named, for any number of threads, and the results of all
lines before it are written. Integers of up to 64 bits are kept exactly, other
numbers are 64-bit floating point.

The output is buffered, unless it is a terminal. Memory does not grow with the
input: a few thousand lines are held at a time, or a few dozen long ones. A run
that stops waits for the line that is being read; press Ctrl-C twice to exit at
once.

Exit status: 0 if every line was changed or the reader closed the output, 1 if
not, 2 if the arguments are wrong, 130 after Ctrl-C.";

/// Change a stream of JSON records on all cores, in order, and stop at the first bad line
///
/// Reads one JSON object per line, removes its field "debug", adds a field "slow" that tells
/// whether the number "ms" is above 500, and writes one line for each, as `jq -c` does with the
/// program below. Without an input it runs a demonstration on generated records.
#[derive(Debug, Parser)]
#[command(after_help = format!("The jq program: {JQ}\n\n{NOTES}"))]
#[command(group = clap::ArgGroup::new("input").args(["file", "generate"]))]
pub(crate) struct Options {
    /// The records, "-" for standard input
    file: Option<PathBuf>,

    /// Generate this many bytes of records instead, always the same, such as 300MB or 1GiB
    #[arg(short, long, value_name = "SIZE")]
    generate: Option<ByteSize>,

    /// Truncate this generated line in the middle; may be given several times
    #[arg(long, value_name = "N", requires = "generate", conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    bad_line: Vec<u64>,

    /// Write the generated records themselves, for other programs to read
    #[arg(long, requires = "generate", conflicts_with_all = ["file", "sequential", "jobs"])]
    raw: bool,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", requires = "input")]
    output: Option<PathBuf>,

    /// How many lines are changed at once [default: one for each core]
    #[arg(short, long, value_name = "N", requires = "input")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    /// Change one line after the other in a plain loop, for comparison
    #[arg(short, long, requires = "input", conflicts_with = "jobs")]
    pub(crate) sequential: bool,

    /// How long a line may be, including its line end, so that no input uses up all memory
    #[arg(long, value_name = "SIZE", default_value = "16MiB", requires = "input")]
    pub(crate) max_line: ByteSize,
}

/// What the program does.
pub(crate) enum Mode {
    Demonstrate,
    Generate,
    Change,
}

impl Options {
    pub(crate) fn mode(&self) -> Mode {
        if self.raw {
            Mode::Generate
        } else if self.file.is_some() || self.generate.is_some() {
            Mode::Change
        } else {
            Mode::Demonstrate
        }
    }

    pub(crate) fn input(&self) -> anyhow::Result<Input> {
        match (&self.file, self.generate) {
            (Some(path), _) if path != Path::new("-") => Input::file(path),
            (_, Some(ByteSize(size))) => Ok(Input::generated(size, &self.bad_line)),
            _ => Ok(Input::stdin()),
        }
    }

    pub(crate) fn output(&self) -> anyhow::Result<Output> {
        let Some(path) = &self.output else {
            return Ok(Output::stdout());
        };
        if let Some(input) = &self.file {
            // An error means that the output does not exist yet.
            let is_input = same_file::is_same_file(input, path).unwrap_or(false);
            ensure!(!is_input, "the output would overwrite the input");
        }
        Output::file(path)
    }

    /// Without `--jobs` the run uses rayon's global pool, one thread for each core.
    pub(crate) fn group(&self) -> ErrGroup {
        match self.jobs {
            Some(jobs) => ErrGroup::new().concurrency(jobs.into()),
            None => ErrGroup::new(),
        }
    }
}
