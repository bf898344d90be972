//! The steps that take more than a line.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rayon_errgroup::{ErrGroup, Scope, TrySpawnError};

use crate::interpret::{Doing, Frame, Kept, perform};
use crate::log::{Kind, Thing, lock, work};
use crate::program::{Item, Step, Threads, Work};
use crate::seen::{Actor, Event, Registration, TrySpawned};

/// How long an item waits for what may never come.
pub(crate) const SHORT_WAIT: Duration = Duration::from_micros(200);

/// How long the body of a cancelled scope may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);

impl<'p> Doing<'_, '_, 'p> {
    pub(crate) fn cancel_own(&mut self) {
        let Some(token) = self.token else { return };
        self.record(|| token.cancel(), |won| Event::CancelledOwn { won: *won });
        if !token.is_cancelled() {
            self.frame
                .world
                .wrong("a token is not cancelled after `cancel`");
        }
    }

    pub(crate) fn meet(&self, items: usize) {
        wait_until(SHORT_WAIT, || self.frame.begun.load(SeqCst) >= items);
    }

    /// The body of a cancelled scope waits for no permit, even if no task gives one back.
    pub(crate) fn wait_for_body(&mut self) {
        let frame = self.frame;
        // The body does not wait for itself.
        if self.actor != Actor::Body
            && frame.has_free_body()
            && self.look()
            && !wait_until(BODY_LIMIT, || frame.body_has_ended.load(SeqCst))
        {
            frame.world.wrong("the body of a cancelled scope waits");
        }
    }

    pub(crate) fn linger(&mut self) -> Result<(), Thing> {
        if let Some(token) = self.token {
            wait_until(SHORT_WAIT, || token.is_cancelled());
        }
        let cancelled = self.look();
        self.give_up_if(cancelled)
    }

    pub(crate) fn register(&mut self, keep: bool, calls_rayon: bool) {
        let Some(token) = self.token else { return };
        let (calls, thing) = (
            Arc::new(AtomicUsize::new(0)),
            self.frame.thing(Kind::Callback),
        );
        let counter = Arc::clone(&calls);
        let shared = self.frame.shared.as_ref().map(|(group, _)| group.clone());
        let registration = token.on_cancel(move || {
            if calls_rayon {
                call_rayon(shared);
            }
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
        let registered = mem::take(&mut self.registered).into_iter();
        for ((registration, calls), by_drop) in registered.zip([true, false].into_iter().cycle()) {
            let counter = Arc::clone(&calls);
            self.record(
                || {
                    if by_drop {
                        // It waits for a call that has begun, and prevents any other.
                        drop(registration);
                        return counter.load(SeqCst) == 0;
                    }
                    wait_unless_prevented(registration.unregister(), &counter)
                },
                |prevented| {
                    Event::Called(Registration {
                        calls,
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
        self.record(|| scope.spawn(task), |()| Event::Spawned(number));
    }

    pub(crate) fn try_spawn(&mut self, item: &'p Item) {
        let Some(scope) = self.scope else { return };
        let (number, task) = self.frame.task(item);
        let result = self.record(
            || scope.try_spawn(task),
            |result| {
                Event::TrySpawned(match result {
                    Ok(()) => TrySpawned::Accepted(number),
                    Err(TrySpawnError::Full(_)) => TrySpawned::Full,
                    Err(_) => TrySpawned::Cancelled,
                })
            },
        );
        drop(result);
    }
}

impl<'p> Frame<'p> {
    /// Whether the body of the scope needs none of the threads that run its tasks.
    fn has_free_body(&self) -> bool {
        let policy = self.run.policy;
        let is_outside = policy.is_some_and(|policy| matches!(policy.threads, Threads::Own(_)));
        // A callback that is registered after the cancellation runs at once, on the body's thread.
        let needs_pool = |step: &Step| match step {
            Step::OnCancel { calls_rayon, .. } => *calls_rayon,
            Step::Nested(..) => true,
            _ => false,
        };
        let Work::Scope(body) = &self.run.work else {
            return false;
        };
        is_outside && !body.steps.iter().any(needs_pool)
    }

    /// The number of a new task, and its closure.
    fn task<'s>(
        &'s self,
        item: &'p Item,
    ) -> (
        usize,
        impl FnOnce(&Scope<'s, Thing>) -> Result<(), Thing> + Send + use<'s, 'p>,
    ) {
        let number = self.tasks.fetch_add(1, SeqCst);
        let thing = self.thing(Kind::Item);
        let task = move |scope: &Scope<'s, Thing>| {
            let _thing = thing;
            let (actor, token) = (Actor::Item(number), Some(scope.token()));
            perform(self, actor, item, token, Some(scope), None).map(drop)
        };
        (number, task)
    }
}

/// On the threads of a group, if there is one, and otherwise on the current pool.
fn call_rayon(group: Option<ErrGroup>) {
    let Some(group) = group else {
        rayon::join(|| work(5), || work(5));
        return;
    };
    let result = group.scope(|s| {
        for _ in 0..2 {
            s.spawn(|_| {
                work(5);
                Ok::<_, ()>(())
            });
        }
        Ok(())
    });
    assert!(result.is_ok(), "nothing fails or is cancelled");
}

/// Waits for the end of a call that `unregister` did not prevent: it may still run on another
/// thread.
pub(crate) fn wait_unless_prevented(prevented: bool, calls: &AtomicUsize) -> bool {
    if !prevented {
        wait_until(BODY_LIMIT, || {
            // It may need this thread, if it calls rayon.
            rayon::yield_now();
            calls.load(SeqCst) > 0
        });
    }
    prevented
}

/// Waits until the condition holds, up to a limit, and returns whether it holds.
pub(crate) fn wait_until(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() >= limit {
            return false;
        }
        thread::yield_now();
    }
    true
}
