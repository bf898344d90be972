//! The auto traits and the common traits of the public types.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use rayon_errgroup::crossbeam_channel::Receiver;
use rayon_errgroup::{
    ByIndex, ByIndexIntoIter, ByIndexIter, CancelRegistration, CancelToken, Cancelled, Cause,
    ConcurrencyError, DropGuard, ErrGroup, Failures, GroupError, InOrder, Outcome, OutcomeIntoIter,
    OutcomeIter, Panicked, PerWorker, Scope, Sequential, TrySpawnError, WithGroup,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_impl_all!(CancelToken: Send, Sync, UnwindSafe, RefUnwindSafe, Unpin);
assert_impl_all!(CancelToken: Clone, Default, Debug, Eq, Hash);
assert_impl_all!(Receiver<Infallible>: Send, Sync);
assert_impl_all!(DropGuard: Send, Sync, UnwindSafe, Debug);
assert_impl_all!(CancelRegistration: Send, Sync, Debug);
assert_impl_all!(ErrGroup: Send, Sync, Clone, Default, Debug);
assert_impl_all!(Cause: Send, Sync, Clone, Debug, Display);
assert_impl_all!(Cancelled: Send, Sync, Clone, Debug, Display, std::error::Error);
assert_impl_all!(Panicked: Send, Sync, Debug, Display, std::error::Error);
assert_impl_all!(GroupError<std::io::Error>: Send, Sync, Debug, Display, std::error::Error);
assert_impl_all!(GroupError<Cell<u8>>: Send, Debug, Display);
assert_not_impl_any!(GroupError<Cell<u8>>: Sync);
assert_impl_all!(WithGroup<'static, rayon::range::Iter<u32>>: Send, Sync, Clone, Debug);
assert_impl_all!(InOrder<rayon::range::Iter<u32>>: Send, Sync, Clone, Debug);
assert_impl_all!(
    WithGroup<'static, InOrder<Sequential<std::ops::Range<u32>>>>: Send, Sync, Clone, Debug
);
assert_impl_all!(Failures<std::io::Error>: Send, Sync, Debug, Display, std::error::Error);
assert_impl_all!(Outcome<u8, std::io::Error>: Send, Sync, Debug, Display, IntoIterator);
assert_impl_all!(
    OutcomeIter<'static, u8, std::io::Error>:
        Send, Sync, Clone, Debug, ExactSizeIterator, std::iter::FusedIterator
);
assert_impl_all!(
    OutcomeIntoIter<u8, std::io::Error>:
        Send, Sync, Debug, ExactSizeIterator, std::iter::FusedIterator
);
assert_impl_all!(ByIndex<Cell<u8>>: Send, Clone, Default, Debug, Eq, IntoIterator);
assert_impl_all!(ByIndex<u8>: Send, Sync);
assert_impl_all!(
    ByIndexIter<'static, u8>:
        Send, Sync, Clone, Debug, ExactSizeIterator, DoubleEndedIterator, std::iter::FusedIterator
);
assert_impl_all!(
    ByIndexIntoIter<u8>:
        Send, Sync, Debug, ExactSizeIterator, DoubleEndedIterator, std::iter::FusedIterator
);
// A scope is `Sync` for every error type that is `Send`.
assert_impl_all!(Scope<'static, Cell<u8>>: Send, Sync, Debug);
assert_not_impl_any!(Scope<'static, std::rc::Rc<u8>>: Send, Sync);
// A state is used by one thread at a time, and an error only returned.
assert_impl_all!(
    PerWorker<'static, Cell<u8>, std::rc::Rc<u8>>:
        Send, Sync, UnwindSafe, RefUnwindSafe, Unpin, Debug
);
assert_not_impl_any!(PerWorker<'static, std::rc::Rc<u8>, ()>: Send, Sync);
assert_impl_all!(ConcurrencyError: Send, Sync, Debug, Display, std::error::Error);
assert_impl_all!(TrySpawnError<fn()>: Send, Sync, Debug, Display, std::error::Error);

/// The errors convert into a boxed `dyn Error + Send + Sync`.
#[test]
fn errors_fit_into_boxes() {
    fn fits(
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        error.into()
    }
    let token = CancelToken::new();
    token.cancel();
    let cancelled = token.check().unwrap_err();
    assert!(fits(cancelled.clone()).is::<Cancelled>());
    let group: GroupError<std::io::Error> = cancelled.into();
    assert!(fits(group).is::<GroupError<std::io::Error>>());
}
