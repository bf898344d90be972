//! Shared test helpers: pools of a given size, a watchdog, random cases, and drop counters.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rayon_errgroup::{Cause, GroupError};

/// Every guarantee is tested on pools of these sizes.
pub(crate) const POOLS: [usize; 3] = [1, 2, 8];

/// How long a test may take before it counts as hanging. Longer under a sanitizer.
fn timeout() -> Duration {
    let seconds = std::env::var("TEST_TIMEOUT_SECONDS").ok();
    Duration::from_secs(seconds.map_or(60, |seconds| seconds.parse().unwrap()))
}

pub(crate) fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

/// Runs `body` on a new thread and fails if it does not return in time, so that a hang is a
/// failure.
pub(crate) fn watched<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(catch_unwind(AssertUnwindSafe(body))));
    match receiver.recv_timeout(timeout()) {
        Ok(Ok(result)) => result,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("the test hangs"),
    }
}

/// Runs `body` inside a pool of `threads`, under the watchdog.
pub(crate) fn on_pool<R: Send + 'static>(
    threads: usize,
    body: impl FnOnce() -> R + Send + 'static,
) -> R {
    watched(move || pool(threads).install(body))
}

/// Runs `body` inside a pool of each size in [`POOLS`] and passes it the size.
pub(crate) fn on_pools(body: impl Fn(usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    for threads in POOLS {
        let body = Arc::clone(&body);
        on_pool(threads, move || body(threads));
    }
}

/// Runs `check` with `count` random cases inside a pool of each of the given sizes. `check` gets
/// the case and the size, and panics if the case fails; the case is then shrunk.
pub(crate) fn cases<S>(
    count: u32,
    strategy: fn() -> S,
    pools: &[usize],
    check: fn(&S::Value, usize),
) where
    S: Strategy + 'static,
    S::Value: Sync,
{
    for &threads in pools {
        watched(move || {
            let pool = pool(threads);
            let mut runner = TestRunner::new(Config {
                cases: count,
                failure_persistence: None,
                ..Config::default()
            });
            let result = runner.run(&strategy(), |case| {
                pool.install(|| check(&case, threads));
                Ok(())
            });
            result.unwrap_or_else(|error| panic!("{error}"));
        });
    }
}

/// The payload of the panic that `body` must end with.
#[track_caller]
pub(crate) fn payload_of<R>(body: impl FnOnce() -> R) -> Box<dyn std::any::Any + Send> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => payload,
    }
}

/// The cause of the cancellation that `result` must be.
#[track_caller]
pub(crate) fn cancelled<T: Debug, E: Debug>(result: Result<T, GroupError<E>>) -> Cause {
    match result {
        Err(GroupError::Cancelled(cancelled)) => cancelled.cause().clone(),
        other => panic!("a cancellation was expected, not {other:?}"),
    }
}

/// The message of the panic that `body` must end with.
pub(crate) fn message_of<R>(body: impl FnOnce() -> R) -> String {
    match payload_of(body).downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

/// Counts how often each of a number of things was dropped.
#[derive(Clone)]
pub(crate) struct Drops(Arc<[AtomicUsize]>);

impl Drops {
    pub(crate) fn new(count: usize) -> Self {
        Drops((0..count).map(|_| AtomicUsize::new(0)).collect())
    }

    /// The thing with this number.
    pub(crate) fn thing(&self, number: usize) -> Thing {
        Thing {
            number,
            drops: self.clone(),
        }
    }

    pub(crate) fn things(&self) -> Vec<Thing> {
        (0..self.0.len()).map(|number| self.thing(number)).collect()
    }

    pub(crate) fn of(&self, number: usize) -> usize {
        self.0[number].load(Ordering::SeqCst)
    }

    #[track_caller]
    pub(crate) fn assert_each_once(&self) {
        for number in 0..self.0.len() {
            assert_eq!(self.of(number), 1, "drops of thing {number}");
        }
    }
}

/// A value whose drop is counted under its number.
pub(crate) struct Thing {
    pub(crate) number: usize,
    drops: Drops,
}

impl Debug for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Thing").field(&self.number).finish()
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.drops.0[self.number].fetch_add(1, Ordering::SeqCst);
    }
}

/// A channel whose ends can be shared by the items of a run.
pub(crate) fn shared<T>() -> (Mutex<Sender<T>>, Mutex<Receiver<T>>) {
    let (sender, receiver) = channel();
    (Mutex::new(sender), Mutex::new(receiver))
}
