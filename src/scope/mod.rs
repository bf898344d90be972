//! `Scope`: tasks of different kinds.

#[expect(
    unsafe_code,
    reason = "the lifetimes of two references are erased; each block has its argument"
)]
mod erased;
mod error;
#[cfg(all(test, model = "shuttle"))]
mod models;
mod postponed;
mod semaphore;

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::ThreadPool;

use self::erased::{Handle, in_place_scope};
pub use self::error::TrySpawnError;
use self::postponed::Postponed;
use self::semaphore::Semaphore;
use crate::engine::user_code::{RunId, UserCode, is_too_deep};
use crate::run::{Failure, Kind, Run};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::token::CancelToken;

/// Runs tasks of different kinds in parallel, and stops at the first failure.
///
/// It is Go's `errgroup.Group` in the shape of rayon's `scope`: `body` is given a [`Scope`] and
/// spawns tasks on it, which run on the current rayon pool and may borrow from the caller. `scope`
/// returns when they have ended (structured concurrency). For many items of one kind, use a
/// parallel iterator and [`err_group`](crate::ErrGroupExt::err_group), at about 1 % of the cost per
/// item. For a deadline, external cancellation or a limit, use
/// [`ErrGroup::scope`](crate::ErrGroup::scope).
///
/// # Order
///
/// Tasks start in any order. If several fail, the first error in time is returned, whether it is a
/// task's or the body's own.
///
/// A task's values are dropped before its error is recorded. So where tasks talk over a channel, a
/// failed `send` or a channel that ends may be the first that a task sees of its neighbour's
/// failure: return `Ok` then, and let the neighbour's error be the result. Do not keep both ends
/// outside of the tasks: a `send` to a consumer that has failed blocks forever. See [the
/// recipe](crate::guide::recipes#a-channel-between-tasks).
///
/// # Cancellation
///
/// The first error or panic, of a task or of the body, cancels the [token](Scope::token). Tasks
/// that have not started are dropped then, and `scope` waits for those that run. A long-running
/// task should check the token, and return an `Err` if it stops because of it (which one does not
/// matter: it is never the one returned). `body` itself is not stopped: it runs on the calling
/// thread, whatever happens.
///
/// # Panics
///
/// Resumes the panic of a task or of the body with its payload, after the other tasks have ended.
/// Unlike rayon's `scope`, it drops the tasks that have not started. It also panics if a task
/// cancels the token itself, other tasks were skipped because of that, and none returned an error:
/// then there is no `E` to return, and [`ErrGroup::scope`](crate::ErrGroup::scope) has an error for
/// it.
///
/// # Errors
///
/// Returns the error of the first failure in time. The result is `Ok` if and only if the body and
/// every task that was spawned returned `Ok`; a cancellation that came too late to skip a task is
/// not an error.
///
/// # Cost
///
/// That of `rayon::in_place_scope` and its `spawn`: one allocation for each task.
///
/// # Examples
///
/// ```
/// use rayon_errgroup::scope;
///
/// let (mut users, mut hosts) = (0, 0);
/// let sum = scope(|s| {
///     s.spawn(|_| "17".parse().map(|number| users = number));
///     s.spawn(|_| "4".parse().map(|number| hosts = number));
///     "21".parse::<i32>()
/// });
/// assert_eq!(sum, Ok(users + hosts));
///
/// let result = scope(|s| {
///     s.spawn(|_| "x".parse().map(|number: i32| users = number));
///     Ok(())
/// });
/// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
/// ```
///
/// Tasks may spawn tasks:
///
/// ```
/// use rayon_errgroup::{Scope, scope};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// fn tree<'scope>(s: &Scope<'scope, String>, depth: u32, leaves: &'scope AtomicU32) {
///     if depth == 0 {
///         leaves.fetch_add(1, Ordering::Relaxed);
///         return;
///     }
///     for _ in 0..2 {
///         s.spawn(move |s| Ok(tree(s, depth - 1, leaves)));
///     }
/// }
///
/// let leaves = AtomicU32::new(0);
/// scope(|s| Ok(tree(s, 10, &leaves))).unwrap();
/// assert_eq!(leaves.into_inner(), 1024);
/// ```
pub fn scope<'scope, E, R, F>(body: F) -> Result<R, E>
where
    F: FnOnce(&Scope<'scope, E>) -> Result<R, E>,
    E: Send,
{
    let run = Run::bare();
    let result = run_tasks(&run, None, body);
    run.end_bare(result)
}

/// Runs the body, and returns when every task has ended. `None` if the body has failed.
pub(crate) fn run_tasks<'scope, E, R, F>(
    run: &Run<E>,
    pool: Option<&ThreadPool>,
    body: F,
) -> Option<R>
where
    F: FnOnce(&Scope<'scope, E>) -> Result<R, E>,
    E: Send,
{
    let shared = Shared {
        run,
        semaphore: pool.map(Semaphore::new),
        spawned: (run.policy.keep_errors).then(|| AtomicUsize::new(0)),
        postponed: Postponed::new(),
    };
    let run_body = |scope: &Scope<'scope, E>| {
        let _user_code = UserCode::enter(RunId::NONE);
        // Caught here: rayon would wait for all tasks before it lets the panic go on, and the run
        // must be cancelled before that.
        match catch_unwind(AssertUnwindSafe(|| body(scope))) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => _ = run.fail(Failure::fatal(None, Kind::Error(error))),
            Err(payload) => run.panicked(payload),
        }
        None
    };
    run.drive(|| {
        let result = in_place_scope(pool, &shared, run_body);
        assert!(!shared.postponed.has_some(), "a task was lost");
        result
    })
    .flatten()
}

