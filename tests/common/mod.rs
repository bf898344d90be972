//! What the tests share: pools of a given size, a watchdog, and values that count their drops.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Every law is tested on pools of these sizes.
pub(crate) const POOLS: [usize; 3] = [1, 2, 8];

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

/// Runs `body` on a thread of its own, and fails if it does not end: a hang is a failure.
pub(crate) fn watched<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(catch_unwind(AssertUnwindSafe(body))));
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(result)) => result,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("the test hangs"),
    }
}

/// Runs `body` inside a pool of `threads`, watched.
pub(crate) fn on_pool<R: Send + 'static>(
    threads: usize,
    body: impl FnOnce() -> R + Send + 'static,
) -> R {
    watched(move || pool(threads).install(body))
}

/// Runs `body` inside pools of one, two and many threads, and tells it which.
pub(crate) fn on_pools(body: impl Fn(usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    for threads in POOLS {
        let body = Arc::clone(&body);
        on_pool(threads, move || body(threads));
    }
}

/// The payload of the panic that `body` must end with.
pub(crate) fn payload_of<R>(body: impl FnOnce() -> R) -> Box<dyn std::any::Any + Send> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => payload,
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

    pub(crate) fn assert_each_once(&self) {
        for number in 0..self.0.len() {
            assert_eq!(self.of(number), 1, "drops of thing {number}");
        }
    }
}

pub(crate) struct Thing {
    pub(crate) number: usize,
    drops: Drops,
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.drops.0[self.number].fetch_add(1, Ordering::SeqCst);
    }
}

/// A channel whose ends are shared by the items.
pub(crate) fn shared<T>() -> (Mutex<Sender<T>>, Mutex<Receiver<T>>) {
    let (sender, receiver) = channel();
    (Mutex::new(sender), Mutex::new(receiver))
}
