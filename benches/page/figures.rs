//! The measured medians.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use serde_json::Value;
use walkdir::WalkDir;

/// Nanoseconds, by group, parameter and contender.
#[derive(Default)]
pub(crate) struct Figures {
    medians: BTreeMap<[String; 2], BTreeMap<String, f64>>,
    /// How many times each figure was measured.
    pub(crate) rounds: usize,
    /// When criterion measured the last figure.
    pub(crate) last: Option<SystemTime>,
    /// The versions of Go and of its errgroup, if they were measured.
    pub(crate) go: Option<[String; 2]>,
}

impl Figures {
    /// Reads files such as `criterion/GROUP/CONTENDER/PARAMETER/round1/estimates.json`, and takes
    /// the median of the rounds. A disturbance of some seconds spoils one round of one contender,
    /// and so not the figure.
    pub(crate) fn read_criterion(&mut self, folder: &Path) -> anyhow::Result<()> {
        let files = WalkDir::new(folder)
            .min_depth(5)
            .max_depth(5)
            .sort_by_file_name();
        let mut rounds = BTreeMap::<[String; 3], Vec<f64>>::new();
        for file in files {
            let file = file.context("criterion's figures: run benches/page.sh without --no-run")?;
            let names: Vec<_> = file.path().strip_prefix(folder)?.iter().collect();
            let name = |n: usize| names[n].to_string_lossy().into_owned();
            if !name(3).starts_with("round") || name(4) != "estimates.json" {
                continue;
            }
            let estimates = read(file.path())?;
            let median = estimates["median"]["point_estimate"].as_f64();
            let median =
                median.with_context(|| format!("a median in {}", file.path().display()))?;
            rounds
                .entry([name(0), name(2), name(1)])
                .or_default()
                .push(median);
            self.last = self.last.max(Some(file.metadata()?.modified()?));
        }
        for ([group, parameter, contender], mut medians) in rounds {
            medians.sort_by(f64::total_cmp);
            self.rounds = self.rounds.max(medians.len());
            self.insert([group, parameter], contender, medians[medians.len() / 2]);
        }
        Ok(())
    }

    /// Reads the results of benches/go/run.sh, if there are any.
    pub(crate) fn read_go(&mut self, file: &Path) -> anyhow::Result<()> {
        if !file.exists() {
            return Ok(());
        }
        let report = read(file)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for figure in report["figures"].as_array().into_iter().flatten() {
            let median = figure["median_ns"].as_f64().context("a median of Go")?;
            let row = [text(&figure["group"]), text(&figure["parameter"])];
            self.insert(row, text(&figure["contender"]), median);
        }
        self.go = Some([text(&report["go"]), text(&report["errgroup"])]);
        Ok(())
    }

    fn insert(&mut self, row: [String; 2], contender: String, median: f64) {
        self.medians
            .entry(row)
            .or_default()
            .insert(contender, median);
    }

    /// The contenders of a row and their medians, sorted by name.
    pub(crate) fn row(&self, group: &str, parameter: &str) -> impl Iterator<Item = (&str, f64)> {
        let row = self.medians.get(&[group.to_owned(), parameter.to_owned()]);
        let row = row.into_iter().flatten();
        row.map(|(contender, median)| (contender.as_str(), *median))
    }

    pub(crate) fn median(&self, group: &str, parameter: &str, contender: &str) -> Option<f64> {
        let mut row = self.row(group, parameter);
        row.find_map(|(name, median)| (name == contender).then_some(median))
    }

    pub(crate) fn count(&self) -> usize {
        self.medians.values().map(BTreeMap::len).sum()
    }
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let json = fs::read_to_string(file)?;
    serde_json::from_str(&json).with_context(|| format!("in {}", file.display()))
}