/// A task that is postponed, with its number.
type Task<'scope, E> = (
    Option<usize>,
    Box<dyn FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope>,
);

/// What the tasks of one scope share.
struct Shared<'r, 'scope, E> {
    run: &'r Run<E>,
    /// Only where the group has a pool.
    semaphore: Option<Semaphore<'r>>,
    /// How many tasks were spawned: the number of the next one. Only where errors are kept with the
    /// numbers of their tasks.
    spawned: Option<AtomicUsize>,
    postponed: Postponed<Task<'scope, E>>,
}

/// `Handle` relies on this, for every error type that is `Send`.
const _: () = {
    const fn is_sync<T: Sync>() {}
    const fn shared_is_sync<E: Send>() {
        is_sync::<Shared<'_, '_, E>>();
    }
    shared_is_sync::<()>();
    is_sync::<rayon::Scope<'_>>();
};

/// A scope, on which tasks are spawned. The body of [`scope`] and every task receive it.
///
/// Tasks borrow what lives longer than the call of [`scope`]: that is `'scope`. A function that is
/// given a scope names it, as in the example of [`scope`]: `&Scope<'scope, E>`.
///
/// A scope may be shared with other threads, which may spawn too.
///
/// # Coming from Go
///
/// `g.Go(f)` is [`spawn`](Scope::spawn), `g.TryGo(f)` is [`try_spawn`](Scope::try_spawn), the `ctx`
/// of `WithContext` is [`token`](Scope::token), and `g.Wait()` is the end of the scope.
///
/// # Examples
///
/// Tasks that spawn tasks: the files of a tree of folders, each folder a task.
///
/// ```
/// use rayon_errgroup::{Scope, scope};
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// struct Folder { files: usize, folders: Vec<Folder> }
///
/// fn count<'a>(s: &Scope<'a, String>, folder: &'a Folder, files: &'a AtomicUsize) {
///     for below in &folder.folders {
///         s.spawn(move |s| Ok(count(s, below, files)));
///     }
///     files.fetch_add(folder.files, Ordering::Relaxed);
/// }
///
/// let leaf = || Folder { files: 2, folders: vec![] };
/// let root = Folder { files: 1, folders: vec![leaf(), leaf()] };
/// let files = AtomicUsize::new(0);
/// assert_eq!(scope(|s| Ok(count(s, &root, &files))), Ok(()));
/// assert_eq!(files.into_inner(), 5);
/// ```
pub struct Scope<'scope, E> {
    handle: Handle<'scope, E>,
}

impl<E> Scope<'_, E> {
    /// Returns the token of this run. It is cancelled by the first failure, and cancelling it stops
    /// the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::scope;
    /// use std::time::Duration;
    ///
    /// let result = scope(|s| {
    ///     s.spawn(|s| s.token().sleep(Duration::from_secs(3600)).map_err(|_| "cancelled"));
    ///     Err::<(), _>("root cause")
    /// });
    /// assert_eq!(result, Err("root cause"));
    /// ```
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        self.handle.shared().run.token()
    }
}

