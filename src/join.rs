//! `join`: two closures that can fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::user_code::{RunId, UserCode, is_deep};
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::run::{Failure, Kind, Run};
use crate::token::CancelToken;

/// Calls two closures, perhaps in parallel, and stops at the first failure: rayon's
/// [`join`](rayon::join), fallible.
///
/// Returns both values when both closures have returned `Ok`. The closures may borrow from the
/// caller. For more than two, nest the calls, or use a [`scope`](crate::scope()); for a deadline,
/// external cancellation or a pool of its own, use [`ErrGroup::join`].
///
/// # Order
///
/// `a` runs on a thread of the current pool: on this thread, if it belongs to one. `b` runs on
/// another thread of the pool if one is free, and otherwise on the same thread after `a`. So do not
/// let one wait for the other. If both fail, the first error in time is returned.
///
/// # Cancellation
///
/// Each closure is given the token of this call. It is cancelled when the other one fails or
/// panics. A closure that has not started is then dropped, and the call waits for one that runs. A
/// closure that stops early because of the token must return an `Err`. Its value is dropped: the
/// error that cancelled the call is the one returned.
///
/// The token has no parent, so the failure of an outer `join` does not stop an inner one. Where it
/// should, use `ErrGroup::new().token(token).join(a, b)` for the inner one, or check the outer
/// token.
///
/// # Panics
///
/// Resumes the panic of a closure, after the other one has ended. It also panics if a closure
/// cancels the token itself, the other one was skipped because of that, and there is no error to
/// return; [`ErrGroup::join`] has an error for it.
///
/// # Errors
///
/// Returns the error of the first failure in time. The result is `Ok` if and only if both closures
/// ran and returned `Ok`. The value of one that succeeded beside one that failed is dropped.
///
/// # Cost
///
/// Twice that of rayon's `join`: some 25 to 40 ns more, for the token, whose memory is used again
/// by the next call on the thread. So the leaves of a recursion should take at least a few hundred
/// nanoseconds. If nothing needs to stop early, `rayon::join` of two closures that return a
/// `Result` is cheaper.
///
/// # Stack
///
/// While `a` waits in a nested rayon call, its thread may start other work on top of it, as in
/// rayon. On a thread with 64 items, tasks or closures open no `b` is started: it runs after `a`.
/// See [the section on the stack](crate#stack).
///
/// # Examples
///
/// ```
/// use rayon_errgroup::join;
///
/// let both = join(|_| "17".parse::<u32>(), |_| "4".parse::<u8>());
/// assert_eq!(both, Ok((17, 4)));
///
/// let result = join(|_| "17".parse::<u32>(), |_| "x".parse::<u8>());
/// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
/// ```
///
/// One closure sees the failure of the other, and its own error is not the result:
///
/// ```
/// use rayon_errgroup::join;
/// use std::time::Duration;
///
/// let result = join(
///     |_| Err::<(), _>("root cause"),
///     |token| token.sleep(Duration::from_secs(3600)).map_err(|_| "cancelled"),
/// );
/// assert_eq!(result, Err("root cause"));
/// ```
///
/// Divide and conquer:
///
/// ```
/// use rayon_errgroup::join;
///
/// fn sum(words: &[&str]) -> Result<i64, String> {
///     if words.len() <= 100 {
///         let number = |word: &&str| word.parse::<i64>().map_err(|_| word.to_string());
///         return words.iter().map(number).sum();
///     }
///     let (left, right) = words.split_at(words.len() / 2);
///     let (left, right) = join(|_| sum(left), |_| sum(right))?;
///     Ok(left + right)
/// }
///
/// let mut words = vec!["1"; 1000];
/// assert_eq!(sum(&words), Ok(1000));
/// words[700] = "x";
/// assert_eq!(sum(&words), Err("x".to_string()));
/// ```
///
/// More than two, by nesting:
///
/// ```
/// use rayon_errgroup::join;
/// # fn load<T: std::str::FromStr>(text: &str) -> Result<T, String> {
/// #     text.parse().map_err(|_| format!("not valid: {text}"))
/// # }
///
/// let (users, (limit, ratio)) = join(
///     |_| load::<String>("ada"),
///     |_| join(|_| load::<u32>("9"), |_| load::<f64>("0.5")),
/// )?;
/// assert_eq!((users.as_str(), limit, ratio), ("ada", 9, 0.5));
/// # Ok::<_, String>(())
/// ```
///
/// or with a [`scope`](crate::scope()), whose tasks write to variables of the caller and see each
/// other's failures:
///
/// ```
/// use rayon_errgroup::scope;
/// # fn load<T: std::str::FromStr>(text: &str) -> Result<T, String> {
/// #     text.parse().map_err(|_| format!("not valid: {text}"))
/// # }
///
/// let (mut users, mut limit, mut ratio) = (String::new(), 0, 0.0);
/// scope(|s| {
///     s.spawn(|_| load("ada").map(|loaded| users = loaded));
///     s.spawn(|_| load("9").map(|loaded| limit = loaded));
///     s.spawn(|_| load("0.5").map(|loaded| ratio = loaded));
///     Ok(())
/// })?;
/// assert_eq!((users.as_str(), limit, ratio), ("ada", 9, 0.5));
/// # Ok::<_, String>(())
/// ```
pub fn join<A, B, E>(
    a: impl FnOnce(&CancelToken) -> Result<A, E> + Send,
    b: impl FnOnce(&CancelToken) -> Result<B, E> + Send,
) -> Result<(A, B), E>
where
    A: Send,
    B: Send,
    E: Send,
{
    let mut run = Run::bare();
    match run_both(&run, a, b) {
        Some(values) if run.is_untouched() => {
            run.token.recycle();
            Ok(values)
        }
        values => run.finish(values).into_bare(),
    }
}

