//! 364 places in 53 repositories where a parallel closure can fail, as calls of this crate.
//!
//! The places were surveyed by hand. Here each shape of call that the survey describes is one
//! expression, as a user would write it, and is run: once where all is well, once where one item
//! fails, on pools of one, two and eight threads. A place that the survey counts but does not
//! describe is counted with the plain shape of its class.
//!
//! *Direct*: one expression takes the place of the call. What is around it may change in its type
//! (an error that comes out instead of a panic, a token instead of a flag, an `Arc` around a pool,
//! a `Send` bound, the `let` of a `PerWorker`), but not in its structure. *Contorted*: it can be
//! done, by a detour. The reason is next to the code.
//!
//! | class | sites | direct | contorted | not possible |
//! | --- | --- | --- | --- | --- |
//! | A: `try_for_each` | 64 | 64 | 0 | 0 |
//! | B: `try_for_each_with`, `try_for_each_init` | 5 | 3 | 2 | 0 |
//! | B': `map_init` of a `Result` | 1 | 0 | 0 | 1 |
//! | C: `collect::<Result<Vec<_>, _>>` | 100 | 96 | 4 | 0 |
//! | C': the same behind a `filter_map` that can fail | 3 | 3 | 0 | 0 |
//! | D: `collect` into a `Result` of another collection | 13 | 13 | 0 | 0 |
//! | E: `collect::<Result<(), _>>` | 10 | 10 | 0 | 0 |
//! | F: `sum`, `try_fold`, `try_reduce`, `reduce` of `Result`s | 23 | 20 | 3 | 0 |
//! | G: a `Vec<Result<_, _>>`, since all errors are wanted | 10 | 9 | 1 | 0 |
//! | H: a `Vec<Result<_, _>>`, and then the first error | 12 | 8 | 1 | 3 |
//! | I: `partition_map` of `Result`s | 6 | 3 | 3 | 0 |
//! | J: a stop flag, and the values so far are kept | 29 | 29 | 0 | 0 |
//! | K: `unwrap` in the closure | 15 | 13 | 2 | 0 |
//! | L: `join` of two `Result`s | 16 | 15 | 0 | 1 |
//! | M: `scope`, with a slot for the error | 18 | 15 | 3 | 0 |
//! | N: `spawn` without a scope, and a channel | 27 | 1 | 9 | 17 |
//! | O: values for one consumer | 12 | 8 | 4 | 0 |
//! | sum | 364 | 310 | 32 | 22 |
//!
//! 47 of the direct ones must build without threads, too: `serial.rs` is compiled with either
//! prelude.

#![expect(
    clippy::unit_arg,
    reason = "`Ok(f(x))` is how closures of one expression end"
)]

#[expect(dead_code, reason = "not all of the helpers are needed here")]
#[path = "../common/mod.rs"]
mod common;
mod errors;
mod fixture;
mod folds;
mod loops;
mod shape;
mod streams;
mod tasks;
mod values;
#[expect(clippy::duplicate_mod, reason = "that is what is tested")]
mod with_rayon;
mod without_threads;

use std::collections::BTreeMap;

use crate::common::{on_pools, watched};
use crate::shape::{Shape, Verdict};

fn run(shapes: &[Shape]) {
    for shape in shapes {
        // Shown if the check panics.
        println!("{}", shape.describe());
        if let Some(check) = shape.check {
            check();
        }
    }
}

#[test]
fn loops_and_states() {
    on_pools(|_| run(loops::SHAPES));
}

#[test]
fn values_and_collections() {
    on_pools(|_| run(values::SHAPES));
}

#[test]
fn folds_and_sums() {
    on_pools(|_| run(folds::SHAPES));
}

#[test]
fn several_errors() {
    on_pools(|_| run(errors::SHAPES));
}

#[test]
fn tasks_of_different_kinds() {
    on_pools(|_| run(tasks::SHAPES));
}

#[test]
fn one_consumer() {
    on_pools(|_| run(streams::SHAPES));
}

#[test]
fn with_threads_and_without() {
    on_pools(|_| run(with_rayon::SHAPES));
    watched(|| run(without_threads::SHAPES));
}

/// Sites, direct, contorted, not possible.
type Counts = [u32; 4];

#[test]
fn the_table_is_what_the_code_adds_up_to() {
    let all = [
        loops::SHAPES,
        values::SHAPES,
        folds::SHAPES,
        errors::SHAPES,
        tasks::SHAPES,
        streams::SHAPES,
        with_rayon::SHAPES,
    ];
    let mut counted = BTreeMap::<&str, Counts>::new();
    for shape in all.into_iter().flatten() {
        let column = match shape.verdict {
            Verdict::Direct => 1,
            Verdict::Contorted(_) => 2,
            Verdict::Impossible(_) => 3,
        };
        for class in [shape.class, "sum"] {
            let counts = counted.entry(class).or_default();
            counts[0] += shape.sites;
            counts[column] += shape.sites;
        }
    }
    let table: BTreeMap<_, _> = include_str!("main.rs").lines().filter_map(row).collect();
    assert_eq!(counted, table);
    assert_eq!(counted["sum"][0], 364);
}

/// The class and the counts of a row of the table above.
fn row(line: &str) -> Option<(&str, Counts)> {
    let cells = line.strip_prefix("//! | ")?.strip_suffix(" |")?;
    let (name, counts) = cells.split_once(" | ")?;
    let class = name.split(':').next()?;
    let counts: Result<Vec<u32>, _> = counts.split(" | ").map(str::parse).collect();
    Some((class, counts.ok()?.try_into().ok()?))
}
