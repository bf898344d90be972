//! The primitives outside of models: the standard library's, crossbeam's channel, rayon's pools.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use std::{thread, thread_local};

pub(crate) use super::rayon_pool as pool;

/// Channels.
pub(crate) mod channel {
    use std::convert::Infallible;
    use std::time::Duration;

    pub(crate) use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
    use crossbeam_channel::{after, never, select};

    /// Waits until a message arrives, the other channel closes, or the time limit passes.
    pub(crate) fn wait_for(
        message: &Receiver<()>,
        closed: &Receiver<Infallible>,
        limit: Option<Duration>,
    ) {
        let time_limit = limit.map_or_else(never, after);
        select! {
            recv(message) -> _ => {}
            recv(closed) -> _ => {}
            recv(time_limit) -> _ => {}
        }
    }
}
