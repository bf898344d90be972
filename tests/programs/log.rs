//! The log of a program: every event with its time span, and every thing with its number of drops.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::seen::{Actor, Ended, Event, Moment, Outside, Ran, Span, Trace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Item,
    Closure,
    Value,
    Error,
    Payload,
    Callback,
}

/// A thing that counts its drops. It must be dropped exactly once.
pub(crate) struct Thing(Arc<Fate>);

pub(crate) struct Fate {
    pub(crate) id: usize,
    pub(crate) run: usize,
    pub(crate) kind: Kind,
    drops: AtomicUsize,
}

impl Thing {
    pub(crate) fn id(&self) -> usize {
        self.0.id
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, SeqCst);
    }
}

impl Fate {
    pub(crate) fn drops(&self) -> usize {
        self.drops.load(SeqCst)
    }
}

/// A message to the thread that cancels the outside token.
pub(crate) enum Alarm {
    Cancel,
    Stop,
}

pub(crate) struct Log<'p> {
    clock: AtomicUsize,
    /// Receives a message at this moment.
    alarm: Option<(Moment, Sender<Alarm>)>,
    pub(crate) things: Mutex<Vec<Arc<Fate>>>,
    pub(crate) traces: Mutex<Vec<Trace>>,
    pub(crate) runs: Mutex<Vec<Ran<'p>>>,
    pub(crate) outside: Mutex<Vec<Outside>>,
    /// Violations that were detected while the program ran.
    pub(crate) wrong: Mutex<Vec<String>>,
    next_run: AtomicUsize,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log<'_> {
    pub(crate) fn new(alarm: Option<(Moment, Sender<Alarm>)>) -> Self {
        Log {
            clock: AtomicUsize::new(1),
            alarm,
            things: Mutex::default(),
            traces: Mutex::default(),
            runs: Mutex::default(),
            outside: Mutex::default(),
            wrong: Mutex::default(),
            next_run: AtomicUsize::new(0),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        let now = self.clock.fetch_add(1, SeqCst);
        if let Some((moment, sender)) = &self.alarm
            && *moment == now
        {
            _ = sender.send(Alarm::Cancel);
        }
        now
    }

    pub(crate) fn during<R>(&self, body: impl FnOnce() -> R) -> (Span, R) {
        let start = self.now();
        let result = body();
        let end = self.now();
        (Span { start, end }, result)
    }

    pub(crate) fn thing(&self, run: usize, kind: Kind) -> Thing {
        let mut things = lock(&self.things);
        let fate = Arc::new(Fate {
            id: things.len(),
            run,
            kind,
            drops: AtomicUsize::new(0),
        });
        things.push(Arc::clone(&fate));
        Thing(fate)
    }

    pub(crate) fn new_run(&self) -> usize {
        self.next_run.fetch_add(1, SeqCst)
    }

    /// The things that a run created, or that its items returned, and that are not dropped yet.
    pub(crate) fn alive(&self, run: usize) -> Vec<usize> {
        let traces = lock(&self.traces);
        let own = traces.iter().filter(|trace| trace.run == run);
        let returned: HashSet<_> = own.map(|trace| trace.ended.thing()).collect();
        drop(traces);
        let things = lock(&self.things);
        let alive = things.iter().filter(|fate| {
            let is_callback = fate.kind == Kind::Callback;
            fate.drops() == 0 && (returned.contains(&fate.id) || (fate.run == run && !is_callback))
        });
        alive.map(|fate| fate.id).collect()
    }
}

/// A trace that is being recorded.
pub(crate) struct Writing {
    pub(crate) events: Vec<(Span, Event)>,
    thread: ThreadId,
    begun: Moment,
}

impl Writing {
    pub(crate) fn begin(log: &Log<'_>) -> Self {
        Writing {
            events: Vec::new(),
            thread: thread::current().id(),
            begun: log.now(),
        }
    }

    pub(crate) fn end(self, log: &Log<'_>, run: usize, actor: Actor, ended: Ended) {
        let mut traces = lock(&log.traces);
        let end = log.now();
        traces.push(Trace {
            run,
            actor,
            thread: self.thread,
            span: Span {
                start: self.begun,
                end,
            },
            ended,
            events: self.events,
        });
    }
}

/// Keeps the thread busy for so many microseconds.
pub(crate) fn work(microseconds: u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(microseconds) {
        std::hint::spin_loop();
    }
}
