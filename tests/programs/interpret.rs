//! Runs a program with the crate: what each step does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rayon_errgroup::{CancelToken, ErrGroup, OnCancel, Rejected, Scope};

use crate::execute::execute;
use crate::log::{Ended, Event, Kind, Log, Outside, Registration, Thing, TrySpawned};
use crate::log::{Who, Writing, lock, work};
use crate::program::{End, Item, Run, Step};

/// How long an item waits that need not wait.
const PATIENCE: Duration = Duration::from_micros(200);

/// The steps of a program know the log and the token outside of all runs.
#[derive(Clone, Copy)]
pub(crate) struct World<'p> {
    pub(crate) log: &'p Log<'p>,
    pub(crate) outside: &'p CancelToken,
}

/// A run, while it goes on.
pub(crate) struct Frame<'p> {
    pub(crate) world: World<'p>,
    pub(crate) id: usize,
    pub(crate) run: &'p Run,
    /// Whether its token is certain to be cancelled by a deadline.
    pub(crate) is_bounded: bool,
    /// The nearest group with threads of its own, and nothing else, and how many these are.
    pub(crate) shared: Option<(ErrGroup, usize)>,
    pub(crate) tokens: Mutex<Vec<CancelToken>>,
    pub(crate) kept: Mutex<Vec<Kept>>,
    pub(crate) begun: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) made: AtomicUsize,
    tasks: AtomicUsize,
}

/// A callback that is kept until the end of the run.
pub(crate) struct Kept {
    pub(crate) registration: OnCancel,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) token: CancelToken,
}

/// The item that a run is a step of.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'c, 'p> {
    pub(crate) frame: &'c Frame<'p>,
    pub(crate) who: Who,
    pub(crate) token: Option<&'c CancelToken>,
}

impl<'p> Frame<'p> {
    pub(crate) fn new(world: World<'p>, run: &'p Run) -> Self {
        Frame {
            world,
            id: world.log.new_run(),
            run,
            is_bounded: false,
            shared: None,
            tokens: Mutex::default(),
            kept: Mutex::default(),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
        }
    }

    pub(crate) fn thing(&self, kind: Kind) -> Thing {
        self.world.log.thing(self.id, kind)
    }

    fn keep_token(&self, token: &CancelToken) {
        let mut tokens = lock(&self.tokens);
        if !tokens.contains(token) {
            tokens.push(token.clone());
        }
    }

    /// Runs an item that is given no scope. A sink's is given the value that it returns.
    pub(crate) fn perform(
        &self,
        who: Who,
        item: &'p Item,
        token: Option<&CancelToken>,
        given: Option<Thing>,
    ) -> Result<Thing, Thing> {
        perform(self, who, item, token, None, given)
    }
}

/// Runs an item: its steps, between a first and a last look at the token.
pub(crate) fn perform<'s, 'p>(
    frame: &'s Frame<'p>,
    who: Who,
    item: &'p Item,
    token: Option<&CancelToken>,
    scope: Option<&Scope<'_, '_, 's, Thing>>,
    given: Option<Thing>,
) -> Result<Thing, Thing> {
    let log = frame.world.log;
    let mut doing = Doing {
        writing: Writing::begin(log),
        frame,
        who,
        token,
        scope,
        registered: Vec::new(),
    };
    frame.begun.fetch_add(1, SeqCst);
    if let Some(token) = token {
        frame.keep_token(token);
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        doing.look();
        item.steps.iter().try_for_each(|step| doing.step(step))?;
        doing.look();
        match item.end {
            End::Ok => Ok(given.unwrap_or_else(|| frame.thing(Kind::Value))),
            End::Fail => Err(frame.thing(Kind::Error)),
            End::Panic => resume_unwind(Box::new(frame.thing(Kind::Payload))),
        }
    }));
    doing.unregister();
    let ended = match &result {
        Ok(Ok(value)) => Ended::Ok(value.id()),
        Ok(Err(error)) => Ended::Err(error.id()),
        Err(payload) => Ended::Panic(payload.downcast_ref::<Thing>().map_or(0, Thing::id)),
    };
    doing.writing.end(log, frame.id, who, ended);
    frame.ended.fetch_add(1, SeqCst);
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// An item, while it runs.
struct Doing<'d, 's, 'run, 'p> {
    frame: &'s Frame<'p>,
    who: Who,
    token: Option<&'d CancelToken>,
    scope: Option<&'d Scope<'d, 'run, 's, Thing>>,
    writing: Writing,
    registered: Vec<(OnCancel, Arc<AtomicUsize>)>,
}

