//! The examples, run as programs.

mod batch_report;
mod fetch_urls;
mod hash_tree;
mod loader;
mod ndjson_pipeline;
mod program;
mod service_start;
mod word_count;
