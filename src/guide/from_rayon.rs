//! Coming from rayon: fallible calls, side by side with this crate.
//!
//! The extension traits add methods to rayon's own iterators. They run on the same pools and
//! combine with rayon's adaptors. For infallible closures, [stay with
//! rayon](#when-to-stay-with-rayon).
//!
//! | rayon | here |
//! | --- | --- |
//! | `try_for_each` | [`err_group`](crate::ErrGroupExt::err_group) |
//! | `map(f).collect::<Result<Vec<_>, _>>()` | [`try_map_group`](crate::ErrGroupExt::try_map_group) |
//! | `map(f).collect::<Result<(), _>>()` | [`err_group`](crate::ErrGroupExt::err_group) |
//! | `find_map_first(Result::err)` | [`in_order`](crate::IndexedErrGroupExt::in_order) |
//! | `map_init`, `for_each_init`, `try_for_each_init` | [`PerWorker`](#map_init-for_each_init) |
//! | `panic_fuse` | always |
//! | a shared flag, `take_any_while` | [`CancelToken`](crate::CancelToken) |
//! | `scope`, `in_place_scope` | [`scope`](crate::scope()) |
//! | `join` | [`join`](crate::join()) |
//! | `par_bridge` | [`par_in_order`](crate::IteratorErrGroupExt::par_in_order) |
//! | `ThreadPool::install` | the same, or [`ErrGroup::pool`](crate::ErrGroup::pool) |
//! | `with_max_len` | the same, before `with_group` |
//!
//! What changes with all of these calls:
//!
//! | | rayon | here |
//! | --- | --- | --- |
//! | which of several errors | not specified | the first in time; after `in_order`, in iteration order |
//! | after a failure | stops as soon as possible | each other worker starts at most one more item |
//! | items in flight then | run to their end | run to their end, and can check the token |
//! | after a panic | the other threads go on | as after a failure |
//! | cancellation from outside | no | [`ErrGroup::token`](crate::ErrGroup::token) |
//! | a deadline | no | [`ErrGroup::timeout`](crate::ErrGroup::timeout) |
//!
//! # `try_for_each`
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map(drop).map_err(|_| *word);
//! let result = words
//!     .par_iter()
//!     .try_for_each(|word| check(word));
//! assert!(result.is_err()); // x or y
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map(drop).map_err(|_| *word);
//! let result = words
//!     .par_iter()
//!     .err_group(|word| check(word));
//! assert!(result.is_err()); // x or y, first in time
//! ```
//!
//! </td></tr></table>
//!
//! The first error in time is never one that was caused by another failure. For a deterministic
//! error, here always `x`, add [`in_order`](#find_map_first).
//!
//! Closures that check their token can give up when another item has failed:
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! # let blocks = [1, 2, 3, 4];
//! let failed = AtomicBool::new(false);
//! let result = blocks.par_iter().try_for_each(|n| {
//!     if *n == 1 {
//!         failed.store(true, Relaxed);
//!         return Err("root cause");
//!     }
//!     if failed.load(Relaxed) {
//!         return Err("cancelled");
//!     }
//!     Ok(())
//! });
//! assert!(result.is_err()); // one of them
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let blocks = [1, 2, 3, 4];
//! let blocks = blocks.par_iter();
//! let result = blocks.try_for_each_group(|token, n| {
//!     if *n == 1 {
//!         return Err("root cause");
//!     }
//!     if token.is_cancelled() {
//!         return Err("cancelled");
//!     }
//!     Ok(())
//! });
//! assert_eq!(result, Err("root cause"));
//! ```
//!
//! </td></tr></table>
//!
//! # `collect` into a `Result`
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "3"];
//! let numbers = words
//!     .par_iter()
//!     .map(|word| word.parse::<i32>())
//!     .collect::<Result<Vec<_>, _>>();
//! assert_eq!(numbers, Ok(vec![1, 2, 3]));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "3"];
//! let numbers = words
//!     .par_iter()
//!     .try_map_group(|_, word| word.parse::<i32>());
//! assert_eq!(numbers, Ok(vec![1, 2, 3]));
//! ```
//!
//! </td></tr></table>
//!
//! The same values; of several errors, again the first in time. If the length is known, each value
//! is written directly to its place in one vector. rayon also collects into maps, sets and strings:
//! for these, stay with rayon, or collect from the vector.
//!
//! # `find_map_first`
//!
//! With rayon alone, this call finds the first error in iteration order. Here you add `in_order()`,
//! which also works with values.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map(drop).map_err(|_| *word);
//! let error = words
//!     .par_iter()
//!     .map(|word| check(word))
//!     .find_map_first(Result::err);
//! assert_eq!(error, Some("x"));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map(drop).map_err(|_| *word);
//! let result = words
//!     .par_iter()
//!     .in_order()
//!     .err_group(|word| check(word));
//! assert_eq!(result, Err("x"));
//! ```
//!
//! </td></tr></table>
//!
//! rayon halves the input, so most threads start somewhere behind the failure, and their work is
//! thrown away. In order, workers claim items from the start of the input, so only the items before
//! the failure and those in flight run.
//!
//! # `map_init`, `for_each_init`
//!
//! A state for each worker: a connection, a parser, a buffer. rayon calls `init` once for each
//! leaf, and a run has many more leaves than threads. A [`PerWorker`](crate::PerWorker) has no more
//! states than items that run at once, its `init` may fail, and the states are given back.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # struct Connection;
//! # impl Connection {
//! #     fn open() -> Result<Self, String> { Ok(Connection) }
//! #     fn insert(&mut self, _: &i32) -> Result<(), String> { Ok(()) }
//! # }
//! # let rows = [1, 2, 3];
//! let result = rows.par_iter().try_for_each_init(
//!     || Connection::open(),
//!     |connection, row| match connection {
//!         Ok(connection) => connection.insert(row),
//!         Err(error) => Err(error.clone()),
//!     },
//! );
//! assert_eq!(result, Ok(()));
//! // They cannot be closed: they were dropped.
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{PerWorker, prelude::*};
//! # struct Connection;
//! # impl Connection {
//! #     fn open() -> Result<Self, String> { Ok(Connection) }
//! #     fn insert(&mut self, _: &i32) -> Result<(), String> { Ok(()) }
//! #     fn close(self) -> Result<(), String> { Ok(()) }
//! # }
//! # fn main() -> Result<(), String> {
//! # let rows = [1, 2, 3];
//! let connections = PerWorker::new(|| Connection::open());
//! rows.par_iter().err_group(|row| {
//!     connections.with(|c| c.insert(row))
//! })?;
//! for connection in connections.into_states() {
//!     connection.close()?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! </td></tr></table>
//!
//! Do not put `map_init` before `in_order`: there every item is a leaf of its own, and has an
//! `init` of its own.
//!
//! # `panic_fuse`
//!
//! A panic always cancels a run here, without an adaptor. As with rayon, its payload is resumed in
//! the caller, whatever else has failed. With [`catch_panics`](crate::ErrGroup::catch_panics) it
//! becomes an error:
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::panic::catch_unwind;
//! let result = catch_unwind(|| {
//!     (0..1000)
//!         .into_par_iter()
//!         .panic_fuse()
//!         .for_each(|n| assert_ne!(n, 7));
//! });
//! assert!(result.is_err());
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
//! let group = ErrGroup::new().catch_panics();
//! let result = (0..1000)
//!     .into_par_iter()
//!     .with_group(&group)
//!     .err_group(|n| {
//!         assert_ne!(n, 7);
//!         Ok::<_, String>(())
//!     });
//! assert!(matches!(result, Err(GroupError::Panicked(_))));
//! ```
//!
//! </td></tr></table>
//!
//! # A flag of your own
//!
//! An iterator that is cut short by
//! [`take_any_while`](rayon::iter::ParallelIterator::take_any_while) looks like a complete one.
//! Here a cancelled run returns an error, unless every item ran anyway.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! let stop = AtomicBool::new(false);
//! let halves: Vec<u32> = (0..10_000)
//!     .into_par_iter()
//!     .take_any_while(|_| !stop.load(Relaxed))
//!     .inspect(|_| stop.store(true, Relaxed))
//!     .map(|n: u32| n / 2)
//!     .collect();
//! assert!(halves.len() < 10_000); // but why?
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};
//! let stop = CancelToken::new();
//! let group = ErrGroup::new().token(&stop);
//! let halves = (0..10_000)
//!     .into_par_iter()
//!     .with_group(&group)
//!     .try_map(|_, n: u32| {
//!         stop.cancel_with("Ctrl-C");
//!         Ok::<_, String>(n / 2)
//!     });
//! let Err(GroupError::Cancelled(why)) = halves
//!     else { unreachable!() };
//! assert!(matches!(why.cause().root(), Cause::Requested(_)));
//! ```
//!
//! </td></tr></table>
//!
//! # `scope`
//!
//! Tasks of rayon's scope return nothing, and how to handle a failed one is a recurring question
//! ([#890](https://github.com/rayon-rs/rayon/issues/890),
//! [#1102](https://github.com/rayon-rs/rayon/issues/1102)). Here tasks return a `Result`.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use std::sync::OnceLock;
//! # let load = || Err("no disk");
//! # let probe = || Ok(());
//! let failure = OnceLock::new();
//! rayon::scope(|s| {
//!     for task in [load, probe] {
//!         let failure = &failure;
//!         s.spawn(move |_| {
//!             if let Err(error) = task() {
//!                 _ = failure.set(error);
//!             }
//!         });
//!     }
//! });
//! assert_eq!(failure.get(), Some(&"no disk"));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! # let load = || Err("no disk");
//! # let probe = || Ok(());
//! let result = scope(|s| {
//!     for task in [load, probe] {
//!         s.spawn(move |_| task());
//!     }
//!     Ok(())
//! });
//! assert_eq!(result, Err("no disk"));
//! ```
//!
//! </td></tr></table>
//!
//! - Tasks that have not started when one fails are dropped; rayon's scope runs them, even after a
//!   panic.
//! - Running tasks see the failure through [`Scope::token`](crate::Scope::token).
//! - The body may fail, too. It runs on the calling thread, like that of rayon's `in_place_scope`,
//!   so neither it nor its value needs to be `Send`.
//! - With a [`concurrency`](crate::ErrGroup::concurrency), [`spawn`](crate::Scope::spawn) waits for
//!   a permit, so a body that reads a long list never runs far ahead of its tasks (backpressure).
//!
//! ## `in_place_scope`
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use std::rc::Rc;
//! let name = Rc::new(String::from("batch"));
//! let mut done = false;
//! let name = rayon::in_place_scope(|s| {
//!     s.spawn(|_| done = true);
//!     Rc::clone(&name)
//! });
//! assert!(done);
//! assert_eq!(*name, "batch");
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! # use std::rc::Rc;
//! let name = Rc::new(String::from("batch"));
//! let mut done = false;
//! let name = scope(|s| {
//!     s.spawn(|_| Ok(done = true));
//!     Ok::<_, String>(Rc::clone(&name))
//! });
//! assert!(done);
//! assert_eq!(*name.unwrap(), "batch");
//! ```
//!
//! </td></tr></table>
//!
//! ## All errors, not one
//!
//! With rayon, tasks send their errors over a channel, in any order. Here a scope that [keeps
//! going](crate::ErrGroup::keep_going) returns all of them, sorted by the order in which the tasks
//! were spawned. If the tasks are of one kind and have values, use an [`Outcome`](crate::Outcome):
//! it has all errors and all values, sorted by index.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use std::sync::mpsc;
//! # let words = ["1", "x", "y"];
//! # let check = |word: &'static str| word.parse::<i32>().map_err(|_| word);
//! let (sender, errors) = mpsc::channel();
//! rayon::scope(|s| {
//!     for word in words {
//!         let sender = sender.clone();
//!         s.spawn(move |_| {
//!             if let Err(error) = check(word) {
//!                 sender.send(error).unwrap();
//!             }
//!         });
//!     }
//! });
//! drop(sender);
//! assert_eq!(errors.iter().count(), 2);
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{ErrGroup, GroupError};
//! # let words = ["1", "x", "y"];
//! # let check = |word: &'static str| word.parse::<i32>().map_err(|_| word);
//! let group = ErrGroup::new().keep_going();
//! let result = group.scope(|s| {
//!     for word in words {
//!         s.spawn(move |_| check(word).map(drop));
//!     }
//!     Ok(())
//! });
//! let Err(GroupError::Several(failures)) = result
//!     else { unreachable!() };
//! let errors: Vec<_> = failures.into_iter().collect();
//! assert_eq!(errors, [(1, "x"), (2, "y")]);
//! ```
//!
//! </td></tr></table>
//!
//! # `join`
//!
//! With rayon the first closure's error hides an earlier one of the second, and each runs to its
//! end whatever the other has returned.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # fn load(name: &str) -> Result<usize, String> { Ok(name.len()) }
//! # fn sizes() -> Result<usize, String> {
//! let (users, hosts) = rayon::join(
//!     || load("users"),
//!     || load("hosts"),
//! );
//! Ok(users? + hosts?)
//! # }
//! # assert_eq!(sizes(), Ok(10));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # fn load(name: &str) -> Result<usize, String> { Ok(name.len()) }
//! # fn sizes() -> Result<usize, String> {
//! let (users, hosts) = rayon_errgroup::join(
//!     |_| load("users"),
//!     |_| load("hosts"),
//! )?;
//! Ok(users + hosts)
//! # }
//! # assert_eq!(sizes(), Ok(10));
//! ```
//!
//! </td></tr></table>
//!
//! A closure that has not started when the other one fails is dropped, and one that runs sees the
//! failure by its token. The first error in time is returned. Where leaves are much shorter than a
//! microsecond and need not be stopped, `rayon::join` costs less.
//!
//! # `par_bridge`
//!
//! `par_bridge` loses the order of a sequential iterator, and takes a lock for each item.
//! `par_in_order` keeps the order.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::num::ParseIntError;
//! # fn numbers(text: &str) -> Result<Vec<i32>, ParseIntError> {
//! let mut numbers = text
//!     .lines()
//!     .par_bridge()
//!     .map(|line| line.parse())
//!     .collect::<Result<Vec<i32>, _>>()?;
//! numbers.sort(); // the order of the lines is lost
//! # Ok(numbers)
//! # }
//! # assert_eq!(numbers("1\n2\n3"), Ok(vec![1, 2, 3]));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::prelude::*;
//! # use std::num::ParseIntError;
//! # fn numbers(text: &str) -> Result<Vec<i32>, ParseIntError> {
//! let numbers = text
//!     .lines()
//!     .par_in_order()
//!     .try_map(|_, line| line.parse::<i32>())?;
//! # Ok(numbers)
//! # }
//! # assert_eq!(numbers("1\n2\n3"), Ok(vec![1, 2, 3]));
//! ```
//!
//! </td></tr></table>
//!
//! `par_bridge().err_group(f)` works as well, and with either call an infinite iterator ends at the
//! first failure. As with `par_bridge`, an item does not wait for the items after it: what was read
//! is run while `next` blocks.
//!
//! # `ThreadPool::install`
//!
//! All calls run on the current pool, so `install` works as before. A group with a `concurrency`
//! has its own pool, which is created once, with the group; a group with a
//! [`pool`](crate::ErrGroup::pool) uses one of yours. Only the items move to it: the body of a
//! scope and the sink of a stream stay on the calling thread.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::{ThreadPoolBuilder, prelude::*};
//! # fn main() -> Result<(), rayon::ThreadPoolBuildError> {
//! # let words = ["1", "2", "3"];
//! # let check = |word: &&str| word.parse::<i32>().map(drop);
//! let pool = ThreadPoolBuilder::new()
//!     .num_threads(4)
//!     .build()?;
//! let result = pool.install(|| {
//!     words.par_iter().try_for_each(check)
//! });
//! assert!(result.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{ErrGroup, prelude::*};
//! # let words = ["1", "2", "3"];
//! # let check = |word: &&str| word.parse::<i32>().map(drop);
//! let group = ErrGroup::new().concurrency(4);
//! let result = words
//!     .par_iter()
//!     .with_group(&group)
//!     .err_group(check);
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! # `with_max_len`
//!
//! The items of a leaf run one after another, with rayon and here. Before items that block, add
//! `with_max_len(1)`. It is a method of the iterator, so it comes before `with_group`. (In order it
//! is not needed: slow items are claimed one by one.)
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::{ThreadPoolBuilder, prelude::*};
//! # use std::sync::Barrier;
//! # let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
//! let all_four = Barrier::new(4);
//! pool.install(|| {
//!     (0..4)
//!         .into_par_iter()
//!         .with_max_len(1)
//!         .for_each(|_| _ = all_four.wait());
//! });
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{ErrGroup, prelude::*};
//! # use std::sync::Barrier;
//! # let group = ErrGroup::new().concurrency(4);
//! let all_four = Barrier::new(4);
//! let result = (0..4)
//!     .into_par_iter()
//!     .with_max_len(1)
//!     .with_group(&group)
//!     .err_group(|_| {
//!         all_four.wait();
//!         Ok::<_, String>(())
//!     });
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! # When to stay with rayon
//!
//! - No item can fail, and the run is never cancelled: `for_each`, `collect`.
//! - `try_fold`, `try_reduce`: this crate has no counterpart. If the values are few, use
//!   `try_map_group` and a loop.
//! - `find_any`, `find_map_any`, `any`, `all`: a match is not a failure. (If it should cancel the
//!   other items: [recipe](crate::guide::recipes#the-first-success-wins).)
//! - Closures that return an `Option` or a `ControlFlow`: `try_for_each` takes them.
//! - Two tasks whose results are both needed: `join`, then `?` on each result.
//! - `spawn` without a scope, for work that outlives its caller; `broadcast`.
//! - A hundred quick items, in a run that is repeated often: a run allocates once, so `err_group`
//!   takes up to twice as long as `try_for_each`.
#![doc = include_str!("pair.html")]
