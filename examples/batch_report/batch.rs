//! The run: every file is validated, even if others fail.

use std::panic;
use std::path::PathBuf;

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, Outcome, prelude::*};

use crate::timeline::Timeline;
use crate::validate::{self, Error};

/// Returns the complete outcome: the number of readings of each valid file, the error of each
/// invalid one, and how many files were skipped. The group decides how many files may fail before
/// the rest is skipped, and what else stops the run: see `Options::group`.
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
                // Dropped at the end of the file, even if the validation panics.
                let _bar = timeline.begin(index);
                validate::file(token, file)
            })
    })
}

/// Silences the panic hook, since the outcome has the panics. Set `RUST_BACKTRACE` to see where
/// they come from.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        return run();
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = run();
    panic::set_hook(hook);
    result
}
