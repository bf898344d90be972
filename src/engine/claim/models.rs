//! The claim queue and the limit of a stream under many schedules.
//!
//! The workers are those of the crate, on a model of a pool. Checked is what tests from outside can
//! only see by chance: no worker is lost, none waits forever (shuttle reports a deadlock), each
//! item runs once or never, and the answer is the sequential loop's on every schedule.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::source::Sequential;
use super::{for_each, map, outcome, stream};
use crate::error::GroupError;
use crate::failure_policy::FailurePolicy;
use crate::in_order::InOrder;
use crate::run::Run;
use crate::sync::pool::{WORKERS, become_worker};
use crate::sync::{Mutex, explore, lock, thread};
use crate::token::CancelToken;
use crate::values::process;

const SCHEDULES: usize = 20_000;

/// How often each item has run.
type Ran = Arc<Mutex<BTreeMap<usize, usize>>>;

fn run(parent: Option<&CancelToken>, error_limit: usize) -> Run<usize> {
    let policy = FailurePolicy {
        error_limit,
        ..FailurePolicy::default()
    };
    Run::new(parent, policy)
}

/// Runs `body`, and says what came of the run.
fn end<R>(
    run: Run<usize>,
    body: impl FnOnce(&Run<usize>) -> Option<R>,
) -> Result<R, GroupError<usize>> {
    let result = body(&run);
    run.finish(result).into_result()
}

/// An item that is interrupted, and may fail.
fn work(ran: &Ran, failing: &[usize], item: usize) -> Result<usize, usize> {
    *lock(ran).entry(item).or_default() += 1;
    thread::yield_now();
    if failing.contains(&item) {
        Err(item)
    } else {
        Ok(item)
    }
}

/// No item ran twice, and all before the end of the loop ran.
fn assert_ran(ran: &Ran, end: usize) {
    let ran = lock(ran);
    assert!(ran.values().all(|times| *times == 1), "{ran:?}");
    for item in 0..end {
        assert!(ran.contains_key(&item), "{item} of {ran:?}");
    }
}

fn index<R>(result: Result<R, GroupError<usize>>) -> Option<usize> {
    match result {
        Ok(_) => None,
        Err(GroupError::Failed { index, .. }) => index,
        Err(_) => panic!("nothing else has stopped it"),
    }
}

fn everywhere(name: &str, model: impl Fn() + Clone + Send + Sync + 'static) {
    for workers in [2, 3] {
        WORKERS.store(workers, Ordering::Relaxed);
        explore(
            &format!("{name}, {workers} workers"),
            SCHEDULES,
            model.clone(),
        );
    }
}

/// How many items each chunk has, if not as many as the clock says.
static CHUNK: AtomicUsize = AtomicUsize::new(0);

pub(super) fn chunk_len() -> Option<usize> {
    Some(CHUNK.load(Ordering::Relaxed)).filter(|len| *len > 0)
}

/// In chunks of three items: the worker that has ended one of them calls for the rest of another.
fn everywhere_in_chunks(name: &str, model: impl Fn() + Clone + Send + Sync + 'static) {
    CHUNK.store(3, Ordering::Relaxed);
    everywhere(name, model);
    CHUNK.store(0, Ordering::Relaxed);
}

/// One model after the other: they share the number of workers.
#[test]
fn models() {
    every_item_runs_once();
    the_lowest_failure_is_the_answer();
    a_source_that_waits_loses_no_worker();
    tolerated_failures_stop_where_the_loop_would();
    a_cancellation_meanwhile();
    a_sink_has_the_values_in_order();
    a_sink_that_fails();
    a_sink_that_has_enough();
    an_item_does_not_wait_for_the_next_one();
    a_chunk_with_failures_is_taken_over();
    a_chunk_with_a_panic_is_taken_over();
    a_chunk_of_a_stream_is_taken_over();
    no_worker_has_two_errors();
    values_are_reduced_in_order();
    a_match_ends_a_reduction();
}

/// With a stock of few consumers, so that workers find none left.
fn values_are_reduced_in_order() {
    let append = |mut left: Vec<usize>, right: Vec<usize>| {
        thread::yield_now();
        left.extend(right);
        left
    };
    let model = move |failing: &'static [usize], expected: Result<&'static [usize], usize>| {
        move || {
            let ran = Ran::default();
            let f = |_: &CancelToken, n| work(&ran, failing, n);
            let result = end(run(None, 1), |run| {
                let items = InOrder::new((0..6_usize).into_par_iter());
                process(items, run, None, &f, |values| {
                    values.map(|n| vec![n]).reduce(Vec::new, append)
                })
            });
            match expected {
                Ok(values) => assert_eq!(result.ok().as_deref(), Some(values)),
                Err(first) => assert_eq!(index(result), Some(first)),
            }
            assert_ran(&ran, expected.map_or_else(|first| first + 1, <[_]>::len));
        }
    };
    let all = model(&[], Ok(&[0, 1, 2, 3, 4, 5]));
    everywhere("values are reduced in order", all);
    everywhere_in_chunks("values are reduced in order, in chunks", all);
    everywhere_in_chunks("a reduction with failures", model(&[4, 3], Err(3)));
}

