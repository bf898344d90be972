//! Hashes one file.

use std::fmt::Write;
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::Context;
use rayon_errgroup::CancelToken;
use sha2::{Digest, Sha256};

use crate::input::Input;
use crate::walk::cannot_read;

/// How many bytes are hashed between two reads.
const CHUNK: usize = 128 * 1024;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Algorithm {
    Sha256,
    Blake3,
}

impl Algorithm {
    /// Returns the hash of a file in hexadecimal digits, and passes the bytes read to `progress`.
    pub(crate) fn hash(
        self,
        token: &CancelToken,
        path: &Path,
        progress: impl Fn(usize),
    ) -> anyhow::Result<String> {
        match self {
            Algorithm::Sha256 => {
                let mut hasher = Sha256::new();
                for_each_chunk(token, path, progress, |chunk| hasher.update(chunk))?;
                let mut digits = String::new();
                for byte in hasher.finalize() {
                    write!(digits, "{byte:02x}")?;
                }
                Ok(digits)
            }
            Algorithm::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                for_each_chunk(token, path, progress, |chunk| _ = hasher.update(chunk))?;
                Ok(hasher.finalize().to_string())
            }
        }
    }
}

/// Each read checks the token, so that a huge file does not delay the end of a failed run.
fn for_each_chunk(
    token: &CancelToken,
    path: &Path,
    progress: impl Fn(usize),
    mut update: impl FnMut(&[u8]),
) -> anyhow::Result<()> {
    let mut input = Input::open(path, token).with_context(|| cannot_read(path))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                update(&chunk[..length]);
                progress(length);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| cannot_read(path)),
        }
    }
}
