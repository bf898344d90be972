//! Guarantee 3: the call returns after every started item has ended, and everything was dropped
//! once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};

use crate::common::{Drops, Thing, on_pool, on_pools, payload_of};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Every item succeeds.
    Success,
    Error,
    Panic,
    /// An item cancels the run, and others may be skipped.
    Cancel,
    /// The last item cancels the run, which skips nothing.
    LateCancel,
}

const ENDS: [End; 5] = [
    End::Success,
    End::Error,
    End::Panic,
    End::Cancel,
    End::LateCancel,
];

/// Derived from oneTBB TestCancelation4: as many objects are destroyed as were created.
#[test]
fn items_values_and_errors_are_dropped_once() {
    const LENGTH: usize = 2000;
    on_pools(|_| {
        for end in ENDS {
            for at in [0, 100, LENGTH - 1] {
                for shape in 0..5 {
                    let (items, values, errors) =
                        (Drops::new(LENGTH), Drops::new(LENGTH), Drops::new(LENGTH));
                    let made = [const { Mutex::new(Vec::new()) }; 2];
                    let stop = CancelToken::new();
                    let group = ErrGroup::new().token(&stop).catch_panics();
                    let things = items.things().into_par_iter();
                    let ended = AtomicUsize::new(0);
                    let run = |_: &CancelToken, item: Thing| {
                        let number = item.number;
                        let last = ended.fetch_add(1, SeqCst) + 1 == LENGTH;
                        match end {
                            End::Error if number >= at => {
                                made[1].lock().unwrap().push(number);
                                return Err(errors.thing(number));
                            }
                            End::Panic if number >= at => panic!("on purpose"),
                            End::Cancel if number >= at => _ = stop.cancel(),
                            End::LateCancel if last => _ = stop.cancel(),
                            _ => {}
                        }
                        made[0].lock().unwrap().push(number);
                        Ok(values.thing(number))
                    };
                    let result = match shape {
                        0 => things.with_group(&group).try_map(run),
                        1 => things.filter(|_| true).with_group(&group).try_map(run),
                        2 => things.with_max_len(1).with_group(&group).try_map(run),
                        3 => items
                            .things()
                            .into_iter()
                            .par_bridge()
                            .with_group(&group)
                            .try_map(run),
                        _ => {
                            let each = things.with_group(&group);
                            each.try_for_each(|token, item| run(token, item).map(drop))
                                .map(|()| vec![])
                        }
                    };
                    items.assert_each_once();
                    match (&result, end) {
                        (Ok(_), End::Success | End::LateCancel) => {}
                        (Err(GroupError::Failed { error, .. }), End::Error) => {
                            assert_eq!(errors.of(error.number), 0);
                        }
                        (Err(GroupError::Panicked(_)), End::Panic) => {}
                        (Err(GroupError::Cancelled(_)), End::Cancel) => {}
                        // The item that cancelled the run was the last one to end.
                        (Ok(values), End::Cancel) => assert!(values.len() == LENGTH || shape == 4),
                        _ => panic!("{end:?} {shape}: {}", result.is_ok()),
                    }
                    drop(result);
                    for (made, drops) in made.into_iter().zip([values, errors]) {
                        for number in made.into_inner().unwrap() {
                            assert_eq!(drops.of(number), 1, "{end:?} {shape}");
                        }
                    }
                }
            }
        }
    });
}

/// The closure may borrow, and is dropped before the call returns.
#[test]
fn closures_borrow_and_are_dropped() {
    on_pools(|_| {
        let (drops, mut numbers) = (Drops::new(1), vec![1, 2, 3]);
        let sum = Mutex::new(0);
        let thing = drops.thing(0);
        numbers
            .par_iter_mut()
            .err_group(|n| {
                let _ = &thing;
                *n *= 2;
                *sum.lock().unwrap() += *n;
                Ok::<_, &str>(())
            })
            .unwrap();
        assert_eq!(drops.of(0), 0);
        let owned = numbers.par_iter().try_map_group(move |_, n| {
            let _ = &thing;
            Ok::<_, ()>(n + thing.number)
        });
        assert_eq!(owned.unwrap(), [2, 4, 6]);
        drops.assert_each_once();
        assert_eq!(sum.into_inner().unwrap(), 12);
    });
}

