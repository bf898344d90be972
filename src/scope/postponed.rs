//! `Postponed`: tasks that came to a thread whose stack is too deep.
//!
//! See [`user_code`](crate::engine::user_code): a task is postponed only on top of another task of
//! its scope. So each task that ends spawns a job that runs one of them. None is left behind: while
//! there are any, a task is open below the place where the last one was postponed, or such a job is
//! queued, or runs a task.

use std::collections::VecDeque;

use crate::engine::user_code::{RunId, is_too_deep};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};

pub(super) struct Postponed<T> {
    tasks: Mutex<VecDeque<T>>,
    /// How many there are: most scopes never take the lock.
    count: AtomicUsize,
}

impl<T> Postponed<T> {
    pub(super) fn new() -> Self {
        Postponed {
            tasks: Mutex::new(VecDeque::new()),
            count: AtomicUsize::new(0),
        }
    }

    #[cold]
    pub(super) fn push(&self, task: T) {
        let mut tasks = lock(&self.tasks);
        tasks.push_back(task);
        // Relaxed, as all of these: the task that must see it runs on this thread.
        self.count.store(tasks.len(), Ordering::Relaxed);
    }

    /// For a task that has ended: whether to spawn a job, which calls `pop`.
    #[inline]
    pub(super) fn has_some(&self) -> bool {
        // Relaxed: see `push`.
        self.count.load(Ordering::Relaxed) > 0
    }

    /// A task to run now, on this thread. If the stack is too deep there is none: the task of this
    /// scope that is open here spawns another job.
    pub(super) fn pop(&self, run: RunId) -> Option<T> {
        if is_too_deep(run) {
            return None;
        }
        let mut tasks = lock(&self.tasks);
        let task = tasks.pop_front();
        // Relaxed: see `push`.
        self.count.store(tasks.len(), Ordering::Relaxed);
        task
    }
}
