//! `ErrGroup`: what a run may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{GroupError, Panicked};
use crate::run::{Failure, Run, Stopped};
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
    catch_panics: bool,
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
    /// If `n` is zero, or if the threads cannot be started.
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
    /// Either way a panic cancels the run at once and outranks every error. With `panic = "abort"`
    /// there is nothing to catch.
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
        self.catch_panics = true;
        self
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
        let run = Run::new(self.parent.as_ref());
        if let Some(limit) = self.timeout {
            run.token().cancel_after(limit);
        }
        if let Some(at) = self.deadline {
            run.token().cancel_at(at);
        }
        let result = run.execute(|run| body(run, self.pool.as_deref()));
        result.map_err(|stopped| match stopped {
            Stopped::Failed(Failure { index, error }) => GroupError::Failed { index, error },
            Stopped::Cancelled { cancelled, .. } => GroupError::Cancelled(cancelled),
            Stopped::Panicked(payload) if self.catch_panics => {
                GroupError::Panicked(Panicked::new(payload))
            }
            Stopped::Panicked(payload) => std::panic::resume_unwind(payload),
        })
    }
}
