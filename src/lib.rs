//! Go's `errgroup` for rayon: parallel iterators and tasks whose closures return a `Result`, with
//! the first error, cancellation and deadlines.
//!
//! ```
//! use rayon::prelude::*;
//! use rayon_errgroup::prelude::*;
//! # fn fetch(url: &str) -> Result<(), String> {
//! #     if url.starts_with("https://") { Ok(()) } else { Err(format!("{url}: no scheme")) }
//! # }
//!
//! let urls = ["https://example.org", "example.com"];
//! let result = urls.par_iter().err_group(|url| fetch(url));
//! assert_eq!(result, Err("example.com: no scheme".to_string()));
//! ```
//!
//! A run short-circuits (it is fail-fast). The first failure cancels a shared token: no new items
//! start, running closures can check the token (cooperative cancellation), and the call returns the
//! first error. Items run on the current rayon pool, scheduled by work stealing. The compiler rules
//! out data races, as everywhere in rayon.
//!
//! | page | for |
//! | --- | --- |
//! | [Go](guide::from_go), [rayon](guide::from_rayon), [tokio](guide::from_tokio) | migration guides: their calls and those of this crate, side by side |
//! | [Errors](guide::errors) | `?` with `anyhow`, boxes, `io::Error` and your own enum |
//! | [More than one machine](guide::more_than_one_machine) | which engine for whom, launcher lines, what is exact and what may be undecided |
//! | [Recipes](guide::recipes) | [Ctrl-C](guide::recipes#ctrl-c-and-sigterm), [a progress bar](guide::recipes#a-progress-bar), child processes, channels, timeouts for each item, and other jobs where the obvious code hangs or loses data |
//!
//! # The tour
//!
//! Values come back in the order of the items, and the vector is filled in place:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! let items = (1..5).into_par_iter();
//! let squares = items.try_map_group(|_, n: i32| n.checked_mul(n).ok_or(n));
//! assert_eq!(squares, Ok(vec![1, 4, 9, 16]));
//! ```
//!
//! The closure's first argument is the run's [`CancelToken`], so long-running closures can stop
//! early. An error that is caused by the cancellation is never the one returned:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! use std::time::Duration;
//!
//! let hour = Duration::from_secs(3600);
//! let result = (0..100).into_par_iter().try_for_each_group(|token, n| {
//!     if n == 0 { return Err("root cause") }
//!     token.sleep(hour).map_err(|_| "cancelled") // wakes at once
//! });
//! assert_eq!(result, Err("root cause"));
//! ```
//!
//! For a deterministic error, add [`in_order`](IndexedErrGroupExt::in_order): the run returns the
//! first error *in iteration order*, on any number of threads.
//! [`par_in_order`](IteratorErrGroupExt::par_in_order) does the same for any sequential iterator,
//! and reads it lazily:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! let lines = "1\n2\nthree\nfour".lines().zip(1..);
//! let result = lines.par_in_order().try_map(|_, (line, number)| {
//!     line.parse::<i32>().map_err(|_| format!("line {number}: {line}"))
//! });
//! assert_eq!(result, Err("line 3: three".to_string())); // never line 4
//! ```
//!
//! In order, values can also be streamed: [`try_stream`](InOrder::try_stream) computes them in
//! parallel and passes them to a sink on the calling thread, with bounded look-ahead
//! (backpressure).
//!
//! An [`ErrGroup`] holds the options of a run: a parent token, a timeout or deadline, a concurrency
//! limit:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! use rayon_errgroup::{CancelToken, ErrGroup, GroupError};
//! use std::{io, time::Duration};
//!
//! let stop = CancelToken::new();
//! let minute = Duration::from_secs(60);
//! let group = ErrGroup::new().token(&stop).timeout(minute).concurrency(8);
//! let result = (0..100).into_par_iter().with_group(&group).try_for_each(|token, n| {
//!     if n == 0 { stop.cancel_with("Ctrl-C"); }
//!     token.sleep(minute).map_err(io::Error::from)
//! });
//! let Err(GroupError::Cancelled(cancelled)) = result else { unreachable!() };
//! assert_eq!(cancelled.to_string(), "cancelled by the parent token");
//! ```
//!
//! It also sets how many errors a run tolerates. [`outcome`](InOrder::outcome) returns every value
//! and every error with its index, and how many items were skipped:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{ErrGroup, prelude::*};
//! let group = ErrGroup::new().keep_going(); // or `max_errors(100)`
//! let words = ["1", "x", "3"].par_iter().in_order().with_group(&group);
//! let outcome = words.outcome(|_, word| word.parse::<u32>());
//! assert_eq!(outcome.values(), [(0, 1), (2, 3)]);
//! assert_eq!(outcome.to_string(), "2 ok, 1 failed, 0 skipped");
//! ```
//!
//! Tasks of different kinds are spawned in a [`scope()`], or with options in an
//! [`ErrGroup::scope`]. Two closures that return values are given to [`join()`]:
//!
//! ```
//! # fn load(name: &str) -> Result<String, String> { Ok(name.to_owned()) }
//! let (mut users, mut hosts) = (String::new(), String::new());
//! rayon_errgroup::scope(|s| {
//!     s.spawn(|_| load("users").map(|loaded| users = loaded));
//!     s.spawn(|_| load("hosts").map(|loaded| hosts = loaded));
//!     Ok(())
//! })?;
//! assert_eq!((users.as_str(), hosts.as_str()), ("users", "hosts"));
//!
//! let both = rayon_errgroup::join(|_| load("users"), |_| load("hosts"))?;
//! assert_eq!(both, (users, hosts));
//! # Ok::<_, String>(())
//! ```
//!
//! Code that cannot check a token is stopped from outside by a callback:
//! [`CancelToken::on_cancel`].
//!
//! # One run
//!
//! Time goes from left to right:
//!
#![doc = include_str!("one_run.svg")]
//!
//! An error is recorded and the token is cancelled in one step. So an error that is returned
//! *because* of the cancellation comes second, and is never the result. Each thread checks the
//! token before each item. The call returns only after every started item has finished (structured
//! concurrency), so closures may borrow from the caller.
//!
//! Use the default if any error will do: it stops sooner where a slow early item is on the critical
//! path, because the failure of a later item cancels that item, too. [In order](InOrder) the run
//! waits for the early item, since it may fail as well.
//!
//! # Which call do I want?
//!
//! | I want | call |
//! | --- | --- |
//! | run a closure on every item, stop at the first failure | [`err_group`](ErrGroupExt::err_group) |
//! | the same, with the token in the closure | [`try_for_each_group`](ErrGroupExt::try_for_each_group) |
//! | the values, in the order of the items | [`try_map_group`](ErrGroupExt::try_map_group) |
//! | a sum, a map, a string: any other result of the values | [`try_process_group`](ErrGroupExt::try_process_group), [`try_process`](InOrder::try_process) |
//! | a deterministic error: the first in iteration order | [`.in_order()`](IndexedErrGroupExt::in_order), then [`err_group`](InOrder::err_group), [`try_for_each`](InOrder::try_for_each) or [`try_map`](InOrder::try_map) |
//! | the lines of a file, a channel, an infinite source | [`.par_in_order()`](IteratorErrGroupExt::par_in_order), then the same calls |
//! | stream results in order with bounded look-ahead | `.in_order()`, then [`try_stream`](InOrder::try_stream) |
//! | a deadline, external cancellation, a pool of my own, panics as errors | [`with_group`](ErrGroupExt::with_group), then [`try_for_each`](WithGroup::try_for_each) or [`try_map`](WithGroup::try_map) |
//! | keep going after errors, or tolerate some | a group with [`keep_going`](ErrGroup::keep_going) or [`max_errors`](ErrGroup::max_errors) |
//! | every value, every error, the number of skipped items | `.in_order().with_group(&group)` with [`keep_going`](ErrGroup::keep_going), then [`outcome`](WithGroup::outcome) |
//! | all errors of tasks, by their spawn numbers | [`ErrGroup::scope`] with [`keep_going`](ErrGroup::keep_going) |
//! | stop at what fails elsewhere: in another run, process or machine | [`.in_order().cut(&cut)`](InOrder::cut) |
//! | a connection or a buffer for each worker | [`PerWorker`], in any closure |
//! | tasks of different kinds | [`scope()`], [`ErrGroup::scope`] |
//! | two closures and both values, or divide and conquer | [`join()`], [`ErrGroup::join`] |
//! | items that block (requests, files) | `.with_max_len(1)`, then [`with_group`](ErrGroupExt::with_group) and a [`concurrency`](ErrGroup::concurrency) |
//! | the same source where there are no threads | the [`sequential`] prelude |
//! | infallible closures | rayon's `for_each` and `collect` |
//!
//! # Guarantees
//!
//! Each one is tested on pools of one, two and eight threads. The links lead to the tests.
//!
//! 1. **[Cause][t1].** One event, the trigger, cancels a run, and that event is what the call
//!    returns: never an error that is caused by the cancellation.
//! 2. **[Completeness][t2].** `Ok` if and only if every item or task ran to its end and returned
//!    `Ok`; with `try_process`, every item that the body asked for (`any` asks for less). A
//!    cancellation that comes too late to skip anything is not an error, and empty input is always
//!    `Ok`. One exception: if a `filter` drops all items for 250 ms after a run was cancelled from
//!    outside, it is unknown whether an item is left, and the run ends as cancelled.
//! 3. **[Containment][t3]** (structured concurrency). The call returns only after every started
//!    item has finished. Items that never started are dropped exactly once. Closures may borrow
//!    from the caller.
//! 4. **[Isolation][t4].** Cancellation propagates down, never up: a run never cancels the token it
//!    was given.
//! 5. **[Panics outrank errors][t5].** A panic cancels at once, and its payload is resumed in the
//!    caller. One exception: a panic of the body of `try_process` after a failure is dropped, since
//!    missing values may have caused it.
//! 6. **[Promptness][t6].** Once the failure is visible, each other thread starts at most one more
//!    item, so infinite iterators terminate.
//! 7. **[Determinism, in order][t7].** The result is that of the sequential loop, the same values
//!    and the same error, for closures without side effects. A failure cancels later items; earlier
//!    items never see it, and run to their end.
//! 8. **[No blocking][t8].** Threads of a pool never block on each other. Runs work on a one-thread
//!    pool, nested, and from inside or outside a pool.
//! 9. **[Nothing that was read waits for the source][t9].** While a call of a sequential iterator's
//!    `next` blocks, the items that it has returned before run, as soon as a thread of the pool is
//!    free; on a one-thread pool, before that call.
//!
//! [t1]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/cause.rs
//! [t2]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/completeness.rs
//! [t3]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/containment.rs
//! [t4]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/isolation.rs
//! [t5]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/panics.rs
//! [t6]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/promptness.rs
//! [t7]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/in_order_guarantees.rs
//! [t8]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/pools.rs
//! [t9]: https://docs.rs/crate/rayon-errgroup/latest/source/tests/guarantees/take_over.rs
//!
//! The token, the record of a run and the states of workers are model-checked with loom. The queue
//! of a run in order, the window of a stream and the semaphore of a scope are checked with shuttle
//! under many schedules. Property tests check randomly generated programs against a model of these
//! guarantees.
//!
//! # Cost
//!
//! Ratios of times, measured with `benches/page.sh` on two cores of a shared AMD EPYC, for four
//! million items; below 1 is faster:
//!
//! | call | compared with rayon's | 1 ns per item | 10 ns | 100 ns |
//! | --- | --- | --- | --- | --- |
//! | `err_group` | `try_for_each` | 0.72 | 1.02 | 0.99 |
//! | `err_group`, a hundred items per run | `try_for_each` | 1.85 | 1.10 | 1.09 |
//! | `try_map_group` | `collect` into a `Result` | 0.16 | 0.76 | 0.95 |
//! | `try_map_group` | `collect` that cannot fail | 1.12 | 1.01 | 1.00 |
//! | `in_order().err_group` | `try_for_each` | 0.72 | 0.99 | 1.02 |
//! | `in_order().err_group` | `find_map_first` | 0.05 | 0.66 | 0.94 |
//! | `in_order().try_map` | `collect` that cannot fail | 1.40 | 1.04 | 1.01 |
//!
//! | part of a run | cost |
//! | --- | --- |
//! | the run itself | one small allocation; a deadline or a parent token takes one or two more |
//! | its values | one allocation if their number is known, otherwise one vector per leaf |
//! | an item | no allocation, one atomic load |
//! | in order | a few allocations per thread, and one per chunk of items |
//! | a task of a [`scope()`] | one allocation, about 0.15 µs, as in rayon's `in_place_scope` |
//!
//! # Limitations
//!
//! - Cancellation is cooperative: a closure that does not check its token is not stopped, and the
//!   call waits for it.
//! - Which of two errors is the first in time can differ from run to run. In order it cannot.
//! - The items of a rayon leaf run one after another: put `.with_max_len(1)` before items that
//!   block. In order, slow items are claimed one by one, but the first slow item after quick ones
//!   may be in a chunk with later items. Idle threads take these over when the slow one has ended.
//! - A blocking `next` cannot be interrupted, whatever cancels the run: even a deadline waits for
//!   it. Nor can a [sink](guide::recipes#a-sink-that-may-block).
//! - While the `next` of a `par_in_order` iterator blocks, the run keeps two threads of the pool:
//!   one is in `next`, the other watches for items, and runs other jobs of the pool every 0.8 s.
//! - Idle threads do not take over what an iterator does in its own `next` (`.map(slow)` before
//!   `in_order`), only the closure of the call.
//! - `outcome` with a small `max_errors(n)` claims items one by one, at a few hundred nanoseconds
//!   each, so that there are at most `n` errors and one more for each other thread.
//! - Without [`concurrency`](ErrGroup::concurrency) a run has the pool's threads, and two items
//!   that wait for each other can deadlock on a small pool. On any pool they can deadlock if they
//!   are in one leaf or chunk. (Few items of `par_in_order` are in one chunk only if `next` gave
//!   them within 0.2 ms.)
//! - A nested rayon call is cancelled only if it is given the token.
//! - While an item waits in a nested rayon call, its thread may run any other task of the pool: do
//!   not hold a lock across such a call.
//! - With `panic = "abort"` the first panic ends the process.
//!
//! # Stack
//!
//! While an item waits in a nested run, on the same pool or another one, its thread may start other
//! items on top of it, as in rayon. In rayon there is no limit, and a thousand of them overflow the
//! stack. Here a thread that has 64 items or tasks open *postpones* further ones of a run that
//! already has one open on that thread. A postponed task starts when another task of its scope has
//! ended; a postponed item starts when no other item of the run is left to start. (At most 100,000
//! items of one leaf are postponed, because a leaf may be infinite.)
//!
//! - An item or task that waits for another one by other means, such as a channel or a loop of
//!   `rayon::yield_now`, can therefore deadlock.
//! - Nested work, such as a run in an item of a run, is not postponed, so nothing waits for its own
//!   end.
//! - Each run counts by itself: if 128 items wait for runs on a group with one thread, and the
//!   items of these runs wait in turn, that thread may have 128 of them open.
//! - Runs in order need no such limit: at most as many of their items are open as the pool has
//!   threads.
//! - Items of plain rayon calls are not counted.
//!
//! # Without threads
//!
//! [`sequential::prelude`] has the same methods for std's sequential iterators. They run on the
//! calling thread and use no pool. The prelude also stands in for `par_iter` and similar methods,
//! so one source serves crates that must also build without threads:
//!
//! ```
//! # #![allow(unexpected_cfgs)]
//! #[cfg(feature = "parallel")]
//! use {rayon::prelude::*, rayon_errgroup::prelude::*};
//! #[cfg(not(feature = "parallel"))]
//! use rayon_errgroup::sequential::prelude::*;
//!
//! let result = ["1", "x"].par_iter().in_order().try_map(|_, word| word.parse::<u8>());
//! assert!(result.is_err());
//! ```
//!
//! # Platforms
//!
//! On wasm32-unknown-unknown there is one thread and no clock. rayon runs everything on the calling
//! thread there, and so does this crate: runs of every kind, streams, scopes, cancellation and
//! callbacks work. [`concurrency`](ErrGroup::concurrency) needs threads, and panics. Deadlines,
//! timeouts and [`sleep`](CancelToken::sleep) need a clock, and panic as `Instant::now` does. Any
//! panic ends the program there, as with `panic = "abort"`.

