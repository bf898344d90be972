//! Files that are read as a whole.

use std::io::{self, Read};

use bytesize::ByteSize;

/// Reads to the end, or returns an error if that is further than the limit. So no input, such as
/// `/dev/zero`, uses up all memory.
pub(crate) fn read(from: impl Read, limit: ByteSize) -> io::Result<Vec<u8>> {
    let ByteSize(longest) = limit;
    let mut bytes = Vec::new();
    from.take(longest.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        return Err(io::Error::other(format!("larger than {limit}")));
    }
    Ok(bytes)
}
