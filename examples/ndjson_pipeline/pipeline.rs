//! The run, which changes lines in parallel and keeps their order, and the equivalent loop.

use std::io;

use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::record;

/// Why a line stopped the run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("longer than {0} (--max-line)")]
    TooLong(bytesize::ByteSize),
    #[error("not a JSON object")]
    NotAnObject,
    #[error("{}", record::complaint(.0))]
    Json(#[from] serde_json::Error),
    #[error("cannot be written: {0}")]
    Write(io::Error),
}

/// Passes the result of each line to the sink.
///
/// One thread at a time reads lines, and all of them change lines. The sink is called on the
/// calling thread, in order. At most a few thousand lines are in flight. The index of an error is
/// that of its line. A run that has failed cancels `reading`, so that it does not wait for lines
/// that nobody needs.
pub(crate) fn parallel(
    lines: impl Iterator<Item = Result<Vec<u8>, Error>> + Send,
    group: &ErrGroup,
    reading: &CancelToken,
    mut sink: impl FnMut(Vec<u8>) -> Result<(), Error>,
) -> Result<(), GroupError<Error>> {
    let stop_reading = |_: &Error| _ = reading.cancel();
    lines.par_in_order().with_group(group).try_stream(
        |_, line| line.and_then(record::change).inspect_err(stop_reading),
        |result| sink(result).inspect_err(stop_reading),
    )
}

/// The same on one thread.
pub(crate) fn sequential(
    lines: impl Iterator<Item = Result<Vec<u8>, Error>>,
    stop: &CancelToken,
    mut sink: impl FnMut(Vec<u8>) -> Result<(), Error>,
) -> Result<(), GroupError<Error>> {
    for (index, line) in lines.enumerate() {
        stop.check()?;
        let result = line.and_then(record::change);
        result
            .and_then(&mut sink)
            .map_err(|error| GroupError::Failed {
                index: Some(index),
                error,
            })?;
    }
    Ok(())
}
