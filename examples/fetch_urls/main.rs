//! Fetches URLs in parallel, and stops at the first that fails.
//!
//! ```sh
//! cargo run --release --example fetch_urls                 # a demonstration on the loopback
//! cargo run --release --example fetch_urls -- https://example.org https://example.com
//! cargo run --release --example fetch_urls -- --file urls.txt --concurrency 8 --max-time 10
//! ```
//!
//! Start reading at `batch.rs`, which has the run. The rest is what any such program needs.

mod batch;
mod client;
mod demo;
mod in_order;
mod options;
mod server;
mod tally;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rayon_errgroup::{CancelToken, Cause, GroupError};

use crate::client::{Error, Page};
use crate::in_order::InOrder;
use crate::options::Options;
use crate::tally::Tally;

const FAILED: u8 = 1;
const NOTHING_STARTED: u8 = 2;
/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    let status = match options.targets() {
        Some(targets) => targets.and_then(|urls| fetch(&options, &urls)),
        None => interruptible().and_then(|stop| demo::run(&stop)),
    };
    status.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        ExitCode::from(NOTHING_STARTED)
    })
}

/// Fetches the URLs and prints a line for each. An `Err` means that nothing was started.
fn fetch(options: &Options, urls: &[String]) -> anyhow::Result<ExitCode> {
    let stop = interruptible()?;
    let agent = client::agent(options.concurrency());
    let group = options.group(urls.len()).token(&stop);
    let tally = Tally::new(urls.len());
    let progress = progress_bar(urls.len())?;
    let lines = Mutex::new(InOrder::new(io::stdout()));

    let start = Instant::now();
    let result = batch::run(urls, &agent, options.limits(), &group, &tally, |ended| {
        progress.inc(1);
        // The bar is hidden meanwhile, so that it does not mix with the line.
        progress.suspend(|| match ended.result {
            Ok(page) => print(&lines, ended.index, Some(line(&page, &urls[ended.index]))),
            Err(error @ Error::Request { .. }) if options.keep_going => {
                say(format_args!("error: {error}"));
                print(&lines, ended.index, None)
            }
            Err(error) => Err(error),
        })
    });
    progress.finish_and_clear();

    // Lines that waited for one before them that was never written.
    let rest = lines.into_inner().map_or(Ok(()), InOrder::finish);
    let result = result.and(rest.map_err(|error| GroupError::Failed {
        index: None,
        error: Error::Output(error),
    }));
    let status = explain(result, &tally);
    if status != INTERRUPTED {
        say(format_args!(
            "{tally}, {} bytes in {:.2?}",
            tally.bytes(),
            start.elapsed()
        ));
    }
    Ok(ExitCode::from(status))
}

/// Prints why the run stopped, if it did, and returns the exit status.
fn explain(result: Result<(), GroupError<Error>>, tally: &Tally) -> u8 {
    match result {
        Ok(()) if tally.failed() > 0 => FAILED,
        Ok(()) => 0,
        // `fetch_urls … | head -1`: the reader has what it wanted.
        Err(GroupError::Failed {
            error: Error::Output(error),
            ..
        }) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(GroupError::Failed { error, .. }) => {
            say(format_args!("error: {error}"));
            FAILED
        }
        Err(GroupError::Cancelled(cancelled)) => {
            if let Cause::Deadline = cancelled.cause().root() {
                say(format_args!(
                    "error: the run exceeded its time limit (--timeout)"
                ));
                return FAILED;
            }
            say(format_args!("interrupted: {tally}"));
            INTERRUPTED
        }
        Err(other) => {
            say(format_args!("error: {other}"));
            FAILED
        }
    }
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

fn line(page: &Page, url: &str) -> String {
    format!("{}\t{}\t{url}", page.status, page.bytes)
}

fn print(
    lines: &Mutex<InOrder<io::Stdout>>,
    index: usize,
    line: Option<String>,
) -> Result<(), Error> {
    let mut lines = lines.lock().expect("writing does not panic");
    lines.put(index, line).map_err(Error::Output)
}

/// A progress bar on standard error, hidden if that is not a terminal.
fn progress_bar(length: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}")?;
    let bar = ProgressBar::new(length as u64).with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    Ok(bar)
}

/// Like `eprintln!`, but does not panic if standard error is closed.
fn say(line: std::fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{line}");
}
