//! `ErrGroup`: what a run may do.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::engine::claim::outcome::Values;
use crate::error::{GroupError, Panicked};
use crate::outcome::Outcome;
use crate::panic::{drop_catching, drop_payload};
use crate::run::{Found, Run, Stopped, Tolerance};
use crate::scope::{self, Scope};
use crate::token::CancelToken;

/// The policy of a run: what may stop it, and how many items run at once.
///
/// Give it to [`with_group`](crate::ErrGroupExt::with_group). A policy is reusable and cheap to
/// clone, and each run starts afresh: no error, cancellation or time is carried over. If all you
/// want is to stop at the first failure, you need none: see
/// [`err_group`](crate::ErrGroupExt::err_group).
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
/// use std::time::Duration;
///
/// let stop = CancelToken::new();
/// let group = ErrGroup::new().token(&stop).timeout(Duration::from_secs(60)).concurrency(4);
///
/// let run = |n| (0..n).into_par_iter().with_group(&group).try_map(|_, i| Ok::<_, ()>(2 * i));
/// assert_eq!(run(3).unwrap(), [0, 2, 4]);
///
/// stop.cancel();
/// assert!(run(3).is_err());
/// assert_eq!(run(0).unwrap(), [], "nothing was skipped");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a policy does nothing until it is given to `with_group`"]
pub struct ErrGroup {
    parent: Option<CancelToken>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    pool: Option<Arc<ThreadPool>>,
    tolerance: Tolerance,
}

impl ErrGroup {
    /// A policy that stops at the first failure in time and resumes panics, on the current pool.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let result = [1, 2].par_iter().with_group(&ErrGroup::new()).try_for_each(|_, _| Ok::<_, ()>(()));
    /// assert!(result.is_ok());
    /// ```
    pub fn new() -> Self {
        ErrGroup::default()
    }

    /// Cancels the run when `parent` is cancelled.
    ///
    /// The run uses a child of it and never cancels `parent` itself, so one token serves many runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};
    ///
    /// let stop = CancelToken::new();
    /// let group = ErrGroup::new().token(&stop);
    /// let result = (0..1000).into_par_iter().with_group(&group).try_for_each(|_, n| {
    ///     if n == 7 { stop.cancel(); }
    ///     Ok::<_, ()>(())
    /// });
    /// let Err(GroupError::Cancelled(cancelled)) = result else { unreachable!() };
    /// assert!(matches!(cancelled.cause(), Cause::Parent(_)));
    /// ```
    pub fn token(mut self, parent: &CancelToken) -> Self {
        self.parent = Some(parent.clone());
        self
    }

