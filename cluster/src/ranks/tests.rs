//! Runs on several ranks, which are threads of this process, against the sequential loop.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use proptest::collection::btree_set;
use proptest::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup};

use super::Transport;
use super::drive::run;
use super::ended::{Ended, RanksError};
use super::hub::Hub;
use super::message::{Batch, Message};
use crate::merge::Verdict;

const HOUR: Duration = Duration::from_secs(3600);

/// The payload of the panic that stands for the end of the job.
struct Aborted(i32);

struct Channels {
    rank: usize,
    others: Vec<Sender<(usize, Vec<u8>)>>,
    messages: Receiver<(usize, Vec<u8>)>,
    /// Cancelled when the job is aborted: the processes end, whatever they do.
    job: CancelToken,
}

impl Transport for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.others.len()
    }

    fn send(&self, to: usize, message: &[u8]) {
        // A rank that has ended the job does not hear it.
        _ = self.others[to].send((self.rank, message.to_owned()));
    }

    fn try_recv(&self) -> Option<(usize, Vec<u8>)> {
        if self.job.is_cancelled() {
            panic_any(Aborted(-1));
        }
        self.messages.try_recv().ok()
    }

    fn abort(&self, status: i32) -> ! {
        self.job.cancel();
        panic_any(Aborted(status))
    }
}

fn channels(size: usize) -> Vec<Channels> {
    let (others, messages): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    let job = CancelToken::new();
    let ranks = messages.into_iter().enumerate();
    let ranks = ranks.map(|(rank, messages)| Channels {
        rank,
        others: others.clone(),
        messages,
        job: job.clone(),
    });
    ranks.collect()
}

/// Calls `body` on so many ranks at once. A watchdog turns a hang into a failure.
fn on_ranks<R: Send + 'static>(
    size: usize,
    body: impl Fn(&Channels) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let results = thread::scope(|scope| {
            let body = &body;
            let ranks = channels(size).into_iter();
            let threads: Vec<_> = ranks.map(|rank| scope.spawn(move || body(&rank))).collect();
            let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
            results.collect::<Result<Vec<_>, _>>()
        });
        _ = sender.send(results);
    });
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(results) => results.unwrap_or_else(|payload| std::panic::resume_unwind(payload)),
        Err(_) => panic!("the ranks hang"),
    }
}

/// A group with threads of its own, so that the ranks do not share the pool of the process.
fn group(threads: usize) -> ErrGroup {
    ErrGroup::new().concurrency(threads)
}

#[derive(Clone, Debug)]
struct Case {
    ranks: usize,
    threads: usize,
    items: usize,
    failing: BTreeSet<usize>,
    panicking: BTreeSet<usize>,
    cost: Vec<u32>,
    /// Items after the first failure wait for the news.
    sleeps: bool,
}

fn any_case() -> impl Strategy<Value = Case> {
    let items = prop_oneof![0..20_usize, 0..300_usize, 0..20_000_usize];
    (1..=8_usize, 1..=3_usize, items).prop_flat_map(|(ranks, threads, items)| {
        let some = || {
            prop_oneof![
                1 => Just(BTreeSet::new()).boxed(),
                2 => btree_set(0..items.max(1), 0..4).boxed(),
            ]
        };
        let cost = prop::collection::vec(prop_oneof![3 => Just(0_u32), 1 => 0..2000_u32], 1..9);
        (some(), some(), cost, any::<bool>()).prop_map(move |(failing, panicking, cost, sleeps)| {
            let inside = |set: BTreeSet<usize>| set.into_iter().filter(|index| *index < items);
            Case {
                ranks,
                threads,
                items,
                failing: inside(failing).collect(),
                panicking: inside(panicking).collect(),
                cost,
                sleeps,
            }
        })
    })
}

/// What the sequential loop says.
fn expected(case: &Case) -> (Verdict, String) {
    let first = case.failing.union(&case.panicking).next().copied();
    match first {
        None => (
            Verdict::Complete,
            format!("{} ok, 0 failed, 0 skipped", case.items),
        ),
        Some(index) => {
            let error = if case.panicking.contains(&index) {
                format!("panicked: item {index} panics")
            } else {
                format!("item {index} is bad")
            };
            let skipped = case.items - index - 1;
            let account = format!("{index} ok, 1 failed, {skipped} skipped");
            (Verdict::Failed { index, error }, account)
        }
    }
}

