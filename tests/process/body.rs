//! What the body may do, and what becomes of its panics.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::{Drops, on_pools, payload_of, watched};

const ITEMS: usize = 1000;

fn items() -> rayon::range::Iter<usize> {
    (0..ITEMS).into_par_iter()
}

#[expect(clippy::unnecessary_wraps, reason = "it is the closure of a run")]
fn ok(_: &CancelToken, item: usize) -> Result<usize, &'static str> {
    Ok(item)
}

fn fails(_: &CancelToken, item: usize) -> Result<usize, &'static str> {
    if item == 0 { Err("zero") } else { Ok(item) }
}

/// Where the body runs, and what it holds.
#[test]
fn the_body_runs_on_the_calling_thread() {
    on_pools(|_| {
        let (caller, local) = (thread::current().id(), Rc::new(Cell::new(0)));
        let group = ErrGroup::new().concurrency(2);
        let sum = items().with_group(&group).try_process(
            |_, n| {
                assert_ne!(thread::current().id(), caller, "on the group's threads");
                ok(&CancelToken::new(), n)
            },
            |values| {
                assert_eq!(thread::current().id(), caller);
                local.set(local.get() + 1);
                values.sum::<usize>()
            },
        );
        assert_eq!((sum.unwrap(), local.get()), (499_500, 1));
    });
}

#[test]
fn a_body_that_asks_for_nothing_starts_nothing() {
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        let f = |_: &CancelToken, _: usize| -> Result<usize, &str> {
            ran.fetch_add(1, SeqCst);
            Err("it ran")
        };
        assert_eq!(items().try_process_group(f, |_| 1), Ok(1));
        assert_eq!(items().in_order().try_process(f, |_| ()), Ok(()));
        let token = CancelToken::new();
        token.cancel();
        let group = ErrGroup::new().token(&token);
        assert_eq!(items().with_group(&group).try_process(f, |_| 2).unwrap(), 2);
        assert_eq!(
            items()
                .take(0)
                .try_process_group(f, |values| values.count()),
            Ok(0)
        );
        assert_eq!(
            (0..0).par_in_order().try_process(f, |values| values.max()),
            Ok(None)
        );
        assert_eq!(ran.load(SeqCst), 0);
    });
}

#[test]
fn a_panic_for_want_of_values_is_not_the_result() {
    on_pools(|_| {
        let f = |_: &CancelToken, _: usize| Err::<usize, _>("failed");
        assert_eq!(
            items().try_process_group(f, |v| v.max().unwrap()),
            Err("failed")
        );
        assert_eq!(
            items().in_order().try_process(f, |v| v.max().unwrap()),
            Err("failed")
        );
        let group = ErrGroup::new().keep_going();
        let result = items()
            .with_group(&group)
            .try_process(f, |v| v.max().unwrap());
        assert!(result.is_err());
    });
}

#[test]
fn other_panics_of_the_body_are_the_result() {
    on_pools(|_| {
        let before = || items().try_process_group(fails, |_| panic_any("before"));
        assert_eq!(
            *payload_of::<Result<(), _>>(before)
                .downcast::<&str>()
                .unwrap(),
            "before"
        );
        let after = || {
            items().in_order().try_process(ok, |values| {
                assert_eq!(values.count(), ITEMS);
                panic_any("after")
            })
        };
        assert_eq!(
            *payload_of::<Result<(), _>>(after)
                .downcast::<&str>()
                .unwrap(),
            "after"
        );
        let group = ErrGroup::new().catch_panics();
        let caught = items()
            .with_group(&group)
            .try_process(ok, |_| -> () { panic_any("caught") });
        let Err(GroupError::Panicked(panicked)) = caught else {
            panic!("not caught")
        };
        assert_eq!(panicked.message(), Some("caught"));
    });
}

