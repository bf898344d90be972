//! Errors: `?` with the error types of a program, and help for the compiler.
//!
//! The calls without a group return the closure's own error type `E`, so `?` works as after any
//! call. The calls with an [`ErrGroup`](crate::ErrGroup) return a
//! [`GroupError<E>`](crate::GroupError), since a deadline, a token or a caught panic may end the
//! run, too. Two ways lead from there to `?`:
//!
//! - **Flatten.** `.map_err(GroupError::flatten)?` turns every case into `E`. It works for an `E`
//!   that takes a [`Cancelled`](crate::Cancelled) and a [`Panicked`](crate::Panicked): `anyhow`'s,
//!   boxes, `io::Error`, and an enum with two `From`s. The item's error comes out as it was.
//! - **Wrap.** Plain `?` converts the `GroupError` as a whole. Its message is "item 3 failed", and
//!   the item's error is the [`source`](std::error::Error::source). `E` must be an error type of
//!   its own; `anyhow::Error` and boxes are not.
//!
//! # `anyhow`
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
//! use anyhow::{Context, Result};
//!
//! fn double(words: &[&str]) -> Result<Vec<i32>> {
//!     let numbers = words.par_iter().try_map_group(|_, word| {
//!         word.parse::<i32>().with_context(|| format!("cannot read {word:?}"))
//!     })?;
//!     let group = ErrGroup::new();
//!     let doubled = numbers.par_iter().with_group(&group).try_map(|_, n| {
//!         n.checked_mul(2).context("too large")
//!     });
//!     doubled.map_err(GroupError::flatten)
//! }
//!
//! assert_eq!(double(&["1", "2"]).unwrap(), [2, 4]);
//! assert_eq!(double(&["1", "x"]).unwrap_err().to_string(), "cannot read \"x\"");
//! assert_eq!(double(&["2147483647"]).unwrap_err().to_string(), "too large");
//! ```
//!
//! Where items return an error type of their own, plain `?` keeps what the run has to say, and
//! `anyhow` prints both:
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{ErrGroup, prelude::*};
//! fn numbers(words: &[&str]) -> anyhow::Result<Vec<i32>> {
//!     let items = words.par_iter().in_order();
//!     Ok(items.with_group(&ErrGroup::new()).try_map(|_, word| word.parse::<i32>())?)
//! }
//!
//! let error = numbers(&["1", "x"]).unwrap_err();
//! assert_eq!(format!("{error:#}"), "item 1 failed: invalid digit found in string");
//! ```
//!
//! # `Box<dyn Error + Send + Sync>`
//!
//! The errors of closures move between threads, so the box needs its `Send`.
//!
//! ```
//! # use rayon_errgroup::{ErrGroup, GroupError};
//! use std::error::Error;
//!
//! type BoxError = Box<dyn Error + Send + Sync>;
//!
//! fn sum(a: &str, b: &str) -> Result<f64, BoxError> {
//!     // Each `?` makes a box of another type.
//!     let both = ErrGroup::new().join(|_| Ok(a.parse::<i32>()?), |_| Ok(b.parse::<f64>()?));
//!     let (a, b) = both.map_err(GroupError::<BoxError>::flatten)?;
//!     Ok(f64::from(a) + b)
//! }
//!
//! assert_eq!(sum("1", "0.5").unwrap(), 1.5);
//! assert_eq!(sum("x", "0.5").unwrap_err().to_string(), "invalid digit found in string");
//! ```
//!
//! # `io::Error`
//!
//! A deadline becomes an error of kind `TimedOut`; other cancellations and panics are of kind
//! `Other`.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};
//! use std::{fs, io, path::Path, time::Duration};
//!
//! fn sizes(paths: &[&Path], limit: Duration) -> io::Result<Vec<u64>> {
//!     let group = ErrGroup::new().timeout(limit);
//!     let sizes = paths.par_iter().with_group(&group);
//!     sizes.try_map(|_, path| Ok(fs::metadata(path)?.len())).map_err(GroupError::flatten)
//! }
//!
//! let (here, nowhere) = (Path::new("."), Path::new("no such file"));
//! let hour = Duration::from_secs(3600);
//! assert_eq!(sizes(&[here], hour)?.len(), 1);
//! assert_eq!(sizes(&[nowhere], hour).unwrap_err().kind(), io::ErrorKind::NotFound);
//! assert_eq!(sizes(&[here], Duration::ZERO).unwrap_err().kind(), io::ErrorKind::TimedOut);
//! # io::Result::Ok(())
//! ```
//!
//! # An enum of the program
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
//! use rayon_errgroup::{CancelToken, Cancelled, Panicked};
//! use std::num::ParseIntError;
//!
//! #[derive(Debug)]
//! enum LoadError {
//!     Number(ParseIntError),
//!     Stopped(Cancelled),
//!     Bug(Panicked),
//! }
//!
//! impl From<ParseIntError> for LoadError {
//!     fn from(error: ParseIntError) -> Self { LoadError::Number(error) }
//! }
//! impl From<Cancelled> for LoadError {
//!     fn from(cancelled: Cancelled) -> Self { LoadError::Stopped(cancelled) }
//! }
//! impl From<Panicked> for LoadError {
//!     fn from(panicked: Panicked) -> Self { LoadError::Bug(panicked) }
//! }
//!
//! fn load(words: &[&str], stop: &CancelToken) -> Result<Vec<u8>, LoadError> {
//!     let group = ErrGroup::new().token(stop).catch_panics();
//!     let numbers = words.par_iter().with_group(&group).try_map(|token, word| {
//!         token.check()?; // a `Cancelled`, too
//!         let number = word.parse::<u32>()?;
//!         Ok(u8::try_from(number).expect("a small number"))
//!     });
//!     numbers.map_err(GroupError::flatten)
//! }
//!
//! let stop = CancelToken::new();
//! assert_eq!(load(&["7"], &stop).unwrap(), [7]);
//! assert!(matches!(load(&["x"], &stop), Err(LoadError::Number(_))));
//! assert!(matches!(load(&["700"], &stop), Err(LoadError::Bug(_))));
//! stop.cancel();
//! assert!(matches!(load(&["7"], &stop), Err(LoadError::Stopped(_))));
//! ```
//!
//! With the crate `thiserror`, `#[from]` writes these `impl`s. A `match` on the `GroupError` itself
//! needs none of them.
//!
//! # A `Result` inside
//!
//! Where the failure of a task should not stop the others, return its result as the value. `Ok` is
//! then a `Result` again; a second `?`, or `and_then`, flattens it.
//!
//! ```
//! # use rayon_errgroup::{join, scope};
//! # fn probe(host: &str) -> Result<u32, String> { host.parse().map_err(|_| format!("no {host}")) }
//! fn slowest(a: &str, b: &str) -> Result<u32, String> {
//!     // Both run to their end, and the error of the first comes first.
//!     let (a, b) = join(|_| Ok::<_, String>(probe(a)), |_| Ok(probe(b)))?;
//!     Ok(a?.max(b?))
//! }
//! assert_eq!(slowest("1", "2"), Ok(2));
//! assert_eq!(slowest("x", "y"), Err("no x".to_string()));
//!
//! // The body of a scope, which must not cancel the tasks.
//! let result = scope(|s| {
//!     s.spawn(|_| Ok::<_, String>(()));
//!     Ok(probe("z"))
//! });
//! assert_eq!(result.and_then(|body| body), Err("no z".to_string()));
//! ```
//!
//! # Closures that end in `Ok(())`
//!
//! A closure that returns no error, or uses `?`, does not determine its error type: `?` converts
//! into any type that has a `From`. If the call's result does not determine it either, the compiler
//! asks for type annotations (E0282, E0283).
//!
//! ```compile_fail,E0283
//! # use rayon::prelude::*; use rayon_errgroup::prelude::*;
//! let result = ["1"].par_iter().err_group(|word| {
//!     word.parse::<i32>()?;
//!     Ok(())
//! });
//! assert!(result.is_ok());
//! ```
//!
//! Three places can name it: the last expression of the closure, the variable, or the function
//! around it, by `?` or by its return type.
//!
//! ```
//! # use rayon::prelude::*; use rayon_errgroup::{join, prelude::*, scope};
//! use std::num::ParseIntError;
//!
//! let words = ["1", "2"];
//! let parse = |word: &&str| -> Result<(), ParseIntError> {
//!     word.parse::<i32>()?;
//!     Ok(())
//! };
//! assert!(words.par_iter().err_group(parse).is_ok());
//!
//! let result = words.par_iter().err_group(|word| {
//!     word.parse::<i32>()?;
//!     Ok::<_, ParseIntError>(())
//! });
//! assert!(result.is_ok());
//!
//! let result: anyhow::Result<()> = scope(|s| {
//!     s.spawn(|_| {
//!         "3".parse::<i32>()?;
//!         Ok(())
//!     });
//!     Ok(())
//! });
//! assert!(result.is_ok());
//!
//! // Nothing can fail: one closure names the type for both.
//! let both = join(|_| Ok::<_, ()>(1), |_| Ok(2));
//! assert_eq!(both, Ok((1, 2)));
//! ```
