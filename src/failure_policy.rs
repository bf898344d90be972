//! `FailurePolicy`: the part of a group's policy that a run follows when something fails.

/// How many failures a run tolerates, and what it keeps of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailurePolicy {
    /// The failure with this number stops the run. `usize::MAX`: none does.
    pub(crate) error_limit: usize,
    /// A panic of an item counts as an error, unless the first error stops the run anyway.
    pub(crate) catch_panics: bool,
    /// Every failure is kept, not only the first.
    pub(crate) keep_all: bool,
    /// Every error that counts is kept, in a run without an order.
    pub(crate) keep_errors: bool,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        FailurePolicy {
            error_limit: 1,
            catch_panics: false,
            keep_all: false,
            keep_errors: false,
        }
    }
}

impl FailurePolicy {
    /// Whether a run may go on after an error.
    #[inline]
    pub(crate) fn tolerates_errors(self) -> bool {
        self.error_limit > 1
    }

    /// With how many failures a run ends, if all of them are kept and it tolerates some.
    pub(crate) fn counted_limit(self) -> Option<usize> {
        let limit = self.error_limit;
        (self.keep_all && (2..usize::MAX).contains(&limit)).then_some(limit)
    }

    /// Whether a run may go on after an item has panicked.
    pub(crate) fn tolerates_panics(self) -> bool {
        self.catch_panics && self.tolerates_errors()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_tolerated_if_more_than_one_and_limited_if_all_are_kept() {
        let policy = |error_limit, keep_all| FailurePolicy {
            error_limit,
            catch_panics: false,
            keep_all,
            keep_errors: false,
        };
        let tolerates = |limit| policy(limit, true).tolerates_errors();
        assert_eq!([1, 2, usize::MAX].map(tolerates), [false, true, true]);
        let limit = |limit| policy(limit, true).counted_limit();
        let most = usize::MAX - 1;
        assert_eq!(
            [1, 2, most, usize::MAX].map(limit),
            [None, Some(2), Some(most), None]
        );
        assert_eq!(policy(2, false).counted_limit(), None, "not all are kept");
    }
}
