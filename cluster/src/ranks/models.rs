//! The protocol under many schedules, by shuttle. The ranks are those of the crate; their local
//! runs are threads that run the items one after another.
//!
//! `MODEL_SCHEDULES` says how many schedules there are.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::mpsc::{Receiver, Sender, channel};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread;

use super::drive::{Events, drive};
use super::ended::Ended;
use super::member::Local;
use super::message::Batch;
use super::{Event, LocalEnd, Transport};
use crate::merge::Verdict;

fn schedules() -> usize {
    let schedules = std::env::var("MODEL_SCHEDULES").ok();
    schedules.map_or(2000, |count| count.parse().expect("a number"))
}

struct Channels {
    rank: usize,
    others: Vec<Sender<(usize, Vec<u8>)>>,
    messages: Receiver<(usize, Vec<u8>)>,
}

impl Transport for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.others.len()
    }

    fn send(&self, to: usize, message: &[u8]) {
        // A rank that has heard the end needs nothing more.
        _ = self.others[to].send((self.rank, message.to_owned()));
    }

    fn try_recv(&self) -> Option<(usize, Vec<u8>)> {
        self.messages.try_recv().ok()
    }

    fn abort(&self, status: i32) -> ! {
        panic!("aborted with {status}")
    }
}

impl Events for Receiver<Event> {
    fn try_next(&self) -> Option<Event> {
        self.try_recv().ok()
    }

    fn wait(&self, _: u32) -> Option<Event> {
        thread::yield_now();
        None
    }
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Range<usize>>,
    is_closed: bool,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// How many items count.
    cut: AtomicUsize,
}

impl Local for Arc<Queue> {
    fn push(&self, chunk: Range<usize>) {
        self.state.lock().unwrap().chunks.push_back(chunk);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().unwrap().is_closed = true;
        self.changed.notify_one();
    }

    fn cut(&self, items: usize) {
        self.cut.fetch_min(items, Ordering::SeqCst);
    }
}

/// When something other than a failure stops a rank.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Before it asks for a chunk.
    AtStart,
    /// Instead of this item.
    AtItem(usize),
}

impl Queue {
    fn pop(&self) -> Option<Range<usize>> {
        let mut state = self.state.lock().unwrap();
        while state.chunks.is_empty() && !state.is_closed {
            state = self.changed.wait(state).unwrap();
        }
        state.chunks.pop_front()
    }

    /// The run of a rank: item after item, until one fails or does not count.
    fn run(&self, events: &Sender<Event>, failing: &BTreeSet<usize>, stop: Option<Stop>) {
        let mut end = LocalEnd::default();
        let send = |event| events.send(event).map_err(drop).unwrap_or_default();
        if let Some(Stop::AtStart) = stop {
            end.stopped_by = Some("SIGTERM".into());
            return send(Event::Ended(end));
        }
        send(Event::Wants(2));
        'chunks: while let Some(chunk) = self.pop() {
            send(Event::Wants(2));
            for index in chunk {
                if self.cut.load(Ordering::SeqCst) <= end.known {
                    break 'chunks;
                }
                if stop == Some(Stop::AtItem(index)) {
                    end.stopped_by = Some("SIGTERM".into());
                    break 'chunks;
                }
                thread::yield_now();
                end.known += 1;
                if failing.contains(&index) {
                    end.failed += 1;
                    send(Event::Failed(index, format!("item {index} is bad")));
                    break 'chunks;
                }
                end.ok += 1;
            }
        }
        send(Event::Ended(end));
    }
}

