//! Coming from Go: `errgroup` and `context`, side by side with this crate.
//!
//! Go's package has one type with four methods. Here there are two ways to write the same: for
//! *many items of one kind* a [parallel iterator](#many-items-of-one-kind), and for *a few tasks of
//! different kinds* a [scope](crate::scope()). The first is shorter and costs a hundredth; look
//! there first. Where Go has a `ctx`, there is a [`CancelToken`].
//!
//! | Go | here |
//! | --- | --- |
//! | `for … { g.Go(f) }` | [`items.par_iter().err_group(f)`](crate::ErrGroupExt::err_group) |
//! | `errgroup.Group`, its zero value | [`ErrGroup::keep_going`] |
//! | `errgroup.WithContext(ctx)` | [`scope`](crate::scope()), or [`ErrGroup::token`] |
//! | `g.Go` | [`Scope::spawn`] |
//! | `g.Wait` | the end of the scope |
//! | `g.SetLimit` | [`ErrGroup::concurrency`] |
//! | `g.TryGo` | [`Scope::try_spawn`] |
//! | `context.Background` | [`CancelToken::new`] |
//! | `context.WithCancel` | [`CancelToken::child`], [`CancelToken::drop_guard`] |
//! | `context.WithCancelCause`, `context.Cause` | [`CancelToken::cancel_with`], [`CancelToken::cause`] |
//! | `context.WithTimeout` | [`ErrGroup::timeout`], [`CancelToken::cancel_after`] |
//! | `context.WithDeadline` | [`ErrGroup::deadline`], [`CancelToken::cancel_at`] |
//! | `ctx.Done` | [`CancelToken::done`] |
//! | `ctx.Err` | [`CancelToken::is_cancelled`], [`CancelToken::check`] |
//! | `ctx.Deadline` | [`CancelToken::deadline`], [`CancelToken::remaining`] |
//! | `context.AfterFunc` | [`CancelToken::on_cancel`] |
//! | `context.WithoutCancel` | a run on no token |
//! | `context.WithValue`, `ctx.Value` | none: closures borrow what they need |
//!
//! # Many items of one kind
//!
//! The loop that starts a goroutine for each element is one call on a parallel iterator. The items
//! are spread over the threads of rayon's pool, and the closure is given the token.
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
//! let urls = ["https://example.org", "example.com"];
//! let result = urls
//!     .par_iter()
//!     .try_for_each_group(|token, url| fetch(token, url));
//! assert_eq!(result.unwrap_err(), "example.com: no scheme");
//! ```
//!
//! </td></tr></table>
//!
//! <style>
//! table.pair { width: 100%; }
//! table.pair tr { display: flex; flex-wrap: wrap; gap: 0 1em; }
//! table.pair td { flex: 1 1 26em; min-width: 0; padding: 0; border: none; }
//! </style>
//!
//! [`CancelToken`]: crate::CancelToken
//! [`CancelToken::new`]: crate::CancelToken::new
//! [`CancelToken::child`]: crate::CancelToken::child
//! [`CancelToken::drop_guard`]: crate::CancelToken::drop_guard
