//! Executes a run, and records what its caller observes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rayon_errgroup::ErrGroup;

use crate::got::Got;
use crate::interpret::{Caller, Frame, World};
use crate::log::{Kind, Thing, lock};
use crate::program::{Link, Run, Threads, Timeout};
use crate::seen::{Ran, Registration, Returned, Span, TokenState};
use crate::steps::wait_unless_prevented;

/// Executes a run, and records what is observed of it. Returns its error, or unwinds as it does.
pub(crate) fn execute<'p>(
    world: World<'p>,
    run: &'p Run,
    caller: Option<Caller<'_, '_>>,
) -> Result<(), Thing> {
    let log = world.log;
    let mut frame = Frame::new(world, run);
    let (link, group) = frame.prepare(caller);
    let own_threads = match run.policy.map(|policy| policy.threads) {
        Some(Threads::Own(_) | Threads::Shared) => frame.shared.as_ref(),
        _ => None,
    };
    let own_threads = own_threads.map(|(_, threads)| *threads);
    let (began, start) = (Instant::now(), log.now());
    let got = catch_unwind(AssertUnwindSafe(|| frame.call(group.as_ref())));
    let running = frame.begun.load(SeqCst) - frame.ended.load(SeqCst);
    let (took, end) = (began.elapsed(), log.now());
    let mut got = got.unwrap_or_else(|payload| Got::unwound(&frame, payload));
    let alive = log.alive(frame.id);
    got.ask_for_result(&frame);
    let tokens = lock(&frame.tokens).iter().map(TokenState::new).collect();
    let kept = frame.kept.into_inner().unwrap_or_default();
    let kept = kept.into_iter().map(|kept| {
        let cause = kept.token.cause();
        let mut prevented = kept.registration.unregister();
        if cause.is_some() {
            prevented = wait_unless_prevented(prevented, &kept.calls);
        }
        Registration {
            cause,
            prevented,
            calls: kept.calls,
        }
    });
    let kept = kept.collect();
    let returned = got.returned.clone();
    lock(&log.runs).push(Ran {
        id: frame.id,
        run,
        caller: caller.map(|caller| (caller.frame.id, caller.actor)),
        link,
        has_permits: own_threads.is_some(),
        threads: own_threads.unwrap_or_else(rayon::current_num_threads),
        span: Span { start, end },
        took,
        returned: got.returned,
        tokens,
        kept,
        running,
        alive,
        made: frame.made.into_inner(),
        count: run.count(frame.is_bounded),
    });
    match returned {
        Returned::Ok(_) => Ok(()),
        Returned::Outcome(report) if report.is_ok => Ok(()),
        Returned::Failed { .. } | Returned::Several(_) => Err(got.held.remove(0)),
        Returned::Unwound(_) => resume_unwind(Box::new(got.held.remove(0))),
        Returned::Cancelled(_) | Returned::Panicked(_) | Returned::Outcome(_) => {
            let owner = caller.map_or(frame.id, |caller| caller.frame.id);
            Err(log.thing(owner, Kind::Error))
        }
        Returned::NoError => {
            let owner = caller.map_or(frame.id, |caller| caller.frame.id);
            resume_unwind(Box::new(log.thing(owner, Kind::Payload)))
        }
    }
}

impl Frame<'_> {
    /// The group of the run, and the parent of its token.
    fn prepare(&mut self, caller: Option<Caller<'_, '_>>) -> (Link, Option<ErrGroup>) {
        self.shared = caller.and_then(|caller| caller.frame.shared.clone());
        let Some(policy) = self.run.policy else {
            return (Link::None, None);
        };
        if let Threads::Own(threads) = policy.threads {
            self.shared = Some((ErrGroup::new().concurrency(threads), threads));
        }
        let mut group = match (policy.threads, &self.shared) {
            (Threads::Own(_) | Threads::Shared, Some((group, _))) => group.clone(),
            _ => ErrGroup::new(),
        };
        let enclosing = caller.map(|caller| caller.token);
        let (link, token) = match (policy.link, enclosing) {
            (Link::Outside, _) | (Link::Enclosing, None) => {
                (Link::Outside, Some(self.world.outside))
            }
            (Link::Enclosing, Some(Some(token))) => (Link::Enclosing, Some(token)),
            (Link::Enclosing, Some(None)) | (Link::None, _) => (Link::None, None),
        };
        if let Some(token) = token {
            group = group.token(token);
        }
        self.is_bounded = self.run.has_short_timeout()
            || (link == Link::Enclosing && caller.is_some_and(|caller| caller.frame.is_bounded));
        group = match policy.timeout {
            Timeout::None => group,
            Timeout::Long => group.timeout(Duration::from_secs(3600)),
            Timeout::Short(microseconds) => group.timeout(Duration::from_micros(microseconds)),
        };
        if policy.catch_panics {
            group = group.catch_panics();
        }
        group = match policy.max_errors {
            usize::MAX => group.keep_going(),
            errors => group.max_errors(errors),
        };
        (link, Some(group))
    }
}
