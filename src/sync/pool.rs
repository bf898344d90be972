//! A pool for models: some workers take jobs off one queue, in any order.
//!
//! rayon itself cannot be modelled. What this crate relies on is little: a job that is spawned runs
//! once, on some worker, and a scope ends when all of its jobs have.

use std::cell::Cell;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use rayon::{ThreadPool, Yield};

use super::{Condvar, Mutex, thread};
use crate::sync::lock;

/// How many workers there are. Set by each model before it begins.
pub(crate) static WORKERS: AtomicUsize = AtomicUsize::new(2);

shuttle::thread_local! {
    static IS_WORKER: Cell<bool> = Cell::new(false);
}

type Job<'s> = Box<dyn FnOnce(&Scope<'s>) + Send + 's>;

pub(crate) struct Scope<'s> {
    jobs: Mutex<Jobs<'s>>,
    changed: Condvar,
}

struct Jobs<'s> {
    queued: Vec<Job<'s>>,
    running: usize,
    /// The body has ended.
    closed: bool,
}

impl<'s> Scope<'s> {
    pub(crate) fn spawn(&self, job: impl FnOnce(&Scope<'s>) + Send + 's) {
        lock(&self.jobs).queued.push(Box::new(job));
        self.changed.notify_all();
    }

    /// Runs jobs until the scope is over.
    fn work_off(&self) {
        IS_WORKER.with(|is_worker| is_worker.set(true));
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some(job) = jobs.queued.pop() {
                jobs.running += 1;
                drop(jobs);
                job(self);
                jobs = lock(&self.jobs);
                jobs.running -= 1;
                self.changed.notify_all();
            } else if jobs.closed && jobs.running == 0 {
                return;
            } else {
                jobs = (self.changed.wait(jobs)).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

fn run<'s, R>(workers: usize, is_worker: bool, body: impl FnOnce(&Scope<'s>) -> R) -> R {
    let scope = Scope {
        jobs: Mutex::new(Jobs {
            queued: Vec::new(),
            running: 0,
            closed: false,
        }),
        changed: Condvar::new(),
    };
    let scope = &scope;
    thread::scope(|threads| {
        for _ in 0..workers {
            threads.spawn(move || scope.work_off());
        }
        let before = IS_WORKER.with(|cell| cell.replace(is_worker));
        let result = body(scope);
        lock(&scope.jobs).closed = true;
        scope.changed.notify_all();
        if is_worker {
            scope.work_off();
        }
        IS_WORKER.with(|cell| cell.set(before));
        result
    })
}

/// The body runs on one of the workers.
pub(crate) fn scope<'s, R>(body: impl FnOnce(&Scope<'s>) -> R) -> R {
    run(current_num_threads() - 1, true, body)
}

/// The body runs on the calling thread, which is one of the workers or not.
pub(crate) fn in_place_scope<'s, R>(body: impl FnOnce(&Scope<'s>) -> R) -> R {
    let is_worker = is_worker(None);
    run(
        current_num_threads() - usize::from(is_worker),
        is_worker,
        body,
    )
}

pub(crate) fn in_place_scope_on<'s, R>(_: &ThreadPool, body: impl FnOnce(&Scope<'s>) -> R) -> R {
    in_place_scope(body)
}

pub(crate) fn current_num_threads() -> usize {
    WORKERS.load(Ordering::Relaxed)
}

pub(crate) fn is_worker(_: Option<&ThreadPool>) -> bool {
    IS_WORKER.with(Cell::get)
}

/// Makes this thread a worker, for a model of who calls from inside of the pool.
pub(crate) fn become_worker() {
    IS_WORKER.with(|is_worker| is_worker.set(true));
}

pub(crate) fn yield_now() -> Option<Yield> {
    thread::yield_now();
    is_worker(None).then_some(Yield::Idle)
}
