//! Guarantee 2, by `outcome`: no result is lost, and every item is counted once.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, Cut, ErrGroup, GroupError, Outcome, prelude::*};

use crate::common::{Drops, POOLS, Thing, cancelled, cases, on_pool, on_pools, payload_of, shared};

/// 64 items fail at once, a thousand times.
#[test]
fn every_error_is_kept_once_and_sorted() {
    for threads in POOLS {
        on_pool(threads, || {
            let group = ErrGroup::new().keep_going();
            for round in 0..1000 {
                let numbers: Vec<usize> = (0..64).map(|n| n + round).collect();
                let items = numbers
                    .par_iter()
                    .with_max_len(1)
                    .in_order()
                    .with_group(&group);
                let outcome = items.outcome(|_, n| Err::<(), _>(*n));
                let expected: Vec<_> = numbers.iter().copied().enumerate().collect();
                assert_eq!(outcome.errors(), expected);
                assert_eq!((outcome.values().len(), outcome.skipped()), (0, 0));
            }
        });
    }
}

/// sourcegraph/conc issue 156: the values after the last failed item were lost.
#[test]
fn the_values_after_the_last_failure_are_kept() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        for failing in [0, 1, 500, 998, 999] {
            let each = |_: &CancelToken, n| if n == failing { Err(n) } else { Ok(n) };
            let indexed = (0..1000_usize)
                .into_par_iter()
                .in_order()
                .with_group(&group);
            let lazy = (0..1000_usize).par_in_order().with_group(&group);
            for outcome in [indexed.outcome(each), lazy.outcome(each)] {
                let expected = (0..1000).filter(|n| *n != failing).map(|n| (n, n));
                assert!(outcome.values().iter().copied().eq(expected));
                assert_eq!(outcome.errors(), [(failing, failing)]);
            }
        }
    });
}

/// Derived from Java's testAllUntil4 and GNU parallel's `--halt soon,fail=3`.
#[test]
fn three_errors_and_at_most_one_more_for_each_other_thread() {
    for threads in [1, 2, 4, 8] {
        on_pool(threads, move || {
            let group = ErrGroup::new().max_errors(3);
            for round in 0..200 {
                let started = AtomicUsize::new(0);
                let each = |_: &CancelToken, n: usize| {
                    started.fetch_add(1, SeqCst);
                    if n % 10 == round % 10 || round % 4 == 3 {
                        Err(n)
                    } else {
                        Ok(n)
                    }
                };
                let items = (0..10_000).into_par_iter().in_order().with_group(&group);
                let outcome = items.outcome(each);
                let (late, started) = (outcome.late_errors().len(), started.into_inner());
                assert_eq!(outcome.errors().len(), 3);
                assert!(late < threads, "{late} on {threads}");
                assert!(started < 10_000);
                assert_eq!(outcome.skipped(), 10_000 - started);
                assert!(matches!(outcome.cause(), Some(Cause::Failed)));
                if threads == 1 && round % 40 == 0 {
                    assert_eq!((late, started), (0, 21), "the items 0, 10, 20");
                }
            }
        });
    }
}

/// Items that are in flight at the third failure fail too.
#[test]
fn the_most_errors_that_can_occur() {
    for threads in [2_usize, 4, 8] {
        on_pool(threads, move || {
            let group = ErrGroup::new().max_errors(3);
            let (all, failed) = (Barrier::new(threads), AtomicUsize::new(0));
            let items = (0..1000_usize)
                .into_par_iter()
                .in_order()
                .with_group(&group);
            let outcome = items.outcome(|token, n| {
                // Every thread has an item in flight, and then all except the last one wait.
                if n < threads {
                    all.wait();
                }
                if n + 1 < threads {
                    while failed.load(SeqCst) < 3 {
                        std::thread::yield_now();
                    }
                    return Err(n);
                }
                failed.fetch_add(1, SeqCst);
                assert!(!token.is_cancelled() || failed.load(SeqCst) > 3);
                Err::<(), _>(n)
            });
            assert_eq!(outcome.errors(), [(0, 0), (1, 1), (2, 2)]);
            assert_eq!(outcome.late_errors().len(), threads - 1);
        });
    }
}

