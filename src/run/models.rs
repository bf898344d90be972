//! A run under the schedules of loom: record, then cancel.

use std::sync::Arc;

use loom::thread;

use super::{GoOn, Run, Stopped, Tolerance, Wanted};
use crate::error::Cause;
use crate::sync::explore;
use crate::token::CancelToken;

type Shared = Arc<Run<&'static str>>;

fn run(parent: Option<&CancelToken>, failures: usize) -> Shared {
    let tolerance = Tolerance {
        failures,
        ..Tolerance::default()
    };
    Arc::new(Run::new(parent, tolerance))
}

fn with(run: &Shared, body: impl FnOnce(Shared) + Send + 'static) -> thread::JoinHandle<()> {
    let run = Arc::clone(run);
    thread::spawn(move || body(run))
}

/// What came of the run, once all threads have ended.
fn end(run: Shared) -> Result<(), Stopped<&'static str>> {
    Arc::into_inner(run).unwrap().execute(|_| ())
}

fn error(result: Result<(), Stopped<&'static str>>) -> &'static str {
    match result {
        Err(Stopped::Failed(failure)) => failure.what,
        _ => panic!("a failure was expected"),
    }
}

/// Law 1, the reason of it all: who sees the cancellation and fails is not the cause.
#[test]
fn a_consequence_is_not_the_error() {
    explore("a consequence is not the error", || {
        let run = run(None, 1);
        let other = with(&run, |run| {
            if run.token().is_cancelled() {
                assert!(matches!(run.token().cause(), Some(Cause::Failed)));
                _ = run.fail("a consequence");
            }
        });
        _ = run.fail("the root");
        other.join().unwrap();
        assert_eq!(error(end(run)), "the root");
    });
}

#[test]
fn of_two_failures_one_is_the_error() {
    explore("two failures", || {
        let run = run(None, 1);
        let other = with(&run, |run| assert!(run.fail("other") == GoOn(false)));
        assert!(run.fail("this") == GoOn(false));
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
        _ = run.fail("the item's");
        other.join().unwrap();
        let cause = run.token().cause();
        match end(run) {
            Err(Stopped::Failed(_)) => assert!(matches!(cause, Some(Cause::Failed))),
            Err(Stopped::Cancelled { cancelled, late }) => {
                assert!(matches!(cancelled.cause(), Cause::Parent(_)));
                assert!(matches!(cause, Some(Cause::Parent(_))));
                assert_eq!(late, Some("the item's"));
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
        _ = run.fail("the item's");
        other.join().unwrap();
        assert!(matches!(end(run), Err(Stopped::Panicked(_))));
    });
}

#[test]
fn the_second_failure_cancels() {
    explore("the second of two failures", || {
        let run = run(None, 2);
        let other = with(&run, |run| {
            let went_on = run.fail("other") == GoOn(true);
            assert!(went_on || run.token().is_cancelled());
        });
        let went_on = run.fail("this") == GoOn(true);
        assert!(went_on || run.token().is_cancelled());
        other.join().unwrap();
        assert!(matches!(run.token().cause(), Some(Cause::Failed)));
        // The earliest, that is the one that was borne.
        assert_eq!(error(end(run)), if went_on { "this" } else { "other" });
    });
}

#[test]
fn in_order_the_lowest_position_is_the_error() {
    explore("in order, two failures", || {
        let run = run(None, 1);
        let other = with(&run, |run| {
            let Wanted::UpTo(bound) = run.fail_at(3, "three", |wanted| wanted) else {
                unreachable!()
            };
            assert_eq!(bound, 3);
        });
        let Wanted::UpTo(bound) = run.fail_at(7, "seven", |wanted| wanted) else {
            unreachable!()
        };
        assert!(bound == 7 || bound == 3);
        other.join().unwrap();
        assert!(!run.token().is_cancelled(), "the items below go on");
        assert_eq!(error(end(run)), "three");
    });
}

#[test]
fn in_order_a_failure_is_frozen_by_a_cancellation() {
    explore("in order, a failure and a cancellation", || {
        let run = run(None, 1);
        let other = with(&run, |run| _ = run.token().cancel());
        let wanted = run.fail_at(7, "seven", |wanted| wanted);
        other.join().unwrap();
        // Too late: it may be a consequence.
        assert!(run.fail_at(3, "three", |wanted| wanted) == Wanted::Nothing);
        match end(run) {
            Err(Stopped::Failed(failure)) => {
                assert!(wanted == Wanted::UpTo(7));
                assert_eq!(failure.what, "seven");
            }
            Err(Stopped::Cancelled { .. }) => assert!(wanted == Wanted::Nothing),
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
                run.skip();
            }
        });
        parent.cancel();
        other.join().unwrap();
        let was_skipped = run.is_spoilt();
        assert_eq!(end(run).is_err(), was_skipped);
    });
}
