//! Stand-ins for rayon's traits: `par_iter` and its kin, which return std's iterators.

use std::slice::{Chunks, ChunksExact, ChunksMut, Windows};

/// Stands in for rayon's `ParallelIterator`: every iterator of std that rayon's trait could have.
///
/// Adaptors and ends are those of [`Iterator`]. The methods here are those of rayon's that std has
/// by another name or in another form.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
///
/// fn double(numbers: impl ParallelIterator<Item = u32>) -> Result<Vec<u32>, u32> {
///     numbers.try_map_group(|_, n| n.checked_mul(2).ok_or(n))
/// }
/// assert_eq!(double([1, 2].into_par_iter()), Ok(vec![2, 4]));
/// ```
pub trait ParallelIterator: Iterator<Item: Send> + Sized + Send {
    /// As rayon's `reduce_with`, which std calls `reduce`.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// assert_eq!([3, 5, 4].into_par_iter().reduce_with(|a, b| a.max(b)), Some(5));
    /// ```
    fn reduce_with<P>(self, op: P) -> Option<Self::Item>
    where
        P: Fn(Self::Item, Self::Item) -> Self::Item + Sync + Send,
    {
        self.reduce(op)
    }

    /// As rayon's `find_any`: here it is the first one. (`find`, which std has, borrows the
    /// iterator instead of taking it.)
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// assert_eq!([3, 5, 4].into_par_iter().find_any(|n| *n > 4), Some(5));
    /// ```
    fn find_any<P>(mut self, predicate: P) -> Option<Self::Item>
    where
        P: Fn(&Self::Item) -> bool + Sync + Send,
    {
        self.find(predicate)
    }
}

impl<I: Iterator<Item: Send> + Send> ParallelIterator for I {}

/// Stands in for rayon's `IndexedParallelIterator`.
///
/// Here every iterator has it, since each has an order.
///
/// ```
/// use rayon_errgroup::sequential::prelude::*;
///
/// fn first_odd(numbers: impl IndexedParallelIterator<Item = u32>) -> Result<(), u32> {
///     numbers.in_order().err_group(|n| if n % 2 == 0 { Ok(()) } else { Err(n) })
/// }
/// assert_eq!(first_odd(vec![2, 3, 5].into_par_iter()), Err(3));
/// ```
pub trait IndexedParallelIterator: ParallelIterator {
    /// The iterator itself: nothing is split.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// assert_eq!([1, 2].par_iter().with_min_len(100).sum::<u32>(), 3);
    /// ```
    #[must_use = "iterators are lazy"]
    fn with_min_len(self, _min: usize) -> Self {
        self
    }

    /// The iterator itself: nothing is split.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// assert_eq!([1, 2].par_iter().with_max_len(1).sum::<u32>(), 3);
    /// ```
    #[must_use = "iterators are lazy"]
    fn with_max_len(self, _max: usize) -> Self {
        self
    }
}

impl<I: ParallelIterator> IndexedParallelIterator for I {}

/// Stands in for rayon's `IntoParallelIterator`.
pub trait IntoParallelIterator: IntoIterator<Item: Send, IntoIter: Send> + Sized {
    /// Calls [`into_iter`](IntoIterator::into_iter).
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let result = (0..9).into_par_iter().err_group(|n| if n < 5 { Ok(()) } else { Err(n) });
    /// assert_eq!(result, Err(5));
    /// ```
    fn into_par_iter(self) -> Self::IntoIter {
        self.into_iter()
    }
}

impl<C: IntoIterator<Item: Send, IntoIter: Send>> IntoParallelIterator for C {}

/// Stands in for rayon's `IntoParallelRefIterator`.
pub trait IntoParallelRefIterator<'data> {
    /// The iterator.
    type Iter: ParallelIterator<Item = Self::Item>;
    /// What it gives.
    type Item: Send + 'data;

    /// As `iter` of std's collections.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let lengths = ["a", "bc"].par_iter().try_map_group(|_, word| Ok::<_, ()>(word.len()));
    /// assert_eq!(lengths, Ok(vec![1, 2]));
    /// ```
    fn par_iter(&'data self) -> Self::Iter;
}

impl<'data, C: ?Sized + 'data> IntoParallelRefIterator<'data> for C
where
    &'data C: IntoParallelIterator<Item: Send>,
    <&'data C as IntoIterator>::IntoIter: Send,
{
    type Iter = <&'data C as IntoIterator>::IntoIter;
    type Item = <&'data C as IntoIterator>::Item;

    fn par_iter(&'data self) -> Self::Iter {
        self.into_par_iter()
    }
}

