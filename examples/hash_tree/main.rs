//! Hashes every file of the given folders on all cores, and stops at the first it cannot read.
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

/// What shells report of a program that Ctrl-C ended: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Err(error) = hash(&Options::parse()) else {
        return ExitCode::SUCCESS;
    };
    // Not `eprintln!`, which panics where nobody listens.
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
        // One file at a time for each core: behind a large one no other has to wait.
        .with_max_len(1)
        .with_group(&group)
        .try_map(|token, file| {
            options
                .algorithm
                .hash(token, &file.path, |bytes| progress.inc(bytes as u64))
        });
    progress.finish_and_clear();

    // The values are in the order of the files, whichever was ready first.
    sums::print(&files, &sums.map_err(GroupError::flatten)?)
}

/// A token that Ctrl-C cancels. The second Ctrl-C does not wait for anything.
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

/// On standard error, and hidden where that is not a terminal.
fn progress_bar(bytes: u64) -> anyhow::Result<ProgressBar> {
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {elapsed}";
    let bar = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(template)?);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    Ok(bar)
}
