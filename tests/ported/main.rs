//! Tests ported from the suites of similar libraries in other languages.

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the guarantees need more of it")]
mod common;
mod conc;
mod go;

use std::sync::Arc;

use crate::common::{on_pools, watched};

/// Runs `body` outside of pools, and inside pools of one, two and many threads.
fn everywhere(body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    let outside = Arc::clone(&body);
    watched(move || outside());
    on_pools(move |_| body());
}
