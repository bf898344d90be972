//! `tell`: prints a line.

use std::fmt::Display;
use std::io::Write;

use crate::stdout::{Stdout, written};

/// Prints a line. A reader that has gone is no failure.
pub(crate) fn tell(line: impl Display) -> anyhow::Result<()> {
    // One write, so that the lines of two threads do not mix.
    written(Stdout.write_all(format!("{line}\n").as_bytes()))
}
