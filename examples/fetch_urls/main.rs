//! Fetches URLs in parallel, and stops at the first that fails.
//!
//! ```sh
//! cargo run --release --example fetch_urls                 # a demonstration on the loopback
//! cargo run --release --example fetch_urls -- https://example.org https://example.com
//! cargo run --release --example fetch_urls -- --file urls.txt --concurrency 8 --max-time 10
//! ```
//!
//! Start reading at `batch.rs`, which has the run. The rest is what any such program needs.

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
#[path = "../shared/progress.rs"]
mod progress;
#[path = "../shared/stdout.rs"]
mod stdout;
#[path = "../shared/stop.rs"]
mod stop;
#[path = "../shared/tell.rs"]
mod tell;

mod batch;
mod client;
mod demo;
mod in_order;
mod options;
mod server;
mod tally;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use indicatif::ProgressBar;
use rayon_errgroup::{Cause, GroupError};

use crate::client::{Error, Page};
use crate::in_order::InOrder;
use crate::message::say;
use crate::options::Options;
use crate::stdout::{Stdout, written};
use crate::tally::Tally;

fn main() -> ExitCode {
    let options = Options::parse();
    let status = if options.has_targets() {
        fetch(&options)
    } else {
        stop::on_signal().and_then(|stop| demo::run(&stop))
    };
    status.unwrap_or_else(|error| exit::explain(&error, "nothing was fetched"))
}

/// Fetches the URLs and prints a line for each. An `Err` means that nothing was started.
fn fetch(options: &Options) -> anyhow::Result<ExitCode> {
    let stop = stop::on_signal()?;
    let urls = &*options.targets(&stop)?;
    let agent = client::agent(options.concurrency());
    let group = options.group(urls.len())?.token(&stop);
    let tally = Tally::new(urls.len());
    let progress = progress_bar(urls.len())?;
    let lines = Mutex::new(InOrder::new(Stdout));

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
    if !stop.is_cancelled() {
        say(format_args!(
            "{tally}, {} bytes in {:.2?}",
            tally.bytes(),
            start.elapsed()
        ));
    }
    Ok(status)
}

/// Prints why the run stopped, if it did, and returns the exit status.
fn explain(result: Result<(), GroupError<Error>>, tally: &Tally) -> ExitCode {
    let error = match result {
        Ok(()) if tally.failed() > 0 => return ExitCode::FAILURE,
        Ok(()) => return ExitCode::SUCCESS,
        Err(GroupError::Failed {
            error: Error::Output(error),
            ..
        }) => match written(Err(error)) {
            // `fetch_urls … | head -1`: the reader has what it wanted.
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => error,
        },
        Err(GroupError::Failed { error, .. }) => error.into(),
        Err(GroupError::Cancelled(cancelled)) => match cancelled.cause().root() {
            Cause::Deadline => anyhow::anyhow!("the run exceeded its time limit (--timeout)"),
            _ => cancelled.into(),
        },
        Err(other) => other.into(),
    };
    exit::explain(&error, &tally.to_string())
}

fn line(page: &Page, url: &str) -> String {
    format!("{}\t{}\t{url}", page.status, page.bytes)
}

fn print(lines: &Mutex<InOrder<Stdout>>, index: usize, line: Option<String>) -> Result<(), Error> {
    let mut lines = lines.lock().expect("writing does not panic");
    lines.put(index, line).map_err(Error::Output)
}

fn progress_bar(length: usize) -> anyhow::Result<ProgressBar> {
    let template = "{bar:40} {pos}/{len} {per_sec} {elapsed}";
    progress::bar(Some(length as u64), template)
}
