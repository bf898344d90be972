//! The table of the failures.

use std::path::PathBuf;

use comfy_table::{ContentArrangement, Table, presets};
use console::Term;

use crate::fate::Failure;
use crate::message::quoted;

/// A row for each failure, if there are any.
pub(crate) fn table(failures: &[Failure], files: &[PathBuf]) -> Option<Table> {
    if failures.is_empty() {
        return None;
    }
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
    for Failure { index, fate, cause } in failures {
        let file = index.map_or_else(String::new, |index| quoted(&files[index]));
        table.add_row([file.as_str(), fate.name(), cause]);
    }
    Some(table)
}
