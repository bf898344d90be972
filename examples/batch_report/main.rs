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

#[path = "../shared/bounded.rs"]
mod bounded;
#[path = "../shared/exit.rs"]
mod exit;
#[path = "../shared/input.rs"]
mod input;
#[path = "../shared/message.rs"]
mod message;
#[path = "../shared/missing.rs"]
mod missing;
#[path = "../shared/stdout.rs"]
mod stdout;
#[path = "../shared/stop.rs"]
mod stop;
#[path = "../shared/tell.rs"]
mod tell;

mod axis;
mod batch;
mod fate;
mod files;
mod options;
mod picture;
mod samples;
mod svg;
mod table;
mod timeline;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rayon_errgroup::{CancelToken, Cause, Outcome};

use crate::fate::{failures, fates};
use crate::message::quoted;
use crate::options::Options;
use crate::picture::Picture;
use crate::samples::Samples;
use crate::tell::tell;
use crate::timeline::{Recorded, Timeline};
use crate::validate::Error;

fn main() -> ExitCode {
    let options = Options::parse();
    let status = stop::on_signal().and_then(|stop| match &*options.paths {
        [] => demonstrate(&options, &stop),
        paths => validate(&options, paths, &stop),
    });
    status.unwrap_or_else(|error| exit::explain(&error, "no file was read"))
}

/// Returns the exit status. An `Err` means that there is no report.
fn validate(options: &Options, paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<ExitCode> {
    let outcome = report(options, paths, stop)?;
    tell(&outcome)?;
    Ok(status(&outcome, outcome.is_complete()))
}

/// The same for generated files: a success if exactly the broken ones are reported.
fn demonstrate(options: &Options, stop: &CancelToken) -> anyhow::Result<ExitCode> {
    let samples = Samples::write(stop)?;
    let outcome = report(options, &[samples.folder().to_owned()], stop)?;
    let is_expected = samples::broken_are_found(&outcome);
    tell(if is_expected {
        "As expected, these are the files that were broken on purpose."
    } else {
        "These are not exactly the files that were broken on purpose."
    })?;
    tell(&outcome)?;
    Ok(status(&outcome, is_expected))
}

/// Runs the batch, and prints and draws its outcome.
fn report(
    options: &Options,
    paths: &[PathBuf],
    stop: &CancelToken,
) -> anyhow::Result<Outcome<usize, Error>> {
    let found = files::find(paths, stop)?;
    let files = &found.files;
    let svg = options.picture(files)?;
    let group = options.group(files.len())?.token(stop);

    let timeline = Timeline::start(stop);
    let outcome = batch::run(files, &group, &timeline);
    let recorded = timeline.finish();

    let failures = failures(&outcome);
    if let Some(table) = table::table(&failures, files) {
        tell(table)?;
    }
    if let Some(first) = found.skipped.first() {
        let (count, first) = (found.skipped.len(), quoted(first));
        tell(format_args!(
            "Not read, because they are no regular files: {count}, the first is {first}."
        ))?;
    }
    let readings: usize = outcome.values().iter().map(|(_, readings)| readings).sum();
    tell(format_args!("{readings} readings in the valid files."))?;
    if let Some(svg) = svg {
        let picture = Picture {
            title: outcome.to_string(),
            files,
            fates: &fates(&outcome, &failures, files.len()),
            failures: &failures,
            bars: &recorded.bars,
            workers: options.workers(files.len())?,
            stopped: stopped(options, &outcome, &recorded),
        };
        tell(svg.write(&picture.draw())?)?;
    }
    Ok(outcome)
}

/// When the run was stopped early, and by what.
fn stopped(
    options: &Options,
    outcome: &Outcome<usize, Error>,
    recorded: &Recorded,
) -> Option<(Duration, String)> {
    let cause = outcome.cause()?;
    match cause.root() {
        Cause::Deadline => Some((options.timeout?, "deadline".to_owned())),
        Cause::Requested(Some(reason)) => Some((recorded.stopped?, reason.to_string())),
        // The failure after which there were too many.
        _ => {
            let errors = outcome.errors().iter().map(|(index, _)| *index);
            let panics = outcome.panics().iter().filter_map(|(index, _)| *index);
            let failed: Vec<_> = errors.chain(panics).collect();
            let bars = recorded.bars.iter();
            let ends = bars
                .filter(|bar| failed.contains(&bar.index))
                .map(|bar| bar.end);
            let mut ends: Vec<_> = ends.collect();
            ends.sort_unstable();
            let last = ends.get(options.max_errors?.get() - 1)?;
            Some((*last, "too many failures".to_owned()))
        }
    }
}

fn status(outcome: &Outcome<usize, Error>, is_good: bool) -> ExitCode {
    match outcome.cause().and_then(stop::signal) {
        _ if is_good => ExitCode::SUCCESS,
        Some(signal) => ExitCode::from(signal.status()),
        None => ExitCode::FAILURE,
    }
}
