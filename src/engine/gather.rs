//! Where the values of a run go: each leaf gathers its own, and neighbours are joined.

use std::iter;

/// How many short items are run in a row: the compiler unrolls a loop of so many. Where an item takes a
/// nanosecond, a loop of one item is slower by a quarter and more if chance puts it badly across cache
/// lines (the same 13 instructions, measured in two builds).
pub(super) const BLOCK: usize = 4;

/// The values of one stretch of the input, while they are gathered.
pub(super) trait Gather: Send + Sized {
    type Value;
    /// The values of a stretch that has been worked on.
    type Gathered: Send;
    /// Whether anything is gathered.
    const KEEPS: bool = true;

    /// The first `mid` items of the stretch, and the rest.
    fn split_at(self, mid: usize) -> (Self, Self);
    /// Gathers values until there is no next one.
    fn extend(&mut self, next: impl FnMut() -> Option<Self::Value>);
    #[inline]
    fn push(&mut self, value: Self::Value) {
        let mut value = Some(value);
        self.extend(|| value.take());
    }
    fn finish(self) -> Self::Gathered;
}

/// What is gathered while the input is split by halves.
pub(super) trait Join: Gather {
    /// A stretch to the left of this one, of a length nobody knows.
    fn split_off_left(&self) -> Self;
    /// Joins two neighbours.
    fn join(left: Self::Gathered, right: Self::Gathered) -> Self::Gathered;
}

/// For items that have no value.
pub(super) struct Nothing;

impl Gather for Nothing {
    type Value = ();
    type Gathered = ();
    const KEEPS: bool = false;

    fn split_at(self, _mid: usize) -> (Self, Self) {
        (Nothing, Nothing)
    }

    #[inline]
    fn extend(&mut self, mut next: impl FnMut() -> Option<()>) {
        loop {
            for _ in 0..BLOCK {
                if next().is_none() {
                    return;
                }
            }
        }
    }

    fn finish(self) {}
}

impl Join for Nothing {
    fn split_off_left(&self) -> Self {
        Nothing
    }

    fn join((): (), (): ()) {}
}

/// A vector for each leaf, for inputs whose length is not known, or too long for the memory.
///
/// Boxed, because adaptors such as `filter` move the folder through every item, and moving a vector
/// that was just pushed to costs more than the push: a filtered run takes 1.3 times as long without.
#[expect(
    clippy::box_collection,
    reason = "it is moved more often than it is used"
)]
pub(super) struct Piece<T>(Box<Vec<T>>);

impl<T> Piece<T> {
    pub(super) fn new() -> Self {
        Piece(Box::default())
    }
}

impl<T: Send> Gather for Piece<T> {
    type Value = T;
    /// The pieces that are not empty, in order.
    type Gathered = Vec<Vec<T>>;

    fn split_at(self, _mid: usize) -> (Self, Self) {
        (Piece::new(), self)
    }

    #[inline]
    fn extend(&mut self, next: impl FnMut() -> Option<T>) {
        self.0.extend(iter::from_fn(next));
    }

    #[inline]
    fn push(&mut self, value: T) {
        self.0.push(value);
    }

    fn finish(self) -> Vec<Vec<T>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        vec![*self.0]
    }
}

impl<T: Send> Join for Piece<T> {
    fn split_off_left(&self) -> Self {
        Piece::new()
    }

    fn join(mut left: Vec<Vec<T>>, mut right: Vec<Vec<T>>) -> Vec<Vec<T>> {
        if left.is_empty() {
            return right;
        }
        left.append(&mut right);
        left
    }
}

/// How many bytes a batch asks for beforehand.
const RESERVED: usize = 8 * 1024;

/// A vector for each chunk: for a stream, and for values that no room is made for.
pub(super) struct Batch<T>(Vec<T>);

impl<T> Batch<T> {
    pub(super) fn new() -> Self {
        Batch(Vec::new())
    }
}

impl<T: Send> Gather for Batch<T> {
    type Value = T;
    type Gathered = Vec<T>;

    fn split_at(self, mid: usize) -> (Self, Self) {
        // Not more, since a chunk may be larger than the memory and still fail early.
        let most = RESERVED / size_of::<T>().max(1);
        (Batch(Vec::with_capacity(mid.min(most))), self)
    }

    #[inline]
    fn extend(&mut self, next: impl FnMut() -> Option<T>) {
        self.0.extend(iter::from_fn(next));
    }

    fn finish(self) -> Vec<T> {
        self.0
    }
}

/// Puts the pieces into one vector.
pub(super) fn concatenate<T>(pieces: Vec<Vec<T>>) -> Vec<T> {
    let mut values = Vec::with_capacity(pieces.iter().map(Vec::len).sum());
    for mut piece in pieces {
        values.append(&mut piece);
    }
    values
}
