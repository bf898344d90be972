//! `Places`: how many tasks a scope with a concurrency lets in.

use std::cell::Cell;

use rayon::{ThreadPool, Yield};

use crate::engine::busy::{InTheMiddle, nap};
use crate::run::GoOn;
use crate::sync::channel::{Receiver, Sender, bounded, wait_for};
use crate::sync::{Mutex, lock, thread_local};
use crate::token::CancelToken;

/// The places of a scope: one for each thread of its pool.
///
/// A task has a place from the moment it is spawned until it has ended. So whoever spawns from
/// outside of the pool is never further ahead than the pool can work: it waits for a place, as Go's
/// `Go` does after `SetLimit`. A task that spawns another one never waits, since it has one of the
/// places itself; then more are taken than there are.
pub(super) struct Places<'p> {
    pool: &'p ThreadPool,
    state: Mutex<State>,
    /// Holds a message when a place may be free for one who waits. One is enough for all: who takes
    /// a place and sees another one tells the next.
    freed: (Sender<()>, Receiver<()>),
}

struct State {
    taken: usize,
    /// How many wait for a place.
    waiting: usize,
}

/// A task's place, until it is dropped.
pub(super) struct Place<'p>(&'p Places<'p>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.taken -= 1;
        self.0.tell_next(&state);
    }
}

thread_local! {
    static IS_WAITING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread waits for a place.
struct Waiting<'p> {
    places: &'p Places<'p>,
    _middle: InTheMiddle,
}

impl<'p> Waiting<'p> {
    fn new(places: &'p Places<'p>) -> Self {
        lock(&places.state).waiting += 1;
        IS_WAITING.with(|is_waiting| is_waiting.set(true));
        Waiting {
            places,
            _middle: InTheMiddle::new(),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        IS_WAITING.with(|is_waiting| is_waiting.set(false));
        lock(&self.places.state).waiting -= 1;
    }
}

impl<'p> Places<'p> {
    pub(super) fn new(pool: &'p ThreadPool) -> Self {
        let state = State {
            taken: 0,
            waiting: 0,
        };
        Places {
            pool,
            state: Mutex::new(state),
            freed: bounded(1),
        }
    }

    /// Takes a place if one is free.
    pub(super) fn try_take(&self) -> bool {
        let mut state = lock(&self.state);
        let is_free = self.is_free(&state);
        if is_free {
            state.taken += 1;
            self.tell_next(&state);
        }
        is_free
    }

    /// Takes a place that may be one more than there are, for whoever must not wait.
    pub(super) fn take_at_once(&self) {
        lock(&self.state).taken += 1;
    }

    /// Takes a place, and waits for one. Gives up when the token is cancelled.
    ///
    /// A worker of this pool does not wait, since it is the one that makes places free. Nor does a
    /// worker of another one that is waiting already: it does other jobs meanwhile, and if these waited
    /// too, they would be stacked on each other, as many as there are.
    pub(super) fn take(&self, token: &CancelToken) -> GoOn {
        if self.pool.current_thread_index().is_some() || IS_WAITING.with(Cell::get) {
            self.take_at_once();
            return GoOn(true);
        }
        if self.try_take() {
            return GoOn(true);
        }
        let _waiting = Waiting::new(self);
        let mut naps = 0_u32;
        loop {
            if self.try_take() {
                return GoOn(true);
            }
            if token.is_cancelled() {
                return GoOn(false);
            }
            // A worker of another pool goes on with the work of that one, and must look for it now
            // and then, as rayon can wake it for none.
            match rayon::yield_now() {
                Some(Yield::Executed) => naps = 0,
                Some(Yield::Idle) => {
                    wait_for(&self.freed.1, token.done(), Some(nap(naps)));
                    naps = naps.saturating_add(1);
                }
                None => wait_for(&self.freed.1, token.done(), None),
            }
        }
    }

    /// Hands the place that was taken to the task that it was taken for.
    pub(super) fn of_task(&'p self) -> Place<'p> {
        Place(self)
    }

    fn is_free(&self, state: &State) -> bool {
        state.taken < self.pool.current_num_threads()
    }

    fn tell_next(&self, state: &State) {
        if state.waiting > 0 && self.is_free(state) {
            // If it is full, somebody is told already.
            _ = self.freed.0.try_send(());
        }
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Whoever is woken for nothing only looks again, so nobody sees it from outside.
    #[test]
    fn nobody_is_told_of_a_place_who_does_not_wait() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.unwrap();
        let (places, token) = (Places::new(&pool), CancelToken::new());
        assert!(places.try_take());
        drop(places.of_task());
        assert!(places.freed.1.is_empty());
        assert!(places.try_take());
        std::thread::scope(|scope| {
            let (took, has_taken) = mpsc::channel();
            let (places, token) = (&places, &token);
            scope.spawn(move || {
                assert!(places.take(token) == GoOn(true));
                took.send(()).unwrap();
            });
            while lock(&places.state).waiting == 0 {
                std::thread::yield_now();
            }
            drop(places.of_task());
            has_taken.recv().unwrap();
        });
        // Left there, if the one who waited looked again before he was told.
        _ = places.freed.1.try_recv();
        drop(places.of_task());
        assert!(places.freed.1.is_empty());
    }
}
