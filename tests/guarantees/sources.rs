//! Guarantee 7: how far and how often the workers read the source, and what a panic of it does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{on_pool, on_pools, payload_of};

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_source_is_the_panic_of_the_run() {
    on_pools(|_| {
        let source = || {
            (0..10_000).inspect(|n| {
                if *n == 5000 {
                    std::panic::panic_any("source")
                }
            })
        };
        let payload = payload_of(|| source().par_in_order().err_group(|_| Ok::<_, ()>(())));
        assert_eq!(payload.downcast_ref(), Some(&"source"));
        let group = ErrGroup::new().catch_panics();
        let result = source().par_in_order().with_group(&group);
        let result = result.try_stream(|_, n| Ok::<_, ()>(n), |_| Ok(()));
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("source"));

        let mapped = (0..10_000).into_par_iter().inspect(|n| {
            if *n == 5000 {
                std::panic::panic_any("source")
            }
        });
        let payload = payload_of(|| mapped.in_order().try_map(|_, n| Ok::<_, ()>(n)));
        assert_eq!(payload.downcast_ref(), Some(&"source"));
    });
}

#[test]
fn endless_sources_end() {
    on_pools(|_| {
        assert_eq!(
            (0..)
                .par_in_order()
                .err_group(|n| if n < 5000 { Ok(()) } else { Err(n) }),
            Err(5000)
        );
        let result = (0..usize::MAX).into_par_iter().in_order();
        assert_eq!(
            result.try_map(|_, n| if n < 5000 { Ok(n) } else { Err(n) }),
            Err(5000)
        );

        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let result = (0..)
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, n| {
                if n == 5000 {
                    stop.cancel();
                }
                Ok::<_, ()>(())
            });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));

        let group = ErrGroup::new().timeout(Duration::from_millis(5));
        let result = (0..usize::MAX)
            .into_par_iter()
            .in_order()
            .with_group(&group);
        let result = result.try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
    });
}

/// How far a lazy source may be read ahead of an item, by documentation.
const LAZY_WINDOW: usize = 1024 * 1024;

#[test]
fn a_lazy_source_is_not_read_further_ahead_than_the_window() {
    on_pool(2, || {
        let read = AtomicUsize::new(0);
        let source = (0_usize..).inspect(|_| _ = read.fetch_add(1, SeqCst));
        let result = source.par_in_order().err_group(|n| {
            if n > 0 {
                return Ok(());
            }
            // Wait until the other worker has stopped for good.
            let (mut before, mut still) = (0, 0);
            while still < 50 {
                thread::sleep(Duration::from_millis(2));
                let now = read.load(SeqCst);
                still = if now == before { still + 1 } else { 0 };
                before = now;
                assert!(now <= 2 * LAZY_WINDOW + 1024, "{now} were read");
            }
            Err("enough")
        });
        assert_eq!(result, Err("enough"));
        assert!(read.into_inner() > 1, "the other worker read ahead");
    });
}

/// Derived from rayon issue 1142: `next` and the closure both run nested work.
#[test]
fn a_source_may_use_the_pool_itself() {
    on_pools(|_| {
        let nested = |n: usize| {
            let sum = (0..20)
                .into_par_iter()
                .in_order()
                .try_map(|_, m| Ok::<_, ()>(m + n));
            sum.unwrap().into_iter().sum::<usize>()
        };
        let source = (0..300).map(nested);
        let values = source.par_in_order().try_map(|_, n| Ok::<_, ()>(nested(n)));
        let expected: Vec<_> = (0..300).map(|n| nested(nested(n))).collect();
        assert_eq!(values, Ok(expected));

        let mut sunk = Vec::new();
        let group = ErrGroup::new();
        let stream = (0..300).map(nested).par_in_order().with_group(&group);
        let result = stream.try_stream(
            |_, n| Ok::<_, ()>(nested(n)),
            |value| {
                sunk.push(nested(value));
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert_eq!(sunk.len(), 300);
    });
}

/// The minimum length of rayon is obeyed: every chunk except the last has as many items.
#[test]
fn a_minimum_length_is_obeyed() {
    on_pools(|_| {
        for least in [1, 100, 5000, usize::MAX] {
            let begun = Mutex::new(vec![None; 1000]);
            let items = (0..1000).into_par_iter().with_min_len(least).in_order();
            let result = items.err_group(|n| {
                begun.lock().unwrap()[n] = rayon::current_thread_index();
                Ok::<_, ()>(())
            });
            assert_eq!(result, Ok(()));
            let begun = begun.into_inner().unwrap();
            let chunks: Vec<_> = begun.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
            let (last, others) = chunks.split_last().unwrap();
            assert!(*last > 0 && others.iter().all(|chunk| *chunk >= least));
        }
    });
}

/// An iterator that is not fused may begin again after its end.
#[test]
fn a_source_is_not_polled_again_after_its_end() {
    on_pools(|_| {
        for len in [0, 1, 1000] {
            let (mut next, mut ended) = (0, false);
            let source = std::iter::from_fn(|| {
                assert!(!ended, "polled again");
                next += 1;
                ended = next > len;
                (!ended).then_some(next)
            });
            assert_eq!(source.par_in_order().err_group(|_| Ok::<_, ()>(())), Ok(()));
        }
    });
}

/// Also within the chunk that is being read when the run is cancelled.
#[test]
fn a_source_is_not_read_on_after_a_cancellation() {
    on_pools(|_| {
        let (stop, read) = (CancelToken::new(), AtomicUsize::new(0));
        let group = ErrGroup::new().token(&stop);
        let source = (0..100_000).inspect(|n| {
            if *n >= 50_000 {
                stop.cancel();
                read.fetch_add(1, SeqCst);
            }
        });
        let result = source
            .par_in_order()
            .with_group(&group)
            .try_for_each(|_, _| Ok::<_, ()>(()));
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        assert_eq!(read.into_inner(), 1);
    });
}

/// A drop must not panic while another panic unwinds, which would abort the process.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_source_among_items_that_panic_when_dropped() {
    struct PanicsOnDrop(bool);
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            assert!(!self.0, "dropped");
        }
    }
    on_pools(|_| {
        let mut next = 0;
        let source = std::iter::from_fn(move || {
            next += 1;
            assert!(next < 1000, "source");
            Some(PanicsOnDrop(next == 999))
        });
        let payload = payload_of(|| {
            source.par_in_order().err_group(|thing| {
                std::mem::forget(thing);
                Ok::<_, ()>(())
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"source"));
    });
}

/// Derived from rayon's tests of `with_min_len`, with a chunk larger than any memory.
#[test]
fn a_chunk_larger_than_memory_may_still_fail_early() {
    on_pools(|_| {
        let items = || {
            (0..usize::MAX)
                .into_par_iter()
                .with_min_len(usize::MAX)
                .in_order()
        };
        let f = |_: &CancelToken, n| if n < 3 { Ok(n) } else { Err(n) };
        assert_eq!(items().try_map(f), Err(3));
        let (group, mut sunk) = (ErrGroup::new(), Vec::new());
        let result = items().with_group(&group).try_stream(f, |n| {
            sunk.push(n);
            Ok(())
        });
        assert_eq!(result.unwrap_err().index(), Some(3));
        assert_eq!(sunk, [0, 1, 2]);
    });
}