/// What an item does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Succeed,
    Fail,
    Panic,
    /// Cancels the parent token; fails if `true`.
    CancelParent(bool),
    /// Cancels its own run; fails if `true`.
    CancelRun(bool),
    /// Fails if its token is cancelled.
    Check,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        60 => Just(Act::Succeed),
        6 => Just(Act::Fail),
        1 => Just(Act::Panic),
        1 => any::<bool>().prop_map(Act::CancelParent),
        1 => any::<bool>().prop_map(Act::CancelRun),
        3 => Just(Act::Check),
    ];
    prop_oneof![
        3 => prop::collection::vec(act.clone(), 0..60),
        1 => prop::collection::vec(act, 0..1500),
    ]
}

#[derive(Clone, Debug)]
struct Policy {
    max: usize,
    /// In microseconds.
    deadline: Option<u64>,
    concurrency: Option<usize>,
}

fn policies() -> impl Strategy<Value = Policy> {
    let max = prop_oneof![Just(1_usize), 2..8_usize, Just(usize::MAX)];
    let deadline = prop::option::weighted(0.3, 0..300_u64);
    let concurrency = prop::option::weighted(0.2, 1..4_usize);
    (max, deadline, concurrency).prop_map(|(max, deadline, concurrency)| Policy {
        max,
        deadline,
        concurrency,
    })
}

/// How often items started, and how they ended.
struct Tally {
    started: AtomicUsize,
    ok: AtomicUsize,
    err: AtomicUsize,
    /// Errors of items that saw the cancellation before.
    cancelled: AtomicUsize,
    panicked: AtomicUsize,
}

fn run_and_check((acts, policy): &(Vec<Act>, Policy), _: usize) {
    for is_lazy in [false, true] {
        let stop = CancelToken::new();
        let mut group = ErrGroup::new()
            .token(&stop)
            .max_errors(policy.max)
            .catch_panics();
        if let Some(microseconds) = policy.deadline {
            group = group.timeout(Duration::from_micros(microseconds));
        }
        if let Some(threads) = policy.concurrency {
            group = group.concurrency(threads);
        }
        let tally = Tally {
            started: AtomicUsize::new(0),
            ok: AtomicUsize::new(0),
            err: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            panicked: AtomicUsize::new(0),
        };
        let drops = Drops::new(acts.len());
        let read = AtomicUsize::new(0);
        let each = |token: &CancelToken, (act, thing): (&Act, Thing)| {
            tally.started.fetch_add(1, SeqCst);
            let fails = match act {
                Act::Succeed => false,
                Act::Fail => true,
                Act::Panic => {
                    tally.panicked.fetch_add(1, SeqCst);
                    // Unlike `panic!`, this prints no message.
                    std::panic::resume_unwind(Box::new("an act"))
                }
                Act::CancelParent(fails) => {
                    stop.cancel();
                    *fails
                }
                Act::CancelRun(fails) => {
                    token.cancel();
                    *fails
                }
                Act::Check => token.is_cancelled(),
            };
            if fails {
                tally.err.fetch_add(1, SeqCst);
                let is_cancelled = usize::from(token.is_cancelled());
                tally.cancelled.fetch_add(is_cancelled, SeqCst);
                return Err(thing);
            }
            tally.ok.fetch_add(1, SeqCst);
            Ok(thing)
        };
        let items: Vec<_> = acts.iter().zip(drops.things()).collect();
        let outcome = if is_lazy {
            let counted = items.into_iter().inspect(|_| _ = read.fetch_add(1, SeqCst));
            counted.par_in_order().with_group(&group).outcome(each)
        } else {
            read.store(acts.len(), SeqCst);
            items
                .into_par_iter()
                .in_order()
                .with_group(&group)
                .outcome(each)
        };
        check(&outcome, &tally, read.into_inner(), acts.len());
        drop(outcome);
        drops.assert_each_once();
    }
}