mod by_index;
mod concurrency_error;
mod cut;
mod engine;
mod error;
mod ext;
mod failure_policy;
mod failures;
mod group;
pub mod guide;
mod in_order;
mod join;
mod outcome;
mod panic;
mod per_worker;
mod run;
mod scope;
pub mod sequential;
mod sync;
mod time;
mod token;
mod values;
mod with_group;

pub use by_index::{ByIndex, ByIndexIntoIter, ByIndexIter};
pub use concurrency_error::ConcurrencyError;
/// The crate of the channel that [`CancelToken::done`] returns, for its `select!`.
pub use crossbeam_channel;
pub use cut::Cut;
pub use engine::claim::source::{Ordered, Sequential};
pub use engine::claim::stream::SinkResult;
pub use error::GroupError;
pub use ext::{ErrGroupExt, IndexedErrGroupExt, IteratorErrGroupExt};
pub use failures::Failures;
pub use group::ErrGroup;
pub use in_order::InOrder;
pub use join::join;
pub use outcome::{Outcome, OutcomeIntoIter, OutcomeIter};
pub use panic::Panicked;
pub use per_worker::PerWorker;
pub use scope::{Scope, TrySpawnError, scope};
pub use token::{CancelRegistration, CancelToken, Cancelled, Cause, DropGuard};
pub use values::Values;
pub use with_group::WithGroup;

