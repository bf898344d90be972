//! Coming from Go: `errgroup` and `context`, side by side with this crate.
//!
//! Go's package has one type with four methods. Here the same is written in two ways. For *many items
//! of one kind*, the usual loop around `g.Go`, there is a [call on a parallel
//! iterator](#many-items-of-one-kind); for *a few tasks of different kinds* there is a
//! [scope](#a-few-tasks-of-different-kinds). An item costs a hundredth of what a task costs, so look at the
//! call first. Go's `ctx` is a [`CancelToken`](crate::CancelToken), which every closure is given.
//!
//! | Go | here |
//! | --- | --- |
//! | `for … { g.Go(f) }; g.Wait()` | [`items.par_iter().err_group(f)`](crate::ErrGroupExt::err_group) |
//! | the zero `Group` | [`ErrGroup::keep_going`] |
//! | `WithContext` | [`scope`](crate::scope()), or [`ErrGroup::token`] and [`ErrGroup::scope`] |
//! | `g.Go` | [`Scope::spawn`] |
//! | `g.Wait` | the end of the scope |
//! | `g.SetLimit` | [`ErrGroup::concurrency`] |
//! | `g.TryGo` | [`Scope::try_spawn`] |
//! | `Background` | [`CancelToken::new`], or no token |
//! | `WithCancel` | [`CancelToken::child`], [`CancelToken::cancel`], [`CancelToken::drop_guard`] |
//! | `WithCancelCause`, `Cause` | [`CancelToken::cancel_with`], [`CancelToken::cause`] |
//! | `WithTimeout` | [`ErrGroup::timeout`], [`CancelToken::cancel_after`] |
//! | `WithDeadline` | [`ErrGroup::deadline`], [`CancelToken::cancel_at`] |
//! | `ctx.Deadline` | [`CancelToken::deadline`], [`CancelToken::remaining`] |
//! | `ctx.Done` | [`CancelToken::done`] |
//! | `ctx.Err` | [`CancelToken::is_cancelled`], [`CancelToken::check`] |
//! | `AfterFunc` | [`CancelToken::on_cancel`] |
//! | `WithoutCancel` | a run on no token |
//! | `WithValue`, `ctx.Value` | nothing: closures borrow what they need |
//!
//! # Many items of one kind
//!
//! The loop that starts a goroutine for each element is one call. The items are spread over the threads
//! of the rayon pool.
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
//! A closure that has no use for the token is given to [`err_group`](crate::ErrGroupExt::err_group).
//!
//! Where each goroutine writes to its own element of a slice, the call returns the values, in order:
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
//! A goroutine that waits costs nothing; here an item that waits for the network keeps a thread. Give
//! such a run threads of its own with a [limit](#setlimit), and put
//! [`with_max_len(1)`](rayon::iter::IndexedParallelIterator::with_max_len) before it, since the items of
//! one rayon leaf run one after another:
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
//! A producer, a channel and some goroutines that read from it are
//! [`par_in_order`](crate::IteratorErrGroupExt::par_in_order) on an iterator, and
//! [`try_stream`](crate::WithGroup::try_stream) if somebody collects what they send on.
//!
//! # A few tasks of different kinds
//!
//! ## The zero `Group`
//!
//! It has no `ctx`, and lets every function run to its end. `Wait` returns the earliest error.
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
//! The first failure cancels the others, and nothing that they return then hides it.
//! [`scope`](crate::scope()) does that too, without a policy; this one has a parent.
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
//! # let group = group.concurrency(2); // also where there is one processor
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
//! A task is given the scope, so it spawns others without having captured it. They may borrow whatever
//! lives longer than the scope.
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
//! It is the end of the scope, so nobody forgets it, and what the tasks borrowed is there again. The
//! value of the body is that of the scope, and if the body fails that counts as a task's failure does.
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
//! The limit is a number of threads, which the group starts and keeps: make it once, and use it for many
//! runs. [`spawn`](crate::Scope::spawn) waits for a free one, as `Go` does, but only outside of the
//! group's own threads: a task that spawns never waits, so that a limit of 1 cannot lock itself up. And
//! it stops waiting when the scope is cancelled.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g.SetLimit(2)
//! for _, job := range jobs {
//!     g.Go(func() error { // waits for a place
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
//!         s.spawn(move |_| run(job)); // waits for a place
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
//! A task that finds no place is given back.
//!
//! <table class="pair"><tr><td>
//!
//! ```go
//! g.SetLimit(1)
//! g.Go(wait)
//! if !g.TryGo(signal) {
//!     signal() // then here
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
//! # let wait = move |_: &Scope<'_, '_, '_, RecvError>| receiver.recv();
//! # let signal = move |_: &Scope<'_, '_, '_, RecvError>| Ok(sender.send(()).unwrap());
//! let group = ErrGroup::new().concurrency(1);
//! let result = group.scope(|s| {
//!     s.spawn(wait);
//!     match s.try_spawn(signal) {
//!         Ok(()) => Ok(()),
//!         Err(full) => full.into_inner()(s), // then here
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
//! A token of your own is the root of a tree, and a run uses a child of it. Cancelling goes down the tree
//! and never up. `defer cancel()` is a guard, which is needed less often than in Go: a child that is
//! dropped leaves nothing behind in its parent.
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
//! [`Cause::Failed`](crate::Cause::Failed), and the error itself is what the run returns.
//!
//! ## `WithTimeout`
//!
//! The time of a policy is counted from the start of each run. A token has
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
//! For what takes a timeout of its own. [`remaining`](crate::CancelToken::remaining) is a `Duration`, as
//! sockets want it. They refuse a timeout of zero, so what is late is an error here too.
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
//! A channel that closes, for crossbeam's `select!`. Like Go's, it takes any of several arms that are
//! ready.
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
//! # use crossbeam_channel::{never, select};
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
//! The callback runs on the thread that cancels, and not in a goroutine of its own, so it has to be
//! quick. Dropping the registration is `stop`, and also waits for a call that has begun.
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
//! A run is cancelled only by a token that it was given. So the clean-up of a cancelled one is a run on
//! no token.
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
//! # Different on purpose
//!
//! **After the first error nothing new is begun.** Go's `Go` starts a function even if the group has
//! failed, and the loop around it has to look at `ctx`. Here the task is dropped, and the loop need not
//! care. A scope that has dropped a task never returns `Ok`.
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! let result = scope(|s| {
//!     s.spawn(|_| Err("no disk"));
//!     _ = s.token().done().recv(); // until it has failed
//!     s.spawn(|_| unreachable!());
//!     Ok(())
//! });
//! assert_eq!(result, Err("no disk"));
//! ```
//!
//! **The event that came first is the one returned**, also if it is no error of a task. If `ctx` is
//! cancelled and a function then returns some error, `Wait` returns that error. Here it is
//! [`GroupError::Cancelled`](crate::GroupError::Cancelled), and its cause says who asked or that the
//! time was over. And if all tasks returned `Ok` all the same, so does the scope.
//!
//! **A panic cancels the others, is waited for, and goes on in the caller.** In Go it ends the process.
//! With [`catch_panics`](crate::ErrGroup::catch_panics) it becomes an error.
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
//! **After a success the token is not cancelled.** Go cancels the `ctx` when `Wait` returns, so whoever
//! keeps it finds `context.Canceled` after a success. Here the token is *released*: `done()` is closed,
//! so that nobody waits for ever, and `is_cancelled()` is false.
//!
//! ```rust
//! # use rayon_errgroup::scope;
//! let token = scope(|s| Ok::<_, String>(s.token().clone())).unwrap();
//! assert!(token.done().recv().is_err()); // closed
//! assert!(!token.is_cancelled());
//! ```
//!
//! **A task that spawns never waits.** At the limit `Go` waits wherever it is called, and a
//! function that calls it while it holds the last place waits for ever.
//!
//! **A limit of zero panics.** In Go no function can be added then, and `Go` waits for ever. For no limit
//! leave [`concurrency`](crate::ErrGroup::concurrency) out: then the pool's threads are the limit.
//!
//! ```rust,should_panic
//! # use rayon_errgroup::ErrGroup;
//! let group = ErrGroup::new().concurrency(0);
//! ```
//!
//! **There are as many threads as the pool has.** Goroutines that wait for each other, over a channel
//! say, all run. Tasks that do need a [`concurrency`](crate::ErrGroup::concurrency) of at least their
//! number, or they may wait for ever.
//!
//! **An error has a type.** The calls without a policy return the closure's own error type, and those
//! with one a [`GroupError`](crate::GroupError) of it, since then there are other things that can end the
//! run. For `anyhow::Error` and the like, [`flatten`](crate::GroupError::flatten) makes them one again.
//!
//! **There may be an order.** `Wait` returns the earliest error in time, which can differ from run to run.
//! So do these calls; after [`in_order`](crate::IndexedErrGroupExt::in_order) it is the error that the
//! sequential loop would have returned, always.
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
//! [`ErrGroup::keep_going`]: crate::ErrGroup::keep_going
//! [`ErrGroup::token`]: crate::ErrGroup::token
//! [`ErrGroup::scope`]: crate::ErrGroup::scope
//! [`ErrGroup::concurrency`]: crate::ErrGroup::concurrency
//! [`ErrGroup::timeout`]: crate::ErrGroup::timeout
//! [`ErrGroup::deadline`]: crate::ErrGroup::deadline
//! [`Scope::spawn`]: crate::Scope::spawn
//! [`Scope::try_spawn`]: crate::Scope::try_spawn
#![doc = include_str!("pair.html")]
