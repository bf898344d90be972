//! The standard library's primitives, crossbeam's channel, and rayon's pool.

pub(crate) use ::std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use ::std::thread;
pub(crate) use ::std::thread_local;

/// Channels.
pub(crate) mod channel {
    use ::std::convert::Infallible;
    use ::std::time::Duration;

    pub(crate) use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
    use crossbeam_channel::{after, never, select};

    /// Waits for a message, for the other channel to close, or for the time to be over.
    pub(crate) fn wait_for(
        message: &Receiver<()>,
        closed: &Receiver<Infallible>,
        limit: Option<Duration>,
    ) {
        let over = limit.map_or_else(never, after);
        select! {
            recv(message) -> _ => {}
            recv(closed) -> _ => {}
            recv(over) -> _ => {}
        }
    }
}

#[path = "rayon.rs"]
pub(crate) mod pool;
