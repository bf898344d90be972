//! What is seen while a program runs: every event with its moment, every thing with its drops.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use rayon_errgroup::{CancelToken, Cause};

use crate::program::{Link, Run};

/// A number that is larger for what came later.
pub(crate) type Moment = usize;

/// Whose an event is, within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The item at this position, or the task with this number.
    Item(usize),
    Body,
    /// The sink, at its call with this number.
    Sink(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Item,
    Closure,
    Value,
    Error,
    Payload,
    Callback,
}

/// A thing that is dropped once.
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

/// A stretch of time in which something happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: Moment,
    pub(crate) end: Moment,
}

/// How an item ended, and with which thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Ok(usize),
    Err(usize),
    Panic(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrySpawned {
    Accepted(usize),
    Full,
    Cancelled,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A look at the token.
    Looked {
        cancelled: bool,
    },
    /// A sleep on the token. Not woken says less than not cancelled.
    Slept {
        cancelled: bool,
    },
    /// `cancel` of the own token: whether this call was the one.
    CancelledOwn {
        won: bool,
    },
    /// A callback that was unregistered at once, or is kept.
    Called(Registration),
    Spawned(usize),
    TrySpawned(TrySpawned),
}

/// A callback, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) calls: Arc<AtomicUsize>,
    /// Whether `unregister` said that it had prevented the call.
    pub(crate) prevented: bool,
    /// The cause of the token, when the callback was unregistered at the end of the run.
    pub(crate) kept_until: Option<Option<Cause>>,
}

/// An item that ran.
pub(crate) struct Trace {
    pub(crate) run: usize,
    pub(crate) who: Who,
    pub(crate) thread: ThreadId,
    pub(crate) span: Span,
    pub(crate) ended: Ended,
    pub(crate) events: Vec<(Span, Event)>,
}

/// What a run returned. Values, errors and payloads by their number.
#[derive(Clone, Debug)]
pub(crate) enum Returned {
    /// With the values, of a call that returns them.
    Ok(Option<Vec<usize>>),
    Failed {
        index: Option<usize>,
        error: usize,
    },
    Cancelled(Cause),
    Panicked(usize),
    /// It unwound.
    Unwound(usize),
    /// It unwound, since a run without a policy has no error that says cancelled.
    Speechless,
    Outcome(Account),
}

/// An `Outcome`.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) values: Vec<(usize, usize)>,
    pub(crate) errors: Vec<(usize, usize)>,
    pub(crate) panics: Vec<(Option<usize>, usize)>,
    pub(crate) skipped: usize,
    pub(crate) cause: Option<Cause>,
    pub(crate) is_complete: bool,
    /// Whether `into_result` was `Ok`.
    pub(crate) is_ok: bool,
}

/// What a token says when its run has returned.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) cause: Option<Cause>,
    pub(crate) is_cancelled: bool,
    pub(crate) is_done: bool,
}

/// A run that ended.
pub(crate) struct Ran<'p> {
    pub(crate) id: usize,
    pub(crate) run: &'p Run,
    /// The item that it was a step of.
    pub(crate) caller: Option<(usize, Who)>,
    /// What its token hangs on, which is nothing if it asked for the token of who has none.
    pub(crate) link: Link,
    /// On how many threads.
    pub(crate) threads: usize,
    pub(crate) span: Span,
    pub(crate) took: Duration,
    pub(crate) returned: Returned,
    pub(crate) tokens: Vec<Left>,
    pub(crate) kept: Vec<Registration>,
    /// How many of its items had begun and not ended when it returned.
    pub(crate) running: usize,
    /// What was not dropped when it returned.
    pub(crate) alive: Vec<usize>,
    /// How many items were made or read.
    pub(crate) made: usize,
    /// How many there are for the call, unless it is a scope or there is no end of them.
    pub(crate) count: Option<usize>,
}

/// What is said to who cancels the outside token.
pub(crate) enum Alarm {
    Cancel,
    Rest,
}

/// A call of `cancel` of the outside token.
#[derive(Clone, Copy)]
pub(crate) struct Outside {
    pub(crate) span: Span,
    pub(crate) won: bool,
}

impl Left {
    pub(crate) fn new(token: &CancelToken) -> Self {
        let closed = token.done().try_recv();
        Left {
            cause: token.cause(),
            is_cancelled: token.is_cancelled(),
            is_done: closed.is_err_and(|error| error.is_disconnected()),
        }
    }
}

pub(crate) struct Log<'p> {
    clock: AtomicUsize,
    /// Told when its moment comes.
    alarm: Option<(Moment, Sender<Alarm>)>,
    pub(crate) things: Mutex<Vec<Arc<Fate>>>,
    pub(crate) traces: Mutex<Vec<Trace>>,
    pub(crate) runs: Mutex<Vec<Ran<'p>>>,
    pub(crate) outside: Mutex<Vec<Outside>>,
    /// What is wrong at first sight.
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

    /// What is not dropped of what a run made, or its items gave back.
    pub(crate) fn alive(&self, run: usize) -> Vec<usize> {
        let traces = lock(&self.traces);
        let own = traces.iter().filter(|trace| trace.run == run);
        let given: HashSet<_> = own.map(|trace| trace.ended.thing()).collect();
        drop(traces);
        let things = lock(&self.things);
        let mine = things.iter().filter(|fate| {
            let kept = fate.kind == Kind::Callback;
            fate.drops() == 0 && (given.contains(&fate.id) || (fate.run == run && !kept))
        });
        mine.map(|fate| fate.id).collect()
    }
}

impl Ended {
    pub(crate) fn thing(self) -> usize {
        match self {
            Ended::Ok(thing) | Ended::Err(thing) | Ended::Panic(thing) => thing,
        }
    }
}

/// A trace that is being written.
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

    pub(crate) fn end(self, log: &Log<'_>, run: usize, who: Who, ended: Ended) {
        let mut traces = lock(&log.traces);
        let end = log.now();
        traces.push(Trace {
            run,
            who,
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

/// Works for a while.
pub(crate) fn work(microseconds: u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(microseconds) {
        std::hint::spin_loop();
    }
}
