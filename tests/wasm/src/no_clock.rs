//! What needs a clock, or threads.

use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ConcurrencyError, ErrGroup, prelude::*};

const HOUR: Duration = Duration::from_secs(3600);

#[unsafe(no_mangle)]
pub extern "C" fn panics_cancel_after() -> u32 {
    CancelToken::new().cancel_after(HOUR);
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn panics_sleep() -> u32 {
    _ = CancelToken::new().sleep(HOUR);
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn panics_timeout() -> u32 {
    let group = ErrGroup::new().timeout(HOUR);
    _ = [0]
        .par_iter()
        .with_group(&group)
        .err_group(|_| Ok::<_, u32>(()));
    0
}

/// Without a deadline nothing asks for the time.
#[unsafe(no_mangle)]
pub extern "C" fn no_deadline() -> u32 {
    let token = CancelToken::new().child();
    assert_eq!((token.deadline(), token.remaining()), (None, None));
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn concurrency_is_an_error() -> u32 {
    let result = ErrGroup::new().try_concurrency(1);
    assert!(matches!(result, Err(ConcurrencyError::Threads { .. })));
    1
}