fn check<T, E>(outcome: &Outcome<T, E>, tally: &Tally, read: usize, items: usize) {
    let (ok, late) = (outcome.values().len(), outcome.late_errors().len());
    let err = outcome.errors().len() + late;
    let panicked = outcome.panics().len();
    let count = |counter: &AtomicUsize| counter.load(SeqCst);
    assert_eq!((ok, err), (count(&tally.ok), count(&tally.err)));
    assert_eq!(panicked, count(&tally.panicked));
    assert!((count(&tally.cancelled)..=late).contains(&outcome.cancelled()));
    assert_eq!(ok + err + panicked, count(&tally.started));
    assert_eq!(ok + err + panicked + outcome.skipped(), read);
    let indices: Vec<_> = outcome.iter().map(|(index, _)| index).collect();
    assert!(indices.is_sorted(), "{indices:?}");
    let panics = outcome.panics().iter().map(|(index, _)| index.unwrap());
    let different: BTreeSet<_> = indices.into_iter().chain(panics).collect();
    assert_eq!(different.len(), ok + err + panicked);
    assert_eq!(outcome.is_complete(), ok == items);
    assert!(outcome.skipped() == 0 || outcome.cause().is_some());
}

/// Idea from dotnet's `ParallelLoopResult`: the counts are right whatever happens concurrently.
#[test]
fn values_errors_panics_and_skipped_items_add_up() {
    cases(200, || (acts(), policies()), &[1, 2, 4], run_and_check);
}

/// Derived from Java's testAllUntil6: values that were ready before the deadline are kept.
#[test]
fn a_deadline_keeps_the_values_that_were_ready() {
    for threads in [2, 8] {
        on_pool(threads, || {
            let (group, both) = (ErrGroup::new(), Barrier::new(2));
            let items = (0..2_u8).into_par_iter().in_order().with_group(&group);
            let outcome = items.outcome(|token, n| {
                both.wait();
                if n == 0 {
                    return Ok(n);
                }
                // Start the clock here, so that it cannot expire before the items have begun.
                token.cancel_after(Duration::from_millis(20));
                token.sleep(Duration::MAX).map(|()| n)
            });
            assert_eq!(outcome.values(), [(0, 0)]);
            assert_eq!(outcome.errors().len(), 0);
            let late = outcome.late_errors();
            assert_eq!(late.len(), 1, "the error of the other item is kept too");
            assert_eq!(outcome.cancelled(), 1);
            assert!(matches!(outcome.cause(), Some(Cause::Deadline)));
            assert_eq!(outcome.skipped(), 0);
        });
    }
}

#[test]
fn a_cancelled_run_keeps_the_results_of_its_items_and_returns_the_cause() {
    on_pool(1, || {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let items = (0..10).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| {
            if n < 3 {
                return Ok(n);
            }
            stop.cancel_with("enough");
            Err("possibly a consequence")
        });
        assert_eq!(outcome.values().len(), 3);
        assert_eq!(outcome.errors(), []);
        assert_eq!(outcome.late_errors(), [(3, "possibly a consequence")]);
        assert_eq!(outcome.skipped(), 6);
        assert_eq!(
            outcome.to_string(),
            "3 ok, 0 failed, 1 cancelled, 6 skipped: enough"
        );
        let cause = cancelled(outcome.into_result());
        assert!(matches!(cause.root(), Cause::Requested(Some(_))));
    });
}

#[test]
fn no_item_runs_if_the_run_is_cancelled_beforehand() {
    on_pools(|_| {
        let stop = CancelToken::new();
        stop.cancel();
        for group in [
            ErrGroup::new().token(&stop),
            ErrGroup::new().timeout(Duration::ZERO),
        ] {
            let drops = Drops::new(100);
            let items = drops.things().into_par_iter().in_order().with_group(&group);
            let outcome = items.outcome(|_, _| -> Result<(), ()> { unreachable!() });
            drops.assert_each_once();
            assert_eq!(
                outcome.to_string().split(':').next(),
                Some("0 ok, 0 failed, 100 skipped")
            );
            let empty = std::iter::empty::<u8>().par_in_order().with_group(&group);
            let outcome = empty.outcome(|_, n| Ok::<_, ()>(n));
            assert!(outcome.is_complete() && outcome.into_result().is_ok());
        }
    });
}

