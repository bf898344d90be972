//! The change of a record, which is that of [`JQ`].

use serde_json::{Map, Value};

use crate::pipeline::Error;

/// The same change as a program for `jq -c`.
pub(crate) const JQ: &str = "del(.debug) | .slow = ((.ms | numbers > 500) // false)";

const SLOW: f64 = 500.0;

/// Returns the result of a line, in the same buffer. A blank line has an empty result.
pub(crate) fn change(mut line: Vec<u8>) -> Result<Vec<u8>, Error> {
    let text = without_end(&line);
    if text.iter().all(|byte| b" \t\r".contains(byte)) {
        return Ok(Vec::new());
    }
    // Otherwise the parser's message would be about a "map", and quote the whole line.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::NotAnObject);
    }
    let mut record: Map<String, Value> = serde_json::from_slice(text)?;
    record.shift_remove("debug");
    let ms = record.get("ms").and_then(Value::as_f64);
    record.insert("slow".to_owned(), ms.is_some_and(|ms| ms > SLOW).into());

    line.clear();
    serde_json::to_writer(&mut line, &record)?;
    line.push(b'\n');
    Ok(line)
}

/// The line without `\n` or `\r\n`, which the parser would count as another line.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The message of a parse error without its line number, which is always 1.
pub(crate) fn complaint(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let location = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&location) {
        Some(what) if error.column() > 0 => format!("{what} at column {}", error.column()),
        Some(what) => what.to_owned(),
        None => message,
    }
}
