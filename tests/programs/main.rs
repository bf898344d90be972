//! Whole programs at random: runs inside of runs, whose items do what items do, held against the laws.
//!
//! [`program`] says what a program is, and [`strategy`] makes them up. [`interpret`] runs one with
//! the crate and notes every event in the [`log`], and [`guarantees`] compares that with the laws, which
//! it knows for any program. So a violation of any law shows, as a program that shrinks.
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