/// A panic anywhere in the chain is the result, with its payload, and stops the run at once.
#[test]
fn a_panic_in_the_chain_stops_the_run() {
    on_pools(|threads| {
        let ran = AtomicUsize::new(0);
        let f = |_: &CancelToken, item: usize| {
            ran.fetch_add(1, SeqCst);
            Ok::<_, &str>(item)
        };
        let bomb = |item: usize| if item == 7 { panic_any(item) } else { item };
        let items = || (0..1_000_000_usize).into_par_iter();
        let assert_stopped = |name: &str, run: &dyn Fn() -> usize| {
            ran.store(0, SeqCst);
            assert_eq!(*payload_of(run).downcast::<usize>().unwrap(), 7, "{name}");
            let ran = ran.load(SeqCst);
            assert!(
                ran < 1_000_000 || threads == 1 && name == "reduce",
                "{name}: {ran} items ran"
            );
        };
        assert_stopped("map", &|| {
            items().try_process_group(f, |v| v.map(bomb).sum()).unwrap()
        });
        assert_stopped("filtered map", &|| {
            let items = items().filter(|_| true);
            items.try_process_group(f, |v| v.map(bomb).sum()).unwrap()
        });
        assert_stopped("fold", &|| {
            let fold = |sum, item| sum + bomb(item);
            items()
                .try_process_group(f, |v| v.fold(|| 0, fold).sum())
                .unwrap()
        });
        assert_stopped("source", &|| {
            items().map(bomb).try_process_group(f, |v| v.sum()).unwrap()
        });
        assert_stopped("item", &|| {
            let f = |token: &_, item| f(token, bomb(item));
            items().try_process_group(f, |v| v.sum()).unwrap()
        });
        assert_stopped("map in order", &|| {
            items()
                .in_order()
                .try_process(f, |v| v.map(bomb).sum())
                .unwrap()
        });
        assert_stopped("fold in order", &|| {
            let fold = |sum, item| sum + bomb(item);
            items()
                .in_order()
                .try_process(f, |v| v.fold(|| 0, fold).sum())
                .unwrap()
        });
        assert_stopped("item in order", &|| {
            let f = |token: &_, item| f(token, bomb(item));
            items().in_order().try_process(f, |v| v.sum()).unwrap()
        });
        assert_stopped("lazy source", &|| {
            let items = (0..1_000_000).map(bomb).par_in_order();
            items.try_process(f, |v| v.sum()).unwrap()
        });
    });
}

#[test]
fn a_panic_of_the_reduction_is_the_result() {
    on_pools(|_| {
        let join = |_: usize, _: usize| panic_any("reduce");
        let runs: [&dyn Fn() -> Result<usize, &'static str>; 3] = [
            &|| {
                items()
                    .with_max_len(1)
                    .try_process_group(ok, |v| v.reduce(|| 0, join))
            },
            &|| {
                items()
                    .with_max_len(1)
                    .in_order()
                    .try_process(ok, |v| v.reduce(|| 0, join))
            },
            &|| {
                (0..ITEMS)
                    .par_in_order()
                    .try_process(ok, |v| v.reduce(|| 0, join))
            },
        ];
        for run in runs {
            assert_eq!(*payload_of(run).downcast::<&str>().unwrap(), "reduce");
        }
    });
}

/// The values of `map_with` are cloned where rayon splits.
struct ClonedOnce(AtomicBool);

impl Clone for ClonedOnce {
    fn clone(&self) -> Self {
        if self.0.swap(true, SeqCst) {
            panic_any("cloned twice");
        }
        ClonedOnce(AtomicBool::new(true))
    }
}

#[test]
fn a_panic_when_a_consumer_is_split_is_the_result() {
    on_pools(|_| {
        let with = || ClonedOnce(AtomicBool::new(false));
        let runs: [&dyn Fn() -> Result<usize, &'static str>; 2] = [
            &|| items().try_process_group(ok, |v| v.map_with(with(), |_, n| n).sum()),
            &|| {
                items()
                    .in_order()
                    .try_process(ok, |v| v.map_with(with(), |_, n| n).sum())
            },
        ];
        for run in runs {
            assert_eq!(*payload_of(run).downcast::<&str>().unwrap(), "cloned twice");
        }
    });
}

/// A clone that waits in rayon meanwhile: the workers of the run are started on top of it.
#[test]
fn a_split_may_call_rayon() {
    #[derive(Default)]
    struct Waits;
    impl Clone for Waits {
        fn clone(&self) -> Self {
            rayon::join(rayon::yield_now, rayon::yield_now);
            Waits
        }
    }
    on_pools(|_| {
        for _ in 0..20 {
            let in_order = items().with_max_len(1).in_order();
            let sum = in_order.try_process(ok, |v| v.map_with(Waits, |_, n| n).sum());
            assert_eq!(sum, Ok(499_500));
            let lazy = (0..ITEMS).par_in_order();
            let sum = lazy.try_process(ok, |v| v.map_with(Waits, |_, n| n).sum());
            assert_eq!(sum, Ok(499_500));
            let sum = items().try_process_group(ok, |v| v.map_with(Waits, |_, n| n).sum());
            assert_eq!(sum, Ok(499_500));
        }
    });
}

#[test]
fn a_body_may_catch_what_it_likes() {
    on_pools(|_| {
        let f = |_: &CancelToken, item: usize| -> Result<usize, &str> { panic_any(item) };
        let run = || {
            items().try_process_group(f, |v| {
                catch_unwind(AssertUnwindSafe(|| v.sum::<usize>())).unwrap_or(3)
            })
        };
        assert!(payload_of(run).is::<usize>(), "it is recorded all the same");
    });
}

