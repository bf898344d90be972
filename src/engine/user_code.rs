//! `UserCode`: whether this thread is running code of the user's.
//!
//! A thread that waits (for a nested run, or for a permit of a scope) runs other jobs of its pool
//! meanwhile. A job that goes on for long asks here whether it runs on top of user code that waits,
//! and then lets that code go on now and then; see [`claim::worker`](super::claim).

use std::cell::Cell;

use crate::sync::thread_local;

thread_local! {
    static IS_IN_USER_CODE: Cell<bool> = const { Cell::new(false) };
}

/// An enter guard: while it lives, this thread runs an item, a task, a body, a source or a sink, or
/// waits for a permit.
pub(crate) struct UserCode {
    was_in_user_code: bool,
}

impl UserCode {
    pub(crate) fn enter() -> Self {
        UserCode {
            was_in_user_code: IS_IN_USER_CODE.with(|is_in| is_in.replace(true)),
        }
    }
}

impl Drop for UserCode {
    fn drop(&mut self) {
        IS_IN_USER_CODE.with(|is_in| is_in.set(self.was_in_user_code));
    }
}

pub(crate) fn is_in_user_code() -> bool {
    IS_IN_USER_CODE.with(Cell::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_in_user_code_until_the_outermost_guard_is_dropped() {
        assert!(!is_in_user_code());
        let outer = UserCode::enter();
        drop(UserCode::enter());
        assert!(is_in_user_code());
        drop(outer);
        assert!(!is_in_user_code());
    }
}
