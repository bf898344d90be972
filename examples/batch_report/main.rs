//! Validates every file of the given folders on all cores, even if some fail. Reports the failures
//! as a table, and draws which worker ran which file when.
//!
//! ```sh
//! cargo run --release --example batch_report                       # samples, some of them broken
//! cargo run --release --example batch_report -- folder --report picture.svg
//! cargo run --release --example batch_report -- folder --max-errors 3 --timeout 60 --jobs 8
//! ```
//!
//! Start reading at `batch.rs`, which has the run. `report` below uses its outcome, and
//! `validate.rs` defines what a valid file is.

mod batch;
mod fate;
mod files;
mod options;
mod picture;
mod samples;
mod table;
mod timeline;
mod validate;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use rayon_errgroup::{CancelToken, Cancelled, Cause, Outcome};

use crate::fate::fates;
use crate::files::quoted;
use crate::options::Options;
use crate::samples::Samples;
use crate::timeline::Timeline;
use crate::validate::Error;

const SOME_FAILED: u8 = 1;
const NO_REPORT: u8 = 2;
/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    let status = interruptible().and_then(|stop| match &*options.paths {
        [] => demonstrate(&options, &stop),
        paths => validate(&options, paths, &stop),
    });
    ExitCode::from(status.unwrap_or_else(|error| {
        if error.is::<Cancelled>() {
            say(format_args!("interrupted before the first file"));
            INTERRUPTED
        } else {
            say(format_args!("error: {error:#}"));
            NO_REPORT
        }
    }))
}

/// Returns the exit status. An `Err` means that there is no report.
fn validate(options: &Options, paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<u8> {
    let outcome = report(options, paths, stop)?;
    tell(&outcome);
    Ok(status(&outcome, outcome.is_complete()))
}

/// The same for generated files: a success if exactly the broken ones are reported.
fn demonstrate(options: &Options, stop: &CancelToken) -> anyhow::Result<u8> {
    let samples = Samples::write(stop)?;
    let outcome = report(options, &[samples.folder().to_owned()], stop)?;
    let is_expected = samples::broken_are_found(&outcome);
    tell(if is_expected {
        "As expected, these are the files that were broken on purpose."
    } else {
        "These are not exactly the files that were broken on purpose."
    });
    tell(&outcome);
    Ok(status(&outcome, is_expected))
}

/// Runs the batch, and prints and draws its outcome.
fn report(
    options: &Options,
    paths: &[PathBuf],
    stop: &CancelToken,
) -> anyhow::Result<Outcome<usize, Error>> {
    let files = files::find(paths, stop)?;
    let (mut svg, path) = options.picture(&files)?;
    let group = options.group(files.len()).token(stop);

    let timeline = Timeline::start();
    let outcome = batch::run(&files, &group, &timeline);

    if let Some(table) = table::failures(&outcome, &files) {
        tell(table);
    }
    let readings: usize = outcome.values().iter().map(|(_, readings)| readings).sum();
    tell(format_args!("{readings} readings in the valid files."));
    let fates = fates(&outcome, files.len());
    let picture = picture::draw(&outcome.to_string(), &timeline.into_bars(), &fates)?;
    svg.write_all(picture.as_bytes())
        .with_context(|| format!("cannot write to {}", quoted(&path)))?;
    tell(format_args!("The picture is in {}.", quoted(&path)));
    Ok(outcome)
}

fn status(outcome: &Outcome<usize, Error>, is_good: bool) -> u8 {
    match outcome.cause() {
        _ if is_good => 0,
        // The parent is the token that Ctrl-C cancels.
        Some(Cause::Parent(_)) => INTERRUPTED,
        _ => SOME_FAILED,
    }
}

/// A token that Ctrl-C cancels. A second Ctrl-C exits at once.
fn interruptible() -> anyhow::Result<CancelToken> {
    let stop = CancelToken::new();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        if !on_signal.cancel_with("interrupted") {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

/// Like `println!`, but does not panic if the output is closed.
fn tell(line: impl fmt::Display) {
    _ = writeln!(io::stdout(), "{line}");
}

/// Like `eprintln!`, but does not panic if standard error is closed.
fn say(line: fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{line}");
}
