//! Counts the words of the given files on all cores, and stops at the first file that is no text.
//!
//! ```sh
//! cargo run --release --example word_count -- README.md src/*.rs
//! cargo run --release --example word_count -- --top 3 README.md
//! ```

#[path = "shared/bounded.rs"]
mod bounded;
#[path = "shared/message.rs"]
mod message;
#[path = "shared/missing.rs"]
mod missing;
#[path = "shared/progress.rs"]
mod progress;
#[path = "shared/stdout.rs"]
mod stdout;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bytesize::ByteSize;
use clap::Parser;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use crate::message::{quoted, say};
use crate::stdout::{Stdout, written};

/// How long a file may be.
const LONGEST: ByteSize = ByteSize::mib(256);

const NOTES: &str = "\
Of several files that cannot be counted the first one is reported, and nothing is
printed.

Exit status:
    0  all is well
    1  a file could not be counted, or the output not written
    2  the arguments are wrong";

/// Count the words of the given files in parallel
///
/// A word is a run of letters and digits, in lower case. Prints each word with its count, the most
/// frequent first, and words of the same count in alphabetical order.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, allow_negative_numbers = true)]
#[command(after_help = NOTES)]
struct Options {
    /// Files of UTF-8 text
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Print only the N most frequent words
    #[arg(short, long, value_name = "N")]
    top: Option<usize>,
}

type Counts = HashMap<String, u64>;

fn main() -> ExitCode {
    let options = Options::parse();
    let result = count(&options.files).and_then(|counts| print(counts, options.top));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Files are read in the order of the arguments. So the first that cannot be read is the one
/// reported, however many threads there are.
fn count(files: &[PathBuf]) -> anyhow::Result<Counts> {
    // Otherwise the first call would start the threads, and panic if it cannot.
    ThreadPoolBuilder::new().build_global()?;
    let progress = progress::bar(
        Some(files.len() as u64),
        "{bar:40} {pos}/{len} files {elapsed}",
    )?;
    let counts = files.par_iter().in_order().try_process(
        |_, file| {
            let text = read(file)?;
            progress.inc(1);
            Ok(text)
        },
        |texts| {
            texts
                .fold(Counts::new, |counts, text| add_words(counts, &text))
                .reduce(Counts::new, merge)
        },
    );
    progress.finish_and_clear();
    counts
}

fn read(file: &Path) -> anyhow::Result<String> {
    let name = quoted(file);
    let bytes = File::open(file).and_then(|file| bounded::read(file, LONGEST));
    let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = valid.split(|byte| *byte == b'\n').count();
    bail!("{name}, line {line}: invalid UTF-8")
}

/// Adds the words of a text. Called by the thread that has read it, so few texts are in memory.
fn add_words(mut counts: Counts, text: &str) -> Counts {
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

fn merge(mut counts: Counts, mut more: Counts) -> Counts {
    // The smaller map is the one that is moved.
    if counts.len() < more.len() {
        (counts, more) = (more, counts);
    }
    for (word, count) in more {
        *counts.entry(word).or_default() += count;
    }
    counts
}

fn print(counts: Counts, top: Option<usize>) -> anyhow::Result<()> {
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_unstable_by(|(word, count), (other, than)| than.cmp(count).then(word.cmp(other)));
    words.truncate(top.unwrap_or(usize::MAX));
    written(write_lines(&words))
}

fn write_lines(words: &[(String, u64)]) -> io::Result<()> {
    let mut output = BufWriter::new(Stdout);
    for (word, count) in words {
        writeln!(output, "{count:7} {word}")?;
    }
    output.flush()
}
