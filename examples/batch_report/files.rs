//! Which files there are.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rayon_errgroup::CancelToken;
use walkdir::{DirEntry, WalkDir};

/// The documents below the paths, and the paths that are files themselves, in the order of their
/// names.
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
    // Who names the wrong folder is not told that all is well.
    ensure!(!files.is_empty(), "there is no .json file in {paths:?}");
    Ok(files)
}

/// Inside a folder what ends in `.json`; what was named by the user is read whatever it is.
fn is_wanted(entry: &DirEntry) -> bool {
    let is_document = || entry.path().extension().is_some_and(|ext| ext == "json");
    match entry.depth() {
        0 => !entry.path().is_dir(),
        _ => entry.file_type().is_file() && is_document(),
    }
}

/// As `File::open` would put it: walkdir's own message repeats the path.
fn unreadable<T>(root: &Path, error: walkdir::Error) -> anyhow::Result<T> {
    let path = error.path().unwrap_or(root).to_owned();
    let error = match error.into_io_error() {
        Some(error) => anyhow::Error::new(error),
        None => anyhow::anyhow!("links that lead in a circle"),
    };
    Err(error).with_context(|| format!("cannot read {}", quoted(&path)))
}

/// In quotes, so that it is one line whatever the name.
pub(crate) fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
