//! Guarantee 5: a panic cancels the run at once, and its payload reaches the caller.

use std::fmt::Debug;
use std::panic::panic_any;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::common::{Drops, Thing, on_pool, on_pools, payload_of};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

/// A payload that can be told apart from others.
#[derive(Debug, PartialEq)]
struct Payload(u8);

/// Derived from rayon-core's panic_propagate tests (MIT / Apache-2.0).
#[test]
fn the_payload_is_the_original_one() {
    on_pools(|_| {
        let one = 1;
        let items = || (0..100).into_par_iter();
        let run = |f: &(dyn Fn() + Sync)| {
            payload_of(|| {
                items().err_group(|n| {
                    if n == 50 {
                        f();
                    }
                    Ok::<_, ()>(())
                })
            })
        };
        assert_eq!(
            run(&|| panic_any(Payload(42))).downcast_ref(),
            Some(&Payload(42))
        );
        assert_eq!(
            run(&|| panic!("x {one}")).downcast_ref(),
            Some(&String::from("x 1"))
        );
        assert_eq!(run(&|| panic!("static")).downcast_ref(), Some(&"static"));

        let map = payload_of(|| {
            items().try_map_group(|_, _| -> Result<(), ()> { panic_any(Payload(1)) })
        });
        assert_eq!(map.downcast_ref(), Some(&Payload(1)));
        let nested = payload_of(|| {
            items()
                .err_group(|_| items().err_group(|_| -> Result<(), ()> { panic_any(Payload(2)) }))
        });
        assert_eq!(nested.downcast_ref(), Some(&Payload(2)));
        let group = ErrGroup::new().concurrency(2);
        let own_pool = payload_of(|| {
            items()
                .with_group(&group)
                .try_for_each(|_, _| -> Result<(), ()> { panic_any(Payload(3)) })
        });
        assert_eq!(own_pool.downcast_ref(), Some(&Payload(3)));
    });
}

/// Nothing had cancelled its item before.
#[test]
fn the_panic_that_stops_a_run_is_not_late() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        let run = |_: &CancelToken, n: usize| -> Result<(), ()> {
            assert_ne!(n, 50, "fifty");
            Ok(())
        };
        let items = || (0..100).into_par_iter();
        let in_order = items().in_order().with_group(&group).try_for_each(run);
        let results = [items().with_group(&group).try_for_each(run), in_order];
        for (result, index) in results.into_iter().zip([None, Some(50)]) {
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("an item has panicked: {result:?}")
            };
            assert_eq!((panicked.is_late(), panicked.index()), (false, index));
        }
    });
}

/// Derived from .NET's Exception_FromMoveNext tests: the source is part of the run.
#[test]
fn a_panic_of_the_source_is_a_panic_of_the_run() {
    fn check<I: ParallelIterator>(source: impl Fn() -> I) {
        let ok = |_: &CancelToken, _: I::Item| Ok::<_, ()>(());
        let payload = payload_of(|| source().try_for_each_group(ok));
        assert_eq!(payload.downcast_ref(), Some(&Payload(4)));
        let payload = payload_of(|| source().try_map_group(ok));
        assert_eq!(payload.downcast_ref(), Some(&Payload(4)));
        let caught = source()
            .with_group(&ErrGroup::new().catch_panics())
            .try_map(ok);
        let Err(GroupError::Panicked(panicked)) = caught else {
            panic!("{caught:?}")
        };
        assert_eq!(panicked.message(), None);
        assert_eq!(panicked.into_payload().downcast_ref(), Some(&Payload(4)));
    }
    let bang = |n: i32| if n == 4 { panic_any(Payload(4)) } else { n };
    on_pools(move |_| {
        check(|| (0..100).into_par_iter().map(bang));
        check(|| (0..100).into_par_iter().filter(move |n| bang(*n) % 2 == 0));
        check(|| (0..100).into_par_iter().flat_map(move |n| [bang(n); 3]));
        check(|| (0..100).map(bang).par_bridge());
        check(|| {
            (0..100)
                .into_par_iter()
                .chunks(2)
                .map(move |chunk| bang(chunk[0]))
        });
    });
}

