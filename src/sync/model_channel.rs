//! A channel for models: the part of crossbeam's interface that this crate uses, made of the model
//! checker's primitives.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Condvar, Mutex, lock, thread};

#[derive(Debug)]
struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    capacity: usize,
    closed: bool,
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Channel<T>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Channel<T>>);

#[derive(Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "no time passes in a model")]
pub(crate) enum RecvTimeoutError {
    Timeout,
    Disconnected,
}

pub(crate) fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        state: Mutex::new(State {
            messages: VecDeque::new(),
            capacity,
            closed: false,
        }),
        changed: Condvar::new(),
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, message: T) -> Result<(), T> {
        let mut state = lock(&self.0.state);
        if state.messages.len() >= state.capacity {
            return Err(message);
        }
        state.messages.push_back(message);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        lock(&self.0.state).closed = true;
        self.0.changed.notify_all();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver(Arc::clone(&self.0))
    }
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, RecvTimeoutError> {
        let mut state = lock(&self.0.state);
        loop {
            if let Some(message) = state.messages.pop_front() {
                return Ok(message);
            }
            if state.closed {
                return Err(RecvTimeoutError::Disconnected);
            }
            state = (self.0.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits without a limit: no time passes in a model.
    pub(crate) fn recv_timeout(&self, _limit: Duration) -> Result<T, RecvTimeoutError> {
        self.recv()
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.0.state).closed
    }

    fn try_recv(&self) -> Option<T> {
        lock(&self.0.state).messages.pop_front()
    }
}

/// A time limit passes at once: a model has no clock, and a short limit is one possible case.
pub(crate) fn wait_for(
    message: &Receiver<()>,
    closed: &Receiver<Infallible>,
    limit: Option<Duration>,
) {
    while message.try_recv().is_none() && !closed.is_closed() && limit.is_none() {
        thread::yield_now();
    }
}
