//! Reports as files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Report;
use super::format::{self, FormatError, VERSION};

const EXTENSION: &str = "report";

impl Report {
    /// Writes the report into this folder, under a name made of its range, and returns the path.
    ///
    /// The file is there as a whole or not at all, whenever the process dies: a temporary file is
    /// written, synced and renamed. A report of the same range is replaced, so a shard may run
    /// again. The folder may be shared by all machines; the file is visible to the others when this
    /// returns, as far as the file system keeps the promises of `fsync` and `rename`.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to. A temporary file is not left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::prelude::*;
    /// use rayon_errgroup_cluster::Report;
    ///
    /// let outcome = (0..10).par_in_order().outcome(|_, n| Ok::<_, String>(n));
    /// let report = Report::new(0..10, 10, &outcome);
    /// let folder = tempfile::tempdir()?;
    /// let path = report.write(folder.path())?;
    /// assert_eq!(path.file_name().unwrap(), "items-0-10.report");
    /// assert_eq!(Report::read(&path).unwrap(), report);
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let name = format!("items-{}-{}.{EXTENSION}", self.range.start, self.range.end);
        let path = folder.join(&name);
        let (mut file, temporary) = create_temporary(folder, &name)?;
        let written = (|| {
            file.write_all(format::print(self).as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        })();
        if let Err(error) = written {
            _ = fs::remove_file(&temporary);
            return Err(error);
        }
        // The name is in the folder, which is a file of its own. Not every system can sync one.
        if let Ok(folder) = File::open(folder) {
            _ = folder.sync_all();
        }
        Ok(path)
    }

    /// Reads a report.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no report, is cut short, or has another version of the format
    /// than this crate: it is not guessed what a newer one means.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let failed = |reason| ReadError {
            path: path.to_owned(),
            reason,
        };
        let text = fs::read(path).map_err(|error| failed(Reason::Io(error)))?;
        let text = String::from_utf8(text).map_err(|_| failed(FormatError::NotAReport.into()))?;
        format::parse(&text).map_err(|error| failed(error.into()))
    }

    /// Reads all reports in this folder, in the order of their names. Files with other extensions
    /// are left alone.
    ///
    /// # Errors
    ///
    /// As [`read`](Report::read), for the folder and the first file that cannot be read.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, ReadError> {
        let failed = |error| ReadError {
            path: folder.to_owned(),
            reason: Reason::Io(error),
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| Report::read(path)).collect()
    }
}

/// Creates a file of this process alone, next to the one with this name.
fn create_temporary(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    /// Of the temporary files of this process.
    static NUMBER: AtomicU64 = AtomicU64::new(0);

    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    loop {
        // Relaxed: the number only has to be another one.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = format!(".{name}.{}.{}.{number}.tmp", host.trim(), process::id());
        let path = folder.join(path);
        match File::create_new(&path) {
            // Containers may have equal host names and process ids, so this file is not ours.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (file, path)),
        }
    }
}

/// The reason why a report could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the report {}", path.display())]
pub struct ReadError {
    path: PathBuf,
    #[source]
    reason: Reason,
}

impl ReadError {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Io(io::Error),
    #[error("it is no report")]
    NotAReport,
    #[error("it has version {0} of the format, and version {VERSION} can be read")]
    Version(String),
    #[error("it makes no sense on line {0}")]
    Line(usize),
    #[error("it is cut short")]
    Truncated,
    #[error("its numbers contradict each other")]
    Inconsistent,
}

impl From<FormatError> for Reason {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::NotAReport => Reason::NotAReport,
            FormatError::Version(version) => Reason::Version(version),
            FormatError::Line(line) => Reason::Line(line),
            FormatError::Truncated => Reason::Truncated,
            FormatError::Inconsistent => Reason::Inconsistent,
        }
    }
}