    /// Cancels a run that has not ended after `limit`, counted from the start of each run.
    ///
    /// Zero means that no item begins. A time too far away to be represented is no limit. With a
    /// [`deadline`](ErrGroup::deadline) too, the earlier counts.
    ///
    /// # Panics
    ///
    /// The call that starts a run does, whatever the policy, if the timer thread cannot be started:
    /// one for the process, started by the first deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{Cause, ErrGroup, GroupError, prelude::*};
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().timeout(Duration::from_millis(5));
    /// let result = rayon::iter::repeat(()).with_group(&group).try_for_each(|_, _| Ok::<_, ()>(()));
    /// let Err(GroupError::Cancelled(cancelled)) = result else { unreachable!() };
    /// assert!(matches!(cancelled.cause(), Cause::Deadline));
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Cancels a run that has not ended at this time. If it has passed, no item begins.
    ///
    /// # Panics
    ///
    /// As with a [`timeout`](ErrGroup::timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::time::Instant;
    ///
    /// let group = ErrGroup::new().deadline(Instant::now());
    /// let result = [0].par_iter().with_group(&group).try_for_each(|_, _| -> Result<(), ()> {
    ///     unreachable!()
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "cancelled: deadline passed");
    /// ```
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Runs up to `n` items at once, on `n` threads of the group's own.
    ///
    /// More than there are cores for work that blocks (requests, files), fewer for work that is
    /// hungry for memory. The threads are started here and end with the last clone of the group;
    /// runs of clones that overlap share them. A closure's own nested rayon calls run on them too,
    /// and a closure that waits in such a call may have another one started on top of it, as
    /// everywhere in rayon: the one that waits does not count as running.
    ///
    /// The items of a leaf run one after another: to have slow items spread evenly, say
    /// [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len) before `with_group`.
    ///
    /// # Panics
    ///
    /// If `n` is zero or larger than [`rayon::max_num_threads`], which is 65,535 on 64-bit targets, or
    /// if the threads cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::sync::Barrier;
    ///
    /// // Eight items that wait for each other, on any number of cores.
    /// let (group, barrier) = (ErrGroup::new().concurrency(8), Barrier::new(8));
    /// let result = (0..8).into_par_iter().with_max_len(1).with_group(&group).try_for_each(|_, _| {
    ///     barrier.wait();
    ///     Ok::<_, ()>(())
    /// });
    /// assert!(result.is_ok());
    /// ```
    #[track_caller]
    pub fn concurrency(mut self, n: usize) -> Self {
        assert!(n > 0, "a group needs a concurrency of at least 1");
        // rayon would start fewer, and items that wait for each other would wait for ever.
        let max = rayon::max_num_threads();
        assert!(n <= max, "a group has at most {max} threads, not {n}");
        let pool = ThreadPoolBuilder::new()
            .num_threads(n)
            .thread_name(|index| format!("errgroup-{index}"))
            .build();
        match pool {
            Ok(pool) => self.pool = Some(Arc::new(pool)),
            Err(error) => panic!("the {n} threads of a group cannot be started: {error}"),
        }
        self
    }

    /// Returns a panic as [`GroupError::Panicked`] instead of resuming it in the caller.
    ///
    /// Either way a panic outranks every error, and cancels the run at once, unless the run
    /// [keeps going](ErrGroup::keep_going) or bears [several errors](ErrGroup::max_errors): then a
    /// caught panic counts as an error. With `panic = "abort"` there is nothing to catch.
    ///
    /// It catches what the items do, and iterators, sinks, bodies, callbacks, and the drops of all that is
    /// given to the run. Not caught is a panic in the drop of the closures themselves, which belong to
    /// the call. And where several items or values that are dropped together panic in their drops, the
    /// process is aborted, as where a `Vec` of them is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
    ///
    /// let group = ErrGroup::new().catch_panics();
    /// let result = [1, 0].par_iter().with_group(&group).try_map(|_, n| Ok::<_, ()>(10 / n));
    /// let Err(GroupError::Panicked(panicked)) = result else { unreachable!() };
    /// assert_eq!(panicked.message(), Some("attempt to divide by zero"));
    /// ```
    pub fn catch_panics(mut self) -> Self {
        self.tolerance.catch_panics = true;
        self
    }

    /// Cancels the run at the `n`-th error, and not at the first.
    ///
    /// An error that is borne does not make the run a success: it goes on, and returns the earliest
    /// error at its end. All of them are kept by [`outcome`](crate::WithGroup::outcome). In order the
    /// run stops where the sequential loop would, that had counted to `n`, and of several caught panics
    /// the lowest is returned; but one that came after something else had cancelled the run, if there is
    /// one. `max_errors(1)` is the default, and the last of several calls of `max_errors` and
    /// [`keep_going`](ErrGroup::keep_going) counts.
    ///
    /// The error of a [stream's sink](crate::WithGroup::try_stream) and that of a
    /// [scope's body](ErrGroup::scope) are never borne. A panic is if it is caught
    /// ([`catch_panics`](ErrGroup::catch_panics)), and then it counts as an error.
    ///
    /// # Panics
    ///
    /// If `n` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new().max_errors(3);
    /// let odd = |n: u32| if n % 2 == 1 { Err("odd") } else { Ok(n) };
    /// let outcome = (0..1000).into_par_iter().in_order().with_group(&group).outcome(|_, n| odd(n));
    /// assert_eq!(outcome.errors[..3], [(1, "odd"), (3, "odd"), (5, "odd")]);
    /// assert!(outcome.skipped > 0);
    /// ```
    #[track_caller]
    pub fn max_errors(mut self, n: usize) -> Self {
        assert!(
            n > 0,
            "a group stops at the first error at the earliest, not at the zeroth"
        );
        self.tolerance.failures = n;
        self
    }

    /// Never cancels the run because of an error, as `make --keep-going`: every item runs.
    ///
    /// As [`max_errors`](ErrGroup::max_errors) with a number that is never reached. To stop
    /// the run there still are the token, the deadline, and panics that are not caught.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let (group, ran) = (ErrGroup::new().keep_going(), AtomicUsize::new(0));
    /// let result = (0..1000).into_par_iter().with_group(&group).try_for_each(|_, n| {
    ///     ran.fetch_add(1, Ordering::Relaxed);
    ///     if n % 10 == 0 { Err(n) } else { Ok(()) }
    /// });
    /// assert!(result.is_err());
    /// assert_eq!(ran.into_inner(), 1000);
    /// ```
    pub fn keep_going(mut self) -> Self {
        self.tolerance.failures = usize::MAX;
        self
    }

    /// Runs tasks of different kinds in parallel, as [`scope`](crate::scope()) does, under this policy.
    ///
    /// The body runs on the calling thread. The tasks run on the current pool, or on the group's own
    /// threads if it has a [`concurrency`](ErrGroup::concurrency); then [`spawn`](Scope::spawn) waits
    /// for one of them to be free.
    ///
    /// # Order
    ///
    /// Tasks start in any order. Of several errors the earliest in time is returned.
    ///
    /// # Cancellation
    ///
    /// By the first error or panic of a task, or whichever the policy says; by an error or panic of the
    /// body, whatever it says; by the group's token or deadline; or by [`Scope::token`]. Tasks that
    /// have not begun are dropped, and those that run are waited for. The body is not stopped: it
    /// runs even if the group's token is cancelled already.
    ///
    /// # Panics
    ///
    /// Resumes the panic of a task or of the body, unless the group says
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// Names the one event that cancelled the run, or, if the run bears errors
    /// ([`keep_going`](ErrGroup::keep_going)), the earliest of them. `Ok` if and only if the body and
    /// every task that was spawned returned `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().concurrency(2).timeout(Duration::from_millis(5));
    /// let result = group.scope(|s| {
    ///     for _ in 0..100 {
    ///         // From the third on it waits for a place, and then for the end of the time.
    ///         s.spawn(|s| s.token().sleep(Duration::from_secs(3600)));
    ///     }
    ///     Ok(())
    /// });
    /// assert!(matches!(result, Err(GroupError::Cancelled(_))));
    /// ```
    pub fn scope<'scope, E, R, F>(&self, body: F) -> Result<R, GroupError<E>>
    where
        F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<R, E>,
        E: Send,
    {
        self.run_here(|run, pool| scope::fill(run, pool, body))
            .map(scope::whole)
    }

    /// One run under this policy: `body` returns when every item has ended.
    pub(crate) fn run<R, E>(
        &self,
        body: impl FnOnce(&Run<E>) -> R + Send,
    ) -> Result<R, GroupError<E>>
    where
        R: Send,
        E: Send,
    {
        self.run_here(|run, pool| match pool {
            Some(pool) => pool.install(|| body(run)),
            None => body(run),
        })
    }

    /// The same, but `body` stays on the calling thread and is told of the group's own pool.
    pub(crate) fn run_here<R, E>(
        &self,
        body: impl FnOnce(&Run<E>, Option<&ThreadPool>) -> R,
    ) -> Result<R, GroupError<E>> {
        let run = self.start(self.tolerance);
        let result = run.execute(|run| body(run, self.pool.as_deref()));
        let panicked = |payload| {
            if self.tolerance.catch_panics {
                GroupError::Panicked(Panicked::new(payload))
            } else {
                resume_unwind(payload)
            }
        };
        result.map_err(|stopped| match stopped {
            Stopped::Failed(Found { index, what }) => GroupError::Failed { index, error: what },
            Stopped::Panicked(payload) => panicked(payload),
            // There is an error to return, and nobody wants the one that came too late.
            Stopped::Cancelled { cancelled, late } => {
                match catch_unwind(AssertUnwindSafe(|| drop(late))) {
                    Ok(()) => GroupError::Cancelled(cancelled),
                    Err(payload) => {
                        drop_payload(drop_catching(cancelled));
                        panicked(payload)
                    }
                }
            }
        })
    }

    /// The same for a run that keeps all that comes of it, and that is left in the slot.
    pub(crate) fn account<T, E>(
        &self,
        body: impl FnOnce(&Run<E>, &mut Option<Values<T>>) + Send,
    ) -> Outcome<T, E>
    where
        T: Send,
        E: Send,
    {
        let tolerance = Tolerance {
            keep_all: true,
            ..self.tolerance
        };
        let account = self.start(tolerance).account(|run, slot| match &self.pool {
            Some(pool) => pool.install(|| body(run, slot)),
            None => body(run, slot),
        });
        account.map_or_else(|payload| resume_unwind(payload), Outcome::new)
    }

    fn start<E>(&self, tolerance: Tolerance) -> Run<E> {
        let run = Run::new(self.parent.as_ref(), tolerance);
        if let Some(limit) = self.timeout {
            run.token().cancel_after(limit);
        }
        if let Some(at) = self.deadline {
            run.token().cancel_at(at);
        }
        run
    }
}
