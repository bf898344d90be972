//! Runs a program with the crate: executes each step.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rayon_errgroup::{CancelRegistration, CancelToken, ErrGroup, Scope};

use crate::execute::execute;
use crate::log::{Kind, Log, Thing, Writing, lock, work};
use crate::program::{End, Item, Run, Step};
use crate::seen::{Actor, Ended, Event, Outside};

/// What every step of a program can use: the log, and the outside token.
#[derive(Clone, Copy)]
pub(crate) struct World<'p> {
    pub(crate) log: &'p Log<'p>,
    pub(crate) outside: &'p CancelToken,
}

/// A run that is being executed.
pub(crate) struct Frame<'p> {
    pub(crate) world: World<'p>,
    pub(crate) id: usize,
    pub(crate) run: &'p Run,
    /// Whether its token is certain to be cancelled by a deadline.
    pub(crate) is_bounded: bool,
    /// A plain group with the threads of the nearest run that has its own, and their number.
    pub(crate) shared: Option<(ErrGroup, usize)>,
    pub(crate) tokens: Mutex<Vec<CancelToken>>,
    pub(crate) kept: Mutex<Vec<Kept>>,
    pub(crate) begun: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) made: AtomicUsize,
    pub(crate) body_has_ended: AtomicBool,
    pub(crate) tasks: AtomicUsize,
}

/// A callback that stays registered until the end of the run.
pub(crate) struct Kept {
    pub(crate) registration: CancelRegistration,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) token: CancelToken,
}

/// The item that executes a nested run as one of its steps.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'c, 'p> {
    pub(crate) frame: &'c Frame<'p>,
    pub(crate) actor: Actor,
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
            body_has_ended: AtomicBool::new(false),
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

    /// Runs an item that has no scope. The item of a sink call returns `given`, its argument.
    pub(crate) fn perform(
        &self,
        actor: Actor,
        item: &'p Item,
        token: Option<&CancelToken>,
        given: Option<Thing>,
    ) -> Result<Thing, Thing> {
        perform(self, actor, item, token, None, given)
    }
}

/// Runs the steps of an item. The token is looked at before the first and after the last step.
pub(crate) fn perform<'s, 'p>(
    frame: &'s Frame<'p>,
    actor: Actor,
    item: &'p Item,
    token: Option<&CancelToken>,
    scope: Option<&Scope<'s, Thing>>,
    given: Option<Thing>,
) -> Result<Thing, Thing> {
    let log = frame.world.log;
    let mut doing = Doing {
        writing: Writing::begin(log),
        frame,
        actor,
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
    doing.writing.end(log, frame.id, actor, ended);
    frame.ended.fetch_add(1, SeqCst);
    if actor == Actor::Body {
        frame.body_has_ended.store(true, SeqCst);
    }
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// An item that is running.
pub(crate) struct Doing<'d, 's, 'p> {
    pub(crate) frame: &'s Frame<'p>,
    pub(crate) actor: Actor,
    pub(crate) token: Option<&'d CancelToken>,
    pub(crate) scope: Option<&'d Scope<'s, Thing>>,
    writing: Writing,
    pub(crate) registered: Vec<(CancelRegistration, Arc<AtomicUsize>)>,
}

impl<'p> Doing<'_, '_, 'p> {
    /// Runs `body`, and records the event and its time span.
    pub(crate) fn record<R>(
        &mut self,
        body: impl FnOnce() -> R,
        event: impl FnOnce(&R) -> Event,
    ) -> R {
        let (span, result) = self.frame.world.log.during(body);
        self.writing.events.push((span, event(&result)));
        result
    }

    /// Looks at the token, if there is one.
    pub(crate) fn look(&mut self) -> bool {
        let Some(token) = self.token else {
            return false;
        };
        self.record(
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
        self.record(
            || body(token),
            |cancelled| Event::Slept {
                cancelled: *cancelled,
            },
        )
    }

    /// The error of an item that gives up after a cancellation.
    pub(crate) fn give_up_if(&self, cancelled: bool) -> Result<(), Thing> {
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
            Step::Meet(items) => self.meet(*items),
            Step::Linger => self.linger()?,
            Step::AfterBody => self.wait_for_body(),
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
            Step::OnCancel { keep, calls_rayon } => self.register(*keep, *calls_rayon),
            Step::Unrelated(microseconds) => {
                let microseconds = *microseconds;
                rayon::spawn(move || work(microseconds));
            }
            Step::Nested(run, passes_on) => {
                let caller = Caller {
                    frame,
                    actor: self.actor,
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
