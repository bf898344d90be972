//! `Callback`: a closure that runs at most once, after a cancellation.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use crate::panic::Payload;
use crate::sync::pool::{self, Yield};
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, backoff, lock, wait_at_most};

/// A worker waits for a closure for about a millisecond before it runs other jobs: see [`backoff`].
const FIRST_WAIT: u32 = 5;

/// The closure and its progress. The lock is never held while the closure runs.
pub(super) struct Callback {
    state: Mutex<State>,
    /// Notified when the call has ended.
    ended: Condvar,
}

enum State {
    Waiting(Box<dyn FnOnce() + Send>),
    /// The thread is stored so that the callback can drop its own registration: see `wait`.
    Running(ThreadId),
    /// The closure has run, or was taken before it ran.
    Ended,
}

impl Callback {
    pub(super) fn new(call: Box<dyn FnOnce() + Send>) -> Callback {
        Callback {
            state: Mutex::new(State::Waiting(call)),
            ended: Condvar::new(),
        }
    }

    /// Runs the closure, unless it has run or was taken. If it panics, `on_panic` receives the
    /// payload before the threads that wait for the end of the call continue: then a run whose item
    /// waits for the call has the panic before it ends.
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

    /// Takes the closure, so that it never runs. `None` if it has run, is running, or was taken.
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

    /// Waits while another thread is running the closure. On the thread that runs it this returns
    /// at once, since that thread would wait for itself.
    ///
    /// A thread of a pool runs other jobs of the pool while it waits, if that takes longer: the
    /// closure may have called rayon, and wait for this thread to run a job.
    pub(super) fn wait(&self) {
        let this_thread = thread::current().id();
        let is_running =
            |state: &State| matches!(*state, State::Running(thread) if thread != this_thread);
        let mut state = lock(&self.state);
        // Most closures are quick, and a job that runs on top of an item may take long.
        let mut step = FIRST_WAIT;
        while is_running(&state) {
            if !pool::is_worker(None) {
                let woken = self.ended.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state = wait_at_most(&self.state, &self.ended, state, backoff(step));
            if is_running(&state) {
                drop(state);
                step = match pool::yield_now() {
                    Some(Yield::Executed) => 0,
                    _ => step + 1,
                };
                state = lock(&self.state);
            }
        }
    }

    /// The state as a word, for `Debug`.
    pub(super) fn progress(&self) -> &'static str {
        match *lock(&self.state) {
            State::Waiting(_) => "waiting",
            State::Running(_) => "running",
            State::Ended => "ended",
        }
    }
}
