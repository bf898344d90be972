//! Coming from Go: `errgroup` and `context`, side by side with this crate.
//!
//! Go's package has one type with four methods. This crate has two ways to write the same. For
//! *many items of one kind*, the usual loop around `g.Go`, there is a [call on a parallel
//! iterator](#many-items-of-one-kind); for *a few tasks of different kinds* there is a
//! [scope](#a-few-tasks-of-different-kinds). An item costs about 1 % of what a task costs, so look
//! at the call first. Go's `ctx` is a [`CancelToken`](crate::CancelToken), which closures receive
//! as an argument.
//!
//! | Go | here |
//! | --- | --- |
//! | `for … { g.Go(f) }; g.Wait()` | [`items.par_iter().err_group(f)`](crate::ErrGroupExt::err_group) |
//! | the zero `Group` | [`ErrGroup::keep_going`] |
//! | `WithContext` | [`scope`](crate::scope()), or [`ErrGroup::token`] and [`ErrGroup::scope`] |
//! | `g.Go` | [`Scope::spawn`] |
//! | `g.Wait` | the end of the scope |
//! | `g.SetLimit` | [`ErrGroup::concurrency`], [`ErrGroup::try_concurrency`] |
//! | `g.TryGo` | [`Scope::try_spawn`] |
//! | `Background` | [`CancelToken::new`], or no token |
//! | `WithCancel` | [`CancelToken::child`], [`CancelToken::cancel`], [`CancelToken::drop_guard`] |
//! | `WithCancelCause`, `Cause` | [`CancelToken::cancel_with`], [`CancelToken::cause`] |
//! | `WithTimeout` | [`ErrGroup::timeout`], [`CancelToken::cancel_after`] |
//! | `WithDeadline` | [`ErrGroup::deadline`], [`CancelToken::cancel_at`] |
//! | `ctx.Deadline` | [`CancelToken::deadline`], [`CancelToken::remaining`] |
//! | `ctx.Done` | [`CancelToken::done`] |
//! | `ctx.Err` | [`CancelToken::is_cancelled`], [`CancelToken::check`] |
//! | `AfterFunc`, its `stop` | [`CancelToken::on_cancel`], [`CancelRegistration::unregister`] |
//! | `WithoutCancel` | a run without a parent token |
//! | `WithValue`, `ctx.Value` | nothing: closures borrow what they need |
//!
//! # Many items of one kind
//!
//! The loop that starts a goroutine for each element becomes one call. Work stealing spreads the
//! items over the threads of the rayon pool. A data race, such as two goroutines that append to one
//! slice, does not compile in Rust.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g, ctx := errgroup.WithContext(ctx)
//! for _, url := range urls {
//!     g.Go(func() error {
//!         return fetch(ctx, url)
//!     })
//! }
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, prelude::*};
//! # fn fetch(_: &CancelToken, url: &str) -> Result<(), String> {
//! #     if url.starts_with("https://") { Ok(()) } else { Err(format!("{url}: no scheme")) }
//! # }
//! # let urls = ["https://example.org", "example.com"];
//! let result = urls
//!     .par_iter()
//!     .try_for_each_group(|token, url| fetch(token, url));
//! let error = result.unwrap_err();
//! assert_eq!(error, "example.com: no scheme");
//! ```
//!
//! </td></tr></table>
//!
//! If the closure does not need the token, use [`err_group`](crate::ErrGroupExt::err_group).
//!
//! If each goroutine writes to its own element of a slice, use the call that returns the values.
//! They are in the order of the items:
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! pages := make([]Page, len(urls))
//! for i, url := range urls {
//!     g.Go(func() error {
//!         page, err := get(ctx, url)
//!         pages[i] = page
//!         return err
//!     })
//! }
//! if err := g.Wait(); err != nil {
//!     return nil, err
//! }
//! return pages, nil
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, prelude::*};
//! # fn get(_: &CancelToken, url: &str) -> Result<usize, String> { Ok(url.len()) }
//! # fn pages() -> Result<Vec<usize>, String> {
//! # let urls = ["https://example.org", "https://example.com/1"];
//! let pages = urls
//!     .par_iter()
//!     .try_map_group(|token, url| get(token, url))?;
//! assert_eq!(pages.len(), urls.len());
//! # Ok(pages)
//! # }
//! # assert_eq!(pages(), Ok(vec![19, 21]));
//! ```
//!
//! </td></tr></table>
//!
//! A goroutine that waits costs almost nothing; an item that waits for the network occupies a
//! thread. Give such a run its own threads with a [limit](#setlimit), and put
//! [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len) before it, because the
//! items of one rayon leaf run one after another:
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g, ctx := errgroup.WithContext(ctx)
//! g.SetLimit(32)
//! for _, url := range urls {
//!     g.Go(func() error {
//!         return fetch(ctx, url)
//!     })
//! }
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
//! # fn fetch(_: &CancelToken, _: &str) -> Result<(), String> { Ok(()) }
//! # let (urls, ctx) = (["https://example.org"; 40], CancelToken::new());
//! let group = ErrGroup::new().token(&ctx).concurrency(32);
//! let result = urls
//!     .par_iter()
//!     .with_max_len(1)
//!     .with_group(&group)
//!     .try_for_each(|token, url| fetch(token, url));
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! A producer, a channel and several goroutines that read from it become
//! [`par_in_order`](crate::IteratorErrGroupExt::par_in_order) on an iterator. If another goroutine
//! collects their results, use [`try_stream`](crate::InOrder::try_stream).
//!
//! # A few tasks of different kinds
//!
//! ## The zero `Group`
//!
//! It has no `ctx`: every function runs to its end, and `Wait` returns the first error in time.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! var g errgroup.Group
//! for _, name := range names {
//!     g.Go(func() error {
//!         return load(name)
//!     })
//! }
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::ErrGroup;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # let loaded = AtomicU32::new(0);
//! # let load = |name| {
//! #     loaded.fetch_add(1, Ordering::Relaxed);
//! #     if name == "b" { Err("b is broken") } else { Ok(()) }
//! # };
//! # let names = ["a", "b", "c"];
//! let group = ErrGroup::new().keep_going();
//! let result = group.scope(|s| {
//!     for name in names {
//!         s.spawn(move |_| load(name));
//!     }
//!     Ok(())
//! });
//! let error = result.unwrap_err().into_error();
//! assert_eq!(error, Some("b is broken"));
//! # assert_eq!(loaded.into_inner(), 3);
//! ```
//!
//! </td></tr></table>
//!
//! ## `WithContext`
//!
//! The first failure cancels the other tasks, and no error that they return because of it replaces
//! the first. [`scope`](crate::scope()) does the same without an [`ErrGroup`](crate::ErrGroup); the
//! one below has a parent token.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g, ctx := errgroup.WithContext(parent)
//! g.Go(func() error {
//!     return watch(ctx)
//! })
//! g.Go(func() error {
//!     return errors.New("no disk")
//! })
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, ErrGroup};
//! # use std::time::Duration;
//! # fn watch(token: &CancelToken) -> Result<(), &'static str> {
//! #     token.sleep(Duration::from_secs(3600)).map_err(|_| "stopped watching")
//! # }
//! # let parent = CancelToken::new();
//! let group = ErrGroup::new().token(&parent);
//! # let group = group.concurrency(2); // even on one core
//! let result = group.scope(|s| {
//!     s.spawn(|s| watch(s.token()));
//!     s.spawn(|_| Err("no disk"));
//!     Ok(())
//! });
//! let error = result.unwrap_err().into_error();
//! assert_eq!(error, Some("no disk"));
//! # assert!(!parent.is_cancelled());
//! ```
//!
//! </td></tr></table>
//!
//! ## `Go`
//!
//! A task receives the scope, so it can spawn further tasks without capturing it. Tasks may borrow
//! anything that outlives the scope.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g.Go(func() error {
//!     for _, path := range list() {
//!         g.Go(func() error {
//!             return read(path)
//!         })
//!     }
//!     return nil
//! })
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! # use std::sync::Mutex;
//! # let seen = Mutex::new(Vec::new());
//! # let (list, read) = (|| ["a", "b"], |path| Ok::<_, String>(seen.lock().unwrap().push(path)));
//! let result = scope(|s| {
//!     s.spawn(|s| {
//!         for path in list() {
//!             s.spawn(move |_| read(path));
//!         }
//!         Ok(())
//!     });
//!     Ok(())
//! });
//! assert_eq!(result, Ok(()));
//! # assert_eq!(seen.lock().unwrap().len(), 2);
//! ```
//!
//! </td></tr></table>
//!
//! ## `Wait`
//!
//! The end of the scope is the `Wait`, so it cannot be forgotten, and after it the caller can use
//! again what the tasks borrowed. The scope returns the value of its body. An error of the body
//! counts like an error of a task.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! var users, hosts int
//! g.Go(func() (err error) {
//!     users, err = strconv.Atoi("17")
//!     return err
//! })
//! g.Go(func() (err error) {
//!     hosts, err = strconv.Atoi("4")
//!     return err
//! })
//! if err := g.Wait(); err != nil {
//!     return 0, err
//! }
//! return users + hosts, nil
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! # use std::num::ParseIntError;
//! # fn sum() -> Result<i32, ParseIntError> {
//! let (mut users, mut hosts) = (0, 0);
//! scope(|s| {
//!     s.spawn(|_| Ok(users = "17".parse()?));
//!     s.spawn(|_| Ok(hosts = "4".parse()?));
//!     Ok::<_, ParseIntError>(())
//! })?;
//! Ok(users + hosts)
//! # }
//! # assert_eq!(sum(), Ok(21));
//! ```
//!
//! </td></tr></table>
//!
//! ## `SetLimit`
//!
//! The limit is a number of threads. The group starts them and keeps them, so create it once and
//! use it for many runs. A scope has one permit for each thread: [`spawn`](crate::Scope::spawn)
//! waits for a permit, as `Go` does, but only if it is called from outside the group's own threads.
//! A task that spawns never waits, so a limit of 1 cannot deadlock. A cancellation of the scope
//! ends the wait.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g.SetLimit(2)
//! for _, job := range jobs {
//!     g.Go(func() error { // blocks at the limit
//!         return run(job)
//!     })
//! }
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::ErrGroup;
//! # use std::sync::atomic::{AtomicUsize, Ordering};
//! # let running = AtomicUsize::new(0);
//! # let run = |_| {
//! #     assert!(running.fetch_add(1, Ordering::Relaxed) < 2);
//! #     std::thread::yield_now();
//! #     running.fetch_sub(1, Ordering::Relaxed);
//! #     Ok::<_, String>(())
//! # };
//! # let jobs = 0..100;
//! let group = ErrGroup::new().concurrency(2);
//! let result = group.scope(|s| {
//!     for job in jobs {
//!         s.spawn(move |_| run(job)); // waits for a permit
//!     }
//!     Ok(())
//! });
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! ## `TryGo`
//!
//! If no permit is available, the closure comes back in a [`TrySpawnError`](crate::TrySpawnError).
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g.SetLimit(1)
//! g.Go(wait)
//! if !g.TryGo(signal) {
//!     signal() // run it here
//! }
//! err := g.Wait()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{ErrGroup, Scope};
//! # use std::sync::mpsc::{RecvError, channel};
//! # let (sender, receiver) = channel();
//! # let wait = move |_: &Scope<'_, RecvError>| receiver.recv();
//! # let signal = move |_: &Scope<'_, RecvError>| Ok(sender.send(()).unwrap());
//! let group = ErrGroup::new().concurrency(1);
//! let result = group.scope(|s| {
//!     s.spawn(wait);
//!     match s.try_spawn(signal) {
//!         Ok(()) => Ok(()),
//!         Err(full) => full.into_inner()(s), // run it here
//!     }
//! });
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! # `context`
//!
//! ## `Background`, `WithCancel`
//!
//! A token that you create is the root of a tree, and a run uses a child of it. Cancellation
//! propagates down the tree, never up. `defer cancel()` becomes a guard. It is needed less often
//! than in Go, because a dropped child leaves nothing behind in its parent.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! root := context.Background()
//! ctx, cancel := context.WithCancel(root)
//! defer cancel()
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! let root = CancelToken::new();
//! let token = root.child();
//! {
//!     let _cancel = token.clone().drop_guard();
//! }
//! assert!(token.is_cancelled());
//! assert!(!root.is_cancelled());
//! ```
//!
//! </td></tr></table>
//!
//! ## `WithCancelCause`, `Cause`
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! ctx, cancel := context.WithCancelCause(root)
//! cancel(errors.New("the disk is full"))
//! fmt.Println(context.Cause(ctx))
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cause};
//! # let root = CancelToken::new();
//! let token = root.child();
//! token.cancel_with("the disk is full");
//! let Some(Cause::Requested(Some(reason))) = token.cause()
//!     else { unreachable!() };
//! assert_eq!(reason.to_string(), "the disk is full");
//! ```
//!
//! </td></tr></table>
//!
//! In Go, the cause of a group's `ctx` is the error of the function that failed. Here it is
//! [`Cause::Failed`](crate::Cause::Failed), and the run returns the error itself.
//!
//! ## `WithTimeout`
//!
//! The timeout of a group is counted from the start of each run. A token has
//! [`cancel_after`](crate::CancelToken::cancel_after).
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! ctx, cancel := context.WithTimeout(
//!     ctx, 5*time.Millisecond)
//! defer cancel()
//! g, ctx := errgroup.WithContext(ctx)
//! g.Go(func() error {
//!     <-ctx.Done()
//!     return ctx.Err()
//! })
//! err := g.Wait()
//! // err == context.DeadlineExceeded
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{Cause, ErrGroup, GroupError};
//! # use std::time::Duration;
//! let group = ErrGroup::new()
//!     .timeout(Duration::from_millis(5));
//! let result = group.scope(|s| {
//!     s.spawn(|s| s.token().sleep(Duration::MAX));
//!     Ok(())
//! });
//! let Err(GroupError::Cancelled(cancelled)) = result
//!     else { unreachable!() };
//! assert!(matches!(cancelled.cause(), Cause::Deadline));
//! ```
//!
//! </td></tr></table>
//!
//! ## `WithDeadline`
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! ctx, cancel := context.WithDeadline(
//!     ctx, time.Now())
//! defer cancel()
//! <-ctx.Done()
//! // ctx.Err() == context.DeadlineExceeded
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cause};
//! # use std::time::Instant;
//! # let ctx = CancelToken::new();
//! let token = ctx.child();
//! token.cancel_at(Instant::now());
//! let cause = token.cause();
//! assert!(matches!(cause, Some(Cause::Deadline)));
//! ```
//!
//! </td></tr></table>
//!
//! ## `ctx.Deadline`
//!
//! For calls that take their own timeout. [`remaining`](crate::CancelToken::remaining) is a
//! `Duration`, as sockets expect. They reject a timeout of zero, so a deadline that has passed is
//! an error here, too.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! if at, ok := ctx.Deadline(); ok {
//!     conn.SetReadDeadline(at)
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::CancelToken;
//! # use std::net::{TcpListener, TcpStream};
//! # use std::time::Duration;
//! # fn main() -> std::io::Result<()> {
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let stream = TcpStream::connect(listener.local_addr()?)?;
//! # let token = CancelToken::new();
//! # token.cancel_after(Duration::from_secs(60));
//! token.check()?;
//! stream.set_read_timeout(token.remaining())?;
//! assert!(stream.read_timeout()?.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! </td></tr></table>
//!
//! ## `ctx.Done`
//!
//! A channel that closes, for crossbeam's `select!`. Like Go's `select`, it picks a random one of
//! several ready arms. This crate re-exports `crossbeam_channel`.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! select {
//! case job := <-jobs:
//!     return run(job)
//! case <-ctx.Done():
//!     return ctx.Err()
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! use rayon_errgroup::crossbeam_channel::select;
//! # use rayon_errgroup::crossbeam_channel::never;
//! # use rayon_errgroup::{CancelToken, Cancelled};
//! # fn run(_: u32) -> Result<(), Cancelled> { Ok(()) }
//! # fn next(token: &CancelToken) -> Result<(), Cancelled> {
//! # let jobs = never();
//! select! {
//!     recv(jobs) -> job => run(job.unwrap()),
//!     recv(token.done()) -> _ => token.check(),
//! }
//! # }
//! # let token = CancelToken::new();
//! # token.cancel();
//! # assert!(next(&token).is_err());
//! ```
//!
//! </td></tr></table>
//!
//! ## `ctx.Err`
//!
//! One atomic load, cheap enough for an inner loop.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! for _, block := range blocks {
//!     if err := ctx.Err(); err != nil {
//!         return err
//!     }
//!     hash(block)
//! }
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon_errgroup::{CancelToken, Cancelled};
//! # fn hash(_: u8) { unreachable!() }
//! # fn all(token: &CancelToken, blocks: &[u8]) -> Result<(), Cancelled> {
//! for block in blocks {
//!     token.check()?;
//!     hash(*block);
//! }
//! # Ok(())
//! # }
//! # let token = CancelToken::new();
//! # token.cancel();
//! # assert!(all(&token, &[1, 2]).is_err());
//! ```
//!
//! </td></tr></table>
//!
//! ## `AfterFunc`
//!
//! The callback runs on the thread that cancels, not in its own goroutine, so it should be short;
//! the callback of a deadline has a thread of its own. In order, the callbacks of items after a
//! failure wait until the earlier items have ended.
//! [`unregister`](crate::CancelRegistration::unregister) is `stop`: it returns whether it prevented
//! the call, and does not wait. Dropping the registration unregisters the callback, too, but waits
//! for it if it is running.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! stop := context.AfterFunc(ctx, func() {
//!     conn.Close()
//! })
//! defer stop()
//! _, err := conn.Read(buffer)
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
//! # let token = CancelToken::new();
//! # let mut buffer = [0];
//! let handle = stream.try_clone()?;
//! let _stop = token.on_cancel(move || {
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
//! ## `WithoutCancel`
//!
//! A run is cancelled only by a token that it was given, so clean-up code after a cancellation is a
//! run without a token.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! <-ctx.Done()
//! return remove(context.WithoutCancel(ctx), files)
//! ```
//!
//! </td><td>
//!
//! ```rust
//! # use rayon::prelude::*;
//! # use rayon_errgroup::{CancelToken, prelude::*};
//! # let (token, files) = (CancelToken::new(), ["a", "b"]);
//! # let remove = |_: &&str| Ok::<_, std::io::Error>(());
//! # token.cancel();
//! assert!(token.is_cancelled());
//! let result = files.par_iter().err_group(remove);
//! assert!(result.is_ok());
//! ```
//!
//! </td></tr></table>
//!
//! # Deliberate differences
//!
//! **After the first error no new task starts.** `g.Go` starts a function even if the group has
//! failed, so the loop around it must check `ctx`. Here the task is dropped without running, and
//! the loop needs no check. A scope that has dropped a task never returns `Ok`.
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! let result = scope(|s| {
//!     s.spawn(|_| Err("no disk"));
//!     _ = s.token().done().recv(); // wait for the failure
//!     s.spawn(|_| unreachable!());
//!     Ok(())
//! });
//! assert_eq!(result, Err("no disk"));
//! ```
//!
//! **The event that cancelled the run is the one returned**, even if it is not an error of a task.
//! If `ctx` is cancelled and a function then returns some error, `Wait` returns that error. Here
//! the result is [`GroupError::Cancelled`](crate::GroupError::Cancelled), and its cause tells a
//! request from an expired deadline. If all tasks returned `Ok` nevertheless, so does the scope.
//!
//! **A panic cancels the other tasks, waits for them, and resumes in the caller.** In Go it ends
//! the process. With [`catch_panics`](crate::ErrGroup::catch_panics) it becomes an error.
//!
//! ```rust
//! # use rayon_errgroup::{ErrGroup, GroupError};
//! let result = ErrGroup::new().catch_panics().scope(|s| {
//!     s.spawn(|_| panic!("a bug"));
//!     Ok::<_, String>(())
//! });
//! assert!(matches!(result, Err(GroupError::Panicked(_))));
//! ```
//!
//! **After a success the token is not cancelled.** Go cancels the `ctx` when `Wait` returns, so
//! code that keeps it finds `context.Canceled` after a success. Here the token is *released*:
//! `done()` is closed, so no thread waits forever, and `is_cancelled()` is false.
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! let token = scope(|s| Ok::<_, String>(s.token().clone())).unwrap();
//! assert!(token.done().recv().is_err()); // closed
//! assert!(!token.is_cancelled());
//! ```
//!
//! **A task that spawns never waits.** At the limit, `g.Go` blocks wherever it is called. If all
//! functions in flight call it then, they deadlock.
//!
//! **A limit of zero panics.** In Go no function can be added then, and `Go` blocks forever.
//! [`try_concurrency`](crate::ErrGroup::try_concurrency) returns an error instead. For no limit,
//! leave [`concurrency`](crate::ErrGroup::concurrency) out: then the threads of the pool are the
//! limit.
//!
//! ```rust,should_panic
//! # use rayon_errgroup::ErrGroup;
//! let group = ErrGroup::new().concurrency(0);
//! ```
//!
//! **The number of threads is that of the pool.** Goroutines that wait for each other, say over a
//! channel, all run. Tasks that do so need a [`concurrency`](crate::ErrGroup::concurrency) of at
//! least their number, or they can deadlock.
//!
//! **An error has a type.** The calls without a group return the closure's own error type. Those
//! with a group return a [`GroupError`](crate::GroupError) of it, because other events can end the
//! run, too. For `anyhow::Error`, `io::Error` and the like, `.map_err(GroupError::flatten)` makes
//! them [one type](crate::GroupError::flatten) again.
//!
//! **Order is available.** `Wait` returns the first error in time, which can differ from run to
//! run. So do these calls. After [`in_order`](crate::IndexedErrGroupExt::in_order) the result is
//! deterministic: the first error in iteration order, which the sequential loop would have
//! returned.
//!
//! [`CancelToken::new`]: crate::CancelToken::new
//! [`CancelToken::child`]: crate::CancelToken::child
//! [`CancelToken::cancel`]: crate::CancelToken::cancel
//! [`CancelToken::drop_guard`]: crate::CancelToken::drop_guard
//! [`CancelToken::cancel_with`]: crate::CancelToken::cancel_with
//! [`CancelToken::cause`]: crate::CancelToken::cause
//! [`CancelToken::cancel_after`]: crate::CancelToken::cancel_after
//! [`CancelToken::cancel_at`]: crate::CancelToken::cancel_at
//! [`CancelToken::deadline`]: crate::CancelToken::deadline
//! [`CancelToken::remaining`]: crate::CancelToken::remaining
//! [`CancelToken::done`]: crate::CancelToken::done
//! [`CancelToken::is_cancelled`]: crate::CancelToken::is_cancelled
//! [`CancelToken::check`]: crate::CancelToken::check
//! [`CancelToken::on_cancel`]: crate::CancelToken::on_cancel
//! [`CancelRegistration::unregister`]: crate::CancelRegistration::unregister
//! [`ErrGroup::keep_going`]: crate::ErrGroup::keep_going
//! [`ErrGroup::token`]: crate::ErrGroup::token
//! [`ErrGroup::scope`]: crate::ErrGroup::scope
//! [`ErrGroup::concurrency`]: crate::ErrGroup::concurrency
//! [`ErrGroup::try_concurrency`]: crate::ErrGroup::try_concurrency
//! [`ErrGroup::timeout`]: crate::ErrGroup::timeout
//! [`ErrGroup::deadline`]: crate::ErrGroup::deadline
//! [`Scope::spawn`]: crate::Scope::spawn
//! [`Scope::try_spawn`]: crate::Scope::try_spawn
#![doc = include_str!("pair.html")]
