//! Changes a stream of JSON records on all cores, in order, and stops at the first bad line.
//!
//! ```sh
//! cargo run --release --example ndjson_pipeline                      # a demonstration
//! cargo run --release --example ndjson_pipeline -- records.ndjson > results.ndjson
//! cargo run --release --example ndjson_pipeline -- --generate 1GiB --raw > records.ndjson
//! ```
//!
//! Start reading at `pipeline.rs`, which has the run and the equivalent sequential loop.
//! `record.rs` has the change of a record.

mod demo;
mod generate;
mod input;
mod lines;
mod options;
mod output;
mod pipeline;
mod record;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use mimalloc::MiMalloc;
use rayon_errgroup::{CancelToken, GroupError};

use crate::input::Input;
use crate::lines::Lines;
use crate::options::{Mode, Options};
use crate::output::Output;
use crate::pipeline::Error;

/// Records consist of many small allocations, and a result is freed on another thread than the one
/// that allocated it. The allocators of some systems make threads wait for each other then.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    let status = match options.mode() {
        Mode::Demonstrate => demo::run(),
        Mode::Generate => generate(&options),
        Mode::Change => change(&options),
    };
    status.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Writes the result of each record of the input.
fn change(options: &Options) -> anyhow::Result<ExitCode> {
    let stop = interruptible()?;
    let input = options.input()?;
    let mut output = options.output()?;
    let progress = progress_bar(&input, &output)?;
    let source = input.name;
    let lines = Lines::new(progress.wrap_read(input.bytes), options.max_line);

    let mut count: u64 = 0;
    let sink = |result: Vec<u8>| {
        output.write(&result)?;
        count += 1;
        Ok(())
    };
    let result = if options.sequential {
        pipeline::sequential(lines, &stop, sink)
    } else {
        pipeline::parallel(lines, &options.group().token(&stop), sink)
    };
    progress.finish_and_clear();

    // A write error comes first: it belongs to an earlier line than the one that stopped the run.
    let written = output.flush().map_err(|error| GroupError::Failed {
        index: None,
        error: Error::Write(error),
    });
    Ok(match written.and(result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(GroupError::Failed {
            error: Error::Write(error),
            ..
        }) => explain_write(&error, &output),
        Err(GroupError::Cancelled(_)) => {
            say(format_args!("interrupted after {count} lines"));
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            say(format_args!("error: {}", message(error, &source)));
            ExitCode::FAILURE
        }
    })
}

/// Writes the generated records themselves.
fn generate(options: &Options) -> anyhow::Result<ExitCode> {
    let mut input = options.input()?;
    let mut output = options.output()?;
    let written = io::copy(&mut input.bytes, &mut output).and_then(|_| output.flush());
    Ok(match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => explain_write(&error, &output),
    })
}

/// Names the line that stopped the run, and the error.
fn message(error: GroupError<Error>, source: &str) -> String {
    match error {
        GroupError::Failed {
            index: Some(index),
            error,
        } => format!("line {} of {source}: {error}", index + 1),
        other => other.to_string(),
    }
}

fn explain_write(error: &io::Error, output: &Output) -> ExitCode {
    // `ndjson_pipeline … | head -1`: the reader needs no more.
    if error.kind() == ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    say(format_args!(
        "error: cannot write to {}: {error}",
        output.name
    ));
    ExitCode::FAILURE
}

/// A token that Ctrl-C cancels. A second Ctrl-C exits at once.
fn interruptible() -> anyhow::Result<CancelToken> {
    let stop = CancelToken::new();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        if !on_signal.cancel() {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

/// A progress bar on standard error, hidden if that is not a terminal or if the results go to one.
fn progress_bar(input: &Input, output: &Output) -> anyhow::Result<ProgressBar> {
    if output.is_terminal {
        return Ok(ProgressBar::hidden());
    }
    let (bar, template) = match input.size {
        Some(size) => (
            ProgressBar::new(size),
            "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {elapsed}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes} {bytes_per_sec} {elapsed}",
        ),
    };
    let bar = bar.with_style(ProgressStyle::with_template(template)?);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    Ok(bar)
}

/// Like `eprintln!`, but does not panic if standard error is closed.
fn say(line: std::fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{line}");
}
