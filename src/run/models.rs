//! A run under the schedules of loom: record, then cancel.

use std::sync::Arc;

use loom::thread;

use super::{Failure, Kind, Reaction, Run};
use crate::error::GroupError;
use crate::failure_policy::FailurePolicy;
use crate::sync::explore;
use crate::token::{CancelToken, Cause};

type Shared = Arc<Run<&'static str>>;

fn run(parent: Option<&CancelToken>, error_limit: usize) -> Shared {
    let policy = FailurePolicy {
        error_limit,
        ..FailurePolicy::default()
    };
    Arc::new(Run::new(parent, policy))
}

/// An item of a run without an order fails. Whether the run goes on.
fn fail(run: &Shared, error: &'static str) -> bool {
    run.fail(Failure::new(None, Kind::Error(error))) == Reaction::Continue
}

/// An item of a run in order fails.
fn fail_at(run: &Shared, index: usize, error: &'static str) -> Reaction {
    let (reaction, unwanted) = run.record(Failure::new(Some(index), Kind::Error(error)));
    run.discard(unwanted);
    reaction
}

fn with(run: &Shared, body: impl FnOnce(Shared) + Send + 'static) -> thread::JoinHandle<()> {
    let run = Arc::clone(run);
    thread::spawn(move || body(run))
}

/// What came of the run, once all threads have ended.
fn end(run: Shared) -> Result<(), GroupError<&'static str>> {
    let run = Arc::into_inner(run).unwrap();
    run.finish(Some(())).into_result()
}

fn error(result: Result<(), GroupError<&'static str>>) -> &'static str {
    match result {
        Err(GroupError::Failed { error, .. }) => error,
        _ => panic!("a failure was expected"),
    }
}

/// Guarantee 1: an item that fails because it saw the cancellation is not the cause.
#[test]
fn a_consequence_is_not_the_error() {
    explore("a consequence is not the error", || {
        let run = run(None, 1);
        let other = with(&run, |run| {
            if run.token().is_cancelled() {
                assert!(matches!(run.token().cause(), Some(Cause::Failed)));
                _ = fail(&run, "a consequence");
            }
        });
        _ = fail(&run, "the root");
        other.join().unwrap();
        assert_eq!(error(end(run)), "the root");
    });
}

#[test]
fn of_two_failures_one_is_the_error() {
    explore("two failures", || {
        let run = run(None, 1);
        let other = with(&run, |run| assert!(!fail(&run, "other")));
        assert!(!fail(&run, "this"));
        assert!(run.token().is_cancelled());
        other.join().unwrap();
        assert!(["this", "other"].contains(&error(end(run))));
    });
}

#[test]
fn a_failure_and_a_cancellation_from_outside() {
    explore("a failure and the parent", || {
        let parent = CancelToken::new();
        let run = run(Some(&parent), 1);
        let other = {
            let parent = parent.clone();
            thread::spawn(move || assert!(parent.cancel()))
        };
        _ = fail(&run, "the item's");
        other.join().unwrap();
        let cause = run.token().cause();
        match end(run) {
            Err(GroupError::Failed { .. }) => assert!(matches!(cause, Some(Cause::Failed))),
            Err(GroupError::Cancelled(cancelled)) => {
                assert!(matches!(cancelled.cause(), Cause::Parent(_)));
                assert!(matches!(cause, Some(Cause::Parent(_))));
            }
            _ => unreachable!(),
        }
    });
}

#[test]
fn a_panic_outranks_a_failure() {
    explore("a panic and a failure", || {
        let run = run(None, 1);
        let other = with(&run, |run| run.panicked(Box::new("payload")));
        _ = fail(&run, "the item's");
        other.join().unwrap();
        assert!(matches!(end(run), Err(GroupError::Panicked(_))));
    });
}

#[test]
fn the_second_failure_cancels() {
    explore("the second of two failures", || {
        let run = run(None, 2);
        let other = with(&run, |run| {
            let went_on = fail(&run, "other");
            assert!(went_on || run.token().is_cancelled());
        });
        let went_on = fail(&run, "this");
        assert!(went_on || run.token().is_cancelled());
        other.join().unwrap();
        assert!(matches!(run.token().cause(), Some(Cause::Failed)));
        // The earliest, that is the one that was tolerated.
        assert_eq!(error(end(run)), if went_on { "this" } else { "other" });
    });
}

#[test]
fn in_order_the_lowest_index_is_the_error() {
    explore("in order, two failures", || {
        let run = run(None, 1);
        let other = with(&run, |run| {
            let Reaction::StopAbove(bound) = fail_at(&run, 3, "three") else {
                unreachable!()
            };
            assert_eq!(bound, 3);
        });
        let Reaction::StopAbove(bound) = fail_at(&run, 7, "seven") else {
            unreachable!()
        };
        assert!(bound == 7 || bound == 3);
        other.join().unwrap();
        assert!(!run.token().is_cancelled(), "the earlier items go on");
        assert_eq!(error(end(run)), "three");
    });
}

#[test]
fn in_order_a_failure_is_frozen_by_a_cancellation() {
    explore("in order, a failure and a cancellation", || {
        let run = run(None, 1);
        let other = with(&run, |run| _ = run.token().cancel());
        let reaction = fail_at(&run, 7, "seven");
        other.join().unwrap();
        // Too late: it may be a consequence.
        assert!(fail_at(&run, 3, "three") == Reaction::Stop);
        match end(run) {
            Err(GroupError::Failed { error, .. }) => {
                assert!(reaction == Reaction::StopAbove(7));
                assert_eq!(error, "seven");
            }
            Err(GroupError::Cancelled { .. }) => assert!(reaction == Reaction::Stop),
            _ => unreachable!(),
        }
    });
}

#[test]
fn a_skipped_item_is_never_a_success() {
    explore("a skipped item", || {
        let parent = CancelToken::new();
        let run = run(Some(&parent), 1);
        let other = with(&run, |run| {
            if run.token().is_cancelled() {
                run.mark_incomplete();
            }
        });
        parent.cancel();
        other.join().unwrap();
        let was_skipped = run.is_incomplete();
        assert_eq!(end(run).is_err(), was_skipped);
    });
}
