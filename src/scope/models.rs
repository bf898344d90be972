//! The places of a scope under many schedules: who waits for one gets one, or is told of the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::places::Places;
use crate::run::GoOn;
use crate::sync::{explore, thread};
use crate::token::CancelToken;

const SCHEDULES: usize = 10_000;

/// Only its size is of interest: the threads of a model are none of its workers.
fn pool(threads: usize) -> Arc<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.unwrap())
}

/// Two submitters and their tasks. One that is left waiting never ends, which shuttle reports.
fn submit(places: &Places<'_>, token: &CancelToken, running: &AtomicUsize) -> usize {
    thread::scope(|threads| {
        let submitter = || {
            let mut refused = 0;
            for _ in 0..2 {
                if places.take(token) == GoOn(false) {
                    refused += 1;
                    continue;
                }
                threads.spawn(|| {
                    let _place = places.of_task();
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
        explore(&format!("places, limit {limit}"), SCHEDULES, move || {
            let (places, running) = (Places::new(&same), AtomicUsize::new(0));
            assert_eq!(submit(&places, &CancelToken::new(), &running), 0);
            assert!(places.try_take(), "all places are free again");
        });
        let same = pool(limit);
        explore(
            &format!("places and a cancellation, limit {limit}"),
            SCHEDULES,
            move || {
                let (places, token) = (Places::new(&same), CancelToken::new());
                // Taken by a task that never ends.
                assert!(places.try_take());
                let canceller = {
                    let token = token.clone();
                    thread::spawn(move || assert!(token.cancel()))
                };
                let refused = submit(&places, &token, &AtomicUsize::new(0));
                canceller.join().unwrap();
                assert!(limit > 1 || refused == 4, "there was no place for them");
            },
        );
    }
}