#[test]
fn a_panic_that_is_not_caught_is_resumed_in_the_caller() {
    on_pools(|_| {
        let drops = Drops::new(100);
        let payload = payload_of(|| {
            let group = ErrGroup::new().keep_going();
            let items = drops.things().into_par_iter().in_order().with_group(&group);
            items.outcome(|_, thing| {
                if thing.number == 50 {
                    std::panic::panic_any(thing.number);
                }
                if thing.number % 2 == 0 {
                    Err(thing)
                } else {
                    Ok(thing)
                }
            })
        });
        assert_eq!(*payload.downcast::<usize>().unwrap(), 50);
        drops.assert_each_once();
    });
}

/// The items that were read before the iterator panicked count.
#[test]
fn items_from_before_a_panic_of_the_iterator_are_counted() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        let source = (0..100).map(|n| if n == 37 { panic!("the source") } else { n });
        let outcome = source
            .par_in_order()
            .with_group(&group)
            .outcome(|_, n| Ok::<_, ()>(n));
        assert_eq!(outcome.values().len() + outcome.skipped(), 37);
        assert_eq!(outcome.panics().len(), 1);
        assert!(outcome.panics()[0].0.is_none());
        assert!(matches!(
            outcome.into_result(),
            Err(GroupError::Panicked(_))
        ));
    });
}

#[test]
fn several_errors_become_one_error() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let words = ["1", "x", "3", "y", "z"]
            .par_iter()
            .in_order()
            .with_group(&group);
        let outcome = words.outcome(|_, word| word.parse::<u8>());
        let error = outcome.into_result().unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 items failed, the first of them item 1"
        );
        assert_eq!(error.index(), Some(1));
        assert_eq!(
            error.source().unwrap().to_string(),
            "invalid digit found in string"
        );
        let GroupError::Several(failures) = error else {
            unreachable!()
        };
        assert_eq!(
            failures.into_iter().map(|(at, _)| at).collect::<Vec<_>>(),
            [1, 3, 4]
        );
    });
}

#[test]
fn results_are_iterated_by_index() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let run = || {
            let items = (0..100_u32).into_par_iter().in_order().with_group(&group);
            items.outcome(|_, n| if n % 7 < 3 { Err(n) } else { Ok(n) })
        };
        let expected = |n: u32| if n % 7 < 3 { Err(n) } else { Ok(n) };
        let outcome = run();
        assert_eq!(outcome.iter().len(), 100);
        for (index, result) in &outcome {
            let result = result.copied().map_err(|error| *error);
            assert_eq!(Ok(result), u32::try_from(index).map(expected));
        }
        for (index, result) in outcome {
            assert_eq!(Ok(result), u32::try_from(index).map(expected));
        }
    });
}

/// `into_result` returns what `try_map` would, and a consequence is not an error of the run.
#[test]
fn a_consequence_is_kept_and_does_not_count() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let fails_on_cancel = |token: &CancelToken, _: usize| {
            stop.cancel();
            token.check().map_err(|_| "a consequence")
        };
        for items in [1, 100] {
            let outcome = (0..items)
                .par_in_order()
                .with_group(&group)
                .outcome(fails_on_cancel);
            assert_eq!(outcome.errors(), []);
            if items == 1 {
                assert_eq!(outcome.late_errors(), [(0, "a consequence")]);
            }
            let result = outcome.into_result();
            assert!(
                matches!(result, Err(GroupError::Cancelled(_))),
                "{result:?}"
            );
        }
    });
}