/// Re-exports the extension traits, for a `use` next to rayon's prelude.
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// assert_eq!([1, 2].par_iter().err_group(|_| Ok::<_, ()>(())), Ok(()));
/// ```
pub mod prelude {
    pub use crate::{ErrGroupExt, IndexedErrGroupExt, IteratorErrGroupExt};
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What must not compile, next to a twin that does.
///
/// The token is lent to the closure for the call; a clone may be kept.
///
/// ```
/// # use rayon::prelude::*; use rayon_errgroup::{CancelToken, prelude::*};
/// let kept = std::sync::Mutex::new(None::<CancelToken>);
/// let _ = [0].par_iter().try_for_each_group(|token, _| {
///     *kept.lock().unwrap() = Some(token.clone());
///     Ok::<_, ()>(())
/// });
/// ```
///
/// ```compile_fail,E0521
/// # use rayon::prelude::*; use rayon_errgroup::{CancelToken, prelude::*};
/// let kept = std::sync::Mutex::new(None::<&CancelToken>);
/// let _ = [0].par_iter().try_for_each_group(|token, _| {
///     *kept.lock().unwrap() = Some(token);
///     Ok::<_, ()>(())
/// });
/// ```
///
/// Tasks borrow from outside of the scope, and not from its body.
///
/// ```
/// # use rayon_errgroup::scope;
/// let text = String::from("outside");
/// scope(|s| { s.spawn(|_| Ok(assert_eq!(text, "outside"))); Ok::<_, ()>(()) }).unwrap();
/// ```
///
/// ```compile_fail,E0373
/// # use rayon_errgroup::scope;
/// scope(|s| {
///     let text = String::from("inside");
///     s.spawn(|_| Ok(assert_eq!(text, "inside")));
///     Ok::<_, ()>(())
/// }).unwrap();
/// ```
///
/// A scope ends with its closure.
///
/// ```
/// # use rayon_errgroup::{Scope, scope};
/// fn spawn<'scope>(s: &Scope<'scope, ()>) { s.spawn(|_| Ok(())); }
/// scope(|s| { spawn(s); Ok(()) }).unwrap();
/// ```
///
/// ```compile_fail,E0521
/// # use rayon_errgroup::{Scope, scope};
/// let mut kept = None::<&Scope<'_, ()>>;
/// scope(|s| { kept = Some(s); Ok(()) }).unwrap();
/// ```
///
/// The lifetime of a scope neither shrinks nor grows: tasks write to what they borrow.
///
/// ```
/// # use rayon_errgroup::Scope;
/// fn same<'a, 's>(s: &'a Scope<'s, ()>) -> &'a Scope<'s, ()> { s }
/// ```
///
/// ```compile_fail
/// # use rayon_errgroup::Scope;
/// fn shorter<'a, 's>(s: &'a Scope<'static, ()>) -> &'a Scope<'s, ()> { s }
/// ```
///
/// ```compile_fail
/// # use rayon_errgroup::Scope;
/// fn longer<'a, 's>(s: &'a Scope<'s, ()>) -> &'a Scope<'static, ()> { s }
/// ```
///
/// Errors are sent between threads.
///
/// ```
/// # use rayon::prelude::*; use rayon_errgroup::prelude::*;
/// let _ = [0].par_iter().err_group(|_| Err(std::sync::Arc::new(0)));
/// ```
///
/// ```compile_fail,E0277
/// # use rayon::prelude::*; use rayon_errgroup::prelude::*;
/// let _ = [0].par_iter().err_group(|_| Err(std::rc::Rc::new(0)));
/// ```
///
/// A callback may outlive the caller's frame, so it borrows nothing.
///
/// ```
/// # use rayon_errgroup::CancelToken;
/// let (token, text) = (CancelToken::new(), String::from("owned"));
/// let _registration = token.on_cancel(move || println!("{text}"));
/// ```
///
/// ```compile_fail,E0373
/// # use rayon_errgroup::CancelToken;
/// let (token, text) = (CancelToken::new(), String::from("borrowed"));
/// let _registration = token.on_cancel(|| println!("{text}"));
/// ```
#[cfg(doctest)]
struct CompileFail;
