//! The permits of a scope under many schedules: a thread that waits gets one, or sees the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::semaphore::Semaphore;
use crate::sync::{explore, thread};
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
