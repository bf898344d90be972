//! Random programs of nested runs, checked against the crate's guarantees.
//!
//! [`program`] defines programs, and [`strategy`] generates them. [`interpret`] runs a program with
//! the crate and records every event in the [`log`]. [`guarantees`] then checks that log against
//! the guarantees. A violation is reported with the program, which is shrunk first.
#![cfg(panic = "unwind")]

mod call;
mod execute;
mod got;
mod guarantees;
mod interpret;
mod log;
mod program;
mod seen;
mod soak;
mod steps;
mod strategy;
mod watchdog;
