//! The machine that the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::figures::Figures;

pub(crate) struct Machine {
    pub(crate) cores: String,
    pub(crate) processor: String,
    pub(crate) rust: String,
    pub(crate) date: String,
    pub(crate) load: String,
}

impl Machine {
    /// This machine, on the day of the last figure, with the loads that benches/page.sh has noted
    /// in this file.
    pub(crate) fn here(figures: &Figures, loads: &Path) -> Self {
        let cores = std::thread::available_parallelism();
        let known = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        Self {
            cores: known(cores.ok().map(|cores| cores.to_string())),
            processor: known(processor()),
            rust: known(rust()),
            date: figures
                .last
                .and_then(date)
                .unwrap_or_else(|| "never".to_owned()),
            load: known(load(loads)),
        }
    }
}

/// The name, family and model of an x86 processor.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn processor() -> Option<String> {
    let id = raw_cpuid::CpuId::new();
    let name = id.get_processor_brand_string()?;
    let numbers = id.get_feature_info()?;
    Some(format!(
        "{} (family {}, model {})",
        name.as_str().trim(),
        numbers.family_id(),
        numbers.model_id()
    ))
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn processor() -> Option<String> {
    None
}

/// The smallest and the largest load average of the machine before a benchmark began.
fn load(loads: &Path) -> Option<String> {
    let loads = fs::read_to_string(loads).ok()?;
    let mut loads: Vec<f64> = loads.lines().filter_map(|load| load.parse().ok()).collect();
    loads.sort_by(f64::total_cmp);
    Some(format!("{:.1} to {:.1}", loads.first()?, loads.last()?))
}

fn rust() -> Option<String> {
    let version = Command::new("rustc").arg("--version").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    version.split_whitespace().nth(1).map(str::to_owned)
}

/// The day in UTC.
fn date(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(time.strftime("%F").to_string())
}
