//! Counts the lines of files in parallel. The error is that of the first file that cannot be read.
//!
//! ```sh
//! cargo run --release --example minimal -- README.md src/lib.rs
//! ```

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, error, fs};

use rayon::prelude::*;
use rayon_errgroup::prelude::*;

type Error = Box<dyn error::Error + Send + Sync>;

fn main() -> ExitCode {
    let Err(error) = run() else {
        return ExitCode::SUCCESS;
    };
    _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Error> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    // The counts in the order of the files, or the first error in that order.
    let counts = paths.par_iter().in_order().try_map(|_, path| lines(path))?;
    for (path, count) in paths.iter().zip(counts) {
        writeln!(io::stdout(), "{count:7} {}", path.display())?;
    }
    Ok(())
}

fn lines(path: &Path) -> Result<usize, Error> {
    let name = path.to_string_lossy();
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {name:?}: {error}"))?;
    Ok(text.lines().count())
}
