//! Values that are the source of another run, short circuits in order, and drops that panic.

use std::panic::panic_any;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{message_of, on_pools, payload_of, shared};

#[expect(clippy::unnecessary_wraps, reason = "it is the closure of a run")]
fn ok(_: &CancelToken, item: usize) -> Result<usize, &'static str> {
    Ok(item)
}

#[expect(clippy::unnecessary_wraps, reason = "it is the closure of a run")]
fn five_panics(_: &CancelToken, item: usize) -> Result<usize, &'static str> {
    assert!(item != 5, "boom");
    Ok(item)
}

fn items() -> rayon::range::Iter<usize> {
    (0..10).into_par_iter()
}

/// Each run catches the panic of the chain before it, and resumes it in the body of the next one.
#[test]
fn a_panic_keeps_its_payload_through_several_runs() {
    on_pools(|_| {
        let runs: [&dyn Fn() -> usize; 7] = [
            &|| {
                let outer = items().in_order();
                let sum = outer.try_process(five_panics, |v| v.try_process_group(ok, |v| v.sum()));
                sum.unwrap().unwrap()
            },
            &|| {
                let outer = items().in_order();
                let sum = outer.try_process(ok, |v| v.try_process_group(five_panics, |v| v.sum()));
                sum.unwrap().unwrap()
            },
            &|| {
                let outer = items().in_order();
                let values = outer.try_process(five_panics, |v| v.try_map_group(ok));
                values.unwrap().unwrap().len()
            },
            &|| {
                let sum = items()
                    .try_process_group(five_panics, |v| v.try_process_group(ok, |v| v.sum()));
                sum.unwrap().unwrap()
            },
            &|| {
                let sum = items()
                    .try_process_group(ok, |v| v.try_process_group(five_panics, |v| v.sum()));
                sum.unwrap().unwrap()
            },
            &|| {
                let filtered = items().filter(|_| true);
                let sum = filtered
                    .try_process_group(five_panics, |v| v.try_process_group(ok, |v| v.sum()));
                sum.unwrap().unwrap()
            },
            &|| {
                let lazy = (0..10).par_in_order();
                let sum = lazy.try_process(five_panics, |v| v.try_process_group(ok, |v| v.sum()));
                sum.unwrap().unwrap()
            },
        ];
        for run in runs {
            assert_eq!(message_of(run), "boom");
        }
        let group = ErrGroup::new().catch_panics().keep_going();
        let outer = items().in_order().with_group(&group);
        let caught = outer.try_process(five_panics, |v| {
            v.try_process_group(ok, |v| v.sum::<usize>())
        });
        let Err(GroupError::Panicked(panicked)) = caught else {
            panic!("{caught:?}")
        };
        assert_eq!(panicked.message(), Some("boom"));
    });
}

#[test]
fn a_panic_after_an_error_outranks_it_through_several_runs() {
    on_pools(|threads| {
        if threads == 1 {
            return;
        }
        let both = Barrier::new(2);
        let f = |token: &CancelToken, item: usize| {
            both.wait();
            if item == 0 {
                return Err("the error");
            }
            _ = token.done().recv();
            panic_any(item)
        };
        let items = (0..2).into_par_iter().with_max_len(1);
        let run = || items.try_process_group(f, |v| v.try_process_group(ok, |v| v.sum::<usize>()));
        assert!(payload_of(run).is::<usize>());
    });
}

type Closure<'c> = dyn Fn(&CancelToken, usize) -> Result<usize, &'static str> + Sync + 'c;

/// The same in order: item 1 fails first, and then item 0 panics.
#[test]
fn a_panic_before_an_error_outranks_it_through_several_runs() {
    on_pools(|threads| {
        if threads < 3 {
            return;
        }
        let inner: [&dyn Fn(&Closure<'_>); 2] = [
            &|f| {
                let items = (0..3).into_par_iter().with_max_len(1).in_order();
                _ = items.try_process(f, |v| v.try_map_group(ok));
            },
            &|f| {
                let items = (0..3).into_par_iter().with_max_len(1).in_order();
                _ = items.try_process(f, |v| v.try_process_group(ok, |v| v.count()));
            },
        ];
        for run in inner {
            let (all, (sender, receiver)) = (Barrier::new(3), shared());
            let f = |token: &CancelToken, item: usize| {
                all.wait();
                match item {
                    0 => {
                        receiver.lock().unwrap().recv().unwrap();
                        panic_any(item)
                    }
                    1 => Err("the error"),
                    _ => {
                        // It is cancelled when the failure has been recorded.
                        _ = token.done().recv();
                        sender.lock().unwrap().send(()).unwrap();
                        Ok(item)
                    }
                }
            };
            assert!(payload_of(|| run(&f)).is::<usize>());
        }
    });
}

#[test]
fn a_panic_of_the_last_reduction_outranks_an_error() {
    on_pools(|_| {
        let f = |_: &CancelToken, item: usize| if item == 3 { Err(item) } else { Ok(item) };
        let run = || {
            items().with_max_len(1).in_order().try_process(f, |v| {
                v.fold(|| 0, |x, y| x + y)
                    .reduce_with(|_, _| panic_any("join"))
            })
        };
        assert!(payload_of(run).is::<&str>());
    });
}

/// Item 3 is found while item 0 runs. Item 1, of the same chunk as item 0, runs all the same.
#[test]
fn a_match_behind_an_item_does_not_skip_it() {
    on_pools(|threads| {
        let is_found = AtomicBool::new(false);
        let f = |_: &CancelToken, item: usize| {
            while item == 0 && threads > 1 && !is_found.load(SeqCst) {
                thread::yield_now();
            }
            if item == 1 { Err("one") } else { Ok(item) }
        };
        let find = |item: &usize| {
            is_found.fetch_or(*item == 3, SeqCst);
            *item == 3
        };
        let items = || (0..4).into_par_iter().with_min_len(2).in_order();
        let last = items().try_process(f, |v| v.find_last(|item| find(item)));
        assert_eq!(last, Err("one"));
        is_found.store(false, SeqCst);
        let any = items().try_process(f, |v| v.any(|item| find(&item)));
        assert_eq!(any, Err("one"));
    });
}

/// The drop of an item that nobody took panics, and so does something before it.
#[test]
fn a_second_panic_does_not_abort() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("drop");
        }
    }
    struct NoClone;
    impl Clone for NoClone {
        fn clone(&self) -> Self {
            panic_any("clone")
        }
    }
    on_pools(|_| {
        let f = |_: &CancelToken, bomb: Bomb| {
            std::mem::forget(bomb);
            Ok::<_, ()>(1)
        };
        let bombs = || vec![Bomb].into_par_iter();
        let runs: [&dyn Fn() -> Result<u32, ()>; 4] = [
            &|| bombs().try_process_group(f, |_| panic_any("body")),
            &|| bombs().in_order().try_process(f, |_| panic_any("body")),
            &|| bombs().try_process_group(f, |v| v.map_with(NoClone, |_, n| n).sum()),
            &|| {
                let bombs = bombs().in_order();
                bombs.try_process(f, |v| v.map_with(NoClone, |_, n| n).sum())
            },
        ];
        for (run, first) in runs.into_iter().zip(["body", "body", "clone", "clone"]) {
            let payload = payload_of(run);
            assert_eq!(*payload.downcast::<&str>().unwrap(), first);
        }
    });
}