/// What came of the batch, on every rank. `stop` says what stops a rank.
fn run(
    ranks: usize,
    items: usize,
    failing: &BTreeSet<usize>,
    stop: impl Fn(usize) -> Option<Stop>,
) -> Ended {
    let (others, messages): (Vec<_>, Vec<_>) = (0..ranks).map(|_| channel()).unzip();
    let threads: Vec<_> = messages
        .into_iter()
        .enumerate()
        .map(|(rank, messages)| {
            let (others, failing, stop) = (others.clone(), failing.clone(), stop(rank));
            thread::spawn(move || {
                let queue = Arc::new(Queue {
                    state: Mutex::default(),
                    changed: Condvar::new(),
                    cut: AtomicUsize::new(usize::MAX),
                });
                let (sender, events) = channel();
                let local = Arc::clone(&queue);
                let local = thread::spawn(move || local.run(&sender, &failing, stop));
                let transport = Channels {
                    rank,
                    others,
                    messages,
                };
                let batch = Batch {
                    run: 0,
                    items,
                    closure: String::new(),
                    place: String::new(),
                };
                let ended = drive(&transport, batch, queue, &events).unwrap();
                local.join().unwrap();
                ended
            })
        })
        .collect();
    let ended = threads.into_iter().map(|thread| thread.join().unwrap());
    let mut ended = ended.collect::<Vec<_>>().into_iter();
    let first = ended.next().unwrap();
    assert!(ended.all(|other| other == first), "the same on every rank");
    first
}

#[test]
fn the_answer_is_the_loops_on_every_schedule() {
    let cases: [(usize, usize, &[usize]); 5] = [
        (1, 3, &[1]),
        (2, 5, &[]),
        (2, 6, &[2, 4]),
        (3, 7, &[1, 3, 5]),
        (3, 8, &[0, 7]),
    ];
    let share = schedules().div_ceil(cases.len());
    for (ranks, items, failing) in cases {
        let failing: BTreeSet<_> = failing.iter().copied().collect();
        let model = move || {
            let ended = run(ranks, items, &failing, |_| None);
            match failing.first() {
                None => assert_eq!(ended.counts, [items, 0, 0, 0]),
                Some(index) => {
                    let failed = Verdict::Failed {
                        index: *index,
                        error: format!("item {index} is bad"),
                    };
                    assert_eq!(ended.verdict, failed);
                    assert_eq!(ended.counts, [*index, 1, 0, items - index - 1]);
                }
            }
        };
        shuttle::check_random(model, share);
    }
}

#[test]
fn a_rank_that_is_stopped_leaves_no_false_answer() {
    let model = || {
        let ended = run(3, 8, &BTreeSet::from([5]), |_| Some(Stop::AtItem(3)));
        let Verdict::Undecided { first, below } = &ended.verdict else {
            panic!("item 3 is not known: {ended:?}")
        };
        assert!(below.iter().any(|hole| hole.contains(&3)), "{below:?}");
        assert!(first.iter().all(|(index, _)| *index == 5));
        assert_eq!(ended.counts.iter().sum::<usize>(), 8);
    };
    shuttle::check_random(model, schedules().div_ceil(5));
}

#[test]
fn ranks_that_are_stopped_at_the_start_leave_no_false_answer() {
    let model = |first_stopped: usize, failing: BTreeSet<usize>| {
        let ended = run(3, 8, &failing, |rank| {
            (rank >= first_stopped).then_some(Stop::AtStart)
        });
        match &ended.verdict {
            Verdict::Complete => assert!(failing.is_empty() && first_stopped > 0),
            Verdict::Failed { index, .. } => assert_eq!(Some(index), failing.first()),
            Verdict::Undecided { below, .. } => {
                assert!(!below.is_empty());
                let (rank, reason) = ended.stopped_by().expect("a rank was stopped");
                assert!(rank >= first_stopped && reason == "SIGTERM", "{ended}");
            }
        }
        assert_eq!(ended.counts.iter().sum::<usize>(), 8);
    };
    for first_stopped in [0, 1, 2] {
        for failing in [BTreeSet::new(), BTreeSet::from([2, 5])] {
            let model = move || model(first_stopped, failing.clone());
            shuttle::check_random(model, schedules().div_ceil(12));
        }
    }
}
