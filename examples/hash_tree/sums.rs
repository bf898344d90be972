//! Writes the output in the format of `sha256sum` and `b3sum`.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::stdout::{Stdout, written};
use crate::walk::File;

/// Prints a line for each file with its sum.
pub(crate) fn print(files: &[File], sums: &[String]) -> anyhow::Result<()> {
    written(write(Stdout, files, sums))
}

fn write(out: impl Write, files: &[File], sums: &[String]) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (file, sum) in files.iter().zip(sums) {
        let name = name(&file.path);
        // A leading backslash marks a name with escapes.
        if name.contains(&b'\\') {
            out.write_all(b"\\")?;
        }
        write!(out, "{sum}  ")?;
        out.write_all(&name)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// The bytes of a path, which may not be UTF-8, with backslashes and line breaks escaped.
fn name(path: &Path) -> Vec<u8> {
    let mut name = Vec::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' => name.extend(b"\\\\"),
            b'\n' => name.extend(b"\\n"),
            b'\r' => name.extend(b"\\r"),
            _ => name.push(byte),
        }
    }
    name
}
