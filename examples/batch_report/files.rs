//! Finds the files to validate.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rayon_errgroup::CancelToken;
use walkdir::{DirEntry, WalkDir};

/// The `.json` files in the folders, and the files that were named themselves, sorted by name.
pub(crate) fn find(paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        for entry in WalkDir::new(path).sort_by_file_name() {
            stop.check()?;
            let entry = entry.or_else(|error| unreadable(path, error))?;
            if is_wanted(&entry) {
                files.push(entry.into_path());
            }
        }
    }
    // An empty folder is most likely the wrong one, and not a success.
    ensure!(!files.is_empty(), "no .json file in {paths:?}");
    Ok(files)
}

/// Inside a folder only `.json` files; a path that the user named is read whatever it is.
fn is_wanted(entry: &DirEntry) -> bool {
    let is_document = || entry.path().extension().is_some_and(|ext| ext == "json");
    match entry.depth() {
        0 => !entry.path().is_dir(),
        _ => entry.file_type().is_file() && is_document(),
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

/// In quotes and escaped, so that any name stays on one line.
pub(crate) fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
