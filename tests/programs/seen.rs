//! What is observed of a program: events, items that ran, and runs that ended.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::ThreadId;
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cause};

use crate::program::{Link, Run};

/// A moment in time: later moments are larger numbers.
pub(crate) type Moment = usize;

/// The part of a run that causes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The item with this index, or the task with this number.
    Item(usize),
    Body,
    /// The call of the sink with this number.
    Sink(usize),
}

/// The time span of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: Moment,
    pub(crate) end: Moment,
}

/// How an item ended, with the number of the thing that it returned or raised.
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
    /// A sleep on the token. One that is not woken may still end after the cancellation.
    Slept {
        cancelled: bool,
    },
    /// `cancel` of the item's own token, and whether this call was the first.
    CancelledOwn {
        won: bool,
    },
    /// A callback that the item registered and unregistered.
    Called(Registration),
    Spawned(usize),
    TrySpawned(TrySpawned),
}

/// A callback, after it was unregistered.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) calls: Arc<AtomicUsize>,
    /// Whether the call was prevented, by `unregister` or by the drop of the registration.
    pub(crate) prevented: bool,
    /// The cause of the token when the callback was unregistered.
    pub(crate) cause: Option<Cause>,
}

/// An item that ran.
pub(crate) struct Trace {
    pub(crate) run: usize,
    pub(crate) actor: Actor,
    pub(crate) thread: ThreadId,
    pub(crate) span: Span,
    pub(crate) ended: Ended,
    pub(crate) events: Vec<(Span, Event)>,
}

/// What a run returned, with values, errors and payloads by their numbers.
#[derive(Clone, Debug)]
pub(crate) enum Returned {
    /// With the values, if the call returns them.
    Ok(Option<Vec<usize>>),
    Failed {
        index: Option<usize>,
        error: usize,
    },
    /// The errors with their numbers.
    Several(Vec<(usize, usize)>),
    Cancelled(Cause),
    Panicked(usize),
    /// The call unwound with this payload.
    Unwound(usize),
    /// The call panicked, because a run without a policy has no error for a cancellation.
    NoError,
    Outcome(Report),
}

/// The contents of an `Outcome`.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) values: Vec<(usize, usize)>,
    pub(crate) errors: Vec<(usize, usize)>,
    pub(crate) late_errors: Vec<(usize, usize)>,
    pub(crate) panics: Vec<Option<usize>>,
    /// The payloads of the panics.
    pub(crate) payloads: Vec<usize>,
    pub(crate) cancelled: usize,
    pub(crate) skipped: usize,
    pub(crate) cause: Option<Cause>,
    pub(crate) is_complete: bool,
    /// Whether `into_result` was `Ok`.
    pub(crate) is_ok: bool,
}

/// The state of a token after its run has returned.
#[derive(Clone, Debug)]
pub(crate) struct TokenState {
    pub(crate) cause: Option<Cause>,
    pub(crate) is_cancelled: bool,
    pub(crate) is_done: bool,
}

/// A run that ended.
pub(crate) struct Ran<'p> {
    pub(crate) id: usize,
    pub(crate) run: &'p Run,
    /// The run and the item that executed it as a step.
    pub(crate) caller: Option<(usize, Actor)>,
    /// The parent of its token: none if the item that it was to be taken from has no token.
    pub(crate) link: Link,
    /// Whether its group has threads of its own, so that each task of a scope needs a permit.
    pub(crate) has_permits: bool,
    /// The number of threads that it may use.
    pub(crate) threads: usize,
    pub(crate) span: Span,
    pub(crate) took: Duration,
    pub(crate) returned: Returned,
    pub(crate) tokens: Vec<TokenState>,
    pub(crate) kept: Vec<Registration>,
    /// How many of its items were still running when it returned.
    pub(crate) running: usize,
    /// The things that were not dropped when it returned.
    pub(crate) alive: Vec<usize>,
    /// How many items were created.
    pub(crate) made: usize,
    /// How many items the call has, unless it is a scope or endless.
    pub(crate) count: Option<usize>,
}

/// A call of `cancel` on the outside token, and whether it was the first.
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

impl TokenState {
    pub(crate) fn new(token: &CancelToken) -> Self {
        let closed = token.done().try_recv();
        TokenState {
            cause: token.cause(),
            is_cancelled: token.is_cancelled(),
            is_done: closed.is_err_and(|error| error.is_disconnected()),
        }
    }
}
