//! Standard input and output that the program was started without, as by `<&-` or `>&-`.
//!
//! The runtime of Rust opens the null device in their place, so that nothing would seem to be
//! wrong.

#[cfg(unix)]
mod system {
    use std::io;
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    /// By descriptor. Relaxed is enough: it is written before `main`.
    static IS_MISSING: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

    ctor::declarative::ctor! {
        /// Runs before the runtime opens what is missing.
        #[ctor(unsafe)]
        fn look() {
            let (stdin, stdout) = (io::stdin(), io::stdout());
            let copies = [stdin.as_fd(), stdout.as_fd()].map(|handle| handle.try_clone_to_owned());
            for (is_missing, copy) in IS_MISSING.iter().zip(copies) {
                is_missing.store(copy.is_err(), Relaxed);
            }
        }
    }

    pub(super) fn is_missing(descriptor: usize) -> bool {
        IS_MISSING[descriptor].load(Relaxed)
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn is_missing(_descriptor: usize) -> bool {
        false
    }
}

/// Fails if the program was started without this descriptor: 0 is input, and 1 is output.
pub(crate) fn check(descriptor: usize) -> std::io::Result<()> {
    if system::is_missing(descriptor) {
        return Err(std::io::Error::other("it is closed"));
    }
    Ok(())
}
