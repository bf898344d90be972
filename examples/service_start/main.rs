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

mod listener;
mod options;
mod probe;
mod service;
mod settings;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use rayon_errgroup::{Cause, GroupError};

use crate::options::Options;
use crate::service::Service;
use crate::tell::tell;

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = stop::on_signal().and_then(|stop| {
        let service = Service::prepare(&options, &stop)?;
        explain(service.run(&stop))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::explain(&error, "every part has ended"),
    }
}

/// Prints why the service stopped, if that is no failure.
///
/// There is only one cause, even if several parts ended because of it.
fn explain(result: Result<(), GroupError<anyhow::Error>>) -> anyhow::Result<()> {
    match result {
        Ok(()) => Ok(()),
        // A part failed. The errors of the parts that it stopped are not returned.
        Err(GroupError::Failed { error, .. }) => Err(error),
        Err(GroupError::Cancelled(cancelled)) => match cancelled.cause() {
            // A part cancelled the token of the scope.
            Cause::Requested(Some(reason)) => tell(format_args!("stopped: {reason}")),
            // A signal cancelled the token of the group.
            _ => Err(cancelled.into()),
        },
        Err(other) => Err(anyhow::anyhow!("{other}")),
    }
}
