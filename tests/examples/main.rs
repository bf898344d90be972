//! The examples, run as programs.

mod bad_input;
mod batch_report;
mod fetch_urls;
mod hash_tree;
mod loader;
mod minimal;
mod ndjson_pipeline;
mod program;
mod service_start;
#[cfg(unix)]
mod signals;
mod word_count;
