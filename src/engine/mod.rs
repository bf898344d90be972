//! How the items of a run reach the threads.

pub(crate) mod busy;
pub(crate) mod claim;
pub(crate) mod steal;

mod gather;
mod mark;
#[expect(
    unsafe_code,
    reason = "values are written into place; each block has its argument"
)]
mod place;
mod watch;