/// Item 1 fails, then the run is cancelled from outside, then item 0 fails because of that.
#[test]
fn a_failure_is_frozen_by_a_cancellation_from_outside() {
    on_pool(8, || {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let all_began = Barrier::new(3);
        let (later, later_token) = shared::<CancelToken>();
        let (end, has_ended) = shared();
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|token, n| {
            all_began.wait();
            if n == 1 {
                return Err("the root");
            }
            if n == 2 {
                later.lock().unwrap().send(token.clone()).unwrap();
                has_ended.lock().unwrap().recv().unwrap();
                return Err("later");
            }
            // The token of the later item shows when the failure is recorded.
            let later = later_token.lock().unwrap().recv().unwrap();
            assert!(later.done().recv().is_err());
            assert!(!token.is_cancelled());
            stop.cancel();
            end.lock().unwrap().send(()).unwrap();
            token.check().map_err(|_| "a consequence")
        });
        assert_eq!(outcome.errors(), [(1, "the root")]);
        assert_eq!(outcome.late_errors(), [(0, "a consequence"), (2, "later")]);
        assert_eq!(outcome.cancelled(), 2);
        assert!(matches!(outcome.cause(), Some(Cause::Failed)));
        let result: Result<Vec<()>, _> = outcome.into_result();
        let Err(GroupError::Failed { index, error }) = result else {
            unreachable!()
        };
        assert_eq!((index, error), (Some(1), "the root"));
    });
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("a drop"));
    }
}

/// Guarantee 5, where drops panic too.
#[test]
fn the_panic_of_an_item_outranks_those_of_drops() {
    on_pool(1, || {
        let payload = payload_of(|| {
            let group = ErrGroup::new();
            let items = (0..2).into_par_iter().in_order().with_group(&group);
            items.outcome(|_, n| {
                if n == 1 {
                    std::panic::resume_unwind(Box::new("an item"));
                }
                Ok::<_, ()>(Bomb)
            })
        });
        assert_eq!(*payload.downcast::<&str>().unwrap(), "an item");

        let payload = payload_of(|| {
            let group = ErrGroup::new().keep_going();
            let items = (0..2).into_par_iter().in_order().with_group(&group);
            items.try_for_each(|_, n| {
                if n == 1 {
                    std::panic::resume_unwind(Box::new("an item"));
                }
                Err(Bomb)
            })
        });
        assert_eq!(*payload.downcast::<&str>().unwrap(), "an item");
    });
}

/// User code can panic where a chunk begins, too.
#[test]
fn items_of_a_chunk_that_panics_are_counted() {
    on_pools(|_| {
        let chunks = AtomicUsize::new(0);
        let group = ErrGroup::new().catch_panics();
        let init = || {
            if chunks.fetch_add(1, SeqCst) == 2 {
                std::panic::resume_unwind(Box::new("a chunk"));
            }
        };
        let items = (0..100).into_par_iter().map_init(init, |(), n| n);
        let outcome = items
            .in_order()
            .with_group(&group)
            .outcome(|_, n| Ok::<_, ()>(n));
        assert_eq!(outcome.values().len() + outcome.skipped(), 100);
        assert_eq!(outcome.panics().len(), 1);
    });
}

/// Guarantee 1: the trigger stays while the items before it run on, even after a cancellation from
/// outside and then a panic that is too late to count.
#[test]
fn the_cause_stays_when_a_late_panic_comes() {
    on_pool(4, || {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop).max_errors(2).catch_panics();
        let (all, seen) = (Barrier::new(4), Barrier::new(2));
        let items = (0..4_u8).into_par_iter().with_max_len(1).in_order();
        let outcome = items.with_group(&group).outcome(|token, n| {
            all.wait();
            match n {
                0 => {
                    seen.wait();
                    stop.cancel();
                    std::panic::resume_unwind(Box::new("too late"))
                }
                3 => {
                    // The failures of 1 and 2 reach the limit.
                    while !token.is_cancelled() {
                        std::thread::yield_now();
                    }
                    seen.wait();
                    Ok(n)
                }
                _ => Err(n),
            }
        });
        assert_eq!(outcome.errors(), [(1, 1), (2, 2)]);
        assert!(
            matches!(outcome.cause(), Some(Cause::Failed)),
            "{:?}",
            outcome.cause()
        );
    });
}

