//! Hashes every file of the given folders on all cores, and stops at the first unreadable one.
//!
//! ```sh
//! cargo run --release --example hash_tree                      # the sources of this crate
//! cargo run --release --example hash_tree -- folder file > sums && sha256sum -c sums
//! cargo run --release --example hash_tree -- --algorithm blake3 --jobs 2 folder
//! ```

mod digest;
mod options;
mod sums;
mod walk;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cancelled, GroupError, prelude::*};

use crate::options::Options;

/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Err(error) = hash(&Options::parse()) else {
        return ExitCode::SUCCESS;
    };
    // Not `eprintln!`, which panics if standard error is closed.
    if error.is::<Cancelled>() {
        _ = writeln!(io::stderr(), "interrupted: no sums are printed");
        ExitCode::from(INTERRUPTED)
    } else {
        _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    }
}

fn hash(options: &Options) -> anyhow::Result<()> {
    let stop = interruptible()?;
    let files = walk::files(&options.paths, &stop)?;
    let progress = progress_bar(files.iter().map(|file| file.size).sum())?;

    let group = options.group().token(&stop);
    let sums = files
        .par_iter()
        // Each thread takes one file at a time, so that no file waits for a large one before it.
        .with_max_len(1)
        .with_group(&group)
        .try_map(|token, file| {
            options
                .algorithm
                .hash(token, &file.path, |bytes| progress.inc(bytes as u64))
        });
    progress.finish_and_clear();

    // The values are in the order of the files, whichever file is ready first.
    sums::print(&files, &sums.map_err(GroupError::flatten)?)
}

/// A token that Ctrl-C cancels. A second Ctrl-C exits at once.
fn interruptible() -> anyhow::Result<CancelToken> {
    let stop = CancelToken::new();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        if !on_signal.cancel() {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

/// A progress bar on standard error, hidden if that is not a terminal.
fn progress_bar(bytes: u64) -> anyhow::Result<ProgressBar> {
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {elapsed}";
    let bar = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(template)?);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    Ok(bar)
}
