//! `InOrder`: the methods that answer as the sequential loop would.

use crate::engine::claim;
use crate::engine::claim::source::Ordered;
use crate::group::ErrGroup;
use crate::run;
use crate::token::CancelToken;
use crate::with_group::WithGroup;

#[derive(Clone, Debug)]
#[must_use = "it does nothing until one of its methods is called"]
pub struct InOrder<S> {
    source: S,
}

impl<S> InOrder<S> {
    pub(crate) fn new(source: S) -> Self {
        InOrder { source }
    }

    pub(crate) fn into_source(self) -> S {
        self.source
    }
}

impl<S: Ordered> InOrder<S> {
    pub fn err_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        self.try_for_each_group(|_, item| f(item))
    }

    pub fn try_for_each_group<F, E>(self, f: F) -> Result<(), E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<(), E> + Sync + Send,
        E: Send,
    {
        run::bare(|run| claim::for_each(self.source, run, &f))
    }

    pub fn try_map_group<F, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: Fn(&CancelToken, S::Item) -> Result<T, E> + Sync + Send,
        T: Send,
        E: Send,
    {
        run::bare(|run| claim::map(self.source, run, &f))
    }

    pub fn with_group(self, group: &ErrGroup) -> WithGroup<'_, Self> {
        WithGroup::new(self, group)
    }
}
