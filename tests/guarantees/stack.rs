//! Guarantee 8: an item that waits may have others started on top of it, but not without end.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::common::{Drops, on_pool, on_pools, payload_of, pool};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*, scope};

/// Far more than a stack has room for.
const ITEMS: usize = 6000;
const MOST_OPEN: usize = 64;

thread_local! {
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// Counts the items that are open on this thread.
struct Open;

impl Open {
    fn new() -> Self {
        let open = OPEN.with(|open| open.replace(open.get() + 1)) + 1;
        assert!(open <= MOST_OPEN, "{open} items are open on one thread");
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.with(|open| open.set(open.get() - 1));
    }
}

fn io() -> ErrGroup {
    ErrGroup::new().concurrency(2)
}

/// Waits for a run on another pool. The thread looks for other jobs meanwhile.
fn wait(io: &ErrGroup) -> Result<(), &'static str> {
    let _open = Open::new();
    let items = (0..2).into_par_iter().with_max_len(1).with_group(io);
    items.err_group(|_| Ok::<_, ()>(())).map_err(|_| "io")
}

#[test]
fn items_that_wait_for_another_pool() {
    on_pools(|_| {
        let (io, ran) = (io(), AtomicUsize::new(0));
        let each = |_| {
            ran.fetch_add(1, SeqCst);
            wait(&io)
        };
        (0..ITEMS)
            .into_par_iter()
            .with_max_len(1)
            .err_group(each)
            .unwrap();
        (0..ITEMS).into_par_iter().err_group(each).unwrap();
        (0..ITEMS)
            .into_par_iter()
            .filter(|_| true)
            .err_group(each)
            .unwrap();
        (0..ITEMS).par_bridge().err_group(each).unwrap();
        assert_eq!(ran.into_inner(), 4 * ITEMS);
    });
}

#[test]
fn items_whose_values_are_kept() {
    on_pools(|_| {
        let io = io();
        let value = |_: &CancelToken, n: usize| wait(&io).map(|()| n.to_string());
        let all: Vec<_> = (0..ITEMS).map(|n| n.to_string()).collect();
        let items = || (0..ITEMS).into_par_iter();
        assert_eq!(items().with_max_len(1).try_map_group(value).unwrap(), all);
        assert_eq!(items().try_map_group(value).unwrap(), all);
        assert_eq!(items().filter(|_| true).try_map_group(value).unwrap(), all);
        let each = items()
            .flat_map_iter(|n| [n, n])
            .try_map_group(value)
            .unwrap();
        assert!(each.iter().step_by(2).eq(&all) && each.iter().skip(1).step_by(2).eq(&all));
    });
}

#[test]
fn items_that_use_a_scope_of_another_pool() {
    on_pools(|_| {
        let (io, ran) = (io(), AtomicUsize::new(0));
        let result = (0..ITEMS).into_par_iter().with_max_len(1).err_group(|_| {
            let _open = Open::new();
            io.scope(|s| {
                s.spawn(|_| Ok::<_, ()>(_ = ran.fetch_add(1, SeqCst)));
                Ok(())
            })
        });
        assert!(result.is_ok());
        assert_eq!(ran.into_inner(), ITEMS);
    });
}

