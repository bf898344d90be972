//! What works on wasm32-unknown-unknown, which has one thread and no clock.
//!
//! Each function is a case: `run.mjs` calls it in an instance of its own, and knows what it
//! returns.

mod cancelled;
mod in_order;
mod no_clock;
mod scopes;
mod sequential;
mod unordered;

use std::panic::set_hook;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon_errgroup::{Cause, GroupError};

/// The message of a panic. The panic ends the instance with a trap, which has no message.
static MESSAGE: Mutex<String> = Mutex::new(String::new());

/// Called first in each instance.
#[unsafe(no_mangle)]
pub extern "C" fn keep_message() {
    set_hook(Box::new(|info| {
        let mut message = MESSAGE.lock().unwrap_or_else(PoisonError::into_inner);
        *message = info.to_string();
    }));
}

#[unsafe(no_mangle)]
pub extern "C" fn message_start() -> *const u8 {
    let message = MESSAGE.lock().unwrap_or_else(PoisonError::into_inner);
    message.as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn message_len() -> usize {
    let message = MESSAGE.lock().unwrap_or_else(PoisonError::into_inner);
    message.len()
}

/// How many items have run.
#[derive(Default)]
struct Ran(AtomicU32);

impl Ran {
    fn count(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn so_far(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn total(self) -> u32 {
        self.0.into_inner()
    }
}

/// An item that fails if it is this one.
fn fail_at(failing: u32) -> impl Fn(u32) -> Result<u32, u32> + Sync {
    move |n| if n == failing { Err(n) } else { Ok(n) }
}

#[track_caller]
fn assert_cancelled<R>(result: Result<R, GroupError<u32>>) {
    match result {
        Err(GroupError::Cancelled(cancelled)) => {
            assert!(matches!(cancelled.cause(), Cause::Parent(_)), "{cancelled}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the run was not cancelled"),
    }
}
