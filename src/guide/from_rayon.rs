//! Coming from rayon: fallible calls, side by side with this crate.
//!
//! The extension traits add methods to rayon's own iterators. They run on the same pools and
//! combine with rayon's adaptors. For infallible closures, [stay with
//! rayon](#when-to-stay-with-rayon).
//!
//! | rayon | here |
//! | --- | --- |
//! | `try_for_each`, `collect::<Result<(), _>>` | [`err_group`](#try_for_each-collect) |
//! | `collect::<Result<Vec<_>, _>>` | [`try_map_group`](#try_for_each-collect) |
//! | a vector of `Result`s, and then the first error | [`in_order`](#the-first-error-of-a-vector) |
//! | a vector of `Result`s, `partition_map` | [`outcome`](#all-errors-and-all-values) |
//! | `sum`, `reduce`, `try_fold`, `try_reduce` | [`try_process_group`](#sum-fold-and-reduce) |
//! | `collect` into another collection, `unzip` | [`try_process_group`](#maps-sets-strings-unzip) |
//! | `unwrap` in the closure | [`?` in the closure](#unwrap-in-the-closure) |
//! | `map_init`, `try_for_each_init` | [`PerWorker`](#map_init-try_for_each_init) |
//! | a stop flag, `while_some` | [`CancelToken`](#a-stop-flag) |
//! | `scope`, `in_place_scope` | [`scope`](#scope) |
//! | `join` | [`join`](#join) |
//! | `par_bridge` | [`par_in_order`](#par_bridge) |
//! | `ThreadPool::install` | [the same](#threadpoolinstall), or `ErrGroup::pool` |
//! | `with_max_len` | [the same](#with_max_len), before `with_group` |
//! | `panic_fuse` | always |
//!
//! What changes with all of these calls:
//!
//! | behaviour | rayon | here |
//! | --- | --- | --- |
//! | which of several errors | not specified | the first in time, or in the order of items |
//! | after a failure | stops as soon as possible | each other worker starts at most one more item |
//! | items in flight then | run to their end | run to their end, and can check the token |
//! | after a panic | the other threads go on | as after a failure |
//! | cancellation from outside | no | [`ErrGroup::token`](crate::ErrGroup::token) |
//! | a deadline | no | [`ErrGroup::timeout`](crate::ErrGroup::timeout) |
//!
//! # `try_for_each`, `collect`
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "3"];
//! # let check = |word: &str| word.parse::<i32>().map(drop);
//! let checked: Result<(), _> = words
//!     .par_iter()
//!     .map(|word| check(word))
//!     .collect(); // or `try_for_each`
//! assert_eq!(checked, Ok(()));
//!
//! let numbers: Result<Vec<_>, _> = words
//!     .par_iter()
//!     .map(|word| word.parse::<i32>())
//!     .collect();
//! assert_eq!(numbers, Ok(vec![1, 2, 3]));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "3"];
//! # let check = |word: &str| word.parse::<i32>().map(drop);
//! let checked = words
//!     .par_iter()
//!     .err_group(|word| check(word));
//! assert_eq!(checked, Ok(()));
//!
//! let numbers = words
//!     .par_iter()
//!     .try_map_group(|_, word| word.parse::<i32>());
//! assert_eq!(numbers, Ok(vec![1, 2, 3]));
//! ```
//!
//! </td></tr></table>
//!
//! The first error in time is returned. It is never one that was caused by another failure. The
//! underscore is the run's token, which tells a long item that another one has failed.
//! [`try_for_each_group`](crate::ErrGroupExt::try_for_each_group) is `err_group` with a token.
//!
//! # The first error of a vector
//!
//! A vector of `Result`s keeps the order of the items, so the first error in it does not change
//! from run to run. But all items run. In order the run stops at that error.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! let numbers: Vec<_> = words
//!     .par_iter()
//!     .map(|word| word.parse::<i32>().map_err(|_| word))
//!     .collect();
//! let numbers: Result<Vec<_>, _> =
//!     numbers.into_iter().collect();
//! assert_eq!(numbers, Err(&"x"));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "x", "y"];
//! let numbers = words
//!     .par_iter()
//!     .in_order()
//!     .try_map(|_, word| {
//!         word.parse::<i32>().map_err(|_| word)
//!     });
//! assert_eq!(numbers, Err(&"x"));
//! ```
//!
//! </td></tr></table>
//!
//! [`in_order`](crate::IndexedErrGroupExt::in_order) combines with every other call of this crate.
//! Workers claim items from the start of the input, so only the items before the failure and those
//! in flight run.
//!
//! # All errors, and all values
//!
//! An [`Outcome`](crate::Outcome) has both, each with the index of its item.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! use rayon::iter::Either;
//!
//! # let words = ["1", "x", "3", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map_err(|_| *word);
//! let (values, errors): (Vec<_>, Vec<_>) = words
//!     .par_iter()
//!     .partition_map(|word| match check(word) {
//!         Ok(value) => Either::Left(value),
//!         Err(error) => Either::Right(error),
//!     });
//! assert_eq!(values, [1, 3]);
//! assert_eq!(errors, ["x", "y"]); // but where?
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! use rayon_errgroup::{ErrGroup, prelude::*};
//!
//! # let words = ["1", "x", "3", "y"];
//! # let check = |word: &&'static str| word.parse::<i32>().map_err(|_| *word);
//! let group = ErrGroup::new().keep_going();
//! let outcome = words
//!     .par_iter()
//!     .in_order()
//!     .with_group(&group)
//!     .outcome(|_, word| check(word));
//! assert_eq!(outcome.values(), [(0, 1), (2, 3)]);
//! assert_eq!(outcome.errors(), [(1, "x"), (3, "y")]);
//! ```
//!
//! </td></tr></table>
//!
//! The maps and sets of std are not indexed in rayon: write `map.into_iter().par_in_order()`. An
//! item that a `filter_map` would drop returns `Ok(None)`.
//!
//! # Sum, fold and reduce
//!
//! The values are a parallel iterator, for any of rayon's methods. `sum::<Result<_, _>>()` becomes
//! `sum()`. Where the `Result`s were merged by hand, the run now stops at the first failure.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "3"];
//! let max = words
//!     .par_iter()
//!     .map(|word| word.parse::<u32>())
//!     .reduce(|| Ok(0), |a, b| Ok(a?.max(b?)));
//! assert_eq!(max, Ok(3));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "3"];
//! let max = words.par_iter().try_process_group(
//!     |_, word| word.parse::<u32>(),
//!     |numbers| numbers.reduce(|| 0, u32::max),
//! );
//! assert_eq!(max, Ok(3));
//! ```
//!
//! </td></tr></table>
//!
//! `try_fold` and `try_reduce` become `fold` and `reduce`:
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "3"];
//! let sum = words
//!     .par_iter()
//!     .map(|word| word.parse::<u64>())
//!     .try_fold(|| 0, |sum, n| Ok(sum + n?))
//!     .try_reduce(|| 0, |a, b| Ok(a + b));
//! # let sum: Result<_, std::num::ParseIntError> = sum;
//! assert_eq!(sum, Ok(6));
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "3"];
//! let sum = words.par_iter().try_process_group(
//!     |_, word| word.parse::<u64>(),
//!     |numbers| numbers
//!         .fold(|| 0, |sum, n| sum + n)
//!         .reduce(|| 0, |a, b| a + b),
//! );
//! assert_eq!(sum, Ok(6));
//! ```
//!
//! </td></tr></table>
//!
//! If merging can fail, too, end with `values.map(Ok).try_reduce(zero, merge)`: the error of a
//! merge is an inner `Result`, and a second `?` takes it.
//!
//! # Maps, sets, strings, `unzip`
//!
//! Whatever rayon can collect into. `values.flatten()` drops the `None` of a fallible `filter_map`,
//! and `values.partition_map(f)` fills two collections.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::collections::HashMap;
//! # let words = ["1", "2", "3"];
//! let by_name = words
//!     .par_iter()
//!     .map(|word| Ok((*word, word.parse()?)))
//!     .collect::<Result<HashMap<&str, u32>, _>>();
//! # let by_name: Result<_, std::num::ParseIntError> = by_name;
//! assert_eq!(by_name.unwrap()["3"], 3);
//!
//! let pairs = words
//!     .par_iter()
//!     .map(|word| Ok((*word, word.parse::<u32>()?)))
//!     .collect::<Result<(Vec<_>, Vec<_>), _>>();
//! # let pairs: Result<_, std::num::ParseIntError> = pairs;
//! assert_eq!(pairs.unwrap().1, [1, 2, 3]);
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # use std::collections::HashMap;
//! # let words = ["1", "2", "3"];
//! # let parse = |word: &str| word.parse::<u32>();
//! let by_name = words.par_iter().try_process_group(
//!     |_, word| Ok((*word, parse(word)?)),
//!     |pairs| pairs.collect::<HashMap<_, _>>(),
//! );
//! # let by_name: Result<_, std::num::ParseIntError> = by_name;
//! assert_eq!(by_name.unwrap()["3"], 3);
//!
//! let pairs = words.par_iter().try_process_group(
//!     |_, word| Ok((*word, parse(word)?)),
//!     |pairs| pairs.unzip::<_, _, Vec<_>, Vec<_>>(),
//! );
//! # let pairs: Result<_, std::num::ParseIntError> = pairs;
//! assert_eq!(pairs.unwrap().1, [1, 2, 3]);
//! ```
//!
//! </td></tr></table>
//!
//! # `unwrap` in the closure
//!
//! It often stands there since `for_each`, `reduce` and `flat_map` have no place for an error. Here
//! the closure returns it, and the panic becomes a message.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # let words = ["1", "2", "3"];
//! let twice: Vec<u32> = words
//!     .par_iter()
//!     .map(|word| word.parse::<u32>().unwrap())
//!     .flat_map_iter(|n| [n, n])
//!     .collect();
//! assert_eq!(twice, [1, 1, 2, 2, 3, 3]);
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # let words = ["1", "2", "3"];
//! let twice = words.par_iter().try_process_group(
//!     |_, word| word.parse::<u32>(),
//!     |numbers| numbers
//!         .flat_map_iter(|n| [n, n])
//!         .collect::<Vec<_>>(),
//! );
//! assert_eq!(twice, Ok(vec![1, 1, 2, 2, 3, 3]));
//! ```
//!
//! </td></tr></table>
//!
//! A panic that happens all the same cancels the run, and resumes in the caller. With
//! [`catch_panics`](crate::ErrGroup::catch_panics) it is an error: no `catch_unwind` is needed.
//!
//! # `map_init`, `try_for_each_init`
//!
//! A state for each worker: a connection, a parser, a buffer. rayon calls `init` once for each
//! leaf, and a run has many more leaves than threads. A [`PerWorker`](crate::PerWorker) makes no
//! more states than items that run at once. Its `init` may fail, and the states are given back.
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
//! # }
//! # let rows = [1, 2, 3];
//! let connections = PerWorker::new(Connection::open);
//! let result = rows.par_iter().err_group(|row| {
//!     connections.with(|c| c.insert(row))
//! });
//! assert_eq!(result, Ok(()));
//! assert!(connections.into_states().len() >= 1);
//! ```
//!
//! </td></tr></table>
//!
//! Before `in_order` each chunk would have a `map_init` of its own. A state must be `Send`, since
//! the next item that uses it may run on another thread.
//!
//! # A stop flag
//!
//! What was ready when the flag was set is kept. `while_some` does not tell whether the run was
//! complete. Here the outcome does, and long-running closures can check the token.
//!
//! <table class="pair"><tr><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! let stop = AtomicBool::new(false);
//! let halves: Vec<u32> = (0..10_000)
//!     .into_par_iter()
//!     .map(|n: u32| {
//!         if stop.load(Relaxed) {
//!             return None;
//!         }
//!         stop.store(true, Relaxed); // by Ctrl-C
//!         Some(n / 2)
//!     })
//!     .while_some()
//!     .collect();
//! assert!(halves.len() < 10_000); // but why?
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
//! let stop = CancelToken::new();
//! let group = ErrGroup::new().token(&stop);
//! let outcome = (0..10_000)
//!     .into_par_iter()
//!     .in_order()
//!     .with_group(&group)
//!     .outcome(|_, n: u32| {
//!         stop.cancel_with("Ctrl-C");
//!         Ok::<_, String>(n / 2)
//!     });
//! assert!(outcome.to_string().ends_with("Ctrl-C"));
//! assert!(!outcome.values().is_empty());
//! ```
//!
//! </td></tr></table>
//!
//! Other calls return [`GroupError::Cancelled`](crate::GroupError::Cancelled) then, unless every
//! item ran anyway.
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
//! # use std::sync::Mutex;
//! # let load = || Err("no disk");
//! # let probe = || Ok(());
//! let failure = Mutex::new(None);
//! rayon::scope(|s| {
//!     for task in [load, probe] {
//!         let failure = &failure;
//!         s.spawn(move |_| {
//!             if let Err(error) = task() {
//!                 failure.lock().unwrap()
//!                     .get_or_insert(error);
//!             }
//!         });
//!     }
//! });
//! let failure = failure.into_inner().unwrap();
//! assert_eq!(failure, Some("no disk"));
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
//! - With [`keep_going`](crate::ErrGroup::keep_going) all errors are returned, sorted by the order
//!   in which the tasks were spawned: [`GroupError::Several`](crate::GroupError::Several).
//! - The body may fail, too. It runs on the calling thread, like that of rayon's `in_place_scope`,
//!   so neither it nor its value needs to be `Send`.
//! - With a [`concurrency`](crate::ErrGroup::concurrency), [`spawn`](crate::Scope::spawn) waits for
//!   a permit, so a body that reads a long list never runs far ahead of its tasks (backpressure).
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
//! is run while `next` blocks. For values that go to one consumer, such as a file, there is
//! [`try_stream`](crate::InOrder::try_stream): no channel, and no sorting by index.
//!
//! # `ThreadPool::install`
//!
//! All calls run on the current pool, so `pool.install(|| words.par_iter().err_group(check))` works
//! as before. A group with a [`concurrency`](crate::ErrGroup::concurrency) has its own pool, which
//! is created once, with the group; a group with a [`pool`](crate::ErrGroup::pool) uses one of
//! yours. Only the items move to it: the body of a scope and the sink of a stream stay on the
//! calling thread, and need not be `Send`.
//!
//! # `with_max_len`
//!
//! The items of a leaf run one after another, with rayon and here. Before items that block, add
//! `with_max_len(1)`. It is a method of the iterator, so it comes before `with_group`. (In order it
//! is not needed: slow items are claimed one by one.)
//!
//! # When to stay with rayon
//!
//! - No item can fail, and the run is never cancelled: `for_each`, `collect`.
//! - `find_any`, `find_map_any`, `any`, `all`: a match is not a failure. (If it should cancel the
//!   other items: [recipe](crate::guide::recipes#the-first-success-wins).)
//! - Closures that return an `Option` or a `ControlFlow`: `try_for_each` takes them.
//! - Two tasks, if you want both errors: `join`.
//! - `spawn` without a scope, for work that outlives its caller; `broadcast`.
//! - A hundred quick items, in a run that is repeated often: a run allocates once, so `err_group`
//!   takes up to twice as long as `try_for_each`.
#![doc = include_str!("pair.html")]