/// Derived from sourcegraph/conc "WithCancelOnError and panic" (MIT). The other items wait for the
/// cancellation: if it came only when the panic reaches the caller, which waits for these items,
/// the run would never end.
#[test]
fn a_panic_cancels_the_others_at_once() {
    fn check<I: ParallelIterator<Item = usize>>(source: I) {
        let (all, woken) = (Barrier::new(3), AtomicUsize::new(0));
        let payload = payload_of(|| {
            source.try_for_each_group(|token, n| {
                all.wait();
                if n == 1 {
                    panic_any(Payload(5));
                }
                token.done().recv().unwrap_err();
                woken.fetch_add(1, SeqCst);
                token.check()
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Payload(5)));
        assert_eq!(woken.into_inner(), 2);
    }
    on_pool(4, || {
        let items = || (0..3_usize).into_par_iter().with_max_len(1);
        check(items());
        check(items().filter(|_| true));
        check((0..3).par_bridge());
        check(items().flat_map(|n| [n]));
    });
}

/// The same for a panic of an adaptor instead of an item.
#[test]
fn a_panic_of_an_adaptor_cancels_the_others_at_once() {
    fn check<I: ParallelIterator<Item = usize>>(source: impl FnOnce(PanicOnOne) -> I) {
        let all = std::sync::Arc::new(Barrier::new(3));
        let woken = AtomicUsize::new(0);
        let payload = payload_of(|| {
            source(PanicOnOne(all.clone())).try_for_each_group(|token, _| {
                all.wait();
                token.done().recv().unwrap_err();
                woken.fetch_add(1, SeqCst);
                token.check()
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Payload(6)));
        assert_eq!(woken.into_inner(), 2);
    }
    #[derive(Clone)]
    struct PanicOnOne(std::sync::Arc<Barrier>);
    impl PanicOnOne {
        fn on_one(&self, n: usize) -> usize {
            if n == 1 {
                self.0.wait();
                panic_any(Payload(6));
            }
            n
        }
    }
    on_pool(4, || {
        let items = || (0..3_usize).into_par_iter().with_max_len(1);
        check(|bang| items().map(move |n| bang.on_one(n)));
        check(|bang| items().filter(move |n| bang.on_one(*n) < 3));
        check(|bang| items().flat_map(move |n| [bang.on_one(n)]));
        check(|bang| items().flat_map_iter(move |n| [bang.on_one(n)]));
        check(|bang| items().inspect(move |n| _ = bang.on_one(*n)));
        // Not driven by a bridge: the folder is created without a check of `full`.
        check(|bang| {
            let one = rayon::iter::once(1).map(move |n| bang.on_one(n));
            one.chain([0, 2].into_par_iter().with_max_len(1))
        });
    });
}

/// Derived from cpython's test_taskgroup_20: an expected error does not hide a bug.
#[test]
fn a_panic_outranks_an_error_that_came_first() {
    on_pool(2, || {
        for catch in [false, true] {
            let barrier = Barrier::new(2);
            let group = ErrGroup::new();
            let group = if catch { group.catch_panics() } else { group };
            let run = || {
                let items = (0..2).into_par_iter().with_max_len(1).with_group(&group);
                items.try_map(|token, n| {
                    barrier.wait();
                    if n == 0 {
                        return Err::<(), _>("first");
                    }
                    token.done().recv().unwrap_err();
                    panic_any(Payload(7))
                })
            };
            if catch {
                assert!(matches!(run(), Err(GroupError::Panicked(_))));
            } else {
                assert_eq!(payload_of(run).downcast_ref(), Some(&Payload(7)));
            }
        }
    });
}

/// Of several panics the first in time is resumed.
#[test]
fn of_two_panics_the_first_is_resumed() {
    on_pool(2, || {
        for first in [0, 1] {
            let barrier = Barrier::new(2);
            let payload = payload_of(|| {
                (0..2)
                    .into_par_iter()
                    .with_max_len(1)
                    .try_for_each_group(|token, n| {
                        barrier.wait();
                        if n != first {
                            token.done().recv().unwrap_err();
                        }
                        if n < 2 {
                            panic_any(n)
                        }
                        Ok::<_, ()>(())
                    })
            });
            assert_eq!(payload.downcast_ref(), Some(&first));
        }
    });
}

/// Derived from tokio's UnwindSafe impls: tokens and groups work as before after a panic.
#[test]
fn nothing_is_poisoned() {
    struct CallsInDrop<'t>(&'t CancelToken);
    impl Drop for CallsInDrop<'_> {
        fn drop(&mut self) {
            let child = self.0.child();
            assert!(child.check().is_ok() && child.cancel() && self.0.cause().is_none());
            // A whole run in a destructor while the thread unwinds.
            let result = (0..100)
                .into_par_iter()
                .try_map_group(|_, n| Ok::<_, ()>(n));
            assert_eq!(result.unwrap().len(), 100);
        }
    }

    on_pools(|_| {
        let token = CancelToken::new();
        let group = ErrGroup::new().token(&token).concurrency(2);
        for _ in 0..3 {
            let payload = payload_of(|| {
                let _calls = CallsInDrop(&token);
                (0..9)
                    .into_par_iter()
                    .with_group(&group)
                    .try_for_each(|_, n| {
                        let _calls = CallsInDrop(&token);
                        if n == 4 {
                            panic_any(Payload(8))
                        } else {
                            Ok::<_, ()>(())
                        }
                    })
            });
            assert_eq!(payload.downcast_ref(), Some(&Payload(8)));
            let good = (0..9)
                .into_par_iter()
                .with_group(&group)
                .try_map(|_, n| Ok::<_, ()>(n));
            assert_eq!(good.unwrap().len(), 9);
        }
        assert!(!token.is_cancelled());
    });
}

/// An item panics, and then the drop of an item that never began. The second panic must not occur
/// during the unwinding of the first, which would abort the process.
#[test]
fn an_item_whose_drop_panics_does_not_abort() {
    struct Bomb(usize);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 == 9 {
                panic_any("drop");
            }
        }
    }

    on_pools(|_| {
        let bombs = || (0..10).map(Bomb).collect::<Vec<_>>();
        let bang = |bomb: Bomb| -> Result<(), ()> {
            let number = bomb.0;
            std::mem::forget(bomb);
            if number == 0 {
                panic_any(Payload(9))
            } else {
                Err(())
            }
        };
        for _ in 0..20 {
            payload_of(|| bombs().into_par_iter().with_min_len(10).err_group(bang));
            payload_of(|| bombs().into_par_iter().filter(|_| true).err_group(bang));
            // The panic of the drop outranks the error.
            let payload = payload_of(|| {
                bombs().into_par_iter().with_min_len(10).err_group(|bomb| {
                    std::mem::forget(bomb);
                    Err(())
                })
            });
            assert_eq!(payload.downcast_ref(), Some(&"drop"));
        }
    });
}