impl<'p> Doing<'_, '_, '_, 'p> {
    /// Notes what `body` did, and in which time.
    fn note<R>(&mut self, body: impl FnOnce() -> R, event: impl FnOnce(&R) -> Event) -> R {
        let (span, result) = self.frame.world.log.during(body);
        self.writing.events.push((span, event(&result)));
        result
    }

    /// Looks at the token, as far as there is one.
    fn look(&mut self) -> bool {
        let Some(token) = self.token else {
            return false;
        };
        self.note(
            || token.is_cancelled(),
            |cancelled| Event::Looked {
                cancelled: *cancelled,
            },
        )
    }

    fn sleep(&mut self, body: impl FnOnce(&CancelToken) -> bool) -> bool {
        let Some(token) = self.token else {
            return false;
        };
        self.note(
            || body(token),
            |cancelled| Event::Slept {
                cancelled: *cancelled,
            },
        )
    }

    /// The error of an item that gave up.
    fn give_up_if(&self, cancelled: bool) -> Result<(), Thing> {
        if cancelled {
            return Err(self.frame.thing(Kind::Error));
        }
        Ok(())
    }

    fn step(&mut self, step: &'p Step) -> Result<(), Thing> {
        let frame = self.frame;
        match step {
            Step::Check => {
                let cancelled = self.look();
                self.give_up_if(cancelled)?;
            }
            Step::CancelOwn => self.cancel_own(),
            Step::CancelOutside => frame.world.cancel_outside(),
            Step::Work(microseconds) => work(*microseconds),
            Step::Meet(items) => wait_until(|| frame.begun.load(SeqCst) >= *items),
            Step::Linger => self.linger()?,
            Step::Await if frame.is_bounded => {
                let cancelled = self.sleep(|token| token.done().recv().is_err());
                self.give_up_if(cancelled)?;
            }
            Step::Await => self.linger()?,
            Step::Sleep(microseconds) => {
                let limit = Duration::from_micros(*microseconds);
                let cancelled = self.sleep(|token| token.sleep(limit).is_err());
                self.give_up_if(cancelled)?;
            }
            Step::OnCancel { keep } => self.register(*keep),
            Step::Nested(run, passes_on) => {
                let caller = Caller {
                    frame,
                    who: self.who,
                    token: self.token,
                };
                let result = execute(frame.world, run, Some(caller));
                if *passes_on {
                    result?;
                }
            }
            Step::Spawn(item) => self.spawn(item),
            Step::TrySpawn(item) => self.try_spawn(item),
        }
        Ok(())
    }

    fn cancel_own(&mut self) {
        let Some(token) = self.token else { return };
        self.note(|| token.cancel(), |won| Event::CancelledOwn { won: *won });
        if !token.is_cancelled() {
            self.frame
                .world
                .wrong("a token is not cancelled after its cancel");
        }
    }

    fn linger(&mut self) -> Result<(), Thing> {
        if let Some(token) = self.token {
            wait_until(|| token.is_cancelled());
        }
        let cancelled = self.look();
        self.give_up_if(cancelled)
    }

    fn register(&mut self, keep: bool) {
        let Some(token) = self.token else { return };
        let (calls, thing) = (
            Arc::new(AtomicUsize::new(0)),
            self.frame.thing(Kind::Callback),
        );
        let counter = Arc::clone(&calls);
        let registration = token.on_cancel(move || {
            counter.fetch_add(1, SeqCst);
            drop(thing);
        });
        if keep {
            lock(&self.frame.kept).push(Kept {
                registration,
                calls,
                token: token.clone(),
            });
        } else {
            self.registered.push((registration, calls));
        }
    }

    fn unregister(&mut self) {
        for (registration, calls) in std::mem::take(&mut self.registered) {
            self.note(
                || {
                    let prevented = registration.unregister();
                    // Waits for a call that has begun.
                    drop(registration);
                    prevented
                },
                |prevented| {
                    Event::Called(Registration {
                        calls,
                        prevented: *prevented,
                        kept_until: None,
                    })
                },
            );
        }
    }

    fn spawn(&mut self, item: &'p Item) {
        let Some(scope) = self.scope else { return };
        let (number, task) = self.frame.task(item);
        self.note(|| scope.spawn(task), |()| Event::Spawned(number));
    }

    fn try_spawn(&mut self, item: &'p Item) {
        let Some(scope) = self.scope else { return };
        let (number, task) = self.frame.task(item);
        let result = self.note(
            || scope.try_spawn(task),
            |result| {
                Event::TrySpawned(match result {
                    Ok(()) => TrySpawned::Accepted(number),
                    Err(Rejected::Full(_)) => TrySpawned::Full,
                    Err(_) => TrySpawned::Cancelled,
                })
            },
        );
        drop(result);
    }
}

impl<'p> Frame<'p> {
    /// The closure of a task, and its number.
    fn task<'s>(
        &'s self,
        item: &'p Item,
    ) -> (
        usize,
        impl FnOnce(&Scope<'_, '_, 's, Thing>) -> Result<(), Thing> + Send + use<'s, 'p>,
    ) {
        let number = self.tasks.fetch_add(1, SeqCst);
        let thing = self.thing(Kind::Item);
        let task = move |scope: &Scope<'_, '_, 's, Thing>| {
            let _thing = thing;
            let (who, token) = (Who::Item(number), Some(scope.token()));
            perform(self, who, item, token, Some(scope), None).map(drop)
        };
        (number, task)
    }
}

impl World<'_> {
    pub(crate) fn cancel_outside(&self) {
        let (span, won) = self.log.during(|| self.outside.cancel());
        lock(&self.log.outside).push(Outside { span, won });
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) {
        lock(&self.log.wrong).push(what.into());
    }
}

/// Waits for a short time.
fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() && began.elapsed() < PATIENCE {
        thread::yield_now();
    }
}
