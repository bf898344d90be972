//! Runs a program with the crate: what each step does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rayon_errgroup::{CancelRegistration, CancelToken, ErrGroup, Scope};

use crate::execute::execute;
use crate::log::{Kind, Log, Thing, Writing, lock, work};
use crate::program::{End, Item, Run, Step};
use crate::seen::{Ended, Event, Outside, Who};

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
    pub(crate) body_has_ended: AtomicBool,
    pub(crate) tasks: AtomicUsize,
}

/// A callback that is kept until the end of the run.
pub(crate) struct Kept {
    pub(crate) registration: CancelRegistration,
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
    if who == Who::Body {
        frame.body_has_ended.store(true, SeqCst);
    }
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// An item, while it runs.
pub(crate) struct Doing<'d, 's, 'run, 'p> {
    pub(crate) frame: &'s Frame<'p>,
    pub(crate) who: Who,
    pub(crate) token: Option<&'d CancelToken>,
    pub(crate) scope: Option<&'d Scope<'d, 'run, 's, Thing>>,
    writing: Writing,
    pub(crate) registered: Vec<(CancelRegistration, Arc<AtomicUsize>)>,
}

impl<'p> Doing<'_, '_, '_, 'p> {
    /// Notes what `body` did, and in which time.
    pub(crate) fn note<R>(
        &mut self,
        body: impl FnOnce() -> R,
        event: impl FnOnce(&R) -> Event,
    ) -> R {
        let (span, result) = self.frame.world.log.during(body);
        self.writing.events.push((span, event(&result)));
        result
    }

    /// Looks at the token, as far as there is one.
    pub(crate) fn look(&mut self) -> bool {
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