/// An item's panic is tolerated. A panic in the drop of its payload is not an item's.
#[test]
fn a_panic_in_the_drop_of_a_tolerated_payload_is_a_panic_of_the_run() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the drop of a payload")
        }
    }
    on_pools(|_| {
        let group = ErrGroup::new().keep_going().catch_panics();
        let items = (0..2).into_par_iter().in_order().with_group(&group);
        let result = items.err_group(|n| -> Result<(), ()> {
            assert!(n > 0, "item 0");
            // Only the panic with the lowest index is kept.
            panic_any(Bomb)
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            unreachable!()
        };
        assert_eq!(panicked.message(), Some("the drop of a payload"));
    });
}

/// Two payloads whose drops panic, of which the run drops one.
#[test]
fn a_payload_whose_drop_panics_is_harmless() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("drop");
        }
    }
    on_pool(2, || {
        let barrier = Barrier::new(2);
        let payload = payload_of(|| {
            (0..2)
                .into_par_iter()
                .with_max_len(1)
                .err_group(|n| -> Result<(), ()> {
                    barrier.wait();
                    if n < 2 {
                        panic_any(Bomb)
                    }
                    Ok(())
                })
        });
        std::mem::forget(payload);
    });
}

/// The panic that cancelled the run is resumed, not one that the cancellation caused, even if the
/// first is that of an adaptor, whose payload arrives last.
#[test]
fn a_panic_of_an_adaptor_outranks_its_consequences() {
    on_pool(2, || {
        for callback in [false, true] {
            let both = Barrier::new(2);
            let items = (0..2_usize).into_par_iter().with_max_len(1).filter(|n| {
                if *n == 1 {
                    both.wait();
                    panic_any(Payload(10));
                }
                true
            });
            let payload = payload_of(|| {
                items.try_for_each_group(|token, _| {
                    let registration = callback.then(|| token.on_cancel(|| panic_any(Payload(11))));
                    both.wait();
                    token.done().recv().unwrap_err();
                    drop(registration);
                    if !callback {
                        panic_any(Payload(12));
                    }
                    Ok::<_, ()>(())
                })
            });
            assert_eq!(payload.downcast_ref(), Some(&Payload(10)));
        }
    });
}