/// A panic that is not tolerated cancels the run after an error has, and becomes the cause.
#[test]
fn a_panic_is_late_if_a_cancellation_may_have_caused_it() {
    let is_late = |group: &ErrGroup, cut: &Cut, stop: &(dyn Fn() + Sync)| {
        let items = (0..3).into_par_iter().in_order().cut(cut).with_group(group);
        let outcome = items.outcome(|_, n| {
            if n == 1 {
                stop();
                panic!("one");
            }
            Ok::<_, ()>(n)
        });
        let is_late = outcome.panics()[0].1.is_late();
        let Err(GroupError::Panicked(panicked)) = outcome.into_result() else {
            unreachable!("an item has panicked")
        };
        assert_eq!(panicked.is_late(), is_late);
        is_late
    };
    let group = ErrGroup::new().catch_panics().concurrency(1);
    for group in [group.clone(), group.keep_going()] {
        assert!(!is_late(&group, &Cut::new(), &|| ()));
        let cut = Cut::new();
        assert!(is_late(&group, &cut, &|| cut.lower(0)));
        let signal = CancelToken::new();
        let token = group.clone().token(&signal);
        assert!(is_late(&token, &Cut::new(), &|| _ = signal.cancel()));
    }
}

#[test]
fn a_panic_above_the_first_error_is_late() {
    let group = ErrGroup::new().catch_panics().concurrency(2);
    let started = Barrier::new(2);
    let body = |token: &CancelToken, n: usize| {
        started.wait();
        if n == 0 {
            return Err("bad");
        }
        token.sleep(Duration::from_secs(3600)).unwrap();
        Ok(())
    };
    let outcome = (0..2)
        .into_par_iter()
        .in_order()
        .with_group(&group)
        .outcome(body);
    assert_eq!(outcome.errors(), [(0, "bad")]);
    assert!(outcome.panics()[0].1.is_late());
    // The same by the other way to a caught panic.
    let result = (0..2)
        .into_par_iter()
        .in_order()
        .with_group(&group)
        .try_map(body);
    let Err(GroupError::Panicked(panicked)) = result else {
        unreachable!("the panic outranks the error")
    };
    assert!(panicked.is_late());
}

#[test]
fn the_cause_is_the_panic_that_came_after_the_error() {
    on_pool(2, || {
        let (sender, receiver) = shared::<CancelToken>();
        let group = ErrGroup::new().catch_panics();
        let items = (0..2).into_par_iter().with_max_len(1).in_order();
        let outcome = items.with_group(&group).outcome(|token, n| {
            if n == 1 {
                sender.lock().unwrap().send(token.clone()).unwrap();
                return Err::<(), _>("an error");
            }
            // Wait until the error is recorded.
            let other = receiver.lock().unwrap().recv().unwrap();
            other.done().recv().unwrap_err();
            panic!("an item")
        });
        assert_eq!(outcome.errors(), [(1, "an error")]);
        assert_eq!(
            (outcome.late_errors().len(), outcome.panics().len()),
            (0, 1)
        );
        assert!(
            matches!(outcome.cause(), Some(Cause::Panicked)),
            "{outcome:?}"
        );
    });
}

#[test]
fn the_panics_can_be_read_before_the_result_is_taken() {
    let group = ErrGroup::new().catch_panics();
    let items = [0].into_par_iter().in_order().with_group(&group);
    let outcome = items.outcome(|_, _| -> Result<(), ()> { panic!("an item") });
    let [(index, panicked)] = outcome.panics() else {
        panic!("{outcome:?}")
    };
    assert_eq!((*index, panicked.message()), (Some(0), Some("an item")));
    let result = outcome.into_result();
    assert!(matches!(result, Err(GroupError::Panicked(p)) if p.message() == Some("an item")));
}

