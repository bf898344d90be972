//! The source of the records.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use rayon_errgroup::CancelToken;

use crate::generate::Generated;
use crate::input::Input;
use crate::message::quoted;

pub(crate) struct Source {
    /// The name in messages.
    pub(crate) name: String,
    pub(crate) bytes: Box<dyn Read + Send>,
    /// In bytes, if it is known.
    pub(crate) size: Option<u64>,
}

impl Source {
    /// A file, or standard input if the path is "-". Reading fails once the token is cancelled.
    pub(crate) fn file(path: &Path, token: &CancelToken) -> anyhow::Result<Source> {
        let name = match path.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => quoted(path),
        };
        let input = Input::open(path, token).with_context(|| format!("cannot read {name}"))?;
        // A pipe, for example, has no size.
        let metadata = fs::metadata(path).ok();
        let size = metadata
            .filter(fs::Metadata::is_file)
            .map(|file| file.len());
        Ok(Source {
            name,
            bytes: Box::new(input),
            size,
        })
    }

    pub(crate) fn generated(size: u64, bad_lines: &[u64]) -> Source {
        Source {
            name: "the generated records".to_owned(),
            bytes: Box::new(Generated::new(size, bad_lines)),
            size: Some(size),
        }
    }
}