#[test]
fn tasks_that_wait() {
    on_pools(|threads| {
        let (io, ran) = (io(), AtomicUsize::new(0));
        let result = scope(|s| {
            for _ in 0..ITEMS {
                s.spawn(|_| {
                    ran.fetch_add(1, SeqCst);
                    wait(&io)
                });
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(ran.into_inner(), ITEMS);

        // Tasks of a group, which hold permits, and spawn tasks that wait.
        let (group, ran) = (ErrGroup::new().concurrency(threads), AtomicUsize::new(0));
        let result = group.scope(|s| {
            s.spawn(|s| {
                for _ in 0..ITEMS {
                    s.spawn(|_| {
                        ran.fetch_add(1, SeqCst);
                        wait(&io)
                    });
                }
                Ok(())
            });
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(ran.into_inner(), ITEMS);
    });
}

#[test]
fn tasks_with_a_run_on_the_same_pool() {
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        let result = scope(|s| {
            for _ in 0..20_000 {
                s.spawn(|_| {
                    let _open = Open::new();
                    ran.fetch_add(1, SeqCst);
                    (0..16).into_par_iter().err_group(|_| Ok::<_, ()>(()))
                });
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(ran.into_inner(), 20_000);
    });
}

/// Only what is beside an item is postponed, not what is inside of it.
#[test]
fn runs_inside_of_runs_are_not_limited() {
    fn nest(depth: usize, io: &ErrGroup) -> Result<(), &'static str> {
        if depth == 0 {
            return wait(io);
        }
        (0..2)
            .into_par_iter()
            .with_max_len(1)
            .err_group(|n| if n == 0 { nest(depth - 1, io) } else { Ok(()) })
    }

    on_pools(|_| {
        let io = io();
        assert_eq!(nest(2 * MOST_OPEN, &io), Ok(()));
        let items = (0..100).into_par_iter().with_max_len(1);
        assert_eq!(items.err_group(|_| nest(MOST_OPEN, &io)), Ok(()));
    });
}

/// Items that wait on two other pools, each of which waits for the other one. The thread of `ping`
/// has a run open for each item that waits for it, of which there are 64 at most.
#[test]
fn two_pools_that_wait_for_each_other() {
    for (threads, items) in [(1, 300), (2, 60)] {
        on_pool(threads, move || {
            let ping = ErrGroup::new().concurrency(1);
            let pong = ErrGroup::new().concurrency(1);
            let each = |count| (0..count).into_par_iter().with_max_len(1);
            let third = || each(2).with_group(&ping).err_group(|_| Ok::<_, ()>(()));
            let second = || each(2).with_group(&pong).err_group(|_| third());
            let first = || each(3).with_group(&ping).err_group(|_| second());
            assert!(each(items).err_group(|_| first()).is_ok());
        });
    }
}

#[test]
fn a_failure_skips_what_is_postponed() {
    on_pools(|_| {
        let (io, things) = (io(), Drops::new(ITEMS));
        let items = things.things().into_par_iter().with_max_len(1);
        let result = items.err_group(|thing| {
            if thing.number == ITEMS / 2 {
                Err("failed")
            } else {
                wait(&io)
            }
        });
        assert_eq!(result, Err("failed"));
        things.assert_each_once();

        let things = Drops::new(ITEMS);
        let result = scope(|s| {
            for thing in things.things() {
                let io = &io;
                s.spawn(move |_| {
                    if thing.number == ITEMS / 2 {
                        Err("failed")
                    } else {
                        wait(io)
                    }
                });
            }
            Ok(())
        });
        assert_eq!(result, Err("failed"));
        things.assert_each_once();
    });
}

#[test]
fn a_panic_and_a_cancellation_skip_what_is_postponed() {
    on_pools(|_| {
        let (io, things) = (io(), Drops::new(ITEMS));
        let items = things.things().into_par_iter().with_max_len(1);
        let payload = payload_of(|| {
            items.err_group(|thing| {
                assert!(thing.number != ITEMS / 2, "panicked");
                wait(&io)
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"panicked"));
        things.assert_each_once();

        let (things, stop) = (Drops::new(ITEMS), CancelToken::new());
        let group = ErrGroup::new().token(&stop);
        let items = things
            .things()
            .into_par_iter()
            .with_max_len(1)
            .with_group(&group);
        let result = items.err_group(|thing| {
            if thing.number == ITEMS / 2 {
                stop.cancel();
            }
            wait(&io)
        });
        assert!(matches!(result, Err(GroupError::Cancelled(_))));
        things.assert_each_once();
    });
}

/// A leaf without an end is not read to its end where the stack is deep.
#[test]
fn an_endless_source() {
    on_pools(|_| {
        let (io, ran) = (io(), AtomicUsize::new(0));
        let result = rayon::iter::repeat(()).err_group(|()| {
            io.scope(|_| Ok::<_, ()>(())).map_err(|_| "io")?;
            if ran.fetch_add(1, SeqCst) == 10 * ITEMS {
                Err("enough")
            } else {
                Ok(())
            }
        });
        assert_eq!(result, Err("enough"));
    });
}

/// Leaves that are longer than what a stack could take.
#[test]
fn long_leaves() {
    on_pools(|_| {
        let (io, ran) = (pool(1), AtomicUsize::new(0));
        let items = (0..60_000)
            .into_par_iter()
            .with_min_len(1100)
            .with_max_len(1100);
        let result = items.err_group(|_| {
            let _open = Open::new();
            if ran.fetch_add(1, SeqCst) % 1100 == 0 {
                io.install(|| ());
            }
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(ran.into_inner(), 60_000);
    });
}

#[test]
fn errors_of_postponed_items_are_tolerated() {
    on_pools(|_| {
        let (io, ran) = (io(), AtomicUsize::new(0));
        let group = ErrGroup::new().keep_going();
        let items = (0..ITEMS)
            .into_par_iter()
            .with_max_len(1)
            .with_group(&group);
        let result = items.err_group(|n| {
            ran.fetch_add(1, SeqCst);
            wait(&io)?;
            if n % 2 == 0 { Err("even") } else { Ok(()) }
        });
        assert_eq!(result.unwrap_err().into_error(), Some("even"));
        assert_eq!(ran.into_inner(), ITEMS);
    });
}

/// An item that is postponed is dropped when the source has panicked. A second panic, of that drop,
/// would abort the process.
#[test]
fn a_postponed_item_may_panic_when_the_source_has_panicked() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "the drop of an item");
        }
    }
    // In leaves of one item each item is a job; a longer leaf is read ahead, and the source panics
    // meanwhile.
    for (leaf, made_until, is_filtered) in [(1, 100, false), (10, 67, false), (10, 67, true)] {
        let payload = on_pool(1, move || {
            let made = AtomicUsize::new(0);
            let items = (0..2000).into_par_iter();
            let items = items.with_min_len(leaf).with_max_len(leaf).map(|_| {
                let number = made.fetch_add(1, SeqCst);
                assert!(number < made_until, "the source");
                Bomb(number == made_until - 1)
            });
            let run_on_top = |_: &CancelToken, item| -> Result<(), ()> {
                while rayon::yield_now() == Some(rayon::Yield::Executed) {}
                std::mem::forget(item);
                Ok(())
            };
            payload_of(|| {
                if is_filtered {
                    let items = items.filter(|_| true);
                    _ = items.try_process_group(run_on_top, |values| values.count());
                } else {
                    _ = items.try_for_each_group(run_on_top);
                }
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"the source"), "{leaf}");
    }
}

/// What is postponed again and again stays in its place.
#[test]
fn values_of_items_that_are_postponed_again_are_in_order() {
    on_pool(1, || {
        let items = (0..ITEMS).into_par_iter().with_max_len(1);
        let values = items.filter(|n| n % 3 != 0).try_map_group(|_, n| {
            while rayon::yield_now() == Some(rayon::Yield::Executed) {}
            Ok::<_, ()>(n)
        });
        assert!(
            values
                .unwrap()
                .into_iter()
                .eq((0..ITEMS).filter(|n| n % 3 != 0))
        );
    });
}
