//! A callback: a closure that is run at most once, by the thread that cancels.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use crate::panic::Payload;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, lock};

/// The closure and how far it has come. The lock is never held while it runs.
pub(super) struct Callback {
    state: Mutex<State>,
    ended: Condvar,
}

enum State {
    Waiting(Box<dyn FnOnce() + Send>),
    Running(ThreadId),
    Ended,
}

impl Callback {
    pub(super) fn new(call: Box<dyn FnOnce() + Send>) -> Callback {
        Callback {
            state: Mutex::new(State::Waiting(call)),
            ended: Condvar::new(),
        }
    }

    /// Runs the closure unless somebody took it. A panic is handed to `on_panic` before those who
    /// wait for the end of the call are let go.
    pub(super) fn run(&self, on_panic: &mut dyn FnMut(Payload)) {
        let Some(call) = self.replace_waiting(State::Running(thread::current().id())) else {
            return;
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            on_panic(payload);
        }
        *lock(&self.state) = State::Ended;
        self.ended.notify_all();
    }

    /// Takes the closure, so that it never runs.
    pub(super) fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.replace_waiting(State::Ended)
    }

    fn replace_waiting(&self, next: State) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = lock(&self.state);
        if !matches!(*state, State::Waiting(_)) {
            return None;
        }
        match mem::replace(&mut *state, next) {
            State::Waiting(call) => Some(call),
            State::Running(_) | State::Ended => None,
        }
    }

    /// Waits for a call that another thread has begun.
    pub(super) fn wait(&self) {
        let mine = thread::current().id();
        let mut state = lock(&self.state);
        while matches!(*state, State::Running(thread) if thread != mine) {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How far it has come, in a word.
    pub(super) fn progress(&self) -> &'static str {
        match *lock(&self.state) {
            State::Waiting(_) => "waiting",
            State::Running(_) => "running",
            State::Ended => "ended",
        }
    }
}
