//! The file of the picture.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::message::quoted;

/// An open file. What was in it before stays until the picture is ready.
pub(crate) struct Svg {
    path: PathBuf,
    file: File,
}

impl Svg {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Svg> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write to {}", quoted(path)))?;
        let path = path.to_owned();
        Ok(Svg { path, file })
    }

    /// Returns a sentence about the file.
    pub(crate) fn write(mut self, picture: &str) -> anyhow::Result<String> {
        let name = quoted(&self.path);
        let is_file = self.file.metadata().is_ok_and(|file| file.is_file());
        // A pipe or a device has no length.
        let emptied = if is_file {
            self.file.set_len(0)
        } else {
            Ok(())
        };
        emptied
            .and_then(|()| self.file.write_all(picture.as_bytes()))
            .with_context(|| format!("cannot write to {name}"))?;
        Ok(format!("Picture written to {name}."))
    }
}
