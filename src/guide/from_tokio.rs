//! Coming from tokio's `CancellationToken`: the same tree of tokens, for threads.
//!
//! [`CancelToken`](crate::CancelToken) has the methods of `tokio_util::sync::CancellationToken`,
//! under the same or similar names. In addition, a token knows *why* it was cancelled, can have a
//! deadline, and runs callbacks. It has nothing to await; the [reason, and bridges between the
//! two](#bridges), are at the end.
//!
//! | tokio | here |
//! | --- | --- |
//! | `CancellationToken::new`, `clone` | [`CancelToken::new`], `clone` |
//! | `child_token` | [`CancelToken::child`] |
//! | `cancel` | [`CancelToken::cancel`], [`CancelToken::cancel_with`] |
//! | `is_cancelled` | [`CancelToken::is_cancelled`], [`CancelToken::check`] |
//! | `cancelled().await` | [`CancelToken::done`], [`CancelToken::on_cancel`] |
//! | `run_until_cancelled` | nothing: see [below](#run_until_cancelled) |
//! | `drop_guard`, `disarm` | [`CancelToken::drop_guard`], [`DropGuard::disarm`] |
//! | `drop_guard_ref` | `token.clone().drop_guard()` |
//! | `time::timeout` | [`ErrGroup::timeout`], [`CancelToken::cancel_after`] |
//! | `time::sleep` in a `select!` | [`CancelToken::sleep`] |
//! | `TaskTracker`, `JoinSet` | [`scope`](crate::scope()), or a parallel iterator |
//! | `JoinSet::abort_all` | `s.token().cancel()` |
//! | `Semaphore` | [`ErrGroup::concurrency`] |
//! | `StreamExt::buffered` of futures | [`par_in_order`](crate::IteratorErrGroupExt::par_in_order), [`try_stream`](crate::InOrder::try_stream) |
//!
//! # The token
//!
//! ## `new`, `clone`, `cancel`
//!
//! A clone is the same token. [`cancel`](crate::CancelToken::cancel) returns whether it was the
//! first to cancel it.
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let token = CancellationToken::new();
//! let clone = token.clone();
//! clone.cancel();
//! assert!(token.is_cancelled());
//! clone.cancel(); // no effect
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cause};
//! let token = CancelToken::new();
//! let clone = token.clone();
//! assert!(clone.cancel_with("Ctrl-C"));
//! assert!(token.is_cancelled());
//! assert!(!clone.cancel()); // no effect
//! let cause = token.cause();
//! assert!(matches!(cause, Some(Cause::Requested(_))));
//! ```
//!
//! </td></tr></table>
//!
//! ## `child_token`
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let child = token.child_token();
//! child.cancel();
//! assert!(!token.is_cancelled());
//!
//! let child = token.child_token();
//! token.cancel();
//! assert!(child.is_cancelled());
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cause};
//! # let token = CancelToken::new();
//! let child = token.child();
//! child.cancel();
//! assert!(!token.is_cancelled());
//!
//! let child = token.child();
//! token.cancel();
//! assert!(child.is_cancelled());
//! assert!(matches!(child.cause(), Some(Cause::Parent(_))));
//! ```
//!
//! </td></tr></table>
//!
//! A run creates a child of its group's token and passes it to the closures, so you rarely create
//! one yourself.
//!
//! ## `cancelled`
//!
//! In tokio a waiting task is woken. Here a thread waits, for a channel that closes.
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! tokio::select! {
//!     job = jobs.recv() => run(job),
//!     () = token.cancelled() => return,
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use rayon_errgroup::crossbeam_channel::select;
//! # use rayon_errgroup::crossbeam_channel::never;
//! # use rayon_errgroup::CancelToken;
//! # fn run(_: u32) { unreachable!() }
//! # fn next(token: &CancelToken) {
//! # let jobs = never();
//! select! {
//!     recv(jobs) -> job => run(job.unwrap()),
//!     recv(token.done()) -> _ => return,
//! }
//! # }
//! # let token = CancelToken::new();
//! # token.cancel();
//! # next(&token);
//! ```
//!
//! </td></tr></table>
//!
//! `done()` also closes when the token's run ends without being cancelled, so that no waiter is
//! left behind. Then `is_cancelled()` is false.
//!
//! ## `run_until_cancelled`
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let run = token.run_until_cancelled(request());
//! match run.await {
//!     Some(response) => Ok(response),
//!     None => Err(Stopped),
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! # use std::io::Read;
//! # use std::net::{Shutdown, TcpListener, TcpStream};
//! # fn main() -> std::io::Result<()> {
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let mut stream = TcpStream::connect(listener.local_addr()?)?;
//! # let (token, mut buffer) = (CancelToken::new(), [0]);
//! let handle = stream.try_clone()?;
//! let _abort = token.on_cancel(move || {
//!     _ = handle.shutdown(Shutdown::Both);
//! });
//! # std::thread::spawn(move || token.cancel());
//! assert_eq!(stream.read(&mut buffer)?, 0);
//! # Ok(())
//! # }
//! ```
//!
//! </td></tr></table>
//!
//! A future can be dropped at an `.await`; a closure on a thread cannot. Cancellation is
//! cooperative: a closure checks its token ([`check`](crate::CancelToken::check)), waits for
//! something that wakes with the token ([`sleep`](crate::CancelToken::sleep),
//! [`done`](crate::CancelToken::done)), or has its blocking call aborted by a callback, as here.
//!
//! ## `drop_guard`
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let guard = token.clone().drop_guard();
//! drop(guard);
//! assert!(token.is_cancelled());
//!
//! let token = other.drop_guard().disarm();
//! assert!(!token.is_cancelled());
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! # let (token, other) = (CancelToken::new(), CancelToken::new());
//! let guard = token.clone().drop_guard();
//! drop(guard);
//! assert!(token.is_cancelled());
//!
//! let token = other.drop_guard().disarm();
//! assert!(!token.is_cancelled());
//! ```
//!
//! </td></tr></table>
//!
//! ## `time::timeout`
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let limit = Duration::from_millis(5);
//! let result = timeout(limit, wait()).await;
//! assert!(result.is_err()); // elapsed
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cause};
//! # use std::time::Duration;
//! let limit = Duration::from_millis(5);
//! let token = CancelToken::new();
//! token.cancel_after(limit);
//! let stopped = token.sleep(Duration::MAX).unwrap_err();
//! assert!(matches!(stopped.cause(), Cause::Deadline));
//! ```
//!
//! </td></tr></table>
//!
//! For a whole run, use [`ErrGroup::timeout`].
//!
//! # Tasks
//!
//! ## `TaskTracker`
//!
//! A scope returns when its tasks have ended, so there is nothing to close and nothing to wait for.
//! The first failure or the group's token cancels the token of the scope.
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let tracker = TaskTracker::new();
//! for job in jobs {
//!     let token = token.clone();
//!     tracker.spawn(
//!         token.run_until_cancelled_owned(run(job)),
//!     );
//! }
//! tracker.close();
//! tracker.wait().await;
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, ErrGroup};
//! # fn run(token: &CancelToken, _: u32) -> Result<(), String> {
//! #     token.check().map_err(|stopped| stopped.to_string())
//! # }
//! # let (token, jobs) = (CancelToken::new(), 0..3);
//! let group = ErrGroup::new().token(&token);
//! let result = group.scope(|s| {
//!     for job in jobs {
//!         s.spawn(move |s| run(s.token(), job));
//!     }
//!     Ok(())
//! });
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! ## `JoinSet`
//!
//! Tasks of one kind that return values become a call on a parallel iterator. The values are in the
//! order of the items, and the first failure cancels the rest.
//!
//! <table class="pair"><tr><td>
//!
//! ```text
//! let mut set = JoinSet::new();
//! for word in words {
//!     set.spawn(parse(word));
//! }
//! let mut numbers = Vec::new();
//! while let Some(joined) = set.join_next().await {
//!     numbers.push(joined??); // as they finish
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::prelude::*;
//! # fn main() -> Result<(), std::num::ParseIntError> {
//! # let words = ["1", "2", "3"];
//! let numbers = words
//!     .into_par_iter()
//!     .try_map_group(|_, word| word.parse::<i32>())?;
//! assert_eq!(numbers, [1, 2, 3]); // in order
//! # Ok(())
//! # }
//! ```
//!
//! </td></tr></table>
//!
//! - A dropped `JoinSet` aborts its tasks. A run cannot be dropped: it is a call that returns when
//!   every started item has finished (structured concurrency), so closures may borrow.
//! - A panic becomes a `JoinError` in tokio. Here it is resumed in the caller, or becomes an error
//!   with [`catch_panics`](crate::ErrGroup::catch_panics).
//! - At most as many tasks run at once as the pool has threads. Tasks that wait for each other need
//!   a [`concurrency`](crate::ErrGroup::concurrency) of at least their number.
//!
//! # Bridges
//!
//! There is no `cancelled()` to await, because a run lives on threads: nothing here is ever polled,
//! and a token keeps no wakers. It keeps callbacks, and a bridge needs nothing else.
//!
//! **A run inside an async function.** A run blocks, so it needs a blocking thread. A guard beside
//! it cancels the run when the future is dropped or the other token is cancelled:
//!
//! ```text
//! let stop = CancelToken::new();
//! let group = ErrGroup::new().token(&stop);
//! let _guard = stop.drop_guard();
//! let run = spawn_blocking(move || files.par_iter().with_group(&group).try_map(hash));
//! match token.run_until_cancelled(run).await {
//!     Some(joined) => joined?,        // the run's own result
//!     None => return Err(Stopped),    // the guard cancels the run
//! }
//! ```
//!
//! **Ours cancels theirs**: a callback. It should call `cancel` on the other token and do nothing
//! else, because the cancelling thread blocks until it returns. Keep the registration as long as
//! you need the bridge.
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! # use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//! # /// Stands for tokio's token.
//! # #[derive(Clone, Default)]
//! # struct CancellationToken(Arc<AtomicBool>);
//! # impl CancellationToken {
//! #     fn cancel(&self) { self.0.store(true, Ordering::Relaxed) }
//! #     fn is_cancelled(&self) -> bool { self.0.load(Ordering::Relaxed) }
//! # }
//! # let (token, theirs) = (CancelToken::new(), CancellationToken::default());
//! let other = theirs.clone();
//! let _bridge = token.on_cancel(move || other.cancel());
//! token.cancel();
//! assert!(theirs.is_cancelled());
//! ```
//!
//! **Awaiting ours**: a channel whose sender is owned by the callback. If the run ends without
//! being cancelled, the callback is dropped without running, so the channel closes in either case,
//! as `done()` does. With `tokio::sync::oneshot` you can await the receiver; the standard library's
//! channel shows the same:
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, scope};
//! # use std::sync::mpsc;
//! let (sender, ended) = mpsc::channel::<()>();
//! let bridge = scope(|s| {
//!     let token = s.token();
//!     Ok::<_, String>(token.on_cancel(move || drop(sender)))
//! });
//! assert!(ended.recv().is_err()); // the run has ended
//! # drop(bridge);
//! ```
//!
//! **Theirs cancels ours**: a task that awaits their token and then cancels ours. Abort it when the
//! run has ended.
//!
//! ```text
//! let ours = CancelToken::new();
//! let stop = ours.clone();
//! let bridge = tokio::spawn(async move {
//!     theirs.cancelled().await;
//!     stop.cancel();
//! });
//! ```
//!
//! **A waiting thread** can do what is too slow for a callback: it waits on `done()`, then checks
//! whether the token was cancelled or the run has ended.
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! # use std::thread;
//! # let token = CancelToken::new();
//! let waiter = thread::spawn({
//!     let token = token.clone();
//!     move || {
//!         _ = token.done().recv(); // closes; nothing is ever sent
//!         token.is_cancelled()
//!     }
//! });
//! token.cancel();
//! assert!(waiter.join().unwrap());
//! ```
//!
//! Give it the run's own token, which is [released](crate::CancelToken) at the end of the run. A
//! token of your own that is never cancelled never closes, and then the thread never ends.
//!
//! [`CancelToken::new`]: crate::CancelToken::new
//! [`CancelToken::child`]: crate::CancelToken::child
//! [`CancelToken::cancel`]: crate::CancelToken::cancel
//! [`CancelToken::cancel_with`]: crate::CancelToken::cancel_with
//! [`CancelToken::cancel_after`]: crate::CancelToken::cancel_after
//! [`CancelToken::drop_guard`]: crate::CancelToken::drop_guard
//! [`CancelToken::done`]: crate::CancelToken::done
//! [`CancelToken::sleep`]: crate::CancelToken::sleep
//! [`CancelToken::is_cancelled`]: crate::CancelToken::is_cancelled
//! [`CancelToken::check`]: crate::CancelToken::check
//! [`CancelToken::on_cancel`]: crate::CancelToken::on_cancel
//! [`DropGuard::disarm`]: crate::DropGuard::disarm
//! [`ErrGroup::timeout`]: crate::ErrGroup::timeout
//! [`ErrGroup::concurrency`]: crate::ErrGroup::concurrency
#![doc = include_str!("pair.html")]
