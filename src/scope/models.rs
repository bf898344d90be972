//! A scope under many schedules. Permits: a thread that waits gets one, or sees the end. Postponed
//! tasks: each of them runs, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::postponed::Postponed;
use super::semaphore::Semaphore;
use crate::engine::user_code::{MAX_DEPTH, RunId, UserCode, is_too_deep};
use crate::sync::{Condvar, Mutex, explore, lock, thread};
use crate::token::CancelToken;

const SCHEDULES: usize = 10_000;

/// Only its size matters: the threads of a model are not its threads.
fn pool(threads: usize) -> Arc<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.unwrap())
}

/// Two submitters and their tasks. One that is left waiting never ends, which shuttle reports.
fn submit(semaphore: &Semaphore<'_>, token: &CancelToken, running: &AtomicUsize) -> usize {
    thread::scope(|threads| {
        let submitter = || {
            let mut refused = 0;
            for _ in 0..2 {
                if semaphore.acquire(token).is_break() {
                    refused += 1;
                    continue;
                }
                threads.spawn(|| {
                    let _permit = semaphore.permit();
                    running.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
            refused
        };
        let other = threads.spawn(submitter);
        submitter() + other.join().unwrap()
    })
}

#[test]
fn models() {
    for limit in [1, 2] {
        let same = pool(limit);
        explore(&format!("permits, limit {limit}"), SCHEDULES, move || {
            let (semaphore, running) = (Semaphore::new(&same), AtomicUsize::new(0));
            assert_eq!(submit(&semaphore, &CancelToken::new(), &running), 0);
            assert!(semaphore.try_acquire(), "all permits are available again");
        });
        let same = pool(limit);
        explore(
            &format!("permits and a cancellation, limit {limit}"),
            SCHEDULES,
            move || {
                let (semaphore, token) = (Semaphore::new(&same), CancelToken::new());
                // Held by a task that never ends.
                assert!(semaphore.try_acquire());
                let canceller = {
                    let token = token.clone();
                    thread::spawn(move || assert!(token.cancel()))
                };
                let refused = submit(&semaphore, &token, &AtomicUsize::new(0));
                canceller.join().unwrap();
                assert!(limit > 1 || refused == 4, "there was no permit for them");
            },
        );
    }
}

enum Job {
    Task(usize),
    /// Runs one of the tasks that are postponed.
    Resume,
}

/// A pool whose threads run jobs on top of tasks that wait, as rayon's do.
struct Pool {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    postponed: Postponed<usize>,
    /// How many tasks have run.
    ran: AtomicUsize,
}

struct Jobs {
    queued: Vec<Job>,
    running: usize,
}

const RUN: RunId = RunId::of_model(1);

impl Pool {
    fn take(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        let job = jobs.queued.pop();
        jobs.running += usize::from(job.is_some());
        job
    }

    fn run(&self, job: Job) {
        match job {
            Job::Task(task) if is_too_deep(RUN) => self.postponed.push(task),
            Job::Task(_) => self.run_now(),
            Job::Resume => _ = self.postponed.pop(RUN).map(|_| self.run_now()),
        }
        lock(&self.jobs).running -= 1;
        self.changed.notify_all();
    }

    /// As `Scope::run_now` and `Scope::resume`.
    fn run_now(&self) {
        let open = UserCode::enter(RUN);
        self.ran.fetch_add(1, Ordering::SeqCst);
        // The task waits. What it waits for comes only when nothing is queued, which is the worst
        // case.
        while let Some(job) = self.take() {
            self.run(job);
        }
        drop(open);
        if self.postponed.has_some() {
            lock(&self.jobs).queued.push(Job::Resume);
            self.changed.notify_all();
        }
    }

    /// Until the scope has ended: rayon counts the jobs.
    fn serve(&self) {
        loop {
            while let Some(job) = self.take() {
                self.run(job);
            }
            let jobs = lock(&self.jobs);
            if jobs.queued.is_empty() && jobs.running == 0 {
                return;
            }
            if jobs.queued.is_empty() {
                drop(self.changed.wait(jobs));
            }
        }
    }
}

#[test]
fn models_of_postponed_tasks() {
    for (threads, tasks) in [(2, 2 * MAX_DEPTH + 3), (3, 9)] {
        explore(
            &format!("{tasks} tasks that wait, {threads} threads"),
            SCHEDULES,
            move || {
                let pool = Pool {
                    jobs: Mutex::new(Jobs {
                        queued: (0..tasks).map(Job::Task).collect(),
                        running: 0,
                    }),
                    changed: Condvar::new(),
                    postponed: Postponed::new(),
                    ran: AtomicUsize::new(0),
                };
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| pool.serve());
                    }
                });
                assert!(!pool.postponed.has_some(), "a task was left behind");
                assert_eq!(pool.ran.load(Ordering::SeqCst), tasks);
            },
        );
    }
}