fn a_match_ends_a_reduction() {
    let model = || {
        let ran = Ran::default();
        let f = |_: &CancelToken, n| work(&ran, &[], n);
        let result = end(run(None, 1), |run| {
            // Endless: it ends only if a worker sees that nothing more is wanted.
            let items = InOrder::new(Sequential(0..));
            process(items, run, None, &f, |values| {
                values.find_first(|n| *n == 3)
            })
        });
        assert_eq!(result.ok(), Some(Some(3)));
        assert_ran(&ran, 4);
    };
    everywhere("a match ends a reduction", model);
}

fn a_chunk_with_failures_is_taken_over() {
    everywhere_in_chunks("a chunk with tolerated failures is taken over", || {
        let ran = Ran::default();
        let each = |_: &_, n| work(&ran, &[1, 4], n);
        let policy = FailurePolicy {
            error_limit: usize::MAX,
            keep_all: true,
            ..FailurePolicy::default()
        };
        let run = Run::new(None, policy);
        let results = outcome::outcome((0..6_usize).into_par_iter(), &run, &each);
        let mut report = run.finish(results);
        assert_eq!(report.take_failures().count(), 0);
        let results = report.result.unwrap();
        assert_eq!(results.errors, [(1, 1), (4, 4)]);
        assert_eq!(results.values, [(0, 0), (2, 2), (3, 3), (5, 5)]);
        assert_ran(&ran, 6);
    });
}

/// The second worker fails first, and may not fail again in what the first one hands over.
fn no_worker_has_two_errors() {
    everywhere_in_chunks("no worker has two errors", || {
        let ran = Ran::default();
        let each = |_: &_, n| work(&ran, &[1, 2, 3, 4, 5], n);
        let policy = FailurePolicy {
            keep_all: true,
            ..FailurePolicy::default()
        };
        let run = Run::new(None, policy);
        let results = outcome::outcome((0..6_usize).into_par_iter(), &run, &each);
        let mut report = run.finish(results);
        let failed = report.take_failures().count() + report.result.unwrap().errors.len();
        let workers = WORKERS.load(Ordering::Relaxed);
        assert!((1..=workers).contains(&failed), "{failed}");
        assert_ran(&ran, 2);
    });
}

