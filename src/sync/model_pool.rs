//! A thread pool for models: a few threads take jobs from one queue, in any order.
//!
//! rayon itself cannot run under a model checker. This crate relies on little of it: a spawned job
//! runs once, on some thread of the pool, and a scope ends when all of its jobs have ended.

use std::cell::Cell;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use rayon::{ThreadPool, Yield};

use super::{Condvar, Mutex, lock, thread};

/// How many threads the pool has. Each model sets it before it starts.
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
    /// The body of the scope has ended.
    closed: bool,
}

impl<'s> Scope<'s> {
    pub(crate) fn spawn(&self, job: impl FnOnce(&Scope<'s>) + Send + 's) {
        lock(&self.jobs).queued.push(Box::new(job));
        self.changed.notify_all();
    }

    /// Runs jobs until the scope has ended.
    fn run_jobs(&self) {
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
            threads.spawn(move || scope.run_jobs());
        }
        let before = IS_WORKER.with(|cell| cell.replace(is_worker));
        let result = body(scope);
        lock(&scope.jobs).closed = true;
        scope.changed.notify_all();
        if is_worker {
            scope.run_jobs();
        }
        IS_WORKER.with(|cell| cell.set(before));
        result
    })
}

/// Runs the body on a thread of the pool.
pub(crate) fn scope<'s, R>(body: impl FnOnce(&Scope<'s>) -> R) -> R {
    run(current_num_threads() - 1, true, body)
}

/// Runs the body on the calling thread, whether that belongs to the pool or not.
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

pub(crate) fn inject<'s>(scope: &Scope<'s>, job: impl FnOnce(&Scope<'s>) + Send + 's) {
    scope.spawn(job);
}

/// Makes this thread one of the pool's, to model a call from inside the pool.
pub(crate) fn become_worker() {
    IS_WORKER.with(|is_worker| is_worker.set(true));
}

pub(crate) fn yield_now() -> Option<Yield> {
    thread::yield_now();
    is_worker(None).then_some(Yield::Idle)
}
