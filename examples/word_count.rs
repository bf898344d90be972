//! Counts the words of the given files on all cores, and stops at the first file that is no text.
//!
//! ```sh
//! cargo run --release --example word_count -- README.md src/*.rs
//! cargo run --release --example word_count -- --top 3 README.md
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

/// Count the words of the given files in parallel
///
/// A word is a run of letters and digits, in lower case. Prints each word with its count, the most
/// frequent first, and words of the same count in alphabetical order.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit status: 0 if every file was counted, 1 if not, 2 if the arguments are \
    wrong. Of several files that cannot be counted the first one is reported, and nothing is \
    printed."
)]
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
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    // Not `eprintln!`, which panics if standard error is closed.
    _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}

/// Files are read in the order of the arguments. So the first that cannot be read is the one
/// reported, however many threads there are.
fn count(files: &[PathBuf]) -> anyhow::Result<Counts> {
    let progress = progress_bar(files.len())?;
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
    // In quotes and escaped, so that any name stays on one line.
    let name = file.to_string_lossy();
    let bytes = fs::read(file).with_context(|| format!("cannot read {name:?}"))?;
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = valid.split(|byte| *byte == b'\n').count();
    bail!("{name:?}, line {line}: invalid UTF-8")
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
    match write_lines(&words) {
        // The reader has seen enough, as in `| head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

fn write_lines(words: &[(String, u64)]) -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for (word, count) in words {
        writeln!(output, "{count:7} {word}")?;
    }
    output.flush()
}

/// A progress bar on standard error, hidden if that is not a terminal.
fn progress_bar(files: usize) -> anyhow::Result<ProgressBar> {
    let template = "{bar:40} {pos}/{len} files {elapsed}";
    let bar = ProgressBar::new(files as u64).with_style(ProgressStyle::with_template(template)?);
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}