#[test]
fn iterating_yields_all_results() {
    let group = ErrGroup::new().keep_going();
    let run = || {
        let items = (0..4).into_par_iter().in_order().with_group(&group);
        items.outcome(|_, n| if n % 2 == 0 { Ok(n) } else { Err(n) })
    };
    let outcome = run();
    let mut seen = Vec::new();
    for (index, result) in &outcome {
        seen.push((index, result.copied().map_err(|error| *error)));
    }
    let expected = [(0, Ok(0)), (1, Err(1)), (2, Ok(2)), (3, Err(3))];
    assert_eq!(seen, expected);
    assert_eq!(outcome.into_iter().collect::<Vec<_>>(), expected);
    let Err(GroupError::Several(failures)) = run().into_result() else {
        panic!("two errors")
    };
    let mut seen = Vec::new();
    for failure in &failures {
        seen.push(*failure);
    }
    assert_eq!(seen, [(1, 1), (3, 3)]);
    assert_eq!(failures.into_iter().collect::<Vec<_>>(), [(1, 1), (3, 3)]);
}

/// Item 0 fails while item 2 runs, which then fails late. Item 1 is done before that.
#[test]
fn an_iterator_over_an_outcome_knows_its_length() {
    on_pool(2, || {
        let (sender, receiver) = shared::<CancelToken>();
        let items = (0..3).into_par_iter().with_max_len(1).in_order();
        let group = ErrGroup::new();
        let outcome = items.with_group(&group).outcome(|token, n| match n {
            0 => {
                receiver.lock().unwrap().recv().unwrap();
                Err("first")
            }
            1 => Ok("value"),
            _ => {
                sender.lock().unwrap().send(token.clone()).unwrap();
                token.done().recv().unwrap_err();
                Err("late")
            }
        });
        let expected = [(0, Err("first")), (1, Ok("value")), (2, Err("late"))];
        let mut iter = outcome.iter();
        for left in (0..=3).rev() {
            assert_eq!((iter.len(), iter.size_hint()), (left, (left, Some(left))));
            let by_value = iter.clone().map(|(n, r)| (n, r.copied().map_err(|e| *e)));
            assert_eq!(by_value.collect::<Vec<_>>(), expected[3 - left..]);
            iter.next();
        }
        let debug = r#"[(0, Err("first")), (1, Ok("value")), (2, Err("late"))]"#;
        assert_eq!(format!("{:?}", outcome.iter()), debug);
        let mut into_iter = outcome.into_iter();
        for (left, item) in (0..3).rev().zip(expected) {
            assert_eq!(into_iter.next(), Some(item));
            assert_eq!(
                (into_iter.len(), into_iter.size_hint()),
                (left, (left, Some(left)))
            );
            let debug = format!("OutcomeIntoIter {{ len: {left}, .. }}");
            assert_eq!(format!("{into_iter:?}"), debug);
        }
        assert_eq!(into_iter.next(), None);
    });
}

/// The words for skipped and cancelled items come only where there are such items.
#[test]
fn an_outcome_is_displayed_by_what_it_has() {
    on_pool(1, || {
        let group = ErrGroup::new().keep_going();
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| if n == 1 { Err(n) } else { Ok(n) });
        assert_eq!(outcome.to_string(), "2 ok, 1 failed, 0 skipped");
        let items = (0..3).into_par_iter().in_order();
        let outcome = items.outcome(|_, n| if n == 1 { Err(n) } else { Ok(n) });
        assert_eq!(outcome.to_string(), "1 ok, 1 failed, 1 skipped");
        let stop = CancelToken::new();
        stop.cancel();
        let group = ErrGroup::new().token(&stop);
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| Ok::<_, ()>(n));
        assert_eq!(outcome.to_string(), "0 ok, 0 failed, 3 skipped: requested");
    });
}

#[test]
fn a_cancellation_that_skipped_nothing_is_not_displayed() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let items = [0].into_par_iter().in_order().with_group(&group);
    let outcome = items.outcome(|_, n| {
        stop.cancel();
        Ok::<_, ()>(n)
    });
    assert_eq!(outcome.to_string(), "1 ok, 0 failed, 0 skipped");
    assert!(outcome.cause().is_some());
}

