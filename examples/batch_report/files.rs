//! Finds the files to validate.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rayon_errgroup::CancelToken;
use walkdir::{DirEntry, WalkDir};

use crate::message::quoted;

/// What there is in some folders.
pub(crate) struct Found {
    pub(crate) files: Vec<PathBuf>,
    /// What is named as a file that is read, but is no regular file, such as a link.
    pub(crate) skipped: Vec<PathBuf>,
}

/// The `.json` files in the folders, and the files that were named themselves, sorted by name.
pub(crate) fn find(paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<Found> {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        for entry in WalkDir::new(path).sort_by_file_name() {
            stop.check()?;
            let entry = entry.or_else(|error| unreadable(path, error))?;
            if !is_wanted(&entry) {
                continue;
            }
            if entry.depth() == 0 || entry.file_type().is_file() {
                files.push(entry.into_path());
            } else {
                skipped.push(entry.into_path());
            }
        }
    }
    // An empty folder is most likely the wrong one, and not a success.
    let names: Vec<_> = paths.iter().map(quoted).collect();
    ensure!(!files.is_empty(), "no .json file in {}", names.join(", "));
    Ok(Found { files, skipped })
}

/// Inside a folder only what ends in `.json`; a path that the user named is read whatever it is.
fn is_wanted(entry: &DirEntry) -> bool {
    let is_document = || entry.path().extension().is_some_and(|ext| ext == "json");
    match entry.depth() {
        0 => !entry.path().is_dir(),
        _ => !entry.file_type().is_dir() && is_document(),
    }
}

/// The error as `File::open` would report it: walkdir's message repeats the path.
fn unreadable<T>(root: &Path, error: walkdir::Error) -> anyhow::Result<T> {
    let path = error.path().unwrap_or(root).to_owned();
    let error = match error.into_io_error() {
        Some(error) => anyhow::Error::new(error),
        None => anyhow::anyhow!("symbolic links form a cycle"),
    };
    Err(error).with_context(|| format!("cannot read {}", quoted(&path)))
}