#[test]
fn the_values_are_the_source_of_another_run() {
    on_pools(|_| {
        let nested = |fails_at: usize| {
            items().try_process_group(ok, |values| {
                values.try_map_group(|_, n| {
                    if n == fails_at {
                        Err("inner")
                    } else {
                        Ok(2 * n)
                    }
                })
            })
        };
        assert_eq!(nested(ITEMS).unwrap().unwrap().len(), ITEMS);
        assert_eq!(nested(5).unwrap(), Err("inner"));
        let outer = items()
            .in_order()
            .try_process(fails, |values| values.err_group(|_| Ok::<_, &str>(())));
        assert_eq!(outer, Err("zero"));
        let twice = items().try_process_group(ok, |values| {
            values.try_process_group(ok, |values| values.max())
        });
        assert_eq!(twice, Ok(Ok(Some(ITEMS - 1))));
    });
}

#[test]
fn the_body_starts_another_run() {
    on_pools(|_| {
        let sums = items().in_order().try_process(ok, |values| {
            let other = items()
                .in_order()
                .try_process(ok, |values| values.sum::<usize>());
            (other, values.sum::<usize>())
        });
        assert_eq!(sums, Ok((Ok(499_500), 499_500)));
    });
}

/// An item that was not started when the match was found does not run, and its error is unknown.
#[test]
fn a_match_that_cancels_the_caller() {
    on_pools(|threads| {
        if threads > 1 {
            return;
        }
        let token = CancelToken::new();
        let group = ErrGroup::new().token(&token);
        let found = items().with_group(&group).try_process(
            |_, n| {
                if n == 3 {
                    token.cancel();
                }
                Ok::<_, ()>(n)
            },
            |values| values.any(|n| n == 3),
        );
        assert!(found.unwrap(), "every item that was asked for has run");
    });
}

#[test]
fn an_endless_source_ends_with_the_match() {
    watched(|| {
        on_pools(|_| {
            assert_eq!(
                (0..)
                    .par_in_order()
                    .try_process(ok, |v| v.any(|n| n == 5000)),
                Ok(true)
            );
            let few = (0..)
                .par_in_order()
                .try_process(ok, |v| v.take_any(300).count());
            assert_eq!(few, Ok(300));
            let first = (0..)
                .par_in_order()
                .try_process(ok, |v| v.find_first(|n| n % 777 == 776));
            assert_eq!(first, Ok(Some(776)));
            // Too many for any test.
            let all = || (0..usize::MAX).into_par_iter();
            assert_eq!(
                all().try_process_group(ok, |v| v.any(|n| n % 777 == 776)),
                Ok(true)
            );
            let all = all().filter(|n| n % 2 == 0);
            assert_eq!(
                all.try_process_group(ok, |v| v.any(|n| n % 777 == 776)),
                Ok(true)
            );
        });
    });
}

/// The sequential loop would not ask for another item.
#[test]
fn nothing_is_read_after_the_last_value_that_is_wanted() {
    on_pools(|threads| {
        if threads > 1 {
            return;
        }
        let mut items = (0..10).chain(std::iter::from_fn(|| panic!("one too many")));
        let found = items.by_ref().par_in_order();
        assert_eq!(found.try_process(ok, |v| v.any(|n| n == 9)), Ok(true));
    });
}

#[test]
fn errors_that_are_tolerated_have_no_value() {
    on_pools(|_| {
        let seen = AtomicUsize::new(0);
        let f = |_: &CancelToken, item: usize| if item % 10 == 3 { Err(item) } else { Ok(item) };
        let group = ErrGroup::new().keep_going();
        let result = (items().with_group(&group))
            .try_process(f, |values| seen.store(values.count(), SeqCst));
        assert!(result.is_err());
        assert_eq!(seen.load(SeqCst), 900);
        let in_order = items()
            .in_order()
            .with_group(&group)
            .try_process(f, |values| {
                let values: Vec<_> = values.collect();
                assert!(values.is_sorted());
                seen.store(values.len(), SeqCst);
            });
        assert_eq!(in_order.unwrap_err().index(), Some(3));
        assert_eq!(seen.load(SeqCst), 900);
        let caught = ErrGroup::new().keep_going().catch_panics();
        let f = |_: &CancelToken, item: usize| {
            if item % 10 == 3 {
                panic_any(item)
            } else {
                Ok::<_, ()>(item)
            }
        };
        let result = items()
            .with_group(&caught)
            .try_process(f, |v| seen.store(v.count(), SeqCst));
        assert!(result.is_err());
        assert_eq!(seen.load(SeqCst), 900);
    });
}

