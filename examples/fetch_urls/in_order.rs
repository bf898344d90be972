//! Writes lines in order that become ready in any order.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes each line as soon as all lines before it are written.
pub(crate) struct InOrder<W> {
    out: W,
    next: usize,
    waiting: BTreeMap<usize, Option<String>>,
}

impl<W: Write> InOrder<W> {
    pub(crate) fn new(out: W) -> InOrder<W> {
        InOrder {
            out,
            next: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Adds the line with this number. `None` means that there is none, so that later lines need
    /// not wait.
    pub(crate) fn put(&mut self, number: usize, line: Option<String>) -> io::Result<()> {
        self.waiting.insert(number, line);
        while let Some(line) = self.waiting.remove(&self.next) {
            self.next += 1;
            write_line(&mut self.out, line)?;
        }
        Ok(())
    }

    /// Writes the remaining lines, which follow a missing one.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        for line in self.waiting.into_values() {
            write_line(&mut self.out, line)?;
        }
        self.out.flush()
    }
}

fn write_line(out: &mut impl Write, line: Option<String>) -> io::Result<()> {
    line.map_or(Ok(()), |line| writeln!(out, "{line}"))
}
