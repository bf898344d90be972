//! Go's `errgroup` for rayon: parallel iterators whose closures can fail, stopping at the first
//! failure.
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
//! It runs on the rayon pool. As soon as one closure fails, the others are told, nothing new
//! starts, and the first error is returned.
//!
//! # The tour
//!
//! Values come back in the order of the items, and the vector is filled in place:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! let squares = (1..5).into_par_iter().try_map_group(|_, n: i32| n.checked_mul(n).ok_or(n));
//! assert_eq!(squares, Ok(vec![1, 4, 9, 16]));
//! ```
//!
//! Closures are given the run's [`CancelToken`], so that those that take long can stop early:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! use std::time::Duration;
//!
//! let result = (0..100).into_par_iter().try_for_each_group(|token, n| {
//!     if n == 0 { return Err("the root of it") }
//!     token.sleep(Duration::from_secs(3600)).map_err(|_| "a consequence") // wakes at once
//! });
//! assert_eq!(result, Err("the root of it"));
//! ```
//!
//! The sequential loop's answer is one call away, and deterministic: of several errors,
//! [`in_order`](IndexedErrGroupExt::in_order) returns the first *in iteration order*, on any number
//! of threads. [`par_in_order`](IteratorErrGroupExt::par_in_order) does the same for any sequential
//! iterator, read lazily:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! let lines = "1\n2\nthree\nfour".lines().zip(1..);
//! let result = lines.par_in_order().try_map(|_, (line, number)| {
//!     line.parse::<i32>().map_err(|error| format!("line {number}: {error}"))
//! });
//! assert_eq!(result, Err("line 3: invalid digit found in string".to_string())); // never line 4
//! ```
//!
//! In order, values can also be streamed: they are computed in parallel and given to a sink on the
//! calling thread, with bounded memory. See [`try_stream`](InOrder::try_stream).
//!
//! A policy says what else may stop a run, and how many items run at once:
//!
//! ```
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! use rayon_errgroup::{CancelToken, ErrGroup, GroupError};
//! use std::time::Duration;
//!
//! let stop = CancelToken::new(); // cancelled by Ctrl-C, say
//! let group = ErrGroup::new().token(&stop).timeout(Duration::from_secs(60)).concurrency(8);
//! let result = (0..100).into_par_iter().with_group(&group).try_for_each(|_, n| {
//!     if n == 50 { stop.cancel_with("Ctrl-C"); }
//!     Ok::<_, std::io::Error>(())
//! });
//! assert!(matches!(result, Err(GroupError::Cancelled(_)) | Ok(())));
//! ```
//!
//! It also says how many errors a run tolerates. [`outcome`](InOrder::outcome) loses nothing: it
//! returns every value and every error with its index, and how many items never ran:
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
//! Tasks of different kinds are spawned in a [`scope()`]; with a policy, in an [`ErrGroup::scope`]:
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
//! # Ok::<_, String>(())
//! ```
//!
//! Two closures that return values are given to [`join()`]:
//!
//! ```
//! # fn load(name: &str) -> Result<String, String> { Ok(name.to_owned()) }
//! let (users, hosts) = rayon_errgroup::join(|_| load("users"), |_| load("hosts"))?;
//! assert_eq!((users.as_str(), hosts.as_str()), ("users", "hosts"));
//! # Ok::<_, String>(())
//! ```
//!
//! Code that cannot check a token is stopped from outside by a callback; see
//! [`CancelToken::on_cancel`].
//!
//! # One run
//!
//! Twelve items on three threads; `f(1)` fails:
//!
//! ```text
//! caller     makes a token and an empty record, and waits
//!
//! thread 0   f(0) ok . f(1) fails: "bad" is recorded,|the token cancelled . drops 2, 3
//! thread 1   f(4) ok . f(5) sleeps by the token ......|wakes, Err: not kept . drops 6, 7
//! thread 2   f(8) does not check the token ...........|...................... ok . drops 9 to 11
//!
//! caller     all have ended, everything was dropped: Err("bad")
//! ```
//!
//! An error is recorded and the token cancelled in one step. So an error that is returned *because*
//! of the cancellation comes second, and is never the result. A thread checks the token before each
//! item. [In order](InOrder), only later items see a failure:
//!
//! ```text
//! thread 0   f(0) ........|............ fails, too: this is the error now
//! thread 1   f(1) ........|................................|told to give up
//! thread 2   f(2) fails,  |and 3, 4, 5 ... are cancelled: 0 and 1 do not see it
//! thread 3   f(3) ........|told to give up
//! ```
//!
//! # Which call do I want?
//!
//! | I want | call |
//! | --- | --- |
//! | run a closure on every item, stop at the first failure | [`err_group`](ErrGroupExt::err_group) |
//! | the same, with the token in the closure | [`try_for_each_group`](ErrGroupExt::try_for_each_group) |
//! | values, in order | [`try_map_group`](ErrGroupExt::try_map_group) |
//! | of several errors the one that the sequential loop would return | [`.in_order()`](IndexedErrGroupExt::in_order) before any of these |
//! | the lines of a file, a channel, an endless source | [`.par_in_order()`](IteratorErrGroupExt::par_in_order) |
//! | values passed on as they come, in order, with bounded memory | `.in_order()`, then [`try_stream`](InOrder::try_stream) |
//! | a deadline, a token from outside, more threads than cores, panics as errors | [`with_group`](ErrGroupExt::with_group), then [`try_for_each`](WithGroup::try_for_each) or [`try_map`](WithGroup::try_map) |
//! | any other result of the values: a sum, a map, a string | [`try_process_group`](ErrGroupExt::try_process_group), [`try_process`](InOrder::try_process) |
//! | to stop at what fails elsewhere: in another run, process or machine | [`.in_order().cut(&cut)`](InOrder::cut) |
//! | all the errors, all the values, what never ran | `.in_order().with_group(&group)` with [`keep_going`](ErrGroup::keep_going), then [`outcome`](WithGroup::outcome) |
//! | all the errors of tasks, by their spawn numbers | [`ErrGroup::scope`] with [`keep_going`](ErrGroup::keep_going) |
//! | a connection or a buffer for each worker, which may fail to open | [`PerWorker`], in any closure |
//! | to go on after an error, or after some | [`keep_going`](ErrGroup::keep_going), [`max_errors`](ErrGroup::max_errors) |
//! | tasks of different kinds | [`scope()`], [`ErrGroup::scope`] |
//! | two closures and both values, or divide and conquer | [`join()`], [`ErrGroup::join`] |
//! | items that block (requests, files) | `.with_max_len(1)`, then `.with_group(&ErrGroup::new().concurrency(32))` |
//! | the same source where there are no threads | the [`sequential`] prelude |
//! | no errors at all | rayon's `for_each` and `collect` |
//!
//! The guide shows this crate side by side with its neighbours: coming from [Go](guide::from_go),
//! from [rayon](guide::from_rayon), from [tokio's `CancellationToken`](guide::from_tokio). It has a
//! page on [errors](guide::errors): `?` with `anyhow`, boxes, `io::Error` and your own enum, and one
//! on [more than one machine](guide::more_than_one_machine). Its
//! [recipes](guide::recipes) are for child processes, channels, signals, timeouts for each item and
//! other jobs where the obvious code hangs or loses data.
//!
//! # Guarantees
//!
//! 1. **Cause.** One event, the trigger, cancels a run, and it is what is returned: never an error
//!    that is itself a consequence of the cancellation.
//! 2. **Completeness.** `Ok` if and only if every item or task ran to its end and returned `Ok`; with
//!    `try_process`, every item that the body asked for (`any` asks for less). A cancellation
//!    that comes too late to skip anything is no error, and empty input is always
//!    `Ok`. One exception: if a `filter` holds back all items for 250 ms after a run was cancelled
//!    from outside, it is unknown whether one is left, and the run ends as cancelled.
//! 3. **Containment.** The call returns when every item that started has ended, and every other
//!    item was dropped, each once. Closures borrow what they like.
//! 4. **Down, not up.** A run never cancels the token it was given.
//! 5. **Panics outrank errors.** A panic cancels at once, and its payload is resumed in the caller.
//!    One exception: a panic of the body of `try_process` after a failure, since it may come of the
//!    values that are missing.
//! 6. **Promptness.** After the failure is visible, each other thread starts at most one more item.
//!    Endless iterators end then.
//! 7. **In order**, where it is asked for: the result is that of the sequential loop, the same
//!    values and the same error, for closures without side effects. A failure cancels later items;
//!    earlier items never see it, and run to their end.
//! 8. **No blocking.** No thread of a pool waits for another one. Everything works on a pool of one
//!    thread, in nested runs, inside and outside of pools.
//! 9. **Nothing that was read waits for the source.** What the `next` of a sequential iterator has
//!    returned is run while the following call of `next` waits, as soon as a thread of the pool is
//!    free; on a pool of one thread, before that call.
//!
//! Without `in_order` the first of several errors *in time* is returned: the one that was recorded
//! first. Which one that is can differ from run to run. It is the better choice if a slow early
//! item should give up as soon as a later one fails: in order the run waits for that item, since it
//! may fail, too.
//!
//! # Cost
//!
//! A run that ends well makes one small allocation. One more holds its values if their number is
//! known, and otherwise each leaf has a vector; a deadline, and a token that the run is given, take
//! one or two. There is no allocation for each item (in order, there are a few for each thread and
//! one for each chunk of items), and one atomic load. Measured with `benches/page.sh` on two cores
//! of an AMD EPYC (family 26), four million items of a nanosecond each: `err_group` takes 0.83 of
//! the time of rayon's `try_for_each`, and `try_map_group` takes 0.16 of that of
//! `collect::<Result<Vec<_>, _>>()` and 1.03 of that of a `collect` without errors. At 100
//! nanoseconds an item `err_group` and `try_for_each` are within one percent of each other.
//! `in_order` takes 0.85 of the time of `try_for_each`, and 0.07 of that of `find_map_first`, which
//! gives the same answer. A task of a [`scope()`] costs what one of rayon's `in_place_scope` costs,
//! about 0.15 µs.
//!
//! # Not promised
//!
//! - Cancellation is cooperative: a closure that does not check its token is not stopped, and the
//!   call waits for it.
//! - Items run in leaves, as rayon splits them: the items of one leaf wait for each other. Put
//!   `.with_max_len(1)` before items that block. In order they are claimed by chunks, of one item
//!   where items are slow.
//! - A call of an iterator's `next` that blocks is not interrupted, whatever cancels the run. Nor
//!   is a [sink](guide::recipes#a-sink-that-may-block).
//! - Without [`concurrency`](ErrGroup::concurrency) a run has the pool's threads, and two items
//!   that wait for each other may wait forever on a small pool.
//! - Nested `rayon` calls that are not given the token are not cancelled.
//! - While an item waits in a nested rayon call, its thread may run any other task of the pool: do
//!   not hold a lock across such a call.
//!
//! # Stack
//!
//! An item that waits in a nested run, on the same pool or another one, lets its thread start other
//! items on top of it, as in rayon. In rayon there is no limit, and a thousand of them overflow the
//! stack. Here a thread with 64 items or tasks open starts no other one of a run that has one open
//! on it: it is *postponed*. A task is started when another task of its scope has ended, an item
//! when no other item of the run is left that can start. (Of one leaf 100,000 items are postponed
//! at most, as it may be endless.) So an item or task that waits for another one by other means,
//! such as a channel or a loop of `rayon::yield_now`, may wait forever. What is nested, such as a
//! run in an item of a run, is not postponed, so nothing waits for its own end. Each run counts by
//! itself: if 128 items wait for runs on a group with one thread, and the items of these runs wait
//! in turn, that thread may have 128 of them open. Runs in order need no such limit: at most as
//! many of their items are open as the pool has threads. Items of plain rayon calls are not
//! counted.
//!
//! # Without threads
//!
//! [`sequential::prelude`] has the same methods for std's sequential iterators, which run on the
//! calling thread and touch no pool, and stands in for `par_iter` and its kin. So one source serves
//! crates that must also build without threads:
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

/// The extension traits, for a `use` next to rayon's prelude.
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
