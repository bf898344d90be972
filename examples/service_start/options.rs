//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, value_parser};

/// Start a small service, and stop all of it when one part fails
///
/// A listener on the loopback hands its connections to workers, which answer each with a line, and
/// a probe watches whether they do. After a few probes the service ends by itself.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit status: 0 if the service ended by itself, 1 if a part of it failed, 2 if \
    nothing was begun (bad arguments, a bad file, a port in use), 130 after Ctrl-C. Press Ctrl-C \
    twice not to wait for the parts to end."
)]
#[command(group = ArgGroup::new("end").args(["probes", "forever", "fail_after"]))]
pub(crate) struct Options {
    /// Where to listen, on 127.0.0.1; 0 is any port that is free
    #[arg(short, long, default_value_t = 0)]
    pub(crate) port: u16,

    /// Lines of key=value that change the defaults: answer=ok, workers=2, and interval=200 for the
    /// milliseconds between two probes; blank lines and lines that begin with "#" are skipped
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// End after so many probes
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = value_parser!(u32).range(1..=1_000_000))]
    probes: u32,

    /// Do not end until Ctrl-C
    #[arg(long)]
    forever: bool,

    /// Answer N connections, and all others with an empty line, until the probe fails because of it
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) fail_after: Option<u32>,
}

impl Options {
    /// After how many probes the service ends by itself, if it does.
    pub(crate) fn probes(&self) -> Option<u32> {
        (!self.forever && self.fail_after.is_none()).then_some(self.probes)
    }
}
