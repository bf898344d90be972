//! `Values`: the values of a run, as a parallel iterator.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::UnindexedConsumer;

use crate::engine::claim::source::Ordered;
use crate::engine::{claim, through};
use crate::error::GroupError;
use crate::group::ErrGroup;
use crate::in_order::InOrder;
use crate::panic::{drop_catching, drop_payload};
use crate::run::Run;
use crate::sync::{Mutex, lock};
use crate::token::CancelToken;

/// The values of a run: a rayon [`ParallelIterator`], for the body of `try_process_group` or
/// `try_process`.
///
/// It ends early if the run does: after a failure the body has the values so far, and its result is
/// dropped.
///
/// It is never indexed, since an item that fails has no value: there is no `enumerate`, `zip` or
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
    /// `None` once it is consumed.
    source: Option<I>,
    /// Takes the source back if the body panics before it is consumed.
    back: &'v Mutex<Option<I>>,
    run: &'v Run<E>,
    group: Option<&'v ErrGroup>,
    f: &'v F,
}

/// Calls `body` with the values of `source`. `None` if it panicked.
pub(crate) fn process<I, F, E, R>(
    source: I,
    run: &Run<E>,
    group: Option<&ErrGroup>,
    f: &F,
    body: impl FnOnce(Values<'_, I, F, E>) -> R,
) -> Option<R> {
    let back = Mutex::new(None);
    let values = Values {
        source: Some(source),
        back: &back,
        run,
        group,
        f,
    };
    let result = run.with_body(|| body(values));
    let unused = lock(&back).take();
    run.drop_value(unused);
    result
}

impl<I, F, E> Drop for Values<'_, I, F, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            // Not dropped while the panic unwinds: the drop of an item may panic, too.
            *lock(self.back) = self.source.take();
        }
    }
}

impl<'v, I, F, E> Values<'v, I, F, E> {
    /// Starts the items, on the threads of the group. The body itself stays where it is.
    fn start<R: Send>(mut self, drive: impl FnOnce(I, &'v Run<E>, &'v F) -> R + Send) -> R
    where
        I: Send,
        F: Sync,
        E: Send,
    {
        let (run, group, f) = (self.run, self.group, self.f);
        let Some(source) = self.source.take() else {
            unreachable!("the values are consumed once")
        };
        run.drive_for_body(|| match group {
            Some(group) => group.install(|| drive(source, run, f)),
            None => drive(source, run, f),
        })
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

/// Ends the run, and keeps what the body returned in any case.
pub(crate) fn finish_partial<R, E>(
    group: &ErrGroup,
    run: Run<E>,
    process: impl FnOnce(&Run<E>) -> Option<R>,
) -> (Option<R>, Result<(), GroupError<E>>) {
    let kept = process(&run);
    let ended = kept.is_some().then_some(());
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
