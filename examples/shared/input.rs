//! Reads that a cancellation ends, even if they block.

use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rayon_errgroup::CancelToken;

use crate::missing;

/// How much a pipe is read ahead.
const CHUNK: usize = 128 * 1024;

/// A file or a pipe whose reads fail once the token is cancelled.
pub(crate) struct Input {
    token: CancelToken,
    source: Source,
}

enum Source {
    /// The reads of a regular file return soon.
    File(File),
    /// Those of a pipe or a device may block for ever, and so may opening it. A thread of its own
    /// does both, and is left behind if the token is cancelled.
    Thread {
        chunks: Receiver<io::Result<Vec<u8>>>,
        chunk: Cursor<Vec<u8>>,
    },
}

impl Input {
    /// Opens a file, or standard input if the path is "-".
    pub(crate) fn open(path: &Path, token: &CancelToken) -> io::Result<Input> {
        let source = if path == Path::new("-") {
            missing::check(0)?;
            on_a_thread(|| Ok(io::stdin()))?
        } else {
            let metadata = fs::metadata(path)?;
            if metadata.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            } else if metadata.is_file() {
                Source::File(File::open(path)?)
            } else {
                let path = path.to_owned();
                on_a_thread(|| File::open(path))?
            }
        };
        let token = token.clone();
        Ok(Input { token, source })
    }
}

fn on_a_thread<R: Read>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> io::Result<Source> {
    let (send, chunks) = bounded(1);
    thread::Builder::new().spawn(move || {
        if let Err(error) = open().and_then(|from| send_chunks(from, &send)) {
            _ = send.send(Err(error));
        }
    })?;
    let chunk = Cursor::default();
    Ok(Source::Thread { chunks, chunk })
}

/// Returns at the end, or when nobody reads the chunks any more.
fn send_chunks(mut from: impl Read, to: &Sender<io::Result<Vec<u8>>>) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK];
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                chunk.truncate(length);
                if to.send(Ok(chunk)).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.token.check()?;
        let (chunks, chunk) = match &mut self.source {
            Source::File(file) => return file.read(buffer),
            Source::Thread { chunks, chunk } => (chunks, chunk),
        };
        loop {
            let length = chunk.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            select! {
                recv(chunks) -> next => match next {
                    Ok(next) => *chunk = Cursor::new(next?),
                    // The thread has sent everything.
                    Err(_) => return Ok(0),
                },
                recv(self.token.done()) -> _ => self.token.check()?,
            }
        }
    }
}
