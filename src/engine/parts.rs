//! `Parts`: what the leaves of a run have collected, some of whose items are postponed.
//!
//! A leaf that rayon starts on a stack that is too deep runs no item (see
//! [`user_code`](super::user_code)). In place of a value it leaves a job, which runs the item, and
//! the caller of the run starts these jobs when rayon has ended all leaves. On the caller's own
//! stack there is room, since no item of the run is open there any more.

use crate::sync::pool;

/// What neighbouring leaves have collected, in the order of the items.
pub(super) enum Parts<'r, C> {
    Complete(C),
    Postponed(Vec<Part<'r, C>>),
}

pub(super) enum Part<'r, C> {
    Collected(C),
    /// Runs an item, or postpones it once more.
    Job(Box<dyn FnOnce() -> Parts<'r, C> + Send + 'r>),
}

impl<'r, C: Send> Parts<'r, C> {
    /// Joins what two neighbours have collected.
    #[inline]
    pub(super) fn join(self, right: Self, reduce: impl FnOnce(C, C) -> C) -> Self {
        match (self, right) {
            (Parts::Complete(left), Parts::Complete(right)) => Parts::Complete(reduce(left, right)),
            (left, right) => {
                // Two parts of one leaf have never been collected in a row, so it is called once at
                // most.
                let mut reduce = Some(reduce);
                left.append(right, &mut |left, right| match reduce.take() {
                    Some(reduce) => reduce(left, right),
                    None => unreachable!("two parts of one leaf in a row"),
                })
            }
        }
    }

    #[cold]
    fn append(self, right: Self, reduce: &mut dyn FnMut(C, C) -> C) -> Self {
        let mut parts = self.into_vec();
        for part in right.into_vec() {
            match (parts.pop(), part) {
                (Some(Part::Collected(left)), Part::Collected(right)) => {
                    parts.push(Part::Collected(reduce(left, right)));
                }
                (last, part) => parts.extend(last.into_iter().chain([part])),
            }
        }
        Parts::Postponed(parts)
    }

    /// The parts after this one.
    #[cold]
    pub(super) fn preceded_by(self, first: Part<'r, C>) -> Self {
        let parts = [first].into_iter().chain(self.into_vec());
        Parts::Postponed(parts.collect())
    }

    fn into_vec(self) -> Vec<Part<'r, C>> {
        match self {
            Parts::Complete(collected) => vec![Part::Collected(collected)],
            Parts::Postponed(parts) => parts,
        }
    }

    /// Runs what is postponed, and returns what all parts have collected.
    #[inline]
    pub(super) fn complete(self, reduce: &dyn Fn(C, C) -> C) -> C {
        match self {
            Parts::Complete(collected) => collected,
            Parts::Postponed(parts) => Self::run(parts, reduce),
        }
    }

    /// Each round runs at least one item, since the first job starts on the stack of the caller.
    #[cold]
    fn run(mut parts: Vec<Part<'r, C>>, reduce: &dyn Fn(C, C) -> C) -> C {
        loop {
            let mut results: Vec<_> = parts.into_iter().map(Parts::of).collect();
            pool::scope(|scope| {
                for result in &mut results {
                    let job = match result {
                        Parts::Postponed(parts) => parts.pop(),
                        Parts::Complete(_) => None,
                    };
                    if let Some(Part::Job(job)) = job {
                        scope.spawn(move |_| *result = job());
                    }
                }
            });
            let joined = (results.into_iter()).reduce(|left, right| left.join(right, reduce));
            match joined.unwrap_or_else(|| Parts::Postponed(Vec::new())) {
                Parts::Complete(collected) => return collected,
                Parts::Postponed(rest) => parts = rest,
            }
        }
    }

    fn of(part: Part<'r, C>) -> Self {
        match part {
            Part::Collected(collected) => Parts::Complete(collected),
            job @ Part::Job(_) => Parts::Postponed(vec![job]),
        }
    }
}