fn item(case: &Case, token: &CancelToken, index: usize) -> Result<(), String> {
    for _ in 0..case.cost[index % case.cost.len()] {
        std::hint::spin_loop();
    }
    assert!(!case.panicking.contains(&index), "item {index} panics");
    if case.failing.contains(&index) {
        return Err(format!("item {index} is bad"));
    }
    let first = case.failing.union(&case.panicking).next();
    if case.sleeps && first.is_some_and(|first| index > *first) {
        token.sleep(HOUR).map_err(|_| "a consequence")?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_answer_is_the_loops_on_every_rank(case in any_case()) {
        let (verdict, account) = expected(&case);
        let ended = on_ranks(case.ranks, move |rank| {
            run(rank, 0, case.items, &group(case.threads), &|token: &_, index| {
                item(&case, token, index)
            })
        });
        let (first, _) = ended[0].as_ref().unwrap();
        for ended in &ended {
            let (ended, _) = ended.as_ref().unwrap();
            prop_assert_eq!(ended.verdict(), &verdict);
            prop_assert_eq!(ended.to_string(), account.clone());
            prop_assert_eq!(ended, first);
            prop_assert_eq!(ended.rank().is_some(), verdict != Verdict::Complete);
        }
    }
}

fn ended(results: Vec<Result<(Ended, Duration), RanksError>>) -> Ended {
    let mut all = results.into_iter().map(|result| result.unwrap().0);
    let first = all.next().unwrap();
    assert!(all.all(|other| other == first), "the same on every rank");
    first
}

#[test]
fn every_item_runs_once_and_on_all_ranks() {
    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..5000).map(|_| AtomicUsize::new(0)).collect());
    let (ran, barrier) = (Arc::clone(&counts), Barrier::new(4));
    let end = ended(on_ranks(4, move |rank| {
        // The first item of each rank waits for that of the others.
        let is_first = AtomicBool::new(true);
        run(rank, 0, ran.len(), &group(1), &|_: &_, index: usize| {
            ran[index].fetch_add(1, SeqCst);
            if is_first.swap(false, SeqCst) {
                barrier.wait();
            }
            Ok::<_, String>(())
        })
    }));
    assert!(end.is_complete());
    assert_eq!(
        (end.ok(), end.failed(), end.cancelled(), end.skipped()),
        (5000, 0, 0, 0)
    );
    assert!(counts.iter().all(|count| count.load(SeqCst) == 1));
}

