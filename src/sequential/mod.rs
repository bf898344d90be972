//! The same methods without threads, on std's sequential iterators: for crates that must also build
//! where there is no pool.
//!
//! One source file is compiled either way. Only its imports differ:
//!
//! ```
//! # #![allow(unexpected_cfgs)]
//! #[cfg(feature = "parallel")]
//! use {rayon::prelude::*, rayon_errgroup::prelude::*};
//! #[cfg(not(feature = "parallel"))]
//! use rayon_errgroup::sequential::prelude::*;
//!
//! use rayon_errgroup::{ErrGroup, GroupError};
//!
//! fn lengths(words: &[&str]) -> Result<Vec<usize>, GroupError<&'static str>> {
//!     let group = ErrGroup::new();
//!     let words = words.par_iter().with_max_len(1).in_order().with_group(&group);
//!     words.try_map(|_token, word| match word.len() {
//!         0 => Err("empty"),
//!         length => Ok(length),
//!     })
//! }
//!
//! assert_eq!(lengths(&["a", "bc"]).unwrap(), [1, 2]);
//! let error = lengths(&["a", "", "bc", ""]).unwrap_err();
//! assert_eq!((error.index(), error.into_error()), (Some(1), Some("empty")));
//! ```
//!
//! The [`prelude`] is separate, so that a forgotten `par_` still fails to compile with the usual
//! one. It stands in for rayon's prelude, too: import one or the other, never both.
//!
//! # What is the same
//!
//! The names, the bounds of the closures, the returned types, and the types
//! [`ErrGroup`](crate::ErrGroup), [`CancelToken`](crate::CancelToken),
//! [`GroupError`](crate::GroupError) and [`Outcome`](crate::Outcome) are the same. So are the
//! [guarantees](crate#guarantees): cause, completeness, containment, panics, the error limit,
//! indices in order. A run returns what the parallel run does on a pool of one thread or, if that
//! is in order, on any pool.
//!
//! # What differs
//!
//! - Everything runs on the calling thread, item after item. Nothing here uses or creates a rayon
//!   pool. [`concurrency`](crate::ErrGroup::concurrency) is ignored: the group's threads sleep.
//!   That method itself starts them, so it panics where there are no threads. To share one source,
//!   write `group.clone().try_concurrency(8).unwrap_or(group)`.
//! - The token is checked before each item. While one runs, only what is outside of the loop can
//!   cancel: another thread, a deadline, the item itself. So items that wait for each other
//!   deadlock.
//! - A [timeout](crate::ErrGroup::timeout) or deadline uses the timer thread of the process, as
//!   everywhere in this crate. Where no thread can be started, the call panics.
//! - [`try_stream`](InOrder::try_stream) gives each value to the sink before the next item starts,
//!   and nothing is read ahead.
//! - `Failed` has an index only in order, as in the parallel runs, though here there always is one.
//! - Tasks of different kinds have no stand-in: [`scope`](crate::scope()) needs a pool.
//!
//! # One source
//!
//! The prelude has stand-ins for the methods that start rayon's chains: `par_iter`, `par_iter_mut`,
//! `into_par_iter`, `par_bridge`, `par_chunks`, `par_chunks_exact`, `par_chunks_mut` and
//! `par_windows`. They return std's iterators. So what follows is std's, and compiles under both
//! preludes if it has the same form in both: `map`, `filter`, `filter_map`, `enumerate`, `zip`,
//! `chain`, `rev`, `copied`, `cloned`, `inspect`, `take`, `skip`, `step_by`, `flatten`, `sum`,
//! `product`, `count`, `min`, `max` and their kin, `for_each`, `collect`, `unzip`, `partition`. Of
//! the rest there are `with_min_len`, `with_max_len`, `reduce_with` and `find_any`.
//!
//! `fold` and `reduce` have another form in rayon; write `reduce_with`. `any`, `all` and
//! `find_map_first` borrow or are missing in std; write `find_any`. `map_init`, the sorts and
//! rayon's other own methods have no stand-in.
//!
//! Bounds have stand-ins of the same names: [`ParallelIterator`], [`IndexedParallelIterator`],
//! [`IntoParallelIterator`], [`ErrGroupExt`], [`Ordered`], [`InOrder`]. In both worlds closures are
//! `Fn + Sync + Send`, and items, values and errors are `Send`. But std's adaptors ask for less
//! than rayon's, and a forgotten `par_` compiles here: let CI build both.
//!
//! # Cost
//!
//! For each call one small allocation, and for each item one atomic load and a counter. Measured
//! on one core of an AMD EPYC (family 26), beside a `for` loop with `?` that does the same:
//!
//! | call | items of 1 ns | items of 10 ns |
//! | --- | --- | --- |
//! | `err_group`, also in order with a group | 0.89 | 0.98 |
//! | `try_map`, beside `push` with the right capacity | 0.92 | 1.06 |
//! | `try_map` after `par_in_order`, of unknown length | 1.66 | 1.03 |
//! | `try_process` that ends in `sum`, `count`, `max` or `reduce_with` | 1.11 | 1.00 |
//! | `try_process` that calls `next`, where each call has a `catch_unwind` | 2.56 | 1.15 |
//! | `try_stream`, which checks the token for each value, too | 1.32 | 1.01 |
//!
//! An iterator whose `size_hint` names one number is believed, as rayon's indexed iterators are:
//! `try_map` panics if it has more or fewer items. After `par_in_order` it need not be right.

mod ext;
mod in_order;
mod ordered;
mod stand_ins;
mod values;
mod with_group;

pub use self::ext::{ErrGroupExt, IndexedErrGroupExt, IteratorErrGroupExt};
pub use self::in_order::InOrder;
pub use self::ordered::Ordered;
pub use self::stand_ins::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator,
    IntoParallelRefMutIterator, ParallelBridge, ParallelIterator, ParallelSlice, ParallelSliceMut,
};
pub use self::values::Values;
pub use self::with_group::WithGroup;

/// The traits of this module, for a `use` in place of rayon's prelude and the
/// [prelude](crate::prelude) of this crate.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
///
/// assert_eq!([1, 2].par_iter().err_group(|_| Ok::<_, ()>(())), Ok(()));
/// ```
///
/// A forgotten `par_` does not compile with the usual prelude:
///
/// ```compile_fail,E0599
/// use rayon_errgroup::prelude::*;
///
/// assert_eq!([1, 2].iter().err_group(|_| Ok::<_, ()>(())), Ok(()));
/// ```
pub mod prelude {
    pub use super::{
        ErrGroupExt, IndexedErrGroupExt, IndexedParallelIterator, IntoParallelIterator,
        IntoParallelRefIterator, IntoParallelRefMutIterator, IteratorErrGroupExt, ParallelBridge,
        ParallelIterator, ParallelSlice, ParallelSliceMut,
    };
}
