//! `Moment`: a point in time, for what the engines measure.

use std::ops::Sub;
use std::time::Duration;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use self::stopped::Instant;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time::Instant;

/// A point in time, where there is a clock; otherwise all of them are one.
///
/// The engines measure how long items take, to choose between ways that lead to the same result. On
/// wasm32-unknown-unknown the standard library has no clock: its `Instant::now` panics, and a
/// measurement is no reason for a run to end so. There this is a unit type, and no time passes
/// between two moments. So code that waits until time has passed needs another way out where
/// [`PASSES`](Moment::PASSES) is false.
///
/// A deadline is no measurement. It needs a clock, and is an [`Instant`](std::time::Instant).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Instant);

impl Moment {
    /// Whether time passes: whether there is a clock.
    pub(crate) const PASSES: bool = cfg!(not(all(target_family = "wasm", target_os = "unknown")));

    #[inline]
    pub(crate) fn now() -> Self {
        Moment(Instant::now())
    }

    /// How long ago this was. Zero without a clock.
    #[inline]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Sub for Moment {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0)
    }
}

/// A clock that stands still.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod stopped {
    use std::time::Duration;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) struct Instant;

    impl Instant {
        pub(super) fn now() -> Self {
            Instant
        }

        #[expect(clippy::unused_self, reason = "as the real one")]
        pub(super) fn elapsed(self) -> Duration {
            Duration::ZERO
        }

        #[expect(clippy::unused_self, reason = "as the real one")]
        pub(super) fn duration_since(self, _: Self) -> Duration {
            Duration::ZERO
        }
    }
}
