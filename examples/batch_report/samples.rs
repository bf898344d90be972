//! Sample files, always the same, some of them broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use rayon_errgroup::{CancelToken, Outcome};

use crate::message::quoted;

const FILES: usize = 200;

/// What can be wrong with a file.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    CutOff,
    NotText,
    NoStation,
    Backwards,
    TooHot,
    /// Triggers the bug of the validator.
    NoReadings,
}

/// The broken files, by index in ascending order.
const BROKEN: [(usize, Flaw); 8] = [
    (13, Flaw::TooHot),
    (47, Flaw::CutOff),
    (48, Flaw::NoStation),
    (49, Flaw::Backwards),
    (91, Flaw::NoReadings),
    (120, Flaw::NotText),
    (158, Flaw::NoReadings),
    (187, Flaw::TooHot),
];

/// A folder of sample files, removed when this is dropped.
pub(crate) struct Samples {
    folder: PathBuf,
}

impl Samples {
    pub(crate) fn write(stop: &CancelToken) -> anyhow::Result<Samples> {
        let now = SystemTime::UNIX_EPOCH.elapsed()?.as_micros();
        let name = format!("batch_report-{}-{now}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // An error if the folder exists, so that only a folder of our own is ever removed.
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", quoted(&folder)))?;
        let samples = Samples { folder };
        for number in 0..FILES {
            stop.check()?;
            let path = samples.folder.join(format!("{number:03}.json"));
            let flaw = BROKEN.iter().find(|(index, _)| *index == number);
            fs::write(&path, document(number, flaw.map(|(_, flaw)| *flaw)))
                .with_context(|| format!("cannot write to {}", quoted(&path)))?;
        }
        Ok(samples)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether exactly the broken files are reported, and none was skipped.
pub(crate) fn broken_are_found<T, E>(outcome: &Outcome<T, E>) -> bool {
    let errors = outcome.errors().iter().chain(outcome.late_errors());
    let errors = errors.map(|(index, _)| Some(*index));
    let panics = outcome.panics().iter().map(|(index, _)| *index);
    let mut reported: Vec<_> = errors.chain(panics).collect();
    reported.sort_unstable();
    let broken = BROKEN.iter().map(|(index, _)| Some(*index));
    outcome.skipped() == 0 && reported.into_iter().eq(broken)
}

/// One day of a weather station. A few days have many readings.
fn document(number: usize, flaw: Option<Flaw>) -> Vec<u8> {
    let mut random = Random(number as u64);
    let readings = match flaw {
        Some(Flaw::NoReadings) => 0,
        _ => 100 + random.below(20) * random.below(20) * random.below(20),
    };
    let mut text = match flaw {
        Some(Flaw::NoStation) => "{".to_owned(),
        _ => format!(r#"{{"station": "north-{number}", "#),
    };
    text.push_str(r#""readings": ["#);
    for index in 0..readings {
        let is_last = index + 1 == readings;
        let second = match flaw {
            Some(Flaw::Backwards) if is_last => 0,
            _ => index * (86_400 / readings) + random.below(10),
        };
        let celsius = match flaw {
            Some(Flaw::TooHot) if is_last => 451,
            _ => 5 + random.below(20),
        };
        let (comma, tenth) = (if is_last { "" } else { "," }, random.below(10));
        let reading = format!(r#"{{"second": {second}, "celsius": {celsius}.{tenth}}}{comma}"#);
        text.push('\n');
        text.push_str(&reading);
    }
    text.push_str("\n]}\n");
    let mut bytes = text.into_bytes();
    match flaw {
        Some(Flaw::CutOff) => bytes.truncate(bytes.len() / 2),
        Some(Flaw::NotText) => bytes[16] = 0xff,
        _ => {}
    }
    bytes
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