#[test]
fn runs_follow_each_other() {
    let all = on_ranks(3, |rank| {
        let failed = |number: usize| {
            let result = run(rank, number, 100, &group(1), &|_: &_, index| {
                if index == 10 * number {
                    Err("bad")
                } else {
                    Ok(())
                }
            });
            match result.unwrap().0.verdict() {
                Verdict::Failed { index, .. } => *index,
                other => panic!("{other}"),
            }
        };
        (0..10).map(failed).collect::<Vec<_>>()
    });
    for indices in all {
        assert_eq!(indices, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
}

#[test]
fn different_batches_are_refused_on_every_rank() {
    let refused = |body: fn(&Channels) -> Result<(Ended, Duration), RanksError>| {
        let results = on_ranks(3, body);
        let reason = results[0].clone().unwrap_err();
        assert!(
            results
                .iter()
                .all(|result| result.as_ref().unwrap_err() == &reason)
        );
        reason.to_string()
    };
    fn good(_: &CancelToken, index: usize) -> Result<(), String> {
        if index < 1000 {
            Ok(())
        } else {
            Err("there is no such item".to_owned())
        }
    }
    fn other(token: &CancelToken, _: usize) -> Result<(), String> {
        token.check().map_err(|error| error.to_string())
    }
    let text = refused(|rank| run(rank, 0, 100 + rank.rank / 2, &group(1), &good));
    assert_eq!(
        text,
        "the ranks do not run the same batch: rank 0 has 100 items, and rank 2 has 101"
    );
    let text = refused(|rank| run(rank, rank.rank / 2, 100, &group(1), &good));
    assert!(
        text.ends_with("it is run 1 of rank 0, and run 2 of rank 2"),
        "{text}"
    );
    let text = refused(|rank| {
        if rank.rank == 1 {
            run(rank, 0, 100, &group(1), &other)
        } else {
            run(rank, 0, 100, &group(1), &good)
        }
    });
    assert!(
        text.contains("good, and rank 1 runs") && text.ends_with("other"),
        "{text}"
    );
    // Closures of one function have one type name.
    let text = refused(|rank| {
        if rank.rank == 1 {
            run(rank, 0, 100, &group(1), &|_: &_, _| Err("bad"))
        } else {
            run(rank, 0, 100, &group(1), &|_: &_, _| Ok::<_, &str>(()))
        }
    });
    assert!(
        text.contains("rank 0 calls it at ") && text.contains("tests.rs:"),
        "{text}"
    );
}

#[test]
fn what_stops_one_rank_stops_all_and_leaves_items_undecided() {
    let end = ended(on_ranks(3, |rank| {
        let (me, stop) = (rank.rank, CancelToken::new());
        let group = group(1).token(&stop);
        // Every item waits, on each rank. Rank 1 is told to stop.
        run(rank, 0, 1000, &group, &|token: &CancelToken, _| {
            if me == 1 {
                stop.cancel_with("SIGTERM");
            }
            token.sleep(HOUR).map_err(|_| "a consequence")
        })
    }));
    assert_eq!(end.stopped_by(), Some((1, "SIGTERM")));
    let Verdict::Undecided { first: None, below } = end.verdict() else {
        panic!("{:?}", end.verdict())
    };
    assert_eq!(below.iter().map(std::ops::Range::len).sum::<usize>(), 1000);
    assert_eq!(
        end.ok() + end.failed() + end.cancelled() + end.skipped(),
        1000
    );
    assert!(
        end.to_string().ends_with("skipped: SIGTERM (rank 1)"),
        "{end}"
    );
}

/// A run whose token is cancelled before it starts asks for no chunk.
#[test]
fn a_rank_that_is_stopped_before_its_first_chunk_stops_all() {
    for stopped in [0..3, 1..2] {
        let told = stopped.clone();
        let end = ended(on_ranks(3, move |rank| {
            let stop = CancelToken::new();
            if told.contains(&rank.rank) {
                stop.cancel_with("SIGTERM");
            }
            let group = group(1).token(&stop);
            run(rank, 0, 100, &group, &|token: &CancelToken, _| {
                token.sleep(HOUR).map_err(|_| "a consequence")
            })
        }));
        let (rank, reason) = end.stopped_by().unwrap();
        assert!(stopped.contains(&rank) && reason == "SIGTERM", "{end}");
        let Verdict::Undecided { first: None, below } = end.verdict() else {
            panic!("{:?}", end.verdict())
        };
        assert_eq!((below.len(), &below[0]), (1, &(0..100)));
    }
}

/// Such a rank leaves nothing unknown, so the answer after a failure does not wait for its items.
#[test]
fn a_rank_that_is_stopped_without_items_leaves_a_failure_decided() {
    let (mut hub, mut outbox) = (hub(2, 10), Vec::new());
    hub.on_message(0, Message::Want(5), &mut outbox);
    hub.on_message(0, Message::Failed(1, "bad".into()), &mut outbox);
    outbox.clear();
    let stopped = Message::Done([0; 3], Vec::new(), Some("SIGTERM".into()));
    hub.on_message(1, stopped, &mut outbox);
    assert_eq!(outbox, []);
    hub.on_message(0, Message::Done([1, 1, 0], Vec::new(), None), &mut outbox);
    let Some((_, Message::End(end))) = outbox.pop() else {
        panic!("{outbox:?}")
    };
    assert_eq!(end.to_string(), "1 ok, 1 failed, 8 skipped");
}

fn hub(ranks: usize, items: usize) -> Hub {
    let batch = Batch {
        run: 0,
        items,
        closure: String::new(),
        place: String::new(),
    };
    Hub::new(batch, ranks)
}

#[test]
fn a_failure_is_decided_even_if_a_rank_was_stopped_after_it() {
    let barrier = Barrier::new(2);
    let end = ended(on_ranks(2, move |rank| {
        let (stop, is_first) = (CancelToken::new(), AtomicBool::new(true));
        let group = group(1).token(&stop);
        run(rank, 0, 1000, &group, &|token: &CancelToken, index| {
            // The first item of the other rank runs when item 0 fails.
            if is_first.swap(false, SeqCst) {
                barrier.wait();
            }
            if index == 0 {
                return Err("bad");
            }
            let told = token.sleep(HOUR).map_err(|_| "a consequence");
            stop.cancel_with("SIGTERM");
            told
        })
    }));
    let error = "bad".to_owned();
    assert_eq!(end.verdict(), &Verdict::Failed { index: 0, error });
    assert_eq!((end.rank().is_some(), end.stopped_by()), (true, None));
}

/// The group's own errors are not tolerated: the first failure stops the batch.
#[test]
fn a_group_that_keeps_going_stops_at_the_first_failure() {
    let end = ended(on_ranks(2, |rank| {
        run(rank, 0, 1000, &group(2).keep_going(), &|_: &_, index| {
            if index % 100 == 99 {
                Err("bad")
            } else {
                Ok(())
            }
        })
    }));
    assert_eq!(end.to_string(), "99 ok, 1 failed, 900 skipped");
}

#[test]
fn a_panic_outside_of_the_items_ends_the_job() {
    statuses_after_a_panic_outside(|group| group);
}

#[test]
fn a_group_that_catches_panics_catches_none_outside_of_the_items() {
    statuses_after_a_panic_outside(ErrGroup::catch_panics);
}

/// One callback of a cancelled item panics.
fn statuses_after_a_panic_outside(options: fn(ErrGroup) -> ErrGroup) {
    let barrier = Barrier::new(2);
    let statuses = on_ranks(3, move |rank| {
        let group = options(group(2).token(&rank.job));
        let result = catch_unwind(AssertUnwindSafe(|| {
            run(rank, 0, 100, &group, &|token: &CancelToken, index| {
                if index == 1 {
                    let (begins, began) = channel();
                    let registration = token.on_cancel(move || {
                        begins.send(()).unwrap();
                        panic!("a callback panics");
                    });
                    barrier.wait();
                    // The drop waits for the callback, so the run has not ended before.
                    began.recv().unwrap();
                    drop(registration);
                    return Err("told");
                }
                if index == 0 {
                    barrier.wait();
                    return Err("bad");
                }
                token.sleep(HOUR).map_err(|_| "told")
            })
        }));
        let aborted = result.map(drop).map_err(|payload| {
            let aborted = payload.downcast_ref::<Aborted>();
            aborted.map(|aborted| aborted.0)
        });
        aborted.unwrap_err()
    });
    assert!(statuses.contains(&Some(101)), "{statuses:?}");
    assert!(statuses.iter().all(Option::is_some), "{statuses:?}");
}

#[test]
fn a_panic_of_the_errors_display_is_the_failure_of_its_item() {
    struct Unprintable;
    impl fmt::Display for Unprintable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    let end = ended(on_ranks(2, |rank| {
        run(rank, 0, 10, &group(1), &|_: &_, index| {
            if index == 3 { Err(Unprintable) } else { Ok(()) }
        })
    }));
    let error = "panicked: no text".to_owned();
    assert_eq!(end.verdict(), &Verdict::Failed { index: 3, error });
}

#[test]
fn the_reason_of_a_stop_is_known_after_a_failure_of_the_rank() {
    let end = ended(on_ranks(1, |rank| {
        let (stop, barrier) = (CancelToken::new(), Barrier::new(2));
        let group = group(2).token(&stop);
        run(rank, 0, 2, &group, &|token: &CancelToken, index| {
            barrier.wait();
            if index == 1 {
                return Err("bad");
            }
            // Most of the time the failure comes before the stop.
            thread::sleep(Duration::from_millis(50));
            stop.cancel_with("SIGTERM");
            token.check().map_err(|_| "a consequence")
        })
    }));
    assert_eq!(end.stopped_by(), Some((0, "SIGTERM")));
}

#[test]
fn an_account_that_does_not_add_up_is_undecided() {
    for (failed, counts, below) in [(None, [9, 0, 0], 0..10), (Some(4), [3, 1, 0], 0..4)] {
        let (mut hub, mut outbox) = (hub(1, 10), Vec::new());
        while !matches!(outbox.last(), Some((0, Message::NoMore))) {
            hub.on_message(0, Message::Want(10), &mut outbox);
        }
        if let Some(index) = failed {
            hub.on_message(0, Message::Failed(index, "bad".into()), &mut outbox);
        }
        hub.on_message(0, Message::Done(counts, Vec::new(), None), &mut outbox);
        let Some((0, Message::End(end))) = outbox.pop() else {
            panic!("{outbox:?}")
        };
        let first = failed.map(|index| (index, "bad".to_owned()));
        let below = vec![below];
        assert_eq!(end.verdict(), &Verdict::Undecided { first, below });
        assert_eq!(end.ok(), counts[0]);
    }
}
