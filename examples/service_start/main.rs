//! Starts a small service, and stops all of its parts when one fails or Ctrl-C is pressed.
//!
//! ```sh
//! cargo run --release --example service_start                    # answers five probes and ends
//! cargo run --release --example service_start -- --fail-after 3  # a failure stops every part
//! cargo run --release --example service_start -- --forever --port 8080    # until Ctrl-C
//! ```
//!
//! Start reading at `service.rs`, which has both groups. `listener.rs`, `worker.rs` and `probe.rs`
//! show three ways to block and still notice a cancellation.

mod listener;
mod options;
mod probe;
mod service;
mod settings;
mod worker;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use rayon_errgroup::{CancelToken, Cause, GroupError};

use crate::options::Options;
use crate::service::Service;

const FAILED: u8 = 1;
const NOTHING_STARTED: u8 = 2;
/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    let ready = interruptible().and_then(|stop| Ok((Service::prepare(&options)?, stop)));
    ExitCode::from(match ready {
        Ok((service, stop)) => explain(service.run(&stop)),
        Err(error) => {
            say(format_args!("error: {error:#}"));
            NOTHING_STARTED
        }
    })
}

/// Prints what stopped the service, and returns the exit status.
///
/// There is only one cause, even if several parts ended because of it.
fn explain(result: Result<(), GroupError<anyhow::Error>>) -> u8 {
    match result {
        Ok(()) => 0,
        // A part failed. The errors of the parts that it stopped are not returned.
        Err(GroupError::Failed { error, .. }) => {
            say(format_args!("error: {error:#}"));
            FAILED
        }
        Err(GroupError::Cancelled(cancelled)) => match cancelled.cause() {
            // A part cancelled the token of the scope.
            Cause::Requested(Some(reason)) => {
                tell(format_args!("stopped: {reason}"));
                0
            }
            // Ctrl-C cancelled the token of the group.
            cause => {
                say(format_args!("interrupted: {cause}"));
                INTERRUPTED
            }
        },
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

/// Like `println!`, but does not panic if the output is closed.
fn tell(line: std::fmt::Arguments<'_>) {
    _ = writeln!(io::stdout(), "{line}");
}

/// The same on standard error.
fn say(line: std::fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{line}");
}
