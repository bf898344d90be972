//! The two engines, how the items of a run reach the threads, and the loop for a run without
//! threads.

pub(crate) mod claim;
pub(crate) mod sequential;
pub(crate) mod steal;
pub(crate) mod through;
pub(crate) mod user_code;

mod collect;
mod grace_period;
mod leaf;
mod leaf_values;
mod panic_fuse;
mod parts;
mod postponed;
#[expect(
    unsafe_code,
    reason = "values are written into place; each block has its argument"
)]
mod slots;
mod unwind_flag;
mod value_collector;
