//! Checks one file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::Context;
use rayon_errgroup::CancelToken;
use sha2::{Digest, Sha256};

use crate::sums::{self, Entry};

/// How many bytes are hashed between two looks at the token.
const CHUNK: usize = 128 * 1024;

pub(crate) fn check(token: &CancelToken, entry: &Entry, root: &Path) -> anyhow::Result<()> {
    let path = root.join(&entry.path);
    let sum = hash(token, &path).with_context(|| entry.path.display().to_string())?;
    anyhow::ensure!(
        sum == entry.sum,
        "{}: the sum is {sum}",
        entry.path.display()
    );
    Ok(())
}

fn hash(token: &CancelToken, path: &Path) -> anyhow::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut chunk = vec![0; CHUNK];
    loop {
        token.check()?;
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => hasher.update(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sums::hex(&hasher.finalize()))
}
