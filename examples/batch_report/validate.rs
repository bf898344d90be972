//! A valid file holds one day of a weather station, in JSON.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use bytesize::ByteSize;
use rayon_errgroup::CancelToken;
use serde_json::Value;

use crate::bounded;
use crate::input::Input;

/// How long a file may be.
const LONGEST: ByteSize = ByteSize::mib(64);

/// The length of a day, in seconds.
const DAY: usize = 24 * 60 * 60;
/// The largest average distance of two readings, in seconds.
const APART: usize = 60 * 60;
/// Every temperature on record is within this range.
const CELSIUS: RangeInclusive<f64> = -90.0..=60.0;

/// Why a file is not valid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Document(#[from] Fault),
    #[error("reading {number}: {fault}")]
    Reading { number: usize, fault: Fault },
}

/// What is wrong with an object.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0:?} is missing")]
    Missing(&'static str),
    #[error("{0:?} has the wrong type")]
    Type(&'static str),
    #[error("second {second} does not come after second {before}")]
    Order { second: u64, before: u64 },
    #[error("{0} °C is out of range")]
    Range(f64),
    #[error("too few readings: {0}")]
    Few(usize),
}

/// Returns how many readings the file has.
pub(crate) fn file(token: &CancelToken, path: &Path) -> Result<usize, Error> {
    let bytes = bounded::read(Input::open(path, token)?, LONGEST)?;
    document(&serde_json::from_slice(&bytes)?)
}

fn document(document: &Value) -> Result<usize, Error> {
    field(document, "station", Value::as_str)?;
    let readings = field(document, "readings", Value::as_array)?;
    let mut before = None;
    for (number, reading) in (1..).zip(readings) {
        let second = check(reading, before).map_err(|fault| Error::Reading { number, fault })?;
        before = Some(second);
    }
    // A bug, left in for the demonstration: without readings this panics.
    let apart = DAY / readings.len();
    if apart > APART {
        return Err(Fault::Few(readings.len()).into());
    }
    Ok(readings.len())
}

/// Returns the second of a reading if the reading is valid and comes after the one before it.
fn check(reading: &Value, before: Option<u64>) -> Result<u64, Fault> {
    let second = field(reading, "second", Value::as_u64)?;
    if let Some(before) = before.filter(|before| second <= *before) {
        return Err(Fault::Order { second, before });
    }
    let celsius = field(reading, "celsius", Value::as_f64)?;
    if !CELSIUS.contains(&celsius) {
        return Err(Fault::Range(celsius));
    }
    Ok(second)
}

fn field<'d, T: 'd>(
    object: &'d Value,
    name: &'static str,
    cast: impl FnOnce(&'d Value) -> Option<T>,
) -> Result<T, Fault> {
    let value = object.get(name).ok_or(Fault::Missing(name))?;
    cast(value).ok_or(Fault::Type(name))
}
