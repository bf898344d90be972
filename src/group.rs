//! `ErrGroup`: the options of a run.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::concurrency_error::ConcurrencyError;
use crate::error::GroupError;
use crate::failure_policy::FailurePolicy;
use crate::run::Run;
use crate::scope::{Scope, run_tasks};
use crate::token::CancelToken;

/// The options of a run: what may stop it, and how many items run at once.
///
/// Give it to [`with_group`](crate::ErrGroupExt::with_group). A group is reusable and cheap to
/// clone, and each run starts afresh: no error, cancellation or time is carried over. Stopping at
/// the first failure needs no group: [`err_group`](crate::ErrGroupExt::err_group) does it.
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
/// let twice = |i| Ok::<_, ()>(2 * i);
/// let run = |n| (0..n).into_par_iter().with_group(&group).try_map(|_, i| twice(i));
/// assert_eq!(run(3).unwrap(), [0, 2, 4]);
///
/// stop.cancel();
/// assert!(run(3).is_err());
/// assert_eq!(run(0).unwrap(), [], "nothing was skipped");
/// ```
#[derive(Clone, Debug, Default)]
#[doc(alias = "WithContext")]
#[must_use = "a group does nothing until it is given to `with_group`"]
pub struct ErrGroup {
    parent: Option<CancelToken>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    pool: Option<Arc<ThreadPool>>,
    failure_policy: FailurePolicy,
}

impl ErrGroup {
    /// Makes a group that stops at the first failure in time and resumes panics, on the current
    /// pool.
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    ///
    /// let group = ErrGroup::new();
    /// let result = [1, 2].par_iter().with_group(&group).err_group(|_| Ok::<_, ()>(()));
    /// assert!(result.is_ok());
    /// ```
    pub fn new() -> Self {
        ErrGroup::default()
    }

    /// Cancels the run when `parent` is cancelled.
    ///
    /// The run uses a child of `parent` and never cancels `parent` itself, so one token serves many
    /// runs.
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
    #[doc(alias = "WithContext")]
    pub fn token(mut self, parent: &CancelToken) -> Self {
        self.parent = Some(parent.clone());
        self
    }

