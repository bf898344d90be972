//! Finds the files to hash.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rayon_errgroup::CancelToken;
use walkdir::{DirEntry, WalkDir};

/// A file to hash.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

/// The files that were named, and all files in the folders, sorted by the bytes of their paths.
pub(crate) fn files(paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        for entry in WalkDir::new(path) {
            stop.check()?;
            let entry = entry.or_else(|error| unreadable(path, error))?;
            if is_wanted(&entry) {
                let size = entry
                    .metadata()
                    .or_else(|error| unreadable(path, error))?
                    .len();
                files.push(File {
                    path: entry.into_path(),
                    size,
                });
            }
        }
    }
    // Not the order of `Path`, which compares folder by folder and puts `a/b` before `a-b`.
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    Ok(files)
}

/// Inside a folder only regular files; a path that the user named may also be a pipe, for example.
fn is_wanted(entry: &DirEntry) -> bool {
    match entry.depth() {
        0 => !entry.path().is_dir(),
        _ => entry.file_type().is_file(),
    }
}

/// The error as `File::open` would report it: walkdir's message repeats the path.
fn unreadable<T>(root: &Path, error: walkdir::Error) -> anyhow::Result<T> {
    let path = error.path().unwrap_or(root).to_owned();
    let error = match error.into_io_error() {
        Some(error) => anyhow::Error::new(error),
        None => anyhow::anyhow!("symbolic links form a cycle"),
    };
    Err(error).with_context(|| cannot_read(&path))
}

/// In quotes and escaped, so that any name stays on one line.
pub(crate) fn cannot_read(path: &Path) -> String {
    format!("cannot read {:?}", path.to_string_lossy())
}
