//! Finds the files to hash.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rayon_errgroup::CancelToken;
use walkdir::{DirEntry, WalkDir};

use crate::message::quoted;

/// A file to hash.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

/// What there is in some folders.
pub(crate) struct Found {
    pub(crate) files: Vec<File>,
    /// What is neither a file nor a folder, such as a link.
    pub(crate) skipped: Vec<PathBuf>,
}

/// The files that were named, and all files in the folders, sorted by the bytes of their paths.
pub(crate) fn files(paths: &[PathBuf], stop: &CancelToken) -> anyhow::Result<Found> {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        if path == Path::new("-") {
            let path = path.clone();
            files.push(File { path, size: 0 });
            continue;
        }
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
            } else if entry.depth() > 0 && !entry.file_type().is_dir() {
                skipped.push(entry.into_path());
            }
        }
    }
    // Not the order of `Path`, which compares folder by folder and puts `a/b` before `a-b`.
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    skipped.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(Found { files, skipped })
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

pub(crate) fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", quoted(path))
}
