//! The destination of the results.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use crate::message::quoted;
use crate::pipeline::Error;
use crate::stdout::Stdout;

const BUFFER: usize = 256 * 1024;

pub(crate) struct Output {
    /// The name in messages.
    pub(crate) name: String,
    pub(crate) is_terminal: bool,
    to: BufWriter<Box<dyn Write>>,
}

impl Output {
    /// Standard output, unbuffered on a terminal, so that each result is shown at once.
    pub(crate) fn stdout() -> Output {
        let is_terminal = io::stdout().is_terminal();
        Output {
            name: "standard output".to_owned(),
            is_terminal,
            to: BufWriter::with_capacity(if is_terminal { 0 } else { BUFFER }, Box::new(Stdout)),
        }
    }

    pub(crate) fn file(path: &Path) -> anyhow::Result<Output> {
        let name = quoted(path);
        let file = File::create(path).with_context(|| format!("cannot write to {name}"))?;
        Ok(Output {
            name,
            is_terminal: file.is_terminal(),
            to: BufWriter::with_capacity(BUFFER, Box::new(file)),
        })
    }

    /// Writes the result of a line.
    pub(crate) fn write(&mut self, result: &[u8]) -> Result<(), Error> {
        self.to.write_all(result).map_err(Error::Write)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