#[test]
fn each_item_and_value_is_dropped_once() {
    on_pools(|_| {
        for failing in [None, Some(10), Some(990)] {
            for is_in_order in [false, true] {
                let (drops, values) = (Drops::new(ITEMS), Drops::new(ITEMS));
                let f = |_: &CancelToken, item: crate::common::Thing| {
                    if Some(item.number) == failing {
                        return Err(item);
                    }
                    Ok((values.thing(item.number), item))
                };
                let items = drops.things().into_par_iter();
                let all = if is_in_order {
                    items.in_order().try_process(f, |v| v.collect::<Vec<_>>())
                } else {
                    items.try_process_group(f, |v| v.collect::<Vec<_>>())
                };
                assert_eq!(all.is_err(), failing.is_some());
                drop(all);
                drops.assert_each_once();
                assert!((0..ITEMS).all(|number| values.of(number) <= 1));
                assert!(failing.is_some() || (0..ITEMS).all(|number| values.of(number) == 1));
            }
        }
    });
}

/// Where items become slow, the others take over what is left of a long chunk.
#[test]
fn values_are_taken_over() {
    on_pools(|threads| {
        if threads == 1 {
            return;
        }
        let helpers = Mutex::new(HashSet::new());
        let f = |_: &CancelToken, item: usize| {
            // The first items are quick, so chunks are long.
            if item >= 50_000 {
                helpers.lock().unwrap().insert(thread::current().id());
                let began = Instant::now();
                while helpers.lock().unwrap().len() < 2 && began.elapsed().as_millis() < 1 {}
            }
            Ok::<_, ()>(vec![item])
        };
        let join = |mut left: Vec<usize>, right: Vec<usize>| {
            left.extend(right);
            left
        };
        let items = (0..60_000_usize).into_par_iter().in_order();
        let all = items.try_process(f, |v| v.reduce(Vec::new, join)).unwrap();
        assert_eq!(all, (0..60_000).collect::<Vec<_>>());
        assert!(
            helpers.into_inner().unwrap().len() >= 2,
            "nobody has helped"
        );
    });
}

/// Items that wait for another pool, one on top of the other: at most 64 of them.
#[test]
fn the_stack_is_bounded() {
    on_pools(|_| {
        let io = ErrGroup::new().concurrency(2);
        let f = |_: &CancelToken, item: usize| {
            let items = (0..2).into_par_iter().with_max_len(1).with_group(&io);
            items
                .err_group(|_| Ok::<_, ()>(()))
                .map(|()| item)
                .map_err(|_| "io")
        };
        let items = || (0..6000_usize).into_par_iter().with_max_len(1);
        let expected: Vec<_> = (0..6000).collect();
        let all = items().try_process_group(f, |v| v.collect::<Vec<_>>());
        assert_eq!(all, Ok(expected.clone()));
        let all = items()
            .filter(|_| true)
            .try_process_group(f, |v| v.collect::<Vec<_>>());
        assert_eq!(all, Ok(expected.clone()));
        let all = items().in_order().try_process(f, |v| v.collect::<Vec<_>>());
        assert_eq!(all, Ok(expected));
    });
}

/// The result of the body and that of the run, whatever stopped it.
#[test]
fn the_result_of_the_body_is_returned_although_the_run_has_failed() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let f = |_: &CancelToken, n: usize| if n % 10 == 3 { Err(n) } else { Ok(n) };
        let count = |group: &ErrGroup, items: rayon::range::Iter<usize>| {
            let plain = items.clone().with_group(group);
            let (plain, plain_result) = plain.try_process_partial(f, |values| values.count());
            let in_order = items.in_order().with_group(group);
            let (in_order, result) = in_order.try_process_partial(f, |values| values.count());
            assert_eq!(plain, in_order);
            assert_eq!(plain_result.is_ok(), result.is_ok());
            (in_order, result.err().and_then(GroupError::into_error))
        };
        assert_eq!(count(&group, items()), (Some(900), Some(3)));
        assert_eq!(count(&group, (0..3).into_par_iter()), (Some(3), None));
        let stop = CancelToken::new();
        stop.cancel();
        assert_eq!(
            count(&ErrGroup::new().token(&stop), items()),
            (Some(0), None)
        );
    });
}

#[test]
fn values_have_a_debug_format() {
    let debug = |name: String| assert!(name.starts_with("Values"), "{name}");
    let all = items().try_process_group(ok, |values| debug(format!("{values:?}")));
    let in_order = items()
        .in_order()
        .try_process(ok, |values| debug(format!("{values:?}")));
    assert_eq!((all, in_order), (Ok(()), Ok(())));
}
