//! `Postponed`: tasks that came to a thread whose stack is too deep.
//!
//! See [`user_code`](crate::engine::user_code): a task is postponed only on top of another task of
//! its scope. So each task that ends spawns a job that runs one of them. None is left behind: while
//! there are any, a task is open below the place where the last one was postponed, or such a job is
//! queued, or runs a task.

use std::collections::VecDeque;

use super::Scope;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};

pub(super) type Task<'scope, E> =
    Box<dyn FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope>;

pub(super) struct Postponed<'scope, E> {
    tasks: Mutex<VecDeque<Task<'scope, E>>>,
    /// How many there are: most scopes never take the lock.
    count: AtomicUsize,
}

impl<'scope, E> Postponed<'scope, E> {
    pub(super) fn new() -> Self {
        Postponed {
            tasks: Mutex::new(VecDeque::new()),
            count: AtomicUsize::new(0),
        }
    }

    #[cold]
    pub(super) fn push(&self, task: Task<'scope, E>) {
        let mut tasks = lock(&self.tasks);
        tasks.push_back(task);
        // Relaxed, as all of these: the task that must see it runs on this thread.
        self.count.store(tasks.len(), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    pub(super) fn pop(&self) -> Option<Task<'scope, E>> {
        let mut tasks = lock(&self.tasks);
        let task = tasks.pop_front();
        self.count.store(tasks.len(), Ordering::Relaxed);
        task
    }
}
