//! What was measured on.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::figures::Figures;

pub(crate) struct Machine {
    pub(crate) cores: String,
    pub(crate) processor: String,
    pub(crate) rust: String,
    pub(crate) date: String,
}

impl Machine {
    /// This one, at the time of the last figure.
    pub(crate) fn here(figures: &Figures) -> Self {
        let cores = std::thread::available_parallelism();
        Self {
            cores: cores.map_or_else(|_| "unknown".to_owned(), |cores| cores.to_string()),
            processor: processor().unwrap_or_else(|| "unknown".to_owned()),
            rust: rust().unwrap_or_else(|| "unknown".to_owned()),
            date: figures.last.map_or_else(|| "never".to_owned(), date),
        }
    }
}

/// As Linux says it.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = info
            .lines()
            .find(|line| line.split('\t').next() == Some(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name")?;
    let family = field("cpu family").zip(field("model"));
    Some(family.map_or(model.clone(), |(family, number)| {
        format!("{model} (family {family}, model {number})")
    }))
}

fn rust() -> Option<String> {
    let version = Command::new("rustc").arg("--version").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    version.split_whitespace().nth(1).map(str::to_owned)
}

/// The day in UTC.
fn date(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let mut days = seconds / 86_400;
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}
