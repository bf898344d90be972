//! `Semaphore`: how many tasks a scope with a concurrency lets in.

use std::cell::Cell;
use std::ops::ControlFlow;

use rayon::{ThreadPool, Yield};

use crate::engine::user_code::{RunId, UserCode};
use crate::sync::channel::{Receiver, Sender, bounded, wait_for};
use crate::sync::{Mutex, backoff, lock, thread_local};
use crate::token::CancelToken;

/// The permits of a scope: one for each thread of its pool.
///
/// A task has a permit from the moment it is spawned until it has ended. So a thread outside of the
/// pool that spawns tasks is never further ahead than the pool can work: it waits for a permit, as
/// Go's `Go` does after `SetLimit`. A task already holds a permit, so spawning from it never waits;
/// then more permits are held than there are threads.
pub(super) struct Semaphore<'p> {
    pool: &'p ThreadPool,
    state: Mutex<State>,
    /// Holds a message when a permit may be available for a thread that waits. Capacity 1
    /// suffices: a thread that acquires a permit and sees another one passes the wake-up on.
    released: (Sender<()>, Receiver<()>),
}

struct State {
    acquired: usize,
    /// How many threads wait for a permit.
    waiting: usize,
}

/// A task's permit. The drop releases it.
pub(super) struct Permit<'p>(&'p Semaphore<'p>);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.acquired -= 1;
        self.0.notify_next(&state);
    }
}

thread_local! {
    static IS_WAITING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread waits for a permit.
struct Waiting<'p> {
    semaphore: &'p Semaphore<'p>,
    _user_code: UserCode,
}

impl<'p> Waiting<'p> {
    fn new(semaphore: &'p Semaphore<'p>) -> Self {
        lock(&semaphore.state).waiting += 1;
        IS_WAITING.with(|is_waiting| is_waiting.set(true));
        Waiting {
            semaphore,
            _user_code: UserCode::enter(RunId::NONE),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        IS_WAITING.with(|is_waiting| is_waiting.set(false));
        lock(&self.semaphore.state).waiting -= 1;
    }
}

impl<'p> Semaphore<'p> {
    pub(super) fn new(pool: &'p ThreadPool) -> Self {
        let state = State {
            acquired: 0,
            waiting: 0,
        };
        Semaphore {
            pool,
            state: Mutex::new(state),
            released: bounded(1),
        }
    }

    /// Acquires a permit if one is available.
    pub(super) fn try_acquire(&self) -> bool {
        let mut state = lock(&self.state);
        let is_available = self.is_available(&state);
        if is_available {
            state.acquired += 1;
            self.notify_next(&state);
        }
        is_available
    }

    /// Acquires a permit even if none is available, for a thread that must not wait.
    pub(super) fn acquire_over_limit(&self) {
        lock(&self.state).acquired += 1;
    }

    /// Acquires a permit, and waits for one. Breaks off when the token is cancelled.
    ///
    /// A thread of this pool does not wait, since it is one of those that release permits. Nor does
    /// a thread of another pool that is waiting already: it runs other jobs meanwhile, and if
    /// these waited too, they would be stacked on each other, as many as there are.
    pub(super) fn acquire(&self, token: &CancelToken) -> ControlFlow<()> {
        if self.pool.current_thread_index().is_some() || IS_WAITING.with(Cell::get) {
            self.acquire_over_limit();
            return ControlFlow::Continue(());
        }
        if self.try_acquire() {
            return ControlFlow::Continue(());
        }
        let _waiting = Waiting::new(self);
        let mut step = 0_u32;
        loop {
            if self.try_acquire() {
                return ControlFlow::Continue(());
            }
            if token.is_cancelled() {
                return ControlFlow::Break(());
            }
            // A thread of another pool goes on with the work of that one, and must look for it now
            // and then: rayon cannot wake it for that here.
            match rayon::yield_now() {
                Some(Yield::Executed) => step = 0,
                Some(Yield::Idle) => {
                    wait_for(&self.released.1, token.done(), Some(backoff(step)));
                    step = step.saturating_add(1);
                }
                None => wait_for(&self.released.1, token.done(), None),
            }
        }
    }

    /// The permit that was acquired for a task, to be held by the task.
    pub(super) fn permit(&'p self) -> Permit<'p> {
        Permit(self)
    }

    fn is_available(&self, state: &State) -> bool {
        state.acquired < self.pool.current_num_threads()
    }

    fn notify_next(&self, state: &State) {
        if state.waiting > 0 && self.is_available(state) {
            // If the channel is full, a wake-up is on its way already.
            _ = self.released.0.try_send(());
        }
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A thread that is woken for nothing only looks again, so this cannot be seen from outside.
    #[test]
    fn no_wake_up_is_sent_if_no_thread_waits() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.unwrap();
        let (semaphore, token) = (Semaphore::new(&pool), CancelToken::new());
        assert!(semaphore.try_acquire());
        drop(semaphore.permit());
        assert!(semaphore.released.1.is_empty());
        assert!(semaphore.try_acquire());
        std::thread::scope(|scope| {
            let (acquired, has_acquired) = mpsc::channel();
            let (semaphore, token) = (&semaphore, &token);
            scope.spawn(move || {
                assert!(semaphore.acquire(token).is_continue());
                acquired.send(()).unwrap();
            });
            while lock(&semaphore.state).waiting == 0 {
                std::thread::yield_now();
            }
            drop(semaphore.permit());
            has_acquired.recv().unwrap();
        });
        // Left there, if the waiting thread looked again before the wake-up came.
        _ = semaphore.released.1.try_recv();
        drop(semaphore.permit());
        assert!(semaphore.released.1.is_empty());
    }
}
