//! The source of the records.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use anyhow::Context;

use crate::generate::Generated;

pub(crate) struct Input {
    /// The name in messages.
    pub(crate) name: String,
    pub(crate) bytes: Box<dyn Read + Send>,
    /// In bytes, if it is known.
    pub(crate) size: Option<u64>,
}

impl Input {
    pub(crate) fn stdin() -> Input {
        Input {
            name: "standard input".to_owned(),
            bytes: Box::new(io::stdin()),
            size: None,
        }
    }

    pub(crate) fn file(path: &Path) -> anyhow::Result<Input> {
        // In quotes and escaped, so that any name stays on one line.
        let name = format!("{:?}", path.to_string_lossy());
        let (file, size) = open(path).with_context(|| format!("cannot read {name}"))?;
        Ok(Input {
            name,
            bytes: Box::new(file),
            size,
        })
    }

    pub(crate) fn generated(size: u64, bad_lines: &[u64]) -> Input {
        Input {
            name: "the generated records".to_owned(),
            bytes: Box::new(Generated::new(size, bad_lines)),
            size: Some(size),
        }
    }
}

/// Opens a file, and returns its size if it is a regular one. A pipe, for example, has none.
fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}
