//! The laws of the crate, each on pools of one, two and many threads.

mod adaptors;
mod borne;
mod callbacks;
mod completeness;
mod containment;
mod deadlines;
mod harness;
mod in_order;
mod in_order_runs;
mod lanes;
mod outcome;
#[cfg(panic = "unwind")]
mod panics;
mod places;
mod reach;
mod scope;
mod sources;
mod stream;
mod tokens;
mod values;
mod walks;
mod which_error;
