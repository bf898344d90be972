//! The list of the files: the output of `sha256sum`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

/// One file, and the sum that it should have.
pub(crate) struct Entry {
    pub(crate) sum: String,
    pub(crate) path: PathBuf,
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let entries = text.lines().enumerate().map(|(index, line)| {
        parse(line).with_context(|| format!("{}, line {}", path.display(), index + 1))
    });
    entries.collect()
}

/// Tells the reports of this list from those of others.
pub(crate) fn batch_id(entries: &[Entry]) -> String {
    let mut hasher = Sha256::new();
    for entry in entries {
        hasher.update(&entry.sum);
        hasher.update(entry.path.as_os_str().as_encoded_bytes());
        hasher.update([0]);
    }
    hex(&hasher.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut digits = String::new();
    for byte in bytes {
        // To write into a string cannot fail.
        _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn parse(line: &str) -> anyhow::Result<Entry> {
    anyhow::ensure!(
        !line.starts_with('\\'),
        "names with line breaks are not supported"
    );
    // A space and then a space, or an asterisk for "binary".
    let (sum, rest) = line.split_once(' ').context("there is no sum")?;
    let path = rest.strip_prefix([' ', '*']).context("there is no path")?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    anyhow::ensure!(is_sum && !path.is_empty(), "it is no SHA-256 sum and path");
    Ok(Entry {
        sum: sum.to_ascii_lowercase(),
        path: path.into(),
    })
}
