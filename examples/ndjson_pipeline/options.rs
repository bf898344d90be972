//! The command line.

use std::path::{Path, PathBuf};
use std::thread;

use bytesize::ByteSize;
use clap::Parser;
use clap::error::ErrorKind;
use rayon_errgroup::{CancelToken, ErrGroup};
use same_file::is_same_file;

use crate::exit::STATUSES;
use crate::output::Output;
use crate::record::JQ;
use crate::source::Source;

const NOTES: &str = "\
Blank lines are counted, but have no result. Lines may end in CRLF, and the last
line needs no line end. A line that is not a JSON object in UTF-8 stops the run.
The first such line is named, for any number of threads, and the results of all
lines before it are written. Integers of up to 64 bits are kept exactly, other
numbers are 64-bit floating point.

The output is buffered, unless it is a terminal. Memory does not grow with the
input: a few thousand lines are held at a time, or a few dozen long ones. If the
run is interrupted, the results of the lines before are written.";

/// Change a stream of JSON records on all cores, in order, and stop at the first bad line
///
/// Reads one JSON object per line, removes its field "debug", adds a field "slow" that tells
/// whether the number "ms" is above 500, and writes one line for each, as `jq -c` does with the
/// program below. Without an input it runs a demonstration on generated records.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, allow_negative_numbers = true)]
#[command(after_help = format!("The jq program: {JQ}\n\n{NOTES}\n\n{STATUSES}"))]
#[command(group = clap::ArgGroup::new("input").args(["file", "generate"]))]
pub(crate) struct Options {
    /// The records, "-" for standard input
    file: Option<PathBuf>,

    /// Generate this many bytes of records instead, always the same, such as 300MB or 1GiB
    #[arg(short, long, value_name = "SIZE", value_parser = size)]
    generate: Option<ByteSize>,

    /// Truncate this generated line in the middle; may be given several times
    #[arg(long, value_name = "N", requires = "generate", conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    bad_line: Vec<u64>,

    /// Write the generated records themselves, for other programs to read
    #[arg(long, requires = "generate", conflicts_with_all = ["file", "sequential", "jobs"])]
    raw: bool,

    /// Write to this file, "-" for standard output
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
    #[arg(value_parser = size)]
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

    pub(crate) fn source(&self, token: &CancelToken) -> anyhow::Result<Source> {
        match (&self.file, self.generate) {
            (None, Some(ByteSize(size))) => Ok(Source::generated(size, &self.bad_line)),
            (file, _) => Source::file(file.as_deref().unwrap_or(Path::new("-")), token),
        }
    }

    pub(crate) fn output(&self) -> anyhow::Result<Output> {
        let path = match &self.output {
            Some(path) if path != Path::new("-") => path,
            _ => return Ok(Output::stdout()),
        };
        if let Some(input) = &self.file {
            // The files are opened to compare them, and a pipe may block then. An error means that
            // the output does not exist yet.
            let are_files = input.is_file() && path.is_file();
            if are_files && is_same_file(input, path).unwrap_or(false) {
                let message = "the output would overwrite the input\n";
                clap::Error::raw(ErrorKind::ValueValidation, message).exit();
            }
        }
        Output::file(path)
    }

    /// A group with a thread for each core or job.
    pub(crate) fn group(&self) -> anyhow::Result<ErrGroup> {
        let jobs = match self.jobs {
            Some(jobs) => jobs.into(),
            None => thread::available_parallelism()?.get(),
        };
        Ok(ErrGroup::new().try_concurrency(jobs)?)
    }
}

fn size(text: &str) -> Result<ByteSize, String> {
    match text.parse()? {
        // Larger numbers are parsed as this one.
        ByteSize(u64::MAX) => Err("it is too large".to_owned()),
        size => Ok(size),
    }
}