impl ErrGroup {
    /// Calls two closures, perhaps in parallel, as [`join`](crate::join()) does, with these
    /// options.
    ///
    /// Both run on the current pool, or on the threads of the group if it has some.
    ///
    /// # Order
    ///
    /// `a` starts first, and `b` beside it or after it; see [`join`](crate::join()). If both fail,
    /// the first error in time is returned.
    ///
    /// # Cancellation
    ///
    /// The call is cancelled by the first error or panic of a closure, unless the group tolerates
    /// it; by the group's token or deadline; or by the token that the closures are given. A closure
    /// that has not started is then dropped, and the call waits for one that runs.
    ///
    /// # Panics
    ///
    /// Resumes the panic of a closure, unless the group has
    /// [`catch_panics`](ErrGroup::catch_panics). A panic outranks an error.
    ///
    /// # Errors
    ///
    /// The error names the one event that cancelled the call. The result is `Ok` if and only if
    /// both closures ran and returned `Ok`. A cancellation that came too late to skip one is not an
    /// error. If the group tolerates errors and both failed, both are returned, as those of two
    /// tasks: [`GroupError::Several`] with the numbers 0 and 1.
    ///
    /// # Cost
    ///
    /// That of [`join`](crate::join()). A group's token takes two more allocations, and a group
    /// with threads of its own a change of threads: about ten microseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use rayon_errgroup::{ErrGroup, GroupError};
    /// use std::time::Duration;
    ///
    /// let group = ErrGroup::new().timeout(Duration::from_millis(5));
    /// let result = group.join(
    ///     |_| "17".parse::<u32>().map_err(|_| "not a number"),
    ///     |token| token.sleep(Duration::from_secs(3600)).map_err(|_| "woken"),
    /// );
    /// assert!(matches!(result, Err(GroupError::Cancelled(_))));
    /// ```
    ///
    /// An inner call that ends when the outer one fails:
    ///
    /// ```
    /// use rayon_errgroup::{CancelToken, ErrGroup, join};
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let sleep = |token: &CancelToken| token.sleep(hour).map_err(|_| "woken");
    /// let result = join(
    ///     |_| Err::<(), _>("root cause"),
    ///     |token| {
    ///         let group = ErrGroup::new().token(token);
    ///         group.join(sleep, sleep).map_err(|_| "cancelled")
    ///     },
    /// );
    /// assert_eq!(result, Err("root cause"));
    /// ```
    pub fn join<A, B, E>(
        &self,
        a: impl FnOnce(&CancelToken) -> Result<A, E> + Send,
        b: impl FnOnce(&CancelToken) -> Result<B, E> + Send,
    ) -> Result<(A, B), GroupError<E>>
    where
        A: Send,
        B: Send,
        E: Send,
    {
        let mut run = self.start_keeping_errors();
        match self.install(|| run_both(&run, a, b)) {
            Some(values) if run.is_untouched() => {
                run.token.recycle();
                Ok(values)
            }
            values => self.finish(run, values),
        }
    }
}

/// Calls both closures, and returns when they have ended. `None` if one has failed or was skipped.
#[inline]
fn run_both<A, B, E>(
    run: &Run<E>,
    a: impl FnOnce(&CancelToken) -> Result<A, E> + Send,
    b: impl FnOnce(&CancelToken) -> Result<B, E> + Send,
) -> Option<(A, B)>
where
    A: Send,
    B: Send,
    E: Send,
{
    let mut b = Some(b);
    let unstarted = &mut b;
    // A thread that waits, on top of many closures that wait, would add one after another. It
    // leaves this one to the thread that waits for it in any case.
    let start_b = || match unstarted.take_if(|_| !is_deep()) {
        Some(b) => run_one(run, 1, b),
        None => None,
    };
    let (first, second) = rayon::join(|| run_one(run, 0, a), start_b);
    let second = match b {
        Some(b) => run_one(run, 1, b),
        None => second,
    };
    match (first, second) {
        (Some(first), Some(second)) => Some((first, second)),
        (first, second) => {
            run.drop_value(first);
            run.drop_value(second);
            None
        }
    }
}

/// Calls a closure, unless the run is cancelled. Its panic is caught, and not left to rayon: that
/// waits for the other closure before it lets the panic go on, and the run must be cancelled
/// before.
#[inline]
fn run_one<T, E>(
    run: &Run<E>,
    number: usize,
    f: impl FnOnce(&CancelToken) -> Result<T, E>,
) -> Option<T> {
    let token = run.token();
    if token.is_cancelled() {
        run.mark_incomplete();
        run.drop_value(f);
        return None;
    }
    let kind = {
        let _user_code = UserCode::enter(RunId::NONE);
        match catch_unwind(AssertUnwindSafe(|| f(token))) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => Kind::Error(error),
            Err(payload) => Kind::Panic(payload),
        }
    };
    let number = Some(number).filter(|_| run.policy.keep_errors);
    _ = run.fail(Failure::of_task(number, kind));
    None
}