/// Item 0 fails, and then every item in flight is cancelled from outside.
#[test]
fn items_that_fail_because_of_the_cancellation_are_displayed_as_cancelled() {
    for threads in POOLS {
        on_pool(threads, move || {
            let stop = CancelToken::new();
            let group = ErrGroup::new().keep_going().token(&stop);
            let all = Barrier::new(threads);
            let items = (0..threads + 1).into_par_iter().with_max_len(1).in_order();
            let outcome = items.with_group(&group).outcome(|token, n| {
                if n == 0 {
                    return Err("own error");
                }
                // Every thread has one of these items in flight, and the last one cancels.
                if all.wait().is_leader() {
                    stop.cancel_with("stopped");
                }
                token.done().recv().unwrap_err();
                token.check().map_err(|_| "a consequence")
            });
            assert_eq!(outcome.errors(), [(0, "own error")]);
            assert_eq!(outcome.late_errors().len(), threads);
            assert_eq!(outcome.cancelled(), threads);
            let line = format!("0 ok, 1 failed, {threads} cancelled, 0 skipped");
            assert_eq!(outcome.to_string().split(':').next(), Some(&*line));
            let root = outcome.cause().unwrap().root();
            assert!(matches!(root, Cause::Requested(Some(_))));
        });
    }
}

#[test]
fn the_parts_of_an_outcome_can_be_taken() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().keep_going().token(&stop);
        let run = || {
            let items = (0..4).into_par_iter().in_order().with_group(&group);
            items.outcome(|_, n| if n % 2 == 0 { Ok(n) } else { Err(n) })
        };
        assert_eq!(run().into_values(), [(0, 0), (2, 2)]);
        assert_eq!(run().into_errors(), [(1, 1), (3, 3)]);

        // The late errors are among them.
        let ended = AtomicUsize::new(0);
        let items = (0..4).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, n| {
            if n == 3 {
                while ended.load(SeqCst) < 3 {
                    std::thread::yield_now();
                }
                stop.cancel();
            }
            ended.fetch_add(1, SeqCst);
            Err::<(), _>(n)
        });
        assert_eq!(outcome.late_errors().last(), Some(&(3, 3)));
        assert_eq!(outcome.into_errors(), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    });
}

#[test]
fn an_outcome_without_a_group_ends_with_the_first_error() {
    on_pools(|_| {
        let each = |_: &CancelToken, n: usize| if n >= 500 { Err(n) } else { Ok(n) };
        let indexed = (0..1000_usize).into_par_iter().in_order();
        let lazy = (0..1000_usize).par_in_order();
        for outcome in [indexed.outcome(each), lazy.outcome(each)] {
            let expected = (0..500).map(|n| (n, n));
            assert!(outcome.values().iter().copied().eq(expected));
            assert_eq!(outcome.errors(), [(500, 500)]);
            assert!(matches!(outcome.cause(), Some(Cause::Failed)));
            assert!(!outcome.is_complete());
            assert_eq!(outcome.into_result().unwrap_err().index(), Some(500));
        }

        let items = (0..1000_usize).into_par_iter().in_order();
        let outcome = items.outcome(|_, n| Ok::<_, ()>(n));
        assert!(outcome.is_complete() && outcome.cause().is_none());
        assert!(outcome.into_result().unwrap().into_iter().eq(0..1000));
    });
}

#[test]
fn an_outcome_without_a_group_has_the_cause_if_a_closure_cancels() {
    on_pools(|threads| {
        let items = (0..1000_usize).into_par_iter().in_order();
        let outcome = items.outcome(|token, n| {
            token.cancel();
            Ok::<_, ()>(n)
        });
        assert!((1..=threads).contains(&outcome.values().len()));
        assert_eq!(outcome.values().len() + outcome.skipped(), 1000);
        assert!(matches!(outcome.cause(), Some(Cause::Requested(None))));
        assert!(matches!(
            cancelled(outcome.into_result()),
            Cause::Requested(None)
        ));
    });
}