impl<'scope, E: Send> Scope<'scope, E> {
    /// Spawns a task: `f` is called on the pool, at some time before the scope ends, with the scope
    /// that it belongs to.
    ///
    /// If the scope is cancelled, `f` is dropped without running, and the scope does not return
    /// `Ok`.
    ///
    /// With a [`concurrency`](crate::ErrGroup::concurrency), or a [`pool`](crate::ErrGroup::pool),
    /// each task needs a permit, and there is one for each thread of the group. The body's `spawn`,
    /// if it is called from outside of the group's threads, waits until a permit is available or
    /// the scope is cancelled: so a body that reads a long list is never far ahead of its tasks
    /// (backpressure). A task already holds a permit, so spawning on the scope that it was given
    /// never waits. Without either, `spawn` never waits.
    ///
    /// A body that runs on a thread of another pool runs that pool's jobs while it waits. A `spawn`
    /// inside those jobs does not wait. Where tasks are very quick, waiting costs about ten
    /// microseconds for each wake-up.
    ///
    /// For tasks that talk over a channel, see the
    /// [recipe](crate::guide::recipes#a-channel-between-tasks).
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::scope;
    /// use std::sync::Mutex;
    ///
    /// let done = Mutex::new(Vec::new());
    /// scope(|s| {
    ///     for name in ["loader", "listener", "probe"] {
    ///         let done = &done;
    ///         s.spawn(move |_| Ok(done.lock().unwrap().push(name)));
    ///     }
    ///     Ok::<_, String>(())
    /// })
    /// .unwrap();
    /// assert_eq!(done.into_inner().unwrap().len(), 3);
    /// ```
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let Shared { run, semaphore, .. } = self.handle.shared();
        if run.token().is_cancelled() {
            return run.mark_incomplete();
        }
        let flow = match semaphore {
            None => ControlFlow::Continue(()),
            Some(semaphore) if self.handle.is_task => {
                semaphore.acquire_over_limit();
                ControlFlow::Continue(())
            }
            Some(semaphore) => semaphore.acquire(run.token()),
        };
        match flow {
            ControlFlow::Continue(()) => self.start(f),
            ControlFlow::Break(()) => run.mark_incomplete(),
        }
    }

    /// Spawns a task if that is possible at once, and otherwise returns the closure.
    ///
    /// A task that was spawned may still be dropped, if the scope is cancelled before it starts. A
    /// task whose closure was returned does not count.
    ///
    /// # Errors
    ///
    /// [`TrySpawnError::Full`] if the group has a [`concurrency`](crate::ErrGroup::concurrency) or
    /// a [`pool`](crate::ErrGroup::pool), and no permit is available; [`TrySpawnError::Cancelled`]
    /// if the scope is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, TrySpawnError};
    /// use std::sync::mpsc::channel;
    ///
    /// let (release, wait) = channel::<()>();
    /// let result = ErrGroup::new().concurrency(1).scope(|s| {
    ///     s.spawn(move |_| wait.recv().map_err(drop));
    ///     let Err(TrySpawnError::Full(_task)) = s.try_spawn(|_| Ok(())) else { unreachable!() };
    ///     release.send(()).map_err(drop)
    /// });
    /// assert!(result.is_ok());
    /// ```
    pub fn try_spawn<F>(&self, f: F) -> Result<(), TrySpawnError<F>>
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let Shared { run, semaphore, .. } = self.handle.shared();
        if run.token().is_cancelled() {
            return Err(TrySpawnError::Cancelled(f));
        }
        if (semaphore.as_ref()).is_some_and(|semaphore| !semaphore.try_acquire()) {
            return Err(TrySpawnError::Full(f));
        }
        self.start(f);
        Ok(())
    }

    /// Queues a task that has its permit.
    fn start<F>(&self, f: F)
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        // Two jobs, so that a scope that stops at the first error has no number in each.
        match &self.handle.shared().spawned {
            None => self.handle.spawn(move |scope| scope.run_task(None, f)),
            Some(spawned) => {
                // Relaxed: it orders nothing.
                let number = Some(spawned.fetch_add(1, Ordering::Relaxed));
                (self.handle).spawn(move |scope| scope.run_task(number, f));
            }
        }
    }

    /// Runs a task, unless it is postponed.
    fn run_task<F>(&self, number: Option<usize>, f: F)
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let shared = self.handle.shared();
        if is_too_deep(RunId::of(shared.run)) {
            return shared.postponed.push((number, Box::new(f)));
        }
        self.run_now(number, f);
        self.resume();
    }

    /// After a task has ended: lets one of those that are postponed run, if there are any.
    fn resume(&self) {
        if !self.handle.shared().postponed.has_some() {
            return;
        }
        self.handle.spawn(|scope| {
            let shared = scope.handle.shared();
            if let Some((number, task)) = shared.postponed.pop(RunId::of(shared.run)) {
                scope.run_now(number, task);
                scope.resume();
            }
        });
    }

    fn run_now<F>(&self, number: Option<usize>, f: F)
    where
        F: FnOnce(&Scope<'scope, E>) -> Result<(), E>,
    {
        let Shared { run, semaphore, .. } = self.handle.shared();
        let _permit = semaphore.as_ref().map(Semaphore::permit);
        if run.token().is_cancelled() {
            run.mark_incomplete();
            run.drop_value(f);
            return;
        }
        let _user_code = UserCode::enter(RunId::of(*run));
        match catch_unwind(AssertUnwindSafe(|| f(self))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => _ = run.fail(Failure::of_task(number, Kind::Error(error))),
            Err(payload) => _ = run.fail(Failure::of_task(number, Kind::Panic(payload))),
        }
    }
}

impl<E> fmt::Debug for Scope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("token", self.token())
            .finish_non_exhaustive()
    }
}
