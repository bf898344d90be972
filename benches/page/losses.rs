//! The comparisons that this crate loses, which stay on the page.

use crate::contender::Kind;
use crate::figures::Figures;
use crate::section::{Entry, Row, Section};
use crate::units::ratio;

/// Smaller differences do not count.
pub(crate) const NOISE: f64 = 0.03;

/// Whether no contender that does as much is faster than our fastest.
pub(crate) fn is_won(section: &Section, row: &Row, figures: &Figures) -> bool {
    let entries = section.entries(row, figures);
    let best = entries
        .iter()
        .find(|entry| entry.contender.kind == Kind::Ours);
    best.is_some_and(|best| {
        let faster = |entry: &&Entry<'_>| entry.median < best.median * (1.0 - NOISE);
        let mut faster = entries.iter().filter(faster);
        faster.all(|entry| section.easier.contains(&entry.name))
    })
}

/// A sentence for each contender that is faster than our fastest, and for each of ours that is
/// slower than the base.
pub(crate) fn losses(section: &Section, row: &Row, figures: &Figures) -> Vec<String> {
    let entries = section.entries(row, figures);
    let is_ours = |entry: &&Entry<'_>| entry.contender.kind == Kind::Ours;
    let Some(best) = entries.iter().find(is_ours) else {
        return Vec::new();
    };
    let faster = entries.iter().filter(|entry| !is_ours(entry));
    let faster = faster.filter(|entry| entry.median < best.median * (1.0 - NOISE));
    let faster = faster.map(|entry| (best, entry.name, entry.contender.label, entry.median));
    let slower = entries.iter().filter(is_ours);
    let slower = slower.filter(|entry| entry.ratio > 1.0 + NOISE && entry.name != best.name);
    let base = section.base_label();
    let slower = slower.map(|entry| (entry, section.base, base, entry.median / entry.ratio));
    let all = faster.chain(slower);
    all.map(|(ours, name, other, median)| {
        let less = if section.easier.contains(&name) {
            ", which does less"
        } else {
            ""
        };
        let (label, times) = (ours.contender.label, ratio(ours.median / median));
        format!(
            "{}: {label} takes {times} times as long as {other}{less}",
            row.name
        )
    })
    .collect()
}
