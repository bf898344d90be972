//! `try_process`: any of rayon's methods on the values of a run.
#![cfg(panic = "unwind")]

mod body;
mod chains;
#[expect(dead_code, reason = "not all of the helpers are needed here")]
#[path = "../common/mod.rs"]
mod common;
mod methods;