/// A thing whose drop panics if it has the given number.
struct Fragile(usize, Thing);

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.0 == self.1.number {
            panic_any(Payload(20));
        }
    }
}

/// No value is leaked when the drop of an item that never began panics.
#[test]
fn values_are_dropped_although_the_drop_of_an_item_panics() {
    fn check<I: ParallelIterator<Item = Fragile>>(source: impl Fn(Vec<Fragile>) -> I) {
        for stop in [false, true] {
            let (items, values) = (Drops::new(10), Drops::new(10));
            let made = AtomicUsize::new(0);
            let bombs = items
                .things()
                .into_iter()
                .map(|thing| Fragile(7, thing))
                .collect();
            let result = source(bombs)
                .with_group(&ErrGroup::new().catch_panics())
                .try_map(|token, item| {
                    let number = item.1.number;
                    if number == 6 && stop {
                        token.cancel();
                    } else if number == 6 {
                        return Err(());
                    }
                    made.fetch_add(1, SeqCst);
                    Ok(values.thing(number))
                });
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("a panic was expected")
            };
            assert_eq!(panicked.into_payload().downcast_ref(), Some(&Payload(20)));
            for number in 0..made.into_inner() {
                assert_eq!(values.of(number), 1, "value {number}");
            }
        }
    }
    on_pools(|_| {
        check(|items| items.into_par_iter().with_min_len(10));
        check(|items| items.into_par_iter().with_min_len(10).filter(|_| true));
    });
}

/// The panic of an item is not replaced by one from the drop of a finished value.
#[test]
fn the_drop_of_a_value_does_not_replace_the_panic() {
    fn check<I: ParallelIterator<Item = usize>>(items: I) {
        let values = Drops::new(10);
        let result = items
            .with_group(&ErrGroup::new().catch_panics())
            .try_map(|_, n| {
                if n == 5 {
                    panic_any(Payload(21));
                }
                Ok::<_, ()>(Fragile(2, values.thing(n)))
            });
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("a panic was expected")
        };
        assert_eq!(panicked.into_payload().downcast_ref(), Some(&Payload(21)));
        (0..5).for_each(|n| assert_eq!(values.of(n), 1));
    }
    on_pools(|_| {
        let items = || (0..10).into_par_iter().with_min_len(10);
        check(items());
        check(items().filter(|_| true));
    });
}

/// A tolerated panic is less than a panic of the crate's own clean-up, as for any other value.
#[test]
fn the_drop_of_a_value_outranks_a_tolerated_panic() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics().max_errors(2);
        for length_is_known in [false, true] {
            let values = Drops::new(2);
            let item = |_: &CancelToken, n| {
                if n == 1 {
                    panic_any(Payload(23));
                }
                Ok::<_, ()>(Fragile(0, values.thing(n)))
            };
            let result = if length_is_known {
                let items = (0..2).into_par_iter().in_order();
                items.with_group(&group).try_map(item)
            } else {
                let items = (0..2).filter(|_| true).par_in_order();
                items.with_group(&group).try_map(item)
            };
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("a panic was expected")
            };
            assert_eq!(panicked.into_payload().downcast_ref(), Some(&Payload(20)));
            assert_eq!(values.of(0), 1);
        }
    });
}

/// For `map_with`, rayon clones between a split and the work.
#[test]
fn a_panic_of_a_clone_in_map_with_cancels_the_others_at_once() {
    struct Clones<'c>(&'c AtomicUsize, &'c Barrier);
    impl Clone for Clones<'_> {
        fn clone(&self) -> Self {
            // After the first split an item can begin; the second split is of the other half.
            if self.0.fetch_add(1, SeqCst) == 1 {
                self.1.wait();
                panic_any(Payload(22));
            }
            Clones(self.0, self.1)
        }
    }

    on_pool(2, || {
        let (clones, begun) = (AtomicUsize::new(0), Barrier::new(2));
        let items = (0..3).into_par_iter().with_max_len(1);
        let payload = payload_of(|| {
            items
                .map_with(Clones(&clones, &begun), |_, n| n)
                .try_for_each_group(|token, _| {
                    begun.wait();
                    token.done().recv().unwrap_err();
                    token.check()
                })
        });
        assert_eq!(payload.downcast_ref(), Some(&Payload(22)));
    });
}

