//! The lines of an input.

use std::io::{BufRead, BufReader, Read};
use std::mem;

use bytesize::ByteSize;

use crate::pipeline::Error;

/// How many bytes are read at once. Only one thread reads at a time, and feeds all others.
const BUFFER: usize = 256 * 1024;

/// The lines as bytes, including their line ends. The reader does not look into them.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    limit: ByteSize,
    begun: bool,
    failed: bool,
}

/// Some programs begin a file with this mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R, limit: ByteSize) -> Lines<R> {
        Lines {
            input: BufReader::with_capacity(BUFFER, input),
            limit,
            begun: false,
            failed: false,
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Vec<u8>, Error>;

    /// Returns `None` after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let ByteSize(limit) = self.limit;
        let mut line = Vec::new();
        let mut input = self.input.by_ref().take(limit.saturating_add(1));
        let error = match input.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(length) if length as u64 <= limit => {
                if !mem::replace(&mut self.begun, true) && line.starts_with(BYTE_ORDER_MARK) {
                    line.drain(..BYTE_ORDER_MARK.len());
                }
                return Some(Ok(line));
            }
            Ok(_) => Error::TooLong(self.limit),
            Err(error) => Error::Read(error),
        };
        self.failed = true;
        Some(Err(error))
    }
}
