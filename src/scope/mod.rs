//! `Scope`: tasks of different kinds.

#[cfg(all(test, model = "shuttle"))]
mod models;
mod places;
mod rejected;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::ThreadPool;

use self::places::Places;
pub use self::rejected::Rejected;
use crate::engine::busy::InTheMiddle;
use crate::run::{self, GoOn, Run};
use crate::token::CancelToken;

/// Runs tasks of different kinds in parallel, and stops at the first failure.
///
/// Go's `errgroup.Group`, in the shape of rayon's `scope`: `body` is given a [`Scope`] and spawns
/// tasks on it, which run on the current rayon pool and may borrow from the caller. `scope` returns
/// when they have ended. For many items of one kind, take a parallel iterator and
/// [`err_group`](crate::ErrGroupExt::err_group), which costs a hundredth; for a deadline, a token
/// from outside or a limit there is [`ErrGroup::scope`](crate::ErrGroup::scope).
///
/// # Order
///
/// Tasks start in any order. Of several errors the earliest in time is returned, whether it is a
/// task's or the body's own.
///
/// A task's values are dropped before its error is recorded. So where tasks talk over a channel, let
/// both ends live outside of them: else the end of one may make its neighbour fail first.
///
/// # Cancellation
///
/// The first error or panic, of a task or of the body, cancels the [token](Scope::token). Tasks that
/// have not begun are dropped then, and those that run are waited for; they should look at the token
/// if they take long, and return an `Err` if they stop because of it (which one does not matter: it is never the
/// one returned). `body` itself is not stopped: it runs on the calling thread, whatever happens.
///
/// # Panics
///
/// Resumes the panic of a task or of the body with its payload, after the other tasks have ended.
/// Unlike rayon's, it drops what has not begun. It also panics if a task cancels the token itself,
/// other tasks were skipped because of that, and none returned an error: then there is no `E` to
/// return, and [`ErrGroup::scope`](crate::ErrGroup::scope) has an error for it.
///
/// # Errors
///
/// The error of the earliest failure. `Ok` if and only if the body and every task that was spawned
/// returned `Ok`; a cancellation that came too late to skip a task is no error.
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
/// fn tree<'scope>(s: &Scope<'_, '_, 'scope, String>, depth: u32, leaves: &'scope AtomicU32) {
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
    F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<R, E>,
    E: Send,
{
    run::bare(|run| fill(run, None, body)).map(whole)
}

/// Runs the body, and returns when every task has ended. `None` if the body has failed.
pub(crate) fn fill<'scope, E, R, F>(run: &Run<E>, pool: Option<&ThreadPool>, body: F) -> Option<R>
where
    F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<R, E>,
    E: Send,
{
    let shared = Shared {
        run,
        places: pool.map(Places::new),
    };
    match pool {
        Some(pool) => pool.in_place_scope(|rayon| lead(rayon, &shared, body)),
        None => rayon::in_place_scope(|rayon| lead(rayon, &shared, body)),
    }
}

/// Runs the body. Its failure is caught here, and not by rayon, which would first wait for all tasks.
fn lead<'run, 'scope: 'run, E, R, F>(
    rayon: &rayon::Scope<'run>,
    shared: &'run Shared<'run, E>,
    body: F,
) -> Option<R>
where
    F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<R, E>,
{
    let scope = Scope::new(rayon, shared, false);
    let _middle = InTheMiddle::new();
    match catch_unwind(AssertUnwindSafe(|| body(&scope))) {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => shared.run.abort(None, error),
        Err(payload) => shared.run.panicked(payload),
    }
    None
}

/// The value of the body of a scope that was a success.
pub(crate) fn whole<R>(value: Option<R>) -> R {
    value.expect("a scope whose body has failed is no success")
}

/// What the tasks of one scope share.
struct Shared<'r, E> {
    run: &'r Run<E>,
    /// Only where the group has a concurrency.
    places: Option<Places<'r>>,
}

