//! The settings, and how they are read from a file.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use bytesize::ByteSize;
use rayon_errgroup::CancelToken;

use crate::bounded;
use crate::input::Input;
use crate::message::quoted;

/// How long the file may be.
const LONGEST: ByteSize = ByteSize::mib(1);

/// In characters.
const LONGEST_ANSWER: usize = 80;

#[derive(Debug)]
pub(crate) struct Settings {
    /// The line that every connection gets.
    pub(crate) answer: String,
    pub(crate) workers: usize,
    /// The time between two probes.
    pub(crate) interval: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            answer: "ok".to_owned(),
            workers: 2,
            interval: Duration::from_millis(200),
        }
    }
}

impl Settings {
    /// Reads `key=value` lines. Other settings keep their defaults.
    pub(crate) fn load(file: &Path, token: &CancelToken) -> anyhow::Result<Settings> {
        let name = quoted(file);
        let bytes = Input::open(file, token).and_then(|input| bounded::read(input, LONGEST));
        let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("cannot read {name}"))?;
        let mut settings = Settings::default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                settings
                    .set(line)
                    .with_context(|| format!("line {number} of {name}"))?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, line: &str) -> anyhow::Result<()> {
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| anyhow!("{} is not of the form key=value", quoted(line)))?;
        let value = value.trim();
        match key.trim() {
            "answer" => {
                ensure!(
                    (1..=LONGEST_ANSWER).contains(&value.chars().count()),
                    "answer must have 1 to {LONGEST_ANSWER} characters"
                );
                value.clone_into(&mut self.answer);
            }
            "workers" => {
                let workers = number(value, 1..=64).context("workers")?;
                self.workers = usize::from(workers);
            }
            "interval" => {
                let milliseconds = number(value, 1..=60_000).context("interval")?;
                self.interval = Duration::from_millis(milliseconds.into());
            }
            unknown => bail!("unknown setting {}", quoted(unknown)),
        }
        Ok(())
    }
}

fn number(text: &str, range: RangeInclusive<u16>) -> anyhow::Result<u16> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.with_context(|| {
        format!(
            "{} is not a number from {} to {}",
            quoted(text),
            range.start(),
            range.end()
        )
    })
}
