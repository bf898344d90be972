//! A progress bar on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The bar is hidden if standard error is not a terminal.
pub(crate) fn bar(length: Option<u64>, template: &str) -> anyhow::Result<ProgressBar> {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let bar = bar.with_style(ProgressStyle::with_template(template)?);
    if !bar.is_hidden() {
        // Starts a thread.
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    Ok(bar)
}