/// There are two leaves. The left one fails when the right one is complete, and the drop of a value
/// of the right one panics.
#[test]
fn values_are_dropped_although_the_drop_of_another_leaf_panics() {
    on_pool(2, || {
        let values = Drops::new(10);
        let (complete, completed) = std::sync::mpsc::channel();
        let completed = std::sync::Mutex::new(completed);
        let items = (0..10).into_par_iter().with_min_len(5);
        let payload = payload_of(|| {
            items.try_map_group(|_, n| {
                if n == 3 {
                    completed.lock().unwrap().recv().unwrap();
                    return Err(());
                }
                if n == 9 {
                    complete.send(()).unwrap();
                }
                Ok(Fragile(7, values.thing(n)))
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Payload(20)));
        for n in (0..3).chain(5..10) {
            assert_eq!(values.of(n), 1, "value {n}");
        }
    });
}

/// A group that catches panics, and one that also tolerates failures.
fn catching() -> [ErrGroup; 2] {
    let group = ErrGroup::new().catch_panics();
    [group.clone(), group.keep_going()]
}

#[track_caller]
fn assert_panicked<T: Debug>(result: Result<T, GroupError<usize>>, index: Option<usize>) {
    let error = result.expect_err("it panicked");
    assert_eq!(error.index(), index);
    let subject = index.map_or_else(String::new, |index| format!("item {index} "));
    assert_eq!(error.to_string(), format!("{subject}panicked: bang"));
    let GroupError::Panicked(panicked) = error else {
        panic!("{error:?}")
    };
    assert_eq!(panicked.index(), index);
    assert!(format!("{panicked:?}").contains(&format!("index: {index:?}")));
    assert_eq!(panicked.into_payload().downcast_ref(), Some(&"bang"));
}

/// Runs `f` for a hundred items, by every call in order.
fn results_in_order(
    group: &ErrGroup,
    f: &(dyn Fn(&CancelToken, usize) -> Result<usize, usize> + Sync),
) -> [Result<(), GroupError<usize>>; 8] {
    let indexed = || (0..100_usize).into_par_iter().in_order().with_group(group);
    let lazy = || (0..100_usize).par_in_order().with_group(group);
    let unit = |token: &CancelToken, n| f(token, n).map(drop);
    [
        indexed().try_for_each(unit),
        indexed().try_map(f).map(drop),
        indexed().try_stream(f, |_| Ok(())),
        indexed().outcome(f).into_result().map(drop),
        lazy().try_for_each(unit),
        lazy().try_map(f).map(drop),
        lazy().try_stream(f, |_| Ok(())),
        lazy().outcome(f).into_result().map(drop),
    ]
}

#[test]
fn a_caught_panic_of_an_item_in_order_has_its_index() {
    on_pools(|_| {
        for group in catching() {
            for at in [0, 1, 50, 99] {
                let bang = |_: &CancelToken, n| if n == at { panic!("bang") } else { Ok(n) };
                for result in results_in_order(&group, &bang) {
                    assert_panicked(result, Some(at));
                }
            }
        }
        let group = ErrGroup::new().catch_panics();
        let items = (0..100).into_par_iter().in_order().with_group(&group);
        let result = items.err_group(|n| if n == 7 { panic!("bang") } else { Ok(()) });
        assert_panicked(result, Some(7));
    });
}

/// Errors come before the panic and after it.
#[test]
fn of_several_tolerated_panics_the_one_with_the_lowest_index_is_returned() {
    on_pools(|_| {
        let [_, group] = catching();
        let each = |_: &CancelToken, n| match n % 10 {
            7 => panic!("bang"),
            3 => Err(n),
            _ => Ok(n),
        };
        for result in results_in_order(&group, &each) {
            assert_panicked(result, Some(7));
        }
        let items = (0..100).into_par_iter().in_order().with_group(&group);
        let panics = items.outcome(each).into_panics();
        let indices = panics
            .iter()
            .map(|(index, panicked)| (*index, panicked.index()));
        assert!(indices.eq((7..100).step_by(10).map(|index| (Some(index), Some(index)))));
    });
}

/// The second comes in time before the first is returned, and each waits for the other.
#[test]
fn of_several_panics_that_stop_the_run_the_index_is_that_of_the_payload() {
    on_pool(2, || {
        let group = ErrGroup::new().catch_panics();
        for _ in 0..20 {
            let both = Barrier::new(2);
            let items = (0..2_usize).into_par_iter().in_order().with_group(&group);
            let result = items.try_map(|_, n| -> Result<(), ()> {
                both.wait();
                panic_any(n)
            });
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("{result:?}")
            };
            let index = panicked.index();
            let payload = panicked.into_payload();
            assert_eq!(payload.downcast_ref().copied(), index);
        }
    });
}

/// One is tolerated, and the next failure is an error that stops the run.
#[test]
fn a_tolerated_panic_before_the_error_that_stops_the_run_has_its_index() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics().max_errors(1);
        let each = |_: &CancelToken, n| match n {
            3 => panic!("bang"),
            60 => Err(n),
            _ => Ok(n),
        };
        for result in results_in_order(&group, &each) {
            assert_panicked(result, Some(3));
        }
    });
}