    /// Cancels a run that has not ended after `limit`, counted from the start of each run.
    ///
    /// With a limit of zero no item starts. A limit that is too far away to be represented is
    /// ignored. If there is a [`deadline`](ErrGroup::deadline) too, the earlier one counts.
    ///
    /// For a limit for each item, see the [recipe](crate::guide::recipes#a-timeout-for-each-item).
    ///
    /// # Panics
    ///
    /// The call that starts a run panics if the timer thread cannot be started. The process has one
    /// timer thread, which is started by the first deadline. On wasm32-unknown-unknown, which has
    /// no clock, that call always panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{Cause, ErrGroup, GroupError, prelude::*};
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().timeout(Duration::from_millis(5));
    /// let endless = rayon::iter::repeat(()).with_group(&group);
    /// let result = endless.err_group(|()| Ok::<_, std::io::Error>(()));
    /// let Err(GroupError::Cancelled(cancelled)) = result else { unreachable!() };
    /// assert!(matches!(cancelled.cause(), Cause::Deadline));
    /// ```
    #[doc(alias = "WithTimeout")]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Cancels a run that has not ended at this time. If the time has passed, no item starts.
    ///
    /// # Panics
    ///
    /// See [`timeout`](ErrGroup::timeout). On wasm32-unknown-unknown there is no clock:
    /// `Instant::now` panics, so no `at` can exist.
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
    #[doc(alias = "WithDeadline")]
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Runs up to `n` items at once, on `n` threads of the group's own.
    ///
    /// Choose more than there are cores for work that blocks (requests, files), and fewer for work
    /// that needs much memory. The threads are started here. Dropping the last clone of the group
    /// tells them to end, and does not wait for them; see the recipe for [buffered
    /// writers](crate::guide::recipes#buffered-writers). Runs of clones that overlap share them. A
    /// closure's own nested rayon calls run on them too. While a closure waits in such a call, its
    /// thread may start another one on top of it, as everywhere in rayon: the one that waits does
    /// not count as running. So if items hold something scarce while they wait, such as a socket,
    /// `n` does not limit how many are held; `in_order` does, at `n`. On each thread a run has at
    /// most [64 items](crate#stack) open.
    ///
    /// The items of a leaf run one after another. To spread slow items evenly, put
    /// [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len) before `with_group`,
    /// or run them in order, which hands out slow items one by one. In order hundreds of threads
    /// also start sooner: 256 sleeps of 20 ms on 256 threads take 30 ms on two cores, and 37 ms
    /// without an order (`BENCHMARKS.md`).
    ///
    /// For threads with a larger stack or with names of your own, see [`pool`](ErrGroup::pool). The
    /// last call of the two counts.
    ///
    /// # Panics
    ///
    /// If `n` is zero or larger than [`rayon::max_num_threads`], which is 65,535 on 64-bit targets,
    /// or if the threads cannot be started. [`try_concurrency`](ErrGroup::try_concurrency)
    /// returns an error instead.
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
    /// let items = (0..8).into_par_iter().with_max_len(1).with_group(&group);
    /// let result = items.err_group(|_| {
    ///     barrier.wait();
    ///     Ok::<_, ()>(())
    /// });
    /// assert!(result.is_ok());
    /// ```
    #[doc(alias = "SetLimit")]
    #[doc(alias = "limit")]
    #[track_caller]
    pub fn concurrency(self, n: usize) -> Self {
        match self.try_concurrency(n) {
            Ok(group) => group,
            Err(ConcurrencyError::Threads { n, source }) => {
                panic!("the {n} threads of a group cannot be started: {source}")
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`concurrency`](ErrGroup::concurrency), but returns an error instead of panicking: for
    /// a number that comes from a command line, or from a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConcurrencyError`] says whether `n` is out of range or the threads cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::ErrGroup;
    ///
    /// assert!(ErrGroup::new().try_concurrency(2).is_ok());
    /// let error = ErrGroup::new().try_concurrency(0).unwrap_err();
    /// assert_eq!(error.to_string(), "a group needs a concurrency of at least 1");
    /// ```
    pub fn try_concurrency(mut self, n: usize) -> Result<Self, ConcurrencyError> {
        if n == 0 {
            return Err(ConcurrencyError::Zero);
        }
        // rayon would start fewer threads, and items that wait for each other would wait forever.
        let max = rayon::max_num_threads();
        if n > max {
            return Err(ConcurrencyError::TooMany { n, max });
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(n)
            .thread_name(|index| format!("errgroup-{index}"))
            .build();
        let pool = pool.map_err(|source| ConcurrencyError::Threads { n, source })?;
        self.pool = Some(Arc::new(pool));
        Ok(self)
    }

    /// Runs the items on a pool that the caller has built: with a stack size, names of threads,
    /// start and panic handlers of its own, or shared with other work.
    ///
    /// What [`concurrency`](ErrGroup::concurrency) says about a group's threads is true of this
    /// pool, too, except that they end only when the caller's last handle is also dropped. The last
    /// call of `pool` or `concurrency` counts. The number of the pool's threads is how many items
    /// run at once, and how many permits a [scope](ErrGroup::scope) has: its
    /// [`spawn`](Scope::spawn) waits for one, so that the body is never far ahead of its tasks
    /// (backpressure).
    ///
    /// The items move to the pool. The body of a scope and the [sink of a
    /// stream](crate::WithGroup::try_stream) stay on the calling thread and need not be `Send`.
    /// With [`install`](ThreadPool::install), which needs no group, they move to the pool as well.
    ///
    /// A pool whose only thread is the calling one
    /// ([`use_current_thread`](ThreadPoolBuilder::use_current_thread)) runs the items on that
    /// thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::{ThreadPoolBuilder, prelude::*};
    /// use rayon_errgroup::{ErrGroup, prelude::*};
    /// use std::sync::Arc;
    ///
    /// let builder = ThreadPoolBuilder::new().num_threads(2).stack_size(16 << 20);
    /// let pool = Arc::new(builder.thread_name(|n| format!("parser-{n}")).build()?);
    /// let group = ErrGroup::new().pool(&pool);
    /// let result = (0..8).into_par_iter().with_group(&group).err_group(|_| {
    ///     let thread = std::thread::current();
    ///     match thread.name() {
    ///         Some(name) if name.starts_with("parser-") => Ok(()),
    ///         _ => Err("another pool"),
    ///     }
    /// });
    /// assert!(result.is_ok());
    /// # Ok::<_, rayon::ThreadPoolBuildError>(())
    /// ```
    pub fn pool(mut self, pool: &Arc<ThreadPool>) -> Self {
        self.pool = Some(Arc::clone(pool));
        self
    }

    /// Returns a panic as [`GroupError::Panicked`] instead of resuming it in the caller.
    ///
    /// Either way a panic outranks every error, and cancels the run at once, unless the run
    /// [keeps going](ErrGroup::keep_going) or tolerates [some errors](ErrGroup::max_errors): then a
    /// caught panic of an item counts as an error. With `panic = "abort"` there is nothing to
    /// catch.
    ///
    /// In order, the panic of an item has its index: [`GroupError::index`] and
    /// [`Panicked::index`](crate::Panicked::index). If several items panic, the first panic in time
    /// is returned; where panics count as errors, the one with the lowest index.
    ///
    /// Panics are caught in items, iterators, sinks, bodies and callbacks, and in the drops of all
    /// that is given to the run. A panic in the drop of the closures themselves is not caught:
    /// they belong to the call. If several items or values that are dropped together panic in
    /// their drops, the process aborts, as it does where a `Vec` of them is dropped.
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
        self.failure_policy.catch_panics = true;
        self
    }

    /// Sets the error limit: the run is cancelled at the `n`-th error, and not at the first.
    ///
    /// A run with tolerated errors does not end with `Ok`: it goes on, and returns them at its end.
    /// If there were several, a run without an order and a [scope](ErrGroup::scope) return all that
    /// counted, as [`GroupError::Several`]: those of tasks by their spawn numbers, those of items,
    /// which have no index, in the order in time. In order the first one is returned, and
    /// [`outcome`](crate::WithGroup::outcome) keeps all of them with their indices; the run stops
    /// where the sequential loop would stop if it counted to `n`. `max_errors(1)` is the default,
    /// and the last call of `max_errors` or [`keep_going`](ErrGroup::keep_going) counts.
    ///
    /// A caught panic outranks every error. If several are caught, the first in time is returned,
    /// or in order the one with the lowest index. In order, a panic that is never tolerated takes
    /// precedence over these: a panic of a source, a callback, a sink or a drop, or of an item
    /// after something else had cancelled the run.
    ///
    /// The error of a [stream's sink](crate::InOrder::try_stream) and that of a
    /// [scope's body](ErrGroup::scope) are never tolerated. A panic is tolerated if it is caught
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
    /// let numbers = (0..1000).into_par_iter().in_order().with_group(&group);
    /// let outcome = numbers.outcome(|_, n| odd(n));
    /// assert_eq!(outcome.errors(), [(1, "odd"), (3, "odd"), (5, "odd")]);
    /// assert!(outcome.skipped() > 0);
    /// ```
    #[doc(alias = "maxfail")]
    #[track_caller]
    pub fn max_errors(mut self, n: usize) -> Self {
        assert!(n > 0, "max_errors must be at least 1");
        self.failure_policy.error_limit = n;
        self
    }

    /// Never cancels the run because of an error, like `make --keep-going`: every item runs.
    ///
    /// This is the same as [`max_errors`](ErrGroup::max_errors) with a number that is never
    /// reached. The token, the deadline, and panics that are not caught still stop the run.
    ///
    /// The run never ends over a source that [fails
    /// forever](crate::guide::recipes#a-source-that-fails-forever). Without an order, and in a
    /// scope, every error is kept until the end; in order only the first one is, except by
    /// [`outcome`](crate::WithGroup::outcome).
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
    #[doc(alias = "fail_fast")]
    pub fn keep_going(mut self) -> Self {
        self.failure_policy.error_limit = usize::MAX;
        self
    }

    /// Runs tasks of different kinds in parallel, as [`scope`](crate::scope()) does, with these
    /// options.
    ///
    /// The body runs on the calling thread. The tasks run on the current pool, or on that of the
    /// group, if it has a [`concurrency`](ErrGroup::concurrency) or a [`pool`](ErrGroup::pool);
    /// then [`spawn`](Scope::spawn) waits for a permit.
    ///
    /// # Order
    ///
    /// Tasks start in any order. If several fail, the first error in time is returned, or all
    /// errors (see below).
    ///
    /// # Cancellation
    ///
    /// The run is cancelled by the first error or panic of a task, or by a later one if the group
    /// tolerates some; by any error or panic of the body; by the group's token or deadline; or by
    /// [`Scope::token`]. Tasks that have not started are dropped, and the call waits for those that
    /// run. The body is not stopped: it runs even if the group's token is cancelled already.
    ///
    /// # Panics
    ///
    /// Resumes the panic of a task or of the body, unless the group has
    /// [`catch_panics`](ErrGroup::catch_panics).
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the run. The result is `Ok` if and only if the
    /// body and every task that was spawned returned `Ok`.
    ///
    /// If the group tolerates errors ([`keep_going`](ErrGroup::keep_going),
    /// [`max_errors`](ErrGroup::max_errors)), each error has the spawn number of its task as its
    /// index. Tasks are numbered from zero in the order in which `spawn` and `try_spawn` have
    /// accepted them, whichever thread spawned them. One error is a [`GroupError::Failed`]; several
    /// are a [`GroupError::Several`], sorted by that number, and [`GroupError::into_error`] takes
    /// the lowest. All errors that count are there: with `max_errors(n)` at most `n`. Errors of
    /// tasks that were cancelled are dropped.
    ///
    /// The body's own error is never tolerated. It cancels the run, and it is the result alone,
    /// without an index: the errors of tasks that were tolerated before are dropped. They are
    /// dropped, too, if the token, the deadline or a panic ends the run.
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
    ///         // From the third on it waits for a permit, and then for the timeout.
    ///         s.spawn(|s| s.token().sleep(Duration::from_secs(3600)));
    ///     }
    ///     Ok(())
    /// });
    /// assert!(matches!(result, Err(GroupError::Cancelled(_))));
    /// ```
    ///
    /// All errors:
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    ///
    /// let hosts = ["alpha", "beta!", "gamma", "delta!"];
    /// let result = ErrGroup::new().keep_going().scope(|s| {
    ///     for host in hosts {
    ///         s.spawn(move |_| if host.ends_with('!') { Err("not reachable") } else { Ok(()) });
    ///     }
    ///     Ok(())
    /// });
    /// let Err(GroupError::Several(failures)) = result else { unreachable!() };
    /// let failed: Vec<_> = failures.iter().map(|(number, _)| hosts[*number]).collect();
    /// assert_eq!(failed, ["beta!", "delta!"]);
    /// ```
    #[doc(alias = "errgroup")]
    pub fn scope<'scope, E, R, F>(&self, body: F) -> Result<R, GroupError<E>>
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<R, E>,
        E: Send,
    {
        let run = self.start_keeping_errors();
        let result = run_tasks(&run, self.own_pool(), body);
        self.finish(run, result)
    }

    /// Starts a run with these options.
    pub(crate) fn start<E>(&self) -> Run<E> {
        self.start_with(self.failure_policy)
    }

    /// Starts a run without an order, which keeps every error that it tolerates.
    pub(crate) fn start_keeping_errors<E>(&self) -> Run<E> {
        self.start_with(FailurePolicy {
            keep_errors: self.failure_policy.tolerates_errors(),
            ..self.failure_policy
        })
    }

    /// Starts a run that keeps every failure.
    pub(crate) fn start_keeping_all<E>(&self) -> Run<E> {
        self.start_with(FailurePolicy {
            keep_all: true,
            ..self.failure_policy
        })
    }

    fn start_with<E>(&self, failure_policy: FailurePolicy) -> Run<E> {
        let run = Run::new(self.parent.as_ref(), failure_policy);
        if let Some(limit) = self.timeout {
            run.token().cancel_after(limit);
        }
        if let Some(at) = self.deadline {
            run.token().cancel_at(at);
        }
        run
    }

    /// The group's own threads, or the pool that it was given.
    pub(crate) fn own_pool(&self) -> Option<&ThreadPool> {
        self.pool.as_deref()
    }

    /// Calls `body` on one of the threads of the group's pool, or here if it has none.
    pub(crate) fn install<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        let (mut body, mut result) = (Some(body), None);
        self.install_dyn(&mut || result = body.take().map(|body| body()));
        result.unwrap_or_else(|| unreachable!("the body has been called"))
    }

    /// rayon's part of it, compiled once and not for each closure.
    fn install_dyn(&self, body: &mut (dyn FnMut() + Send)) {
        match &self.pool {
            Some(pool) => pool.install(body),
            None => body(),
        }
    }

    pub(crate) fn catches_panics(&self) -> bool {
        self.failure_policy.catch_panics
    }

    /// Ends a run, whose items have all ended.
    pub(crate) fn finish<R, E>(&self, run: Run<E>, result: Option<R>) -> Result<R, GroupError<E>> {
        match run.finish(result).into_result() {
            Err(GroupError::Panicked(panicked)) if !self.catches_panics() => {
                resume_unwind(panicked.into_payload())
            }
            result => result,
        }
    }
}
