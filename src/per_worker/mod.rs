//! `PerWorker`: a state for each item that runs, made on demand and reused.

mod idle_states;
mod in_use;
#[cfg(all(test, any(model = "loom", model = "shuttle")))]
mod models;
mod thread_number;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use self::idle_states::IdleStates;
use self::in_use::InUse;
use self::thread_number::thread_number;

/// A state for each worker, such as a connection, a parser or a scratch buffer. It is made on
/// demand, reused, and returned at the end.
///
/// It replaces rayon's `map_init` and `for_each_init`, whose `init` cannot fail and is called once
/// for each leaf (in order, once for each chunk): too often to open a connection. It also replaces
/// `thread_local!`, whose values cannot borrow, and are dropped no earlier than their threads end.
///
/// It is used inside closures and does not depend on runs, so it works with every call of this
/// crate and of rayon, in [`scope()`](crate::scope()), and on threads outside of pools. It may
/// serve several runs, one after another or at once.
///
/// A state belongs to an item for as long as [`with`](PerWorker::with) runs, not to a thread. An
/// item that waits in a nested rayon call may have another item on top of it, on the same thread.
/// If both use a state, there are two.
///
/// # Order
///
/// `init` is called when an item needs a state and all others are in use. So there are never more
/// states than calls of [`with`](PerWorker::with) have run at once: without nested calls, never
/// more than threads. An item gets the state that its thread has used last, or another idle one.
/// Which items share a state differs from run to run. So the result of a run stays deterministic
/// only if it does not depend on what earlier items have left in a state.
///
/// # Cancellation
///
/// `with` does not check a token, and never waits for a state.
///
/// # Panics
///
/// A state whose closure has panicked is dropped and not reused. If its drop panics as well, that
/// panic is dropped, and the first one continues. A panic of `init` is a panic of the item that
/// needed the state. Other states are not affected.
///
/// # Errors
///
/// `init` and the closures of `with` have one error type. If it is that of the items, say so where
/// the state is made: `PerWorker::new(|| Ok(Connection::open(path)?))` converts, and
/// `PerWorker::new(|| Ok(Vec::new()))` takes the error type of the closures.
///
/// # Cost
///
/// Two uncontended locks, held for a few instructions: some 20 ns for each `with`. Each thread has
/// a place of its own for an idle state, so threads do not contend. An item on top of another one
/// that also has a state, and an item of a thread that has none yet, take 0.1 µs to a few
/// microseconds. A state is allocated once, and it is not moved between items. The places of 32
/// threads take 4 KiB. No lock is held while `init` or a closure runs.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{PerWorker, prelude::*};
///
/// struct Connection { rows: usize }
///
/// impl Connection {
///     fn open(path: &str) -> Result<Connection, String> {
///         let connection = Connection { rows: 0 };
///         if path.is_empty() { Err("no path".to_owned()) } else { Ok(connection) }
///     }
///     fn insert(&mut self, row: usize) -> Result<(), String> {
///         self.rows += 1;
///         if row < 1000 { Ok(()) } else { Err(format!("row {row} is too long")) }
///     }
///     fn close(self) -> Result<usize, String> { Ok(self.rows) }
/// }
///
/// # fn main() -> Result<(), String> {
/// let path = "rows.db";
/// let connections = PerWorker::new(|| Connection::open(path));
/// (0..1000).into_par_iter().err_group(|row| connections.with(|c| c.insert(row)))?;
///
/// let mut rows = 0;
/// for connection in connections.into_states() {
///     rows += connection.close()?;
/// }
/// assert_eq!(rows, 1000);
/// # Ok(())
/// # }
/// ```
///
/// An `init` that fails is the error of the item that needed the state:
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{PerWorker, prelude::*};
///
/// let numbers = PerWorker::new(|| "x".parse::<i32>());
/// let result = [1, 2].par_iter().err_group(|n| numbers.with(|number| Ok(*number += n)));
/// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
/// ```
///
/// A scratch buffer, whose `init` cannot fail. Each item finds what the last one has left in it:
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::{PerWorker, prelude::*};
///
/// let buffers = PerWorker::new(|| Ok(String::new()));
/// let hex = [10_u8, 255].par_iter().in_order().try_map(|_, byte| {
///     buffers.with(|buffer| {
///         use std::fmt::Write;
///         buffer.clear();
///         write!(buffer, "{byte:02x}")?;
///         Ok::<_, std::fmt::Error>(buffer.len())
///     })
/// });
/// assert_eq!(hex, Ok(vec![2, 2]));
/// ```
#[doc(alias = "map_init")]
#[doc(alias = "for_each_init")]
#[doc(alias = "thread_local")]
#[must_use = "a state is made when an item calls `with`"]
pub struct PerWorker<'init, S, E> {
    init: Box<dyn Fn() -> Result<S, E> + Send + Sync + 'init>,
    idle: IdleStates<S>,
}