#[test]
fn a_caught_panic_of_something_else_has_no_index() {
    on_pools(|_| {
        for group in catching() {
            let ok = |_: &CancelToken, n: usize| Ok::<_, usize>(n);
            let bang = |n| if n == 5 { panic!("bang") } else { n };
            let source = || (0..10_usize).map(bang).par_in_order().with_group(&group);
            assert_panicked(source().try_map(ok), None);
            assert_panicked(source().try_stream(ok, |_| Ok(())), None);
            let outcome = source().outcome(ok);
            assert_eq!(outcome.panics()[0].0, None);
            assert_panicked(outcome.into_result(), None);

            let items = || (0..10_usize).into_par_iter();
            let mapped = items().map(bang).in_order().with_group(&group);
            assert_panicked(mapped.try_map(ok), None);
            let sink = |n| if n == 5 { panic!("bang") } else { Ok(()) };
            let stream = items().in_order().with_group(&group);
            assert_panicked(stream.try_stream(ok, sink), None);

            // Without an order.
            let stealing = items().with_group(&group);
            assert_panicked(stealing.try_map(|_, n| Ok(bang(n))), None);
            let task = group.scope(|s| {
                s.spawn(|_| panic!("bang"));
                Ok(())
            });
            assert_panicked(task, None);
        }
        // The run cancels the token of the item, whose callback is still registered.
        let [group, _] = catching();
        let items = (0..1_usize).into_par_iter().in_order().with_group(&group);
        let result = items.try_map(|token, n| {
            std::mem::forget(token.on_cancel(|| panic!("bang")));
            Err::<(), _>(n)
        });
        assert_panicked(result, None);
    });
}

/// Guarantee 5, in a destructor that runs while another panic unwinds.
#[test]
fn the_drop_of_a_value_is_a_panic_of_a_run_in_a_destructor_too() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 {
                panic_any("the drop of a value");
            }
        }
    }
    struct RunsOnDrop;
    impl Drop for RunsOnDrop {
        fn drop(&mut self) {
            let items = || (0..8).into_par_iter();
            let value = |_: &CancelToken, n| if n == 5 { Err(n) } else { Ok(Bomb(n == 2)) };
            let group = ErrGroup::new();
            let runs: [&dyn Fn(); 4] = [
                &|| drop(items().try_map_group(value)),
                &|| drop(items().filter(|_| true).try_map_group(value)),
                &|| drop(items().in_order().try_map(value)),
                &|| drop(items().with_group(&group).try_map(value)),
            ];
            for run in runs {
                assert!(payload_of(run).is::<&str>(), "a panic outranks the error");
            }
        }
    }
    // On one thread, so that item 2 has run when item 5 fails.
    let outer = on_pool(1, || {
        payload_of(|| {
            let _runs_on_drop = RunsOnDrop;
            panic_any("the first panic");
        })
    });
    assert_eq!(outer.downcast_ref(), Some(&"the first panic"));
}
