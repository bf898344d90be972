//! All that comes of a run: values with their indices, whatever fails.

use super::Engine;
use super::source::{Ordered, Source, SourceCallback};
use crate::engine::collect::PerChunk;
use crate::run::Run;
use crate::token::CancelToken;

/// The values of a run, sorted by index, and how many items there were, as far as is known.
pub(crate) struct Values<T> {
    pub(crate) values: Vec<(usize, T)>,
    pub(crate) items: usize,
}

/// The values of `f`. `None` if the source panicked before all items had ended.
pub(crate) fn outcome<O, F, T, E>(items: O, run: &Run<E>, f: &F) -> Option<Values<T>>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct AllValues<'r, F, T, E> {
        run: &'r Run<E>,
        f: &'r F,
        values: &'r mut Option<Values<T>>,
    }

    impl<I, F, T, E> SourceCallback<I> for AllValues<'_, F, T, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = ();

        fn callback<S: Source<Item = I>>(self, source: S) {
            let AllValues { run, f, values } = self;
            let queue = Engine::of(run, f, source, PerChunk::new()).join();
            let items = queue.items();
            let (results, _, leftover) = queue.into_parts();
            let mut all = Vec::with_capacity(results.iter().map(|r| r.collected.len()).sum());
            for result in results {
                let mut failed = result.failed.into_iter().peekable();
                let indices =
                    (result.start..result.end).filter(|index| failed.next_if_eq(index).is_none());
                all.extend(indices.zip(result.collected));
            }
            let is_short = all.len() < items && !run.has_failure();
            // Before anything is dropped: no value is lost if a drop panics.
            *values = Some(Values { values: all, items });
            leftover.drop_in(run);
            assert!(!is_short, "an iterator gave fewer items than its length");
        }
    }

    let mut values = None;
    run.drive(|| {
        items.with_source(AllValues {
            run,
            f,
            values: &mut values,
        });
    });
    values
}