/// Stands in for rayon's `IntoParallelRefMutIterator`.
pub trait IntoParallelRefMutIterator<'data> {
    /// The iterator.
    type Iter: ParallelIterator<Item = Self::Item>;
    /// What it gives.
    type Item: Send + 'data;

    /// As `iter_mut` of std's collections.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let mut numbers = [1, 2];
    /// let result = numbers.par_iter_mut().err_group(|n| Ok::<_, ()>(*n *= 10));
    /// assert_eq!((result, numbers), (Ok(()), [10, 20]));
    /// ```
    fn par_iter_mut(&'data mut self) -> Self::Iter;
}

impl<'data, C: ?Sized + 'data> IntoParallelRefMutIterator<'data> for C
where
    &'data mut C: IntoParallelIterator<Item: Send>,
    <&'data mut C as IntoIterator>::IntoIter: Send,
{
    type Iter = <&'data mut C as IntoIterator>::IntoIter;
    type Item = <&'data mut C as IntoIterator>::Item;

    fn par_iter_mut(&'data mut self) -> Self::Iter {
        self.into_par_iter()
    }
}

/// Stands in for rayon's `ParallelBridge`.
pub trait ParallelBridge: ParallelIterator {
    /// The iterator itself.
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let result = "1 x".split(' ').par_bridge().err_group(|word| word.parse::<u8>().map(drop));
    /// assert!(result.is_err());
    /// ```
    #[must_use = "iterators are lazy"]
    fn par_bridge(self) -> Self {
        self
    }
}

impl<I: ParallelIterator> ParallelBridge for I {}

/// Stands in for rayon's `ParallelSlice`.
pub trait ParallelSlice<T: Sync> {
    /// The slice.
    fn as_parallel_slice(&self) -> &[T];

    /// Calls [`chunks`](slice::chunks).
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let sums = [1, 2, 3].par_chunks(2).map(|chunk| chunk.iter().sum::<u32>());
    /// assert_eq!(sums.collect::<Vec<_>>(), [3, 3]);
    /// ```
    fn par_chunks(&self, chunk_size: usize) -> Chunks<'_, T> {
        self.as_parallel_slice().chunks(chunk_size)
    }

    /// Calls [`chunks_exact`](slice::chunks_exact).
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// assert_eq!([1, 2, 3].par_chunks_exact(2).count(), 1);
    /// ```
    fn par_chunks_exact(&self, chunk_size: usize) -> ChunksExact<'_, T> {
        self.as_parallel_slice().chunks_exact(chunk_size)
    }

    /// Calls [`windows`](slice::windows).
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let sorted = |pair: &[u32]| if pair[0] < pair[1] { Ok(()) } else { Err(pair[1]) };
    /// assert_eq!([1, 5, 3].par_windows(2).err_group(sorted), Err(3));
    /// ```
    fn par_windows(&self, window_size: usize) -> Windows<'_, T> {
        self.as_parallel_slice().windows(window_size)
    }
}

impl<T: Sync> ParallelSlice<T> for [T] {
    fn as_parallel_slice(&self) -> &[T] {
        self
    }
}

/// Stands in for rayon's `ParallelSliceMut`.
pub trait ParallelSliceMut<T: Send> {
    /// The slice.
    fn as_parallel_slice_mut(&mut self) -> &mut [T];

    /// Calls [`chunks_mut`](slice::chunks_mut).
    ///
    /// ```
    /// use rayon_errgroup::sequential::prelude::*;
    ///
    /// let mut numbers = [1, 2, 3];
    /// let swap = |chunk: &mut [u32]| Ok::<_, ()>(chunk.reverse());
    /// assert_eq!(numbers.par_chunks_mut(2).err_group(swap), Ok(()));
    /// assert_eq!(numbers, [2, 1, 3]);
    /// ```
    fn par_chunks_mut(&mut self, chunk_size: usize) -> ChunksMut<'_, T> {
        self.as_parallel_slice_mut().chunks_mut(chunk_size)
    }
}

impl<T: Send> ParallelSliceMut<T> for [T] {
    fn as_parallel_slice_mut(&mut self) -> &mut [T] {
        self
    }
}
