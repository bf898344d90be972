//! `UserCode`: what user code this thread is running.
//!
//! A thread that waits (for a nested run, or for a permit of a scope) runs other jobs of its pool
//! meanwhile, on top of the code that waits. Two questions follow:
//!
//! - A job that goes on for long asks whether it runs on top of user code, and then lets that code
//!   go on now and then; see [`claim::worker`](super::claim).
//! - A job that starts an item asks whether the thread has too many open already
//!   ([`is_too_deep`]). Each of them may wait, and have another one started on top of it, without
//!   end: the stack would overflow. So the item is *postponed*, which is possible if an item of the
//!   same run is open on this thread: when that ends, there is a place for another one. The second
//!   closure of a `join` needs no such item ([`is_deep`]): the thread that waits for it can run it.

use std::cell::Cell;

use crate::sync::thread_local;

/// How many frames of user code a thread may have before it postpones items. Each takes some
/// hundred bytes of the stack, and what the user's code takes.
#[cfg(not(all(test, model = "shuttle")))]
pub(crate) const MAX_DEPTH: usize = 64;
/// A model has few threads and few items.
#[cfg(all(test, model = "shuttle"))]
pub(crate) const MAX_DEPTH: usize = 2;

/// Of how many frames a thread remembers the runs, from the outermost one on.
const REMEMBERED: usize = 4 * MAX_DEPTH;

thread_local! {
    static FRAMES: Frames = const {
        Frames {
            depth: Cell::new(0),
            runs: [const { Cell::new(0) }; REMEMBERED],
        }
    };
}

/// The frames of user code on the stack of this thread.
struct Frames {
    depth: Cell<usize>,
    /// The runs of the outermost frames. What is not below `depth` is out of date.
    runs: [Cell<usize>; REMEMBERED],
}

/// Identifies a run, as long as it lives.
#[derive(Clone, Copy)]
pub(crate) struct RunId(usize);

impl RunId {
    pub(crate) fn of<R>(run: &R) -> RunId {
        RunId(std::ptr::from_ref(run).addr())
    }

    #[cfg(all(test, model = "shuttle"))]
    pub(crate) const fn of_model(number: usize) -> RunId {
        RunId(number)
    }

    /// For a body, a source, a sink or a wait for a permit, of which a run has one at most, and for
    /// the two closures of a `join`.
    pub(crate) const NONE: RunId = RunId(0);
}

/// An enter guard: while it lives, this thread runs an item, a task, a body, a source, a sink or a
/// closure of a `join`, or waits for a permit.
pub(crate) struct UserCode(());

impl UserCode {
    #[inline]
    pub(crate) fn enter(run: RunId) -> Self {
        FRAMES.with(|frames| {
            let depth = frames.depth.get();
            if let Some(frame) = frames.runs.get(depth) {
                frame.set(run.0);
            }
            frames.depth.set(depth + 1);
        });
        UserCode(())
    }
}

impl Drop for UserCode {
    #[inline]
    fn drop(&mut self) {
        FRAMES.with(|frames| frames.depth.set(frames.depth.get() - 1));
    }
}

pub(crate) fn is_in_user_code() -> bool {
    FRAMES.with(|frames| frames.depth.get() > 0)
}

/// Whether this thread has so many frames open that it starts nothing that another one can start.
#[inline]
pub(crate) fn is_deep() -> bool {
    FRAMES.with(|frames| frames.depth.get() >= MAX_DEPTH)
}

/// Whether an item of this run must not start on this thread now.
///
/// Not if the run has no other item open here: it may be a run deep inside of others, all of which
/// wait for it.
#[inline]
pub(crate) fn is_too_deep(run: RunId) -> bool {
    FRAMES.with(|frames| frames.depth.get() >= MAX_DEPTH && frames.has_open(run))
}

impl Frames {
    #[cold]
    fn has_open(&self, run: RunId) -> bool {
        let remembered = &self.runs[..self.depth.get().min(REMEMBERED)];
        remembered.iter().any(|open| open.get() == run.0)
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_in_user_code_until_the_outermost_guard_is_dropped() {
        assert!(!is_in_user_code());
        let outer = UserCode::enter(RunId::NONE);
        drop(UserCode::enter(RunId::NONE));
        assert!(is_in_user_code());
        drop(outer);
        assert!(!is_in_user_code());
    }

    #[test]
    fn an_item_is_postponed_on_a_deep_stack_with_an_item_of_its_run() {
        let (run, other) = (RunId(1), RunId(2));
        let mut open: Vec<_> = (1..MAX_DEPTH).map(|_| UserCode::enter(other)).collect();
        assert!(!is_too_deep(other), "there is room for one more");
        open.push(UserCode::enter(other));
        assert!(is_too_deep(other) && !is_too_deep(run));
        open.push(UserCode::enter(run));
        assert!(is_too_deep(other) && is_too_deep(run));
        drop(open.pop());
        assert!(is_too_deep(other) && !is_too_deep(run));
        drop(open.pop());
        assert!(!is_too_deep(other));
        while let Some(guard) = open.pop() {
            drop(guard);
        }
    }

    #[test]
    fn what_has_ended_is_not_open() {
        let (run, other) = (RunId(1), RunId(2));
        let open: Vec<_> = (0..MAX_DEPTH).map(|_| UserCode::enter(other)).collect();
        drop(UserCode::enter(run));
        assert!(!is_too_deep(run) && is_too_deep(other));
        let more: Vec<_> = (0..REMEMBERED).map(|_| UserCode::enter(run)).collect();
        assert!(is_too_deep(run) && is_too_deep(other));
        drop(more);
        assert!(!is_too_deep(run) && is_too_deep(other));
        drop(open);
        assert!(!is_in_user_code());
    }
}
