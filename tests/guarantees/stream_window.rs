//! Guarantee 9 in a stream: threads that have run far ahead of the sink are there when they are
//! needed.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rayon_errgroup::{ErrGroup, prelude::*};

use crate::common::{on_pool, watched};

/// After such a pause of the source, items are claimed one by one.
const PAUSE: Duration = Duration::from_micros(600);

fn wait_for(count: &AtomicUsize, at_least: usize) {
    while count.load(SeqCst) < at_least {
        thread::yield_now();
    }
}

/// The items of a burst run while `next` waits for them, although the sink's thread may be the one
/// that waits.
#[test]
fn a_source_may_wait_for_the_items_of_each_burst() {
    for (threads, burst) in [(2, 200), (2, 1000), (4, 1000), (8, 1000)] {
        on_pool(threads, move || {
            let handled = AtomicUsize::new(0);
            let source = (0..20 * burst).inspect(|n| {
                if n % burst == 0 {
                    wait_for(&handled, *n);
                }
            });
            let result = source.par_in_order().try_stream(
                |_, _| {
                    handled.fetch_add(1, SeqCst);
                    Ok::<_, ()>(())
                },
                |()| Ok(()),
            );
            assert_eq!(result, Ok(()));
        });
    }
}

/// The first item keeps the sink waiting, and the window is more than half full behind it. Then
/// come items that wait for each other, and need all of the threads.
#[test]
fn all_threads_run_items_while_the_sink_waits() {
    for (threads, quick) in [(4, 40), (8, 90)] {
        watched(move || {
            let (handled, together) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let source = (0..quick + threads).inspect(|n| {
                if (1..=quick + 1).contains(n) {
                    wait_for(&handled, n - 1);
                    thread::sleep(PAUSE);
                }
            });
            let group = ErrGroup::new().concurrency(threads);
            let result = source.par_in_order().with_group(&group).try_stream(
                |_, n| {
                    together.fetch_add(usize::from(n > quick), SeqCst);
                    if n == 0 || n > quick {
                        wait_for(&together, threads - 1);
                    }
                    handled.fetch_add(1, SeqCst);
                    Ok::<_, ()>(())
                },
                |()| Ok(()),
            );
            assert!(result.is_ok());
        });
    }
}
