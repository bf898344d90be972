//! Messages on standard error: one line each, of limited length.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};

/// The longest message, in characters.
const MESSAGE: usize = 1000;
/// The longest name in a message, in characters.
const NAME: usize = 200;

/// Writes a line to standard error.
///
/// Control characters are escaped, so that a message with text from a file cannot change the
/// terminal. Unlike `eprintln!` it does not panic if standard error is closed.
pub(crate) fn say(message: impl Display) {
    let mut line = String::new();
    for c in clipped(&message.to_string(), MESSAGE).chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    // One write, so that the lines of two threads do not mix.
    line.push('\n');
    _ = io::stderr().write_all(line.as_bytes());
}

/// A name or another text from outside: in quotes, escaped, and clipped in the middle.
pub(crate) fn quoted(text: impl AsRef<OsStr>) -> String {
    format!("{:?}", clipped(&text.as_ref().to_string_lossy(), NAME))
}

fn clipped(text: &str, longest: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let half = longest / 2;
    let head = text.chars().take(half);
    let tail = text.chars().skip(count - half);
    head.chain(['…']).chain(tail).collect()
}
