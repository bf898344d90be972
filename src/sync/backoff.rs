//! How long a thread sleeps between two looks at something that cannot wake it.

use std::time::Duration;

/// The first sleep.
const SHORTEST: Duration = Duration::from_micros(32);

/// The sleep before the next look, after `step` looks without result. It doubles with each step, up
/// to 32 times the first one.
///
/// For a thread of rayon's pool: rayon cannot wake it for an event that is not one of rayon's own.
pub(crate) fn backoff(step: u32) -> Duration {
    SHORTEST * (1 << step.min(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sleep_doubles_up_to_a_limit() {
        assert_eq!(
            [0, 1, 5, 99].map(backoff),
            [1, 2, 32, 32].map(|times| SHORTEST * times)
        );
    }
}
