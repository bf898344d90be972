//! `Values`: the values of a run, as a parallel iterator.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::UnindexedConsumer;

use crate::engine::claim::source::Ordered;
use crate::engine::{claim, through};
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::in_order::InOrder;
use crate::panic::{drop_catching, drop_payload};
use crate::run::Run;
use crate::token::CancelToken;

/// The values of a run: a rayon [`ParallelIterator`], for the body of `try_process_group` or
/// `try_process`.
///
/// It ends early if the run does: after a failure the body has the values so far, and what it makes
/// of them is dropped.
///
/// It is never indexed, since an item that fails leaves no value: there is no `enumerate`, `zip` or
/// `position_first`. Put these before the call.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use rayon_errgroup::prelude::*;
///
/// let words = ["4", "5", "5"];
/// let (sum, odd) = words.par_iter().try_process_group(
///     |_, word| word.parse::<u32>(),
///     |numbers| {
///         let (odd, even): (Vec<u32>, Vec<u32>) = numbers.partition(|n| n % 2 == 1);
///         (even.iter().sum::<u32>() + odd.iter().sum::<u32>(), odd.len())
///     },
/// )?;
/// assert_eq!((sum, odd), (14, 2));
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[must_use = "nothing runs until one of rayon's methods consumes it"]
pub struct Values<'v, I, F, E> {
    source: I,
    run: &'v Run<E>,
    group: Option<&'v ErrGroup>,
    f: &'v F,
}

impl<'v, I, F, E> Values<'v, I, F, E> {
    pub(crate) fn new(source: I, run: &'v Run<E>, group: Option<&'v ErrGroup>, f: &'v F) -> Self {
        Values {
            source,
            run,
            group,
            f,
        }
    }

    /// Starts the items, on the threads of the group. The body itself stays where it is.
    fn start<R: Send>(self, drive: impl FnOnce(I, &'v Run<E>, &'v F) -> R + Send) -> R
    where
        I: Send,
        F: Sync,
        E: Send,
    {
        let Values {
            source,
            run,
            group,
            f,
        } = self;
        match group {
            Some(group) => group.install(|| drive(source, run, f)),
            None => drive(source, run, f),
        }
    }
}

impl<I, T, F, E> ParallelIterator for Values<'_, I, F, E>
where
    I: ParallelIterator,
    F: Fn(&CancelToken, I::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
        self.start(|items, run, f| through::consume(items, run, f, consumer))
    }
}

impl<S, T, F, E> ParallelIterator for Values<'_, InOrder<S>, F, E>
where
    S: Ordered,
    F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
        self.start(|items, run, f| claim::reduce::consume(items.source, run, f, consumer))
    }
}

/// Calls `body`, ends the run, and keeps what the body returned in any case.
pub(crate) fn process_partial<R, E>(
    group: &ErrGroup,
    run: Run<E>,
    body: impl FnOnce(&Run<E>) -> R,
) -> (Option<R>, Result<(), GroupError<E>>) {
    let mut kept = None;
    let ended = run.with_body(|| kept = Some(body(&run)));
    match catch_unwind(AssertUnwindSafe(|| group.finish(run, ended))) {
        Ok(result) => (kept, result),
        Err(payload) => {
            // Not while the panic unwinds: its drop may panic, too.
            drop_payload(drop_catching(kept));
            resume_unwind(payload)
        }
    }
}

impl<I: fmt::Debug, F, E> fmt::Debug for Values<'_, I, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
