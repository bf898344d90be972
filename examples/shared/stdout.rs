//! Standard output, whose errors are never lost.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Standard output. Unlike `std::io::Stdout` it fails if the program was started without one, as by
/// `>&-`. (The runtime of Rust opens the null device in its place.)
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        missing::check()?;
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

#[cfg(unix)]
mod missing {
    use std::io;
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    /// Relaxed is enough: it is written before `main`.
    static IS_MISSING: AtomicBool = AtomicBool::new(false);

    ctor::declarative::ctor! {
        /// Runs before the runtime opens what is missing.
        #[ctor(unsafe)]
        fn look() {
            let copy = io::stdout().as_fd().try_clone_to_owned();
            IS_MISSING.store(copy.is_err(), Relaxed);
        }
    }

    pub(super) fn check() -> io::Result<()> {
        if IS_MISSING.load(Relaxed) {
            return Err(io::Error::other("it is closed"));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod missing {
    pub(super) fn check() -> std::io::Result<()> {
        Ok(())
    }
}
