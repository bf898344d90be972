//! The table of the failures.

use std::path::PathBuf;

use comfy_table::{ContentArrangement, Table, presets};
use console::Term;
use rayon_errgroup::Outcome;

use crate::fate::Fate;
use crate::message::quoted;
use crate::validate::Error;

/// A row for each error and each panic, in the order of the files, if there are any.
pub(crate) fn failures<T>(outcome: &Outcome<T, Error>, files: &[PathBuf]) -> Option<Table> {
    let failed = outcome.errors().iter().map(|error| (error, Fate::Failed));
    let late = outcome.late_errors().iter();
    let cancelled = late.map(|error| (error, Fate::Cancelled));
    let errors = failed
        .chain(cancelled)
        .map(|((index, error), fate)| (Some(*index), fate, error.to_string()));
    let panics = outcome.panics().iter().map(|(index, panicked)| {
        let message = panicked.message().unwrap_or("(no message)").to_owned();
        (*index, Fate::Panicked, message)
    });
    let mut rows: Vec<_> = errors.chain(panics).collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|(index, ..)| *index);

    let mut table = Table::new();
    // On a terminal the cells are as narrow as the window needs.
    if let Some((_, columns)) = Term::stdout().size_checked() {
        table
            .set_width(columns)
            .set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(["file", "result", "cause"]);
    for (index, fate, cause) in rows {
        let file = index.map_or_else(String::new, |index| quoted(&files[index]));
        table.add_row([file.as_str(), fate.name(), &cause]);
    }
    Some(table)
}