impl<'init, S, E> PerWorker<'init, S, E> {
    /// Makes states on demand by calling `init`, which may borrow. It is not called before a state
    /// is needed.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::PerWorker;
    ///
    /// let capacity = 64;
    /// let buffers = PerWorker::new(|| Ok::<_, String>(Vec::<u8>::with_capacity(capacity)));
    /// assert!(buffers.into_states().is_empty()); // none was needed
    /// ```
    pub fn new<F>(init: F) -> Self
    where
        F: Fn() -> Result<S, E> + Send + Sync + 'init,
    {
        PerWorker {
            init: Box::new(init),
            idle: IdleStates::new(),
        }
    }

    /// Calls `f` with a state that nothing else uses meanwhile: one that is idle, or a new one if
    /// all are in use.
    ///
    /// When `f` returns, the state is given back, after an error too. So `f` should leave it as the
    /// next item may find it. If `f` panics, the state is dropped.
    ///
    /// `f` may call `with` again, and gets a second state.
    ///
    /// # Panics
    ///
    /// If `init` or `f` panics.
    ///
    /// # Errors
    ///
    /// Returns the error of `f`, or that of `init`; then `f` is not called.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::PerWorker;
    ///
    /// let counters = PerWorker::new(|| Ok::<_, String>(0));
    /// for expected in 1..=3 {
    ///     let count = counters.with(|count| {
    ///         *count += 1;
    ///         Ok(*count)
    ///     });
    ///     assert_eq!(count, Ok(expected));
    /// }
    /// assert_eq!(counters.into_states(), [3]);
    /// ```
    #[inline]
    pub fn with<T, F>(&self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut S) -> Result<T, E>,
    {
        let thread = thread_number();
        let state = match self.idle.take(thread) {
            Some(state) => state,
            None => self.make()?,
        };
        let mut state = InUse::new(state);
        let result = f(state.get());
        self.idle.put(thread, state.into_idle());
        result
    }

    #[cold]
    fn make(&self) -> Result<Box<S>, E> {
        (self.init)().map(Box::new)
    }

    /// Returns all the states, except those whose closures have panicked. Their order is not
    /// specified.
    ///
    /// Call it after the run, whether that has failed or not: to close connections, commit
    /// transactions, or add up what each worker has counted. Otherwise the states are dropped with
    /// the `PerWorker`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon::prelude::*;
    /// use rayon_errgroup::{PerWorker, prelude::*};
    ///
    /// let sums = PerWorker::new(|| Ok::<_, String>(0));
    /// (0..=100).into_par_iter().err_group(|n| sums.with(|sum| Ok(*sum += n))).unwrap();
    /// assert_eq!(sums.into_states().iter().sum::<i32>(), 5050);
    /// ```
    #[must_use = "dropping the `PerWorker` drops the states, too"]
    pub fn into_states(self) -> Vec<S> {
        self.idle.into_iter().map(|state| *state).collect()
    }
}

/// What a panic may have left half changed is dropped: the state whose closure has panicked.
impl<S, E> UnwindSafe for PerWorker<'_, S, E> {}
/// As for `UnwindSafe`; what `init` shares is behind locks and atomics, since it is `Sync`.
impl<S, E> RefUnwindSafe for PerWorker<'_, S, E> {}

impl<S, E> fmt::Debug for PerWorker<'_, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerWorker").finish_non_exhaustive()
    }
}