fn a_chunk_with_a_panic_is_taken_over() {
    everywhere_in_chunks("a chunk with a panic is taken over", || {
        let ran = Ran::default();
        let each = |_: &_, n| {
            let result = work(&ran, &[], n);
            if n == 4 {
                resume_unwind(Box::new("four"));
            }
            result
        };
        let result = end(run(None, 1), |run| {
            map((0..6_usize).into_par_iter(), run, &each)
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
        assert_ran(&ran, 0);
    });
}

fn a_chunk_of_a_stream_is_taken_over() {
    for (failing, expected) in [(usize::MAX, None), (4, Some(4))] {
        everywhere_in_chunks(
            &format!("a chunk of a stream, failing at {failing}"),
            move || {
                let (ran, mut sunk) = (Ran::default(), Vec::new());
                let each = |_: &_, n| work(&ran, &[failing], n);
                let result = end(run(None, 1), |run| {
                    let sink = |n| {
                        sunk.push(n);
                        Ok(())
                    };
                    stream::stream((0..6_usize).into_par_iter(), run, None, &each, sink)
                });
                assert_eq!(index(result), expected);
                let count = expected.unwrap_or(6);
                assert!(sunk.iter().copied().eq(0..count), "{sunk:?}");
                assert_ran(&ran, count);
            },
        );
    }
}

fn a_sink_that_has_enough() {
    everywhere("a sink that has enough", || {
        let (ran, mut sunk) = (Ran::default(), Vec::new());
        let each = |_: &_, n| work(&ran, &[3, 4], n);
        let result = end(run(None, 1), |run| {
            let sink = |n| {
                sunk.push(n);
                Ok(if n == 2 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            };
            stream::stream((0..6_usize).into_par_iter(), run, None, &each, sink)
        });
        assert_eq!(index(result), None, "what is behind does not count");
        assert_eq!(sunk, [0, 1, 2]);
        assert_ran(&ran, 3);
    });
}

/// The source gives an item only when all items before it have run.
fn an_item_does_not_wait_for_the_next_one() {
    everywhere("an item does not wait for the next one", || {
        let ran = Ran::default();
        let source = (0..5_usize).inspect(|n| {
            while lock(&ran).len() < *n {
                thread::yield_now();
            }
        });
        let each = |_: &_, n| work(&ran, &[], n);
        let values = end(run(None, 1), |run| map(Sequential(source), run, &each));
        assert!(values.is_ok_and(|values| values == [0, 1, 2, 3, 4]));
        assert_ran(&ran, 5);
    });
}

fn every_item_runs_once() {
    let model = || {
        let ran = Ran::default();
        let values = end(run(None, 1), |run| {
            map((0..6_usize).into_par_iter(), run, &|_: &_, n| {
                work(&ran, &[], n)
            })
        });
        assert!(values.is_ok_and(|values| values == [0, 1, 2, 3, 4, 5]));
        assert_ran(&ran, 6);
    };
    everywhere("every item runs once", model);
    everywhere_in_chunks("every item runs once, in chunks", model);
}

fn the_lowest_failure_is_the_answer() {
    let model = || {
        let ran = Ran::default();
        let each = |token: &CancelToken, n| {
            if n < 2 {
                assert!(!token.is_cancelled(), "a later failure is never seen");
            }
            let result = work(&ran, &[2, 3, 5], n).map(drop);
            if n < 2 {
                assert!(!token.is_cancelled());
            }
            result
        };
        let result = end(run(None, 1), |run| {
            for_each((0..6_usize).into_par_iter(), run, &each)
        });
        assert_eq!(index(result), Some(2));
        assert_ran(&ran, 3);
    };
    everywhere("the lowest failure", model);
    everywhere_in_chunks("the lowest failure, in chunks", model);
}

/// The rest of the input is out of the queue for long, so workers park and are woken.
fn a_source_that_waits_loses_no_worker() {
    everywhere("a source that waits", || {
        let ran = Ran::default();
        let source = (0..6_usize).inspect(|_| thread::yield_now());
        let each = |_: &_, n| work(&ran, &[], n);
        let values = end(run(None, 1), |run| map(Sequential(source), run, &each));
        assert!(values.is_ok_and(|values| values == [0, 1, 2, 3, 4, 5]));
        assert_ran(&ran, 6);
    });
}

/// Claims are limited by the error budget, so workers wait for the chunks of others.
fn tolerated_failures_stop_where_the_loop_would() {
    everywhere("tolerated failures", || {
        let ran = Ran::default();
        let each = |_: &_, n| work(&ran, &[1, 8, 9, 10, 11], n);
        let policy = FailurePolicy {
            error_limit: 3,
            keep_all: true,
            ..FailurePolicy::default()
        };
        let run = Run::new(None, policy);
        let results = outcome::outcome((0..12_usize).into_par_iter(), &run, &each);
        let mut report = run.finish(results);
        let late = report.take_failures().count();
        let results = report.result.unwrap();
        let failed = results.errors.len() + late;
        assert_eq!(results.values.len() + failed, lock(&ran).len());
        assert_eq!(results.items, 12);
        let workers = WORKERS.load(Ordering::Relaxed);
        assert!((3..3 + workers).contains(&failed), "{failed}");
        assert_ran(&ran, 10);
    });
}

fn a_cancellation_meanwhile() {
    let model = || {
        let (ran, stop) = (Ran::default(), CancelToken::new());
        let canceller = {
            let stop = stop.clone();
            thread::spawn(move || _ = stop.cancel())
        };
        let each = |_: &_, n| work(&ran, &[], n).map(drop);
        let result = end(run(Some(&stop), 1), |run| {
            for_each((0..6_usize).into_par_iter(), run, &each)
        });
        canceller.join().unwrap();
        assert_ran(&ran, 0);
        let complete = lock(&ran).len() == 6;
        assert_eq!(result.is_ok(), complete, "a success if and only if all ran");
    };
    everywhere("a cancellation meanwhile", model);
    everywhere_in_chunks("a cancellation meanwhile, in chunks", model);
}

/// One chunk for each worker may be in flight, so workers are always too far ahead.
fn a_sink_has_the_values_in_order() {
    for is_worker in [false, true] {
        everywhere(&format!("a sink, on a worker: {is_worker}"), move || {
            if is_worker {
                become_worker();
            }
            let (ran, mut sunk) = (Ran::default(), Vec::new());
            let each = |_: &_, n| work(&ran, &[4], n);
            let result = end(run(None, 1), |run| {
                let sink = |n| {
                    sunk.push(n);
                    thread::yield_now();
                    Ok(())
                };
                stream::stream(Sequential(0..6_usize), run, None, &each, sink)
            });
            assert_eq!(index(result), Some(4));
            assert_eq!(sunk, [0, 1, 2, 3]);
            assert_ran(&ran, 5);
        });
    }
}

fn a_sink_that_fails() {
    everywhere("a sink that fails", || {
        let (ran, mut sunk) = (Ran::default(), Vec::new());
        let each = |_: &_, n| work(&ran, &[5], n);
        let result = end(run(None, 1), |run| {
            let sink = |n| {
                sunk.push(n);
                if n == 2 { Err(n) } else { Ok(()) }
            };
            stream::stream((0..6_usize).into_par_iter(), run, None, &each, sink)
        });
        assert_eq!(index(result), Some(2));
        assert_eq!(sunk, [0, 1, 2]);
        assert_ran(&ran, 3);
    });
}
