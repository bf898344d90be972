//! How every example ends.

use std::process::ExitCode;

use rayon_errgroup::Cancelled;

use crate::message::say;
use crate::stop;

/// For the end of `--help`.
pub(crate) const STATUSES: &str = "\
Exit status:
    0  all is well
    1  an item failed, or something could not be read or written
    2  the arguments are wrong
  130  interrupted by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
Press Ctrl-C twice to exit at once.";

/// Says why the program failed, and returns its exit status. If a signal stopped it, `result` says
/// what became of the work.
pub(crate) fn explain(error: &anyhow::Error, result: &str) -> ExitCode {
    let cancelled = error.downcast_ref::<Cancelled>();
    if let Some(signal) = cancelled.and_then(|cancelled| stop::signal(cancelled.cause())) {
        say(format_args!("interrupted by {signal}: {result}"));
        return ExitCode::from(signal.status());
    }
    let mut causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    // Some errors print their source themselves.
    causes.dedup();
    say(format_args!("error: {}", causes.join(": ")));
    ExitCode::FAILURE
}