/// Where tasks are spawned. Given to the body of [`scope`] and to every task.
///
/// Tasks borrow what lives longer than the call of [`scope`]: that is `'scope`. The other two
/// lifetimes are those of the reference to rayon's scope and of the run behind it; a function that
/// is given a scope says `&Scope<'_, '_, 'scope, E>`, as in the example of [`scope`]. (So does a closure
/// that is kept in a variable before it is spawned, if it spawns itself; such a one is better written
/// as a function, since a closure cannot name `'scope`.)
///
/// A scope may be shared with other threads, which may spawn too.
///
/// # Coming from Go
///
/// `g.Go(f)` is [`spawn`](Scope::spawn), `g.TryGo(f)` is [`try_spawn`](Scope::try_spawn), the `ctx` of
/// `WithContext` is [`token`](Scope::token), and `g.Wait()` is the end of the scope.
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
/// fn count<'a>(s: &Scope<'_, '_, 'a, String>, folder: &'a Folder, files: &'a AtomicUsize) {
///     for below in &folder.folders {
///         s.spawn(move |s| Ok(count(s, below, files)));
///     }
///     files.fetch_add(folder.files, Ordering::Relaxed);
/// }
///
/// let leaf = || Folder { files: 2, folders: vec![] };
/// let (root, files) = (Folder { files: 1, folders: vec![leaf(), leaf()] }, AtomicUsize::new(0));
/// assert_eq!(scope(|s| Ok(count(s, &root, &files))), Ok(()));
/// assert_eq!(files.into_inner(), 5);
/// ```
pub struct Scope<'s, 'run, 'scope: 'run, E> {
    rayon: &'s rayon::Scope<'run>,
    shared: &'run Shared<'run, E>,
    /// Given to a task, and not to the body: what is spawned on it waits for no place, whichever thread
    /// it is that spawns, since the task has a place itself.
    is_task: bool,
    /// Invariant, as rayon's: if `'scope` could shrink to `'run`, which no caller can name, the
    /// compiler would ask of what tasks borrow that it lives as long as the references in `E`.
    tasks: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

impl<'s, 'run, E> Scope<'s, 'run, '_, E> {
    fn new(rayon: &'s rayon::Scope<'run>, shared: &'run Shared<'run, E>, is_task: bool) -> Self {
        Scope {
            rayon,
            shared,
            is_task,
            tasks: PhantomData,
        }
    }

    /// The token of this run. It is cancelled by the first failure, and cancelling it stops the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::scope;
    /// use std::time::Duration;
    ///
    /// let result = scope(|s| {
    ///     s.spawn(|s| s.token().sleep(Duration::from_secs(3600)).map_err(|_| "a consequence"));
    ///     Err::<(), _>("the root of it")
    /// });
    /// assert_eq!(result, Err("the root of it"));
    /// ```
    pub fn token(&self) -> &CancelToken {
        self.shared.run.token()
    }
}

impl<'scope, E: Send> Scope<'_, '_, 'scope, E> {
    /// Spawns a task: `f` is called on the pool, at some time before the scope ends, with the scope
    /// that it belongs to.
    ///
    /// Of a scope that is cancelled `f` is dropped unrun, and then the scope is no success.
    ///
    /// With a [`concurrency`](crate::ErrGroup::concurrency) the body's `spawn` waits, if it is called
    /// from outside of the group's threads, until one of them is free, or the scope is cancelled; so a
    /// body that reads a long list is never far ahead of its tasks. A task that spawns, on the scope
    /// that it was given, never waits. Without a concurrency nobody does. A body that runs on a worker
    /// of another pool does that pool's work while it waits, and while it does, no `spawn` on that
    /// thread waits, of whatever scope. To wait and to be woken costs some ten microseconds where tasks
    /// are very quick.
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
        F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let Shared { run, places } = self.shared;
        let is_open = !run.token().is_cancelled()
            && match places {
                None => true,
                Some(places) if self.is_task => {
                    places.take_at_once();
                    true
                }
                Some(places) => places.take(run.token()) == GoOn(true),
            };
        if is_open {
            self.start(f);
        } else {
            run.skip();
        }
    }

    /// Spawns a task if that is possible at once, and gives the closure back if it is not.
    ///
    /// A task that was taken may still be dropped unrun, if the scope is cancelled before it begins;
    /// one that was given back counts nowhere.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if the group has a [`concurrency`](crate::ErrGroup::concurrency) and as many
    /// tasks are spawned and have not ended; [`Rejected::Cancelled`] if the scope is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, Rejected};
    /// use std::sync::mpsc::channel;
    ///
    /// let (release, wait) = channel::<()>();
    /// let result = ErrGroup::new().concurrency(1).scope(|s| {
    ///     s.spawn(move |_| wait.recv().map_err(drop));
    ///     let Err(Rejected::Full(_task)) = s.try_spawn(|_| Ok(())) else { unreachable!() };
    ///     release.send(()).map_err(drop)
    /// });
    /// assert!(result.is_ok());
    /// ```
    pub fn try_spawn<F>(&self, f: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let Shared { run, places } = self.shared;
        if run.token().is_cancelled() {
            return Err(Rejected::Cancelled(f));
        }
        if places.as_ref().is_some_and(|places| !places.try_take()) {
            return Err(Rejected::Full(f));
        }
        self.start(f);
        Ok(())
    }

    /// Queues a task that has its place.
    fn start<F>(&self, f: F)
    where
        F: FnOnce(&Scope<'_, '_, 'scope, E>) -> Result<(), E> + Send + 'scope,
    {
        let shared = self.shared;
        self.rayon.spawn(move |rayon| {
            let _place = shared.places.as_ref().map(Places::of_task);
            let run = shared.run;
            if run.token().is_cancelled() {
                run.skip();
                run.contain(|| drop(f));
                return;
            }
            let scope = Scope::new(rayon, shared, true);
            let _middle = InTheMiddle::new();
            match catch_unwind(AssertUnwindSafe(|| f(&scope))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => _ = run.fail(error),
                Err(payload) => _ = run.item_panicked(payload),
            }
        });
    }
}

impl<E> fmt::Debug for Scope<'_, '_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("token", self.token())
            .finish_non_exhaustive()
    }
}
