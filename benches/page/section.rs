//! A part of the page: contenders that do the same work, in several rows.

use crate::bar::Bar;
use crate::contender::{Contender, Kind};
use crate::figures::Figures;

pub(crate) struct Section {
    /// Criterion's group, which also names the plot.
    pub(crate) group: &'static str,
    /// The benchmark that measures it.
    pub(crate) bench: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// The call that one would write with rayon alone. All others are compared with it.
    pub(crate) base: &'static str,
    /// Contenders that do less: they check no errors, keep no order or have no bound.
    pub(crate) easier: &'static [&'static str],
    pub(crate) rows: &'static [Row],
    pub(crate) bars: &'static [Bar],
    /// Why this crate loses where it does.
    pub(crate) reasons: &'static str,
}

pub(crate) struct Row {
    /// Criterion's name for it.
    pub(crate) parameter: &'static str,
    pub(crate) name: &'static str,
}

/// A contender in a row.
pub(crate) struct Entry<'f> {
    pub(crate) name: &'f str,
    pub(crate) contender: Contender<'f>,
    pub(crate) median: f64,
    /// The ratio to the base of the section.
    pub(crate) ratio: f64,
}

impl Section {
    pub(crate) fn is_measured(&self, figures: &Figures) -> bool {
        self.rows
            .iter()
            .any(|row| !self.entries(row, figures).is_empty())
    }

    /// The contenders of a row, fastest first. Empty if the base was not measured.
    pub(crate) fn entries<'f>(&self, row: &Row, figures: &'f Figures) -> Vec<Entry<'f>> {
        let Some(base) = figures.median(self.group, row.parameter, self.base) else {
            return Vec::new();
        };
        let row = figures.row(self.group, row.parameter);
        let entry = |(name, median)| Entry {
            name,
            contender: Contender::new(self.group, name),
            median,
            ratio: median / base,
        };
        let mut entries: Vec<_> = row.map(entry).collect();
        entries.sort_by(|a, b| a.median.total_cmp(&b.median));
        entries
    }

    /// The names of all contenders, sorted by kind and then by name.
    pub(crate) fn contenders<'f>(&self, figures: &'f Figures) -> Vec<&'f str> {
        let rows = self.rows.iter();
        let entries = rows.flat_map(|row| self.entries(row, figures));
        let mut all: Vec<(Kind, &str)> = entries.map(|e| (e.contender.kind, e.name)).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|(_, name)| name).collect()
    }

    /// The base, as the page shows it.
    pub(crate) fn base_label(&self) -> &str {
        Contender::new(self.group, self.base).label
    }
}
