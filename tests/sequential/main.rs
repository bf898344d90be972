//! The methods without threads: the same source on rayon and on the calling thread.
//!
//! `shared.rs` and `process.rs` are compiled with either prelude. `loops.rs` has what is only true
//! of a loop. That no pool is made is tested by `tests/no_pool.rs`, which is a process of its own.

#[expect(dead_code, reason = "not all of the helpers are needed here")]
#[path = "../common/mod.rs"]
mod common;
mod loops;
#[expect(clippy::duplicate_mod, reason = "that is what is tested")]
mod with_rayon;
mod without_threads;

use crate::common::{on_pools, watched};

fn run(checks: &[(&str, fn())]) {
    for (name, check) in checks {
        // Shown if the check panics.
        println!("{name}");
        check();
    }
}

#[test]
fn the_source_runs_on_rayon() {
    on_pools(|_| run(with_rayon::CHECKS));
}

#[test]
fn the_source_runs_without_threads() {
    watched(|| run(without_threads::CHECKS));
}

#[test]
fn bodies_run_on_rayon() {
    on_pools(|_| run(with_rayon::PROCESS_CHECKS));
}

#[test]
fn bodies_run_without_threads() {
    watched(|| run(without_threads::PROCESS_CHECKS));
}
