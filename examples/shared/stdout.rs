//! Standard output, whose errors are never lost.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

use crate::missing;

/// Standard output. Unlike `std::io::Stdout` it fails if the program was started without one, as by
/// `>&-`.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        missing::check(1)?;
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Adds what could not be done. A reader that has seen enough, as in `| head`, is no failure.
pub(crate) fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}
