//! What the steps do that take more than a line.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rayon_errgroup::{Rejected, Scope};

use crate::interpret::{Doing, Frame, Kept, perform};
use crate::log::{Kind, Thing, lock};
use crate::program::{Item, Step, Threads, Work};
use crate::seen::{Event, Registration, TrySpawned, Who};

/// How long an item waits that need not wait.
const PATIENCE: Duration = Duration::from_micros(200);

/// How long a body may take that waits for nothing.
pub(crate) const LONG: Duration = Duration::from_secs(10);

impl<'p> Doing<'_, '_, '_, 'p> {
    pub(crate) fn cancel_own(&mut self) {
        let Some(token) = self.token else { return };
        self.note(|| token.cancel(), |won| Event::CancelledOwn { won: *won });
        if !token.is_cancelled() {
            self.frame
                .world
                .wrong("a token is not cancelled after its cancel");
        }
    }

    pub(crate) fn meet(&self, items: usize) {
        wait_until(PATIENCE, || self.frame.begun.load(SeqCst) >= items);
    }

    /// Once a scope is cancelled its body waits for no place, though none is given back.
    pub(crate) fn wait_for_body(&mut self) {
        let frame = self.frame;
        // The body itself has nobody to wait for.
        if self.who != Who::Body
            && frame.has_free_body()
            && self.look()
            && !wait_until(LONG, || frame.body_has_ended.load(SeqCst))
        {
            frame.world.wrong("the body of a cancelled scope waits");
        }
    }

    pub(crate) fn linger(&mut self) -> Result<(), Thing> {
        if let Some(token) = self.token {
            wait_until(PATIENCE, || token.is_cancelled());
        }
        let cancelled = self.look();
        self.give_up_if(cancelled)
    }

    pub(crate) fn register(&mut self, keep: bool) {
        let Some(token) = self.token else { return };
        let (calls, thing) = (
            Arc::new(AtomicUsize::new(0)),
            self.frame.thing(Kind::Callback),
        );
        let counter = Arc::clone(&calls);
        let registration = token.on_cancel(move || {
            drop(thing);
            counter.fetch_add(1, SeqCst);
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

    pub(crate) fn unregister(&mut self) {
        for (registration, calls) in mem::take(&mut self.registered) {
            self.note(
                || {
                    let prevented = registration.unregister();
                    if !prevented {
                        // The call has begun, and is to end before the item does.
                        wait_until(LONG, || calls.load(SeqCst) == 1);
                    }
                    prevented
                },
                |prevented| {
                    Event::Called(Registration {
                        calls: Arc::clone(&calls),
                        prevented: *prevented,
                        cause: None,
                    })
                },
            );
        }
    }

    pub(crate) fn spawn(&mut self, item: &'p Item) {
        let Some(scope) = self.scope else { return };
        let (number, task) = self.frame.task(item);
        self.note(|| scope.spawn(task), |()| Event::Spawned(number));
    }

    pub(crate) fn try_spawn(&mut self, item: &'p Item) {
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
    /// Whether the body of a scope needs none of the threads that its tasks run on.
    fn has_free_body(&self) -> bool {
        let policy = self.run.policy;
        let is_outside = policy.is_some_and(|policy| matches!(policy.threads, Threads::Own(_)));
        let nests = |step: &Step| matches!(step, Step::Nested(..));
        matches!(&self.run.work, Work::Scope(body) if is_outside && !body.steps.iter().any(nests))
    }

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

/// Waits so long, or until it is so, and says whether it is.
pub(crate) fn wait_until(limit: Duration, is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() >= limit {
            return false;
        }
        thread::yield_now();
    }
    true
}
