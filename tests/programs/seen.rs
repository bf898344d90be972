//! What is seen of a program: events, items that ran, runs that ended.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::ThreadId;
use std::time::Duration;

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
    /// The cause of the token, when the callback was unregistered.
    pub(crate) cause: Option<Cause>,
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
    /// Whether its group has threads of its own.
    pub(crate) has_places: bool,
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

/// A call of `cancel` of the outside token.
#[derive(Clone, Copy)]
pub(crate) struct Outside {
    pub(crate) span: Span,
    pub(crate) won: bool,
}

impl Ended {
    pub(crate) fn thing(self) -> usize {
        match self {
            Ended::Ok(thing) | Ended::Err(thing) | Ended::Panic(thing) => thing,
        }
    }
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
