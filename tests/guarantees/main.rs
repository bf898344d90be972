//! The guarantees of the crate, each tested on pools of one, two and eight threads.
//!
//! | guarantee | tests |
//! | --- | --- |
//! | 1. Cause: the result names the one trigger | `cause.rs`, `errors.rs` |
//! | 2. Completeness: no false `Ok` | `completeness.rs`, `error_limit.rs`, `all_errors.rs`, `outcome.rs` |
//! | 3. Containment: all ended and dropped at return | `containment.rs`, `values.rs` |
//! | 4. Isolation: down the tree, not up | `isolation.rs`, `tokens.rs`, `propagation.rs` |
//! | 5. Panics outrank values | `panics.rs` |
//! | 6. Promptness: few items begin afterwards | `promptness.rs`, `callbacks.rs`, `deadlines.rs` |
//! | 7. In order: as in a loop | `in_order.rs`, `workers.rs`, `sources.rs`, `stream.rs`, `held_callbacks.rs` |
//! | 8. No pool is blocked | `pools.rs`, `semaphore.rs`, `stack.rs`, `take_over.rs` |
//! | 9. Nothing that was read waits | `take_over.rs` |
//!
//! `cut.rs` has the same for failures elsewhere. `adaptors.rs` covers every adaptor of rayon, `scope.rs` and `join.rs` have the guarantees for
//! scopes and joins, `in_order_guarantees.rs` has guarantees 2 to 6 for runs in order, and
//! `per_worker.rs` is about the states of workers.

mod adaptors;
mod all_errors;
mod callbacks;
mod cause;
#[path = "../common/mod.rs"]
mod common;
mod completeness;
mod containment;
mod cut;
mod deadlines;
mod error_limit;
mod errors;
mod held_callbacks;
mod in_order;
mod in_order_guarantees;
mod isolation;
mod join;
mod outcome;
#[cfg(panic = "unwind")]
mod panics;
mod per_worker;
mod pools;
mod promptness;
mod propagation;
mod scope;
mod semaphore;
mod sources;
mod stack;
mod stream;
#[cfg(panic = "unwind")]
mod stream_window;
mod take_over;
mod tokens;
mod values;
mod workers;