/// A panic, an error and a cancellation leave the threads of the group intact.
#[test]
fn a_group_with_its_own_threads_survives_every_end() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().concurrency(2).catch_panics();
        for end in ENDS.into_iter().chain(ENDS) {
            let child = stop.child();
            let result = (0..50)
                .into_par_iter()
                .with_group(&group.clone().token(&child))
                .try_for_each(|_, n| match end {
                    End::Error => Err(()),
                    End::Panic => panic!("on purpose"),
                    End::Cancel if n == 0 => Ok(_ = child.cancel()),
                    _ => Ok(()),
                });
            assert_eq!(
                result.is_ok(),
                matches!(end, End::Success | End::LateCancel)
            );
        }
    });
}

/// A parallel iterator that reports a wrong length must not break memory safety.
#[test]
fn a_wrong_length_panics() {
    use rayon::iter::plumbing::UnindexedConsumer;

    struct Liar {
        items: usize,
        says: usize,
    }
    impl ParallelIterator for Liar {
        type Item = String;
        fn drive_unindexed<C: UnindexedConsumer<String>>(self, consumer: C) -> C::Result {
            (0..self.items)
                .into_par_iter()
                .map(|n| n.to_string())
                .drive_unindexed(consumer)
        }
        fn opt_len(&self) -> Option<usize> {
            Some(self.says)
        }
    }

    on_pools(|_| {
        let run = |items, says| Liar { items, says }.try_map_group(|_, text| Ok::<_, ()>(text));
        assert_eq!(run(5, 5).unwrap().len(), 5);
        for (items, says) in [(5, 4), (4, 5), (0, 1), (1, 0), (1000, 1), (1000, 1001)] {
            let payload = payload_of(|| run(items, says));
            let text = payload
                .downcast_ref::<&str>()
                .expect("a message from this crate");
            assert!(text.contains("length"), "{text}");
        }
        // Driven like an iterator that does not know its length.
        struct Unindexed;
        impl ParallelIterator for Unindexed {
            type Item = u32;
            fn drive_unindexed<C: UnindexedConsumer<u32>>(self, consumer: C) -> C::Result {
                (0..100)
                    .into_par_iter()
                    .filter(|_| true)
                    .chain([1].into_par_iter().filter(|_| true))
                    .drive_unindexed(consumer)
            }
            fn opt_len(&self) -> Option<usize> {
                Some(101)
            }
        }
        payload_of(|| Unindexed.try_map_group(|_, n| Ok::<_, ()>(n)));
    });
}

/// The items of a map have no order.
#[test]
fn each_item_of_a_hash_map_runs_once() {
    on_pools(|_| {
        let map: HashMap<usize, usize> = (0..500).map(|n| (n, 2 * n)).collect();
        let mut values = map
            .par_iter()
            .try_map_group(|_, (k, v)| Ok::<_, ()>(v - k))
            .unwrap();
        values.sort_unstable();
        assert!(values.into_iter().eq(0..500));
        assert_eq!(
            map.into_par_iter()
                .err_group(|(k, _)| if k == 7 { Err(k) } else { Ok(()) }),
            Err(7)
        );
    });
}

/// Derived from Java's StructuredTaskScope tests: the return waits for items that do not look at
/// the token.
#[test]
fn items_that_ignore_the_cancellation_end_before_the_return() {
    on_pool(2, || {
        for _ in 0..200 {
            let (barrier, written) = (Barrier::new(2), Mutex::new(vec![]));
            let result = (0..2)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each_group(|token, n| {
                    barrier.wait();
                    if n == 0 {
                        return Err("at once");
                    }
                    token.done().recv().unwrap_err();
                    written.lock().unwrap().push(n);
                    Ok(())
                });
            assert_eq!(result, Err("at once"));
            assert_eq!(written.into_inner().unwrap(), [1]);
        }
    });
}
