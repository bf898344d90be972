//! `try_process`: any of rayon's methods on the values of a run.
#![cfg(panic = "unwind")]

mod body;
#[path = "../common/mod.rs"]
mod common;
mod methods;
