//! Hashes every file of the given folders on all cores, and stops at the first unreadable one.
//!
//! ```sh
//! cargo run --release --example hash_tree                      # the sources of this crate
//! cargo run --release --example hash_tree -- folder file > sums && sha256sum -c sums
//! cargo run --release --example hash_tree -- --algorithm blake3 --jobs 2 folder
//! ```

#[path = "../shared/exit.rs"]
mod exit;
#[path = "../shared/input.rs"]
mod input;
#[path = "../shared/message.rs"]
mod message;
#[path = "../shared/missing.rs"]
mod missing;
#[path = "../shared/progress.rs"]
mod progress;
#[path = "../shared/stdout.rs"]
mod stdout;
#[path = "../shared/stop.rs"]
mod stop;

mod digest;
mod options;
mod sums;
mod walk;

use std::process::ExitCode;

use clap::Parser;
use rayon::prelude::*;
use rayon_errgroup::{GroupError, prelude::*};

use crate::message::{quoted, say};
use crate::options::Options;

fn main() -> ExitCode {
    match hash(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::explain(&error, "no sums are printed"),
    }
}

fn hash(options: &Options) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let walk::Found { files, skipped } = walk::files(&options.paths, &stop)?;
    let bytes = files.iter().map(|file| file.size).sum();
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {elapsed}";
    let progress = progress::bar(Some(bytes), template)?;

    let group = options.group(files.len())?.token(&stop);
    let sums = files
        .par_iter()
        // Of several files that cannot be read, always the first one is named.
        .in_order()
        .with_group(&group)
        .try_map(|token, file| {
            options
                .algorithm
                .hash(token, &file.path, |bytes| progress.inc(bytes as u64))
        });
    progress.finish_and_clear();

    // The values are in the order of the files, whichever file is ready first.
    sums::print(&files, &sums.map_err(GroupError::flatten)?)?;
    if let Some(first) = skipped.first() {
        let (count, first) = (skipped.len(), quoted(first));
        say(format_args!(
            "not hashed, because they are no regular files: {count}, the first is {first}"
        ));
    }
    if files.is_empty() {
        say("there are no files to hash");
    }
    Ok(())
}
