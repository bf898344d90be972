//! All that comes of a run: values and errors with their indices, whatever fails.

use super::Engine;
use super::source::{Ordered, Source, SourceCallback};
use crate::by_index::ByIndex;
use crate::engine::collect::WithIndices;
use crate::run::Run;
use crate::token::CancelToken;

/// The values of a run and the errors that count, and how many items there were, as far as is
/// known.
pub(crate) struct Results<T, E> {
    pub(crate) values: ByIndex<T>,
    pub(crate) errors: ByIndex<E>,
    pub(crate) items: usize,
}

/// The results of `f`. `None` if the source panicked before all items had ended.
pub(crate) fn outcome<O, F, T, E>(items: O, run: &Run<E>, f: &F) -> Option<Results<T, E>>
where
    O: Ordered,
    F: Fn(&CancelToken, O::Item) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    struct AllResults<'r, F, T, E> {
        run: &'r Run<E>,
        f: &'r F,
        all: &'r mut Option<Results<T, E>>,
    }

    impl<I, F, T, E> SourceCallback<I> for AllResults<'_, F, T, E>
    where
        F: Fn(&CancelToken, I) -> Result<T, E> + Sync,
        T: Send,
        E: Send,
    {
        type Output = ();

        fn callback<S: Source<Item = I>>(self, source: S) {
            let AllResults { run, f, all } = self;
            let queue = Engine::of(run, f, source, WithIndices::new()).join();
            let items = queue.items();
            let (results, _, leftover) = queue.into_parts();
            // The chunks are in order, and so are the items of each. Nothing is copied.
            let (mut values, mut errors) = (ByIndex::new(), ByIndex::new());
            for result in results {
                values.push_part(result.collected);
                errors.push_part(result.errors);
            }
            let is_short = values.len() < items && !run.has_failure();
            // Before anything is dropped: no value is lost if a drop panics.
            *all = Some(Results {
                values,
                errors,
                items,
            });
            leftover.drop_in(run);
            assert!(!is_short, "an iterator gave fewer items than its length");
        }
    }

    let mut all = None;
    run.drive(|| {
        items.with_source(AllResults {
            run,
            f,
            all: &mut all,
        });
    });
    all
}
