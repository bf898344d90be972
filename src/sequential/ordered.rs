//! `Ordered`: what `InOrder` can have.

use super::stand_ins::IndexedParallelIterator;
use crate::Sequential;
use crate::engine::sequential::Input;

/// An input that has an order: every sequential iterator, and every one wrapped in [`Sequential`].
///
/// It stands in for [`rayon_errgroup::Ordered`](crate::Ordered), as the bound for functions. It is
/// sealed: it cannot be implemented outside of this crate.
///
/// ```
/// use rayon_errgroup::sequential::{InOrder, Ordered, prelude::*};
///
/// fn lengths<'a, W>(words: InOrder<W>) -> Result<Vec<usize>, &'a str>
/// where
///     W: Ordered<Item = &'a str>,
/// {
///     words.try_map(|_, word| match word.len() {
///         0 => Err("empty word"),
///         length => Ok(length),
///     })
/// }
/// assert_eq!(lengths(vec!["a", "bc"].into_par_iter().in_order()), Ok(vec![1, 2]));
/// assert_eq!(lengths("a bc".split(' ').par_in_order()), Ok(vec![1, 2]));
/// ```
pub trait Ordered: Sized + Send {
    /// An element of the input.
    type Item: Send;

    /// The iterator over the elements.
    type Items: Iterator<Item = Self::Item>;

    #[doc(hidden)]
    fn into_input(self) -> Input<Self::Items>;
}

// Hidden: rustdoc would list it on the page of every iterator, with links to the hidden items.
#[doc(hidden)]
impl<I: IndexedParallelIterator> Ordered for I {
    type Item = I::Item;
    type Items = I;

    fn into_input(self) -> Input<I> {
        Input::in_order(self)
    }
}

impl<I> Ordered for Sequential<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;
    type Items = I;

    fn into_input(self) -> Input<I> {
        Input::read_lazily(self.0)
    }
}
