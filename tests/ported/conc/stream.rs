//! conc's `stream`: tasks in parallel, callbacks in order. Here a callback is a call of the sink.

use std::panic::panic_any;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use super::Reverse;
use crate::common::{Drops, on_pools, payload_of};
use crate::everywhere;

#[derive(Debug, PartialEq)]
struct Bang(usize);

/// "simple".
#[test]
fn the_sink_is_called_in_the_order_of_the_items() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            for items in [0, 1, 5, 10_000] {
                let mut seen = Vec::new();
                let stream = (0..items).into_par_iter().in_order().with_group(&group);
                let result = stream.try_stream(
                    |_, n| Ok::<_, ()>(2 * n),
                    |value| {
                        seen.push(value);
                        Ok(())
                    },
                );
                assert!(result.is_ok());
                assert_eq!(seen, (0..items).map(|n| 2 * n).collect::<Vec<_>>());
            }
        }
    });
}

/// `ExampleStream`, whose tasks take arbitrary times: here the last item ends first.
#[test]
fn the_sink_waits_for_the_first_item_though_the_last_ends_first() {
    everywhere(|| {
        const ITEMS: usize = 6;
        let (group, reverse) = (ErrGroup::new().concurrency(ITEMS), Reverse::new(ITEMS));
        let (mut seen, ended) = (Vec::new(), AtomicUsize::new(0));
        let result = (0..ITEMS).par_in_order().with_group(&group).try_stream(
            |_, n| {
                reverse.end(n);
                ended.fetch_add(1, SeqCst);
                Ok::<_, ()>(n)
            },
            |n| {
                seen.push(n);
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert_eq!(seen, (0..ITEMS).collect::<Vec<_>>());
        assert_eq!(ended.into_inner(), ITEMS);
    });
}

/// "max goroutines". The sink is `FnMut`, so two callbacks cannot run at once.
#[test]
fn no_more_items_than_the_limit_are_in_flight() {
    everywhere(|| {
        let (group, active) = (ErrGroup::new().concurrency(5), AtomicUsize::new(0));
        let mut seen = 0;
        let stream = (0..50).into_par_iter().in_order().with_group(&group);
        let result = stream.try_stream(
            |_, _| {
                let now = active.fetch_add(1, SeqCst) + 1;
                std::thread::yield_now();
                active.fetch_sub(1, SeqCst);
                if now > 5 { Err(now) } else { Ok(()) }
            },
            |()| {
                seen += 1;
                Ok(())
            },
        );
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(seen, 50);
    });
}

/// "panic in task is propagated".
#[test]
fn the_panic_of_a_streamed_item_goes_to_the_caller() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            let (drops, mut seen) = (Drops::new(100), 0);
            let things = drops.things().into_par_iter().in_order();
            let payload = payload_of(|| {
                things.with_group(&group).try_stream(
                    |_, thing| {
                        if thing.number == 50 {
                            panic_any(Bang(50));
                        }
                        Ok::<_, ()>(thing)
                    },
                    |thing| {
                        assert_eq!(thing.number, seen);
                        seen += 1;
                        Ok(())
                    },
                )
            });
            assert_eq!(payload.downcast_ref(), Some(&Bang(50)));
            assert!(seen <= 50, "the sink had {seen} values");
            drops.assert_each_once();
        }
    });
}

/// "panic in callback is propagated" and "panic in callback does not block producers".
#[test]
fn a_sink_that_panics_ends_the_items_too() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            for last in [0, 50, 99] {
                let drops = Drops::new(100);
                let things = drops.things().into_par_iter().in_order();
                let payload = payload_of(|| {
                    things.with_group(&group).try_stream(
                        |_, thing| Ok::<_, ()>(thing),
                        |thing| {
                            if thing.number == last {
                                panic_any(Bang(last));
                            }
                            Ok(())
                        },
                    )
                });
                assert_eq!(payload.downcast_ref(), Some(&Bang(last)));
                drops.assert_each_once();
            }
        }
    });
}

/// The same with an endless source, and an item that waits for the cancellation.
#[test]
fn a_sink_that_panics_ends_an_endless_source_and_wakes_the_item() {
    everywhere(|| {
        for group in [ErrGroup::new(), ErrGroup::new().catch_panics()] {
            let (group, begun) = (group.concurrency(2), Barrier::new(2));
            let woken = AtomicUsize::new(0);
            let run = || {
                (0_usize..).par_in_order().with_group(&group).try_stream(
                    |token: &CancelToken, n| {
                        if n == 1 {
                            begun.wait();
                            token.done().recv().unwrap_err();
                            woken.fetch_add(1, SeqCst);
                        }
                        Ok::<_, ()>(n)
                    },
                    |n| -> Result<(), ()> {
                        begun.wait();
                        panic_any(Bang(n))
                    },
                )
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let payload = match result {
                Err(payload) => payload,
                Ok(Err(GroupError::Panicked(panicked))) => panicked.into_payload(),
                Ok(result) => panic!("{result:?}"),
            };
            assert_eq!(payload.downcast_ref(), Some(&Bang(0)));
            assert_eq!(woken.into_inner(), 1);
        }
    });
}
