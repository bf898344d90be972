//! Recipes: jobs where the obvious code hangs, loses data or does not compile.
//!
//! The `use` lines of most examples are hidden; the button in their corner shows them.
//!
//! # A child process
//!
//! A run that is cancelled should kill the processes that its items have started. Do not keep the
//! child in a `Mutex` that the callback locks: `wait` holds the lock, so the callback waits until
//! the child ends by itself. Do not kill the child alone, either: a shell's own child keeps the
//! pipe open, and the read continues.
//!
//! Instead, start the child in a process group of its own and kill the group by its number: in a
//! callback ([`on_cancel`](crate::CancelToken::on_cancel)) while a read waits, and by `try_wait`
//! and [`sleep`](crate::CancelToken::sleep) afterwards. The number is valid until `try_wait` or
//! `wait` returns a status, so the callback is unregistered before.
//!
//! ```
//! # #[cfg(not(unix))] fn main() {}
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! # use rayon_errgroup::CancelToken; use std::{io::{self, Read}, time::Duration};
//! # use std::process::{Command, Stdio};
//! use std::os::unix::process::CommandExt; // `process_group`
//!
//! fn kill_group(id: u32) { // or `libc::kill(-id, libc::SIGKILL)`
//!     _ = Command::new("sh").arg("-c").arg(format!("kill -s KILL -- -{id}")).status();
//! }
//!
//! fn output(token: &CancelToken, command: &mut Command) -> io::Result<String> {
//!     let mut child = command.process_group(0).stdout(Stdio::piped()).spawn()?;
//!     let (id, mut text) = (child.id(), String::new());
//!     let abort = token.on_cancel(move || kill_group(id));
//!     let read = child.stdout.take().unwrap().read_to_string(&mut text);
//!     drop(abort);
//!     while child.try_wait()?.is_none() {
//!         if token.sleep(Duration::from_millis(5)).is_err() {
//!             kill_group(id);
//!             child.wait()?;
//!         }
//!     }
//!     token.check()?;
//!     read.map(|_| text)
//! }
//!
//! let token = CancelToken::new();
//! assert_eq!(output(&token, Command::new("echo").arg("done"))?, "done\n");
//!
//! token.cancel_after(Duration::from_millis(20));
//! let hangs = output(&token, Command::new("sh").args(["-c", "sleep 3600; echo woken"]));
//! assert_eq!(hangs.unwrap_err().kind(), io::ErrorKind::TimedOut);
//! # Ok(())
//! # }
//! ```
//!
//! Ctrl-C reaches the whole foreground group of the terminal. The signal kills children in that
//! group, and the run may report that an item failed. Children in groups of their own do not
//! receive the signal, and the run reports that it was cancelled. (But they cannot read from the
//! terminal.)
//!
//! # A channel between tasks
//!
//! A producer and a consumer are two tasks of a scope. If both ends of the channel live outside of
//! the tasks, a plain `send` hangs: after the consumer has failed, the full channel neither empties
//! nor closes.
//!
//! Move the ends into the tasks. Then the end of one task closes the channel for the other, shortly
//! *before* the task's error is recorded. So a `send` that fails is not an error: the consumer
//! returns the reason. And a channel that ends may be that of a producer that failed: wait for the
//! scope before you act on having received everything. When something else cancels the run, the arm
//! of [`done`](crate::CancelToken::done) ends the producer. It returns an `Err`, since not
//! everything was sent. (If every `send` and `recv` has such an arm, the ends may live outside.)
//!
//! ```
//! # use rayon_errgroup::ErrGroup;
//! use rayon_errgroup::crossbeam_channel::{bounded, select};
//!
//! let (sender, receiver) = bounded(4);
//! let group = ErrGroup::new().concurrency(2); // the tasks wait for each other: two threads
//! let result = group.scope(|s| {
//!     s.spawn(move |s| loop {
//!         select! {
//!             send(sender, 1) -> sent => if sent.is_err() { return Ok(()) },
//!             recv(s.token().done()) -> _ => return Err("stopped"),
//!         }
//!     });
//!     s.spawn(move |_| match receiver.iter().nth(10) {
//!         Some(_) => Err("ten is too many"),
//!         None => Ok(()),
//!     });
//!     Ok(())
//! });
//! assert_eq!(result.unwrap_err().into_error(), Some("ten is too many"));
//! ```
//!
//! # A sink that may block
//!
//! The sink of [`try_stream`](crate::InOrder::try_stream) writes to a pipe or a socket that nobody
//! reads. The group's [`timeout`](crate::ErrGroup::timeout) cancels the run, but the call waits for
//! the sink, which is given no token. So give the deadline to a token of your own, and let its
//! callback unblock the writer: shut down the socket, or kill the process that should read. The
//! callback runs after the cancellation, so the writer's error is not the result.
//!
//! ```
//! # use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};
//! # use std::{io::Write, net::{Shutdown, TcpListener, TcpStream}, time::Duration};
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?; // reads nothing
//! let mut socket = TcpStream::connect(listener.local_addr()?)?;
//! let (stop, handle) = (CancelToken::new(), socket.try_clone()?);
//! let _unblock = stop.on_cancel(move || _ = handle.shutdown(Shutdown::Both));
//! stop.cancel_after(Duration::from_millis(20));
//! let group = ErrGroup::new().token(&stop);
//! let blocks = std::iter::repeat([0; 4096]).par_in_order().with_group(&group);
//! let result = blocks.try_stream(|_, block| Ok(block), |block| socket.write_all(&block));
//! assert!(matches!(result, Err(GroupError::Cancelled(_))));
//! # Ok(())
//! # }
//! ```
//!
//! An item that fails does not unblock the sink: the values before it are written first, as in the
//! sequential loop.
//!
//! # The first success wins
//!
//! Several mirrors have the same page. rayon's `find_map_any` returns the first answer, but only
//! after the calls that hang have ended. Here an `Err` cancels the others, so return the success as
//! `Err`, and collect the errors. `Ok` then means that all have failed.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
//! # use std::{sync::Mutex, time::Duration};
//! # fn fetch(token: &CancelToken, mirror: &str) -> Result<String, String> {
//! #     if mirror == "hangs" { _ = token.sleep(Duration::MAX) }
//! #     if mirror == "works" { Ok("page".to_owned()) } else { Err(format!("{mirror} failed")) }
//! # }
//! fn first(mirrors: &[&str]) -> Result<String, Vec<String>> {
//!     let group = ErrGroup::new().concurrency(3); // at least one for each mirror
//!     let errors = Mutex::new(Vec::new());
//!     let race = mirrors.par_iter().with_max_len(1).with_group(&group);
//!     let result = race.try_for_each(|token, mirror| match fetch(token, mirror) {
//!         Ok(page) => Err(page), // cancels the other items
//!         Err(error) => Ok(errors.lock().unwrap().push(error)),
//!     });
//!     match result {
//!         Ok(()) => Err(errors.into_inner().unwrap()),
//!         Err(won) => Ok(won.into_error().expect("nothing else cancels this run")),
//!     }
//! }
//!
//! assert_eq!(first(&["down", "hangs", "works"]), Ok("page".to_owned()));
//! assert_eq!(first(&["down", "down"]).unwrap_err().len(), 2);
//! ```
//!
//! # A timeout for each item
//!
//! [`ErrGroup::timeout`](crate::ErrGroup::timeout) limits the run, and a deadline on the token that
//! an item is given would end the run, too. Give the deadline to a
//! [`child`](crate::CancelToken::child) of that token. What cancels the run still reaches the
//! child, and the cause tells the two apart: the item's own limit is `Cause::Deadline`, and a
//! deadline of the run is `Cause::Parent`, as is everything else from outside of the item.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{CancelToken, Cause, ErrGroup, prelude::*};
//! # use std::time::Duration;
//! let request = |token: &CancelToken, url: &str, limit: Duration| {
//!     let token = token.child();
//!     token.cancel_after(limit);
//!     let answered = if url == "hangs" { token.sleep(Duration::MAX) } else { Ok(()) };
//!     answered.map_err(|cancelled| cancelled.cause().clone())
//! };
//! let (group, limit) = (ErrGroup::new().keep_going(), Duration::from_millis(5));
//! let urls = ["a", "hangs", "b"].par_iter().in_order().with_group(&group);
//! let outcome = urls.outcome(|token, url| request(token, url, limit));
//! assert_eq!(outcome.to_string(), "2 ok, 1 failed, 0 skipped");
//! assert!(matches!(outcome.errors().first(), Some((1, Cause::Deadline))));
//!
//! let outer = CancelToken::new();
//! outer.cancel_after(limit);
//! let result = request(&outer, "hangs", Duration::from_secs(3600));
//! assert!(matches!(result, Err(Cause::Parent(_))));
//! ```
//!
//! # Buffered writers
//!
//! Each thread writes to a file of its own. Writers in thread-locals lose their last lines: they
//! flush when their thread ends, but no drop waits for the threads of a group or pool, and those of
//! the global pool never end. Keep the writers in a `Mutex<Vec<_>>`: an item takes one or makes
//! one, and puts it back, so there are never more writers than items that run at once. Flush all of
//! them after the run. Unlike the drop of a writer, `into_inner` returns the error.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{ErrGroup, prelude::*};
//! # use std::{io::{BufWriter, Write}, sync::Mutex};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (group, writers) = (ErrGroup::new().concurrency(4), Mutex::new(Vec::new()));
//! (0..400).into_par_iter().with_group(&group).err_group(|n| {
//!     let writer = writers.lock().unwrap().pop(); // the lock ends with the statement
//!     // Or a new file:
//!     let mut writer = writer.unwrap_or_else(|| BufWriter::new(Vec::new()));
//!     let written = writeln!(writer, "{n}");
//!     writers.lock().unwrap().push(writer);
//!     written
//! })?;
//! let mut lines = 0;
//! for writer in writers.into_inner().unwrap() {
//!     lines += writer.into_inner()?.iter().filter(|byte| **byte == b'\n').count();
//! }
//! assert_eq!(lines, 400);
//! # Ok(())
//! # }
//! ```
//!
//! # A source that fails forever
//!
//! `lines()` of a directory opened as a file, or of a compressed file that was cut short, returns
//! the same error again and again. With [`keep_going`](crate::ErrGroup::keep_going) the run
//! collects these errors until the memory is used up. `map_while(Result::ok)` ends the source, but
//! loses the error. End the source *after* its first error, as here, or limit the errors of source
//! and items together by [`max_errors`](crate::ErrGroup::max_errors).
//!
//! ```
//! # use rayon_errgroup::{ErrGroup, prelude::*}; use std::io::{self, BufRead, BufReader, Read};
//! # struct Cut;
//! # impl Read for Cut {
//! #     fn read(&mut self, _: &mut [u8]) -> io::Result<usize> { Err(io::Error::other("cut")) }
//! # }
//! # let file = "1\n2\n".as_bytes().chain(Cut);
//! let (group, mut failed) = (ErrGroup::new().keep_going(), false);
//! let lines = BufReader::new(file).lines(); // Ok("1"), Ok("2"), Err, Err, Err ...
//! let lines = lines.take_while(|line| !std::mem::replace(&mut failed, line.is_err()));
//! let numbers = lines.par_in_order().with_group(&group);
//! let outcome = numbers.outcome(|_, line| line?.parse::<u32>().map_err(io::Error::other));
//! assert_eq!(outcome.to_string(), "2 ok, 1 failed, 0 skipped");
//! ```
//!
//! # Ctrl-C and SIGTERM
//!
//! A signal cancels a token, and every group that has it ends. Do not cancel it in the signal
//! handler itself: [`cancel`](crate::CancelToken::cancel) takes locks, wakes threads and runs
//! callbacks, so it is not async-signal-safe. Call it from a thread. The crate `ctrlc` starts one;
//! with its feature `termination` it handles SIGTERM and SIGHUP, too. With `signal-hook`, iterate
//! over `Signals` on a thread of your own.
//!
//! ```no_run
//! # use rayon::prelude::*; use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stop = CancelToken::new();
//! let on_signal = stop.clone();
//! ctrlc::set_handler(move || {
//!     if !on_signal.cancel_with("interrupted") {
//!         std::process::exit(130); // the second time
//!     }
//! })?;
//! let group = ErrGroup::new().token(&stop);
//! let items = (0..100).into_par_iter().with_group(&group);
//! items.err_group(|n| std::fs::write(n.to_string(), ""))?;
//! # Ok(())
//! # }
//! ```
//!
//! # A progress bar
//!
//! Advance the bar in the closure, after the work. With `try_stream`, advance it in the sink, where
//! it counts exactly what was passed on. Do not put indicatif's `progress_with` before `in_order`:
//! its iterator finishes the bar at the first `None`, and in order every chunk ends with one. It
//! may stand before the calls without an order (`par_iter().progress_with(bar).err_group(f)`) and
//! before `par_in_order`, where it counts what was read. Here a number stands for the bar, and
//! adding 1 to it for `bar.inc(1)`.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! # use std::sync::atomic::{AtomicUsize, Ordering};
//! let work = |n: u32| if n == 500 { Err("500") } else { Ok(n) };
//! let bar = AtomicUsize::new(0);
//! let values = (0..500).into_par_iter().in_order().try_map(|_, n| {
//!     work(n).inspect(|_| _ = bar.fetch_add(1, Ordering::Relaxed))
//! });
//! assert_eq!((values.unwrap().len(), bar.into_inner()), (500, 500));
//!
//! let mut bar = 0;
//! let result = (0..).par_in_order().try_stream(|_, n| work(n), |_| Ok(bar += 1));
//! assert_eq!((result, bar), (Err("500"), 500));
//! ```
//!
//! # Sources that do not compile
//!
//! **Ranges.** `in_order` needs an indexed iterator. rayon's `a..b` is indexed for integers of up
//! to 32 bits, `usize` and `isize`; `a..=b` only for integers of up to 16 bits.
//!
//! ```compile_fail,E0599
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! let result = (1..=9_u32).into_par_iter().in_order().try_map(|_, n| Ok::<_, ()>(n));
//! ```
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! let result = (1..=9_u32).par_in_order().try_map(|_, n| Ok::<_, ()>(n));
//! let same = (1..9_u32 + 1).into_par_iter().in_order().try_map(|_, n| Ok::<_, ()>(n));
//! assert_eq!(result, same);
//! ```
//!
//! **Standard input.** `stdin().lines()` holds a lock, which is not `Send`. A `BufReader` takes the
//! lock for each read.
//!
//! ```compile_fail,E0277
//! # use rayon_errgroup::prelude::*; use std::io::stdin;
//! let lines = stdin().lines().par_in_order();
//! ```
//!
//! ```
//! # use rayon_errgroup::prelude::*; use std::io::{BufRead, BufReader, stdin};
//! let lines = BufReader::new(stdin()).lines().par_in_order();
//! # drop(lines);
//! ```
//!
//! **Rows of a database.** Many clients return rows that are not `Send`. The body of a scope may
//! read them: it stays on the calling thread, and with a concurrency it is never far ahead of its
//! tasks (backpressure). Nothing stops the body, so it checks the token. (For the first error in
//! order, let a thread read the rows and send them to a bounded channel; run
//! `receiver.into_iter().par_in_order()`.)
//!
//! ```compile_fail,E0277
//! # use rayon_errgroup::prelude::*;
//! # let connection = std::rc::Rc::new(1);
//! let rows = (0..100).map(|n| n * *connection);
//! let result = rows.par_in_order().err_group(|_| Ok::<_, ()>(()));
//! ```
//!
//! ```
//! # use rayon_errgroup::{ErrGroup, Cancelled};
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # let (connection, sum) = (std::rc::Rc::new(1), &AtomicU32::new(0));
//! # let handle = |row| _ = sum.fetch_add(row, Ordering::Relaxed);
//! let rows = (0..100).map(|n| n * *connection);
//! let result = ErrGroup::new().concurrency(4).scope(|s| {
//!     for row in rows {
//!         s.token().check()?;
//!         s.spawn(move |_| Ok::<_, Cancelled>(handle(row)));
//!     }
//!     Ok(())
//! });
//! assert!(result.is_ok());
//! # assert_eq!(sum.load(Ordering::Relaxed), 4950);
//! ```
//!
//! **Maps and sets.** rayon's iterators of `HashMap`, `BTreeMap` and their sets are not indexed.
//! Leave `in_order` out, take `par_in_order`, or collect references into a `Vec`.
//!
//! ```compile_fail,E0599
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! # let map = std::collections::BTreeMap::from([("a", 1), ("b", 2)]);
//! let result = map.par_iter().in_order().err_group(|(name, _)| Err(*name));
//! ```
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! # let map = std::collections::BTreeMap::from([("a", 1), ("b", 2)]);
//! assert!(map.par_iter().err_group(|(name, _)| Err(*name)).is_err()); // "a" or "b"
//! assert_eq!(map.iter().par_in_order().err_group(|(name, _)| Err(*name)), Err("a"));
//! ```
//!
//! # A larger stack, names of threads
//!
//! Items that recurse deeply overflow rayon's default stack. Build a pool with a larger one, and
//! give it to the group. (Or `install` the call in it, which needs no group. Then the body of a
//! scope and the sink of a stream move to the pool, too, and must be `Send`.)
//!
//! ```
//! # use rayon::{ThreadPoolBuilder, prelude::*}; use rayon_errgroup::{ErrGroup, prelude::*};
//! # use std::sync::Arc;
//! # fn depth(n: u32) -> u32 {
//! #     let frame = std::hint::black_box([1; 256]);
//! #     if n == 0 { 0 } else { depth(n - 1) + frame[0] }
//! # }
//! let builder = ThreadPoolBuilder::new().num_threads(2);
//! let builder = builder.thread_name(|n| format!("parser-{n}"));
//! let pool = Arc::new(builder.stack_size(64 << 20).build().unwrap());
//! let group = ErrGroup::new().pool(&pool);
//! let result = (0..8).into_par_iter().with_group(&group).try_map(|_, _| {
//!     assert!(std::thread::current().name().unwrap().starts_with("parser-"));
//!     Ok::<_, String>(depth(10_000)) // needs more than 10 MB
//! });
//! assert_eq!(result.unwrap(), [10_000; 8]);
//! ```
