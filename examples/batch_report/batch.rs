//! The run: every file is validated, whatever becomes of the others.

use std::panic;
use std::path::PathBuf;

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, Outcome, prelude::*};

use crate::timeline::Timeline;
use crate::validate::{self, Error};

/// Returns everything that came of it: for each valid file how many readings it has, for each other
/// one why it is not valid, and how many files were skipped. Which files may fail before the rest
/// is skipped, and what else ends the run, is up to the group: see `Options::group`.
pub(crate) fn run(
    files: &[PathBuf],
    group: &ErrGroup,
    timeline: &Timeline,
) -> Outcome<usize, Error> {
    quietly(|| {
        files
            .par_iter()
            .enumerate()
            .in_order()
            .with_group(group)
            .outcome(|token, (index, file)| {
                // Dropped at the end of the file, even if that is a panic.
                let _bar = timeline.begin(index);
                validate::file(token, file)
            })
    })
}

/// The panics are in the outcome, so nothing is printed when they happen. `RUST_BACKTRACE` is the way
/// to find out where they come from.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        return run();
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = run();
    panic::set_hook(hook);
    result
}
