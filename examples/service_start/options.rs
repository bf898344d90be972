//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, value_parser};

use crate::exit::STATUSES;

/// Start a small service, and stop all of its parts when one fails
///
/// A listener on the loopback passes connections to workers, which answer each with a line. A probe
/// checks the answers. After a few probes the service ends by itself.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_help = STATUSES, allow_negative_numbers = true)]
#[command(group = ArgGroup::new("end").args(["probes", "forever", "fail_after"]))]
pub(crate) struct Options {
    /// The port to listen on, at 127.0.0.1; 0 means any free port
    #[arg(short, long, default_value_t = 0)]
    pub(crate) port: u16,

    /// A file of key=value lines that override the defaults: answer=ok, workers=2, and
    /// interval=200 for the milliseconds between two probes; blank lines and lines that begin
    /// with "#" are skipped
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// End after this many probes
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = value_parser!(u32).range(1..=1_000_000))]
    probes: u32,

    /// Run until Ctrl-C
    #[arg(long)]
    forever: bool,

    /// Answer N connections, and later ones with an empty line, which makes the probe fail
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) fail_after: Option<u32>,
}

impl Options {
    /// The number of probes after which the service ends by itself, if it does.
    pub(crate) fn probes(&self) -> Option<u32> {
        (!self.forever && self.fail_after.is_none()).then_some(self.probes)
    }
}
