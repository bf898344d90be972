//! Where the values of a run go: each leaf gathers its own, and neighbours are joined.

/// The values of one stretch of the input.
pub(super) trait Gather: Send + Sized {
    type Value;
    /// The first `mid` items of the stretch, and the rest.
    fn split_at(self, mid: usize) -> (Self, Self);
    /// A stretch to the left of this one, of a length nobody knows.
    fn split_off_left(&self) -> Self;
    fn push(&mut self, value: Self::Value);
    /// Joins two neighbours.
    fn join(self, right: Self) -> Self;
}

/// For items that have no value.
pub(super) struct Nothing;

impl Gather for Nothing {
    type Value = ();

    fn split_at(self, _mid: usize) -> (Self, Self) {
        (Nothing, Nothing)
    }

    fn split_off_left(&self) -> Self {
        Nothing
    }

    #[inline]
    fn push(&mut self, (): ()) {}

    fn join(self, _right: Self) -> Self {
        Nothing
    }
}

/// A vector for each leaf, for inputs of unknown length.
pub(super) struct Pieces<T> {
    /// The leaf's own values.
    piece: Vec<T>,
    /// Those of joined neighbours to the right, in order.
    rest: Vec<Vec<T>>,
}

impl<T> Pieces<T> {
    pub(super) fn new() -> Self {
        Pieces {
            piece: Vec::new(),
            rest: Vec::new(),
        }
    }

    pub(super) fn into_vec(self) -> Vec<T> {
        let mut values = self.piece;
        values.reserve_exact(self.rest.iter().map(Vec::len).sum());
        for mut piece in self.rest {
            values.append(&mut piece);
        }
        values
    }
}

impl<T: Send> Gather for Pieces<T> {
    type Value = T;

    fn split_at(self, _mid: usize) -> (Self, Self) {
        (Pieces::new(), self)
    }

    fn split_off_left(&self) -> Self {
        Pieces::new()
    }

    #[inline]
    fn push(&mut self, value: T) {
        self.piece.push(value);
    }

    fn join(mut self, mut right: Self) -> Self {
        if self.piece.is_empty() && self.rest.is_empty() {
            return right;
        }
        if !right.piece.is_empty() {
            self.rest.push(right.piece);
        }
        self.rest.append(&mut right.rest);
        self
    }
}
