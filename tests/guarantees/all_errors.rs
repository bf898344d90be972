//! Guarantees 1 and 2 where several errors are tolerated: all that count are returned, with the
//! spawn numbers of their tasks, or in the order in time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{Drops, cancelled, on_pool, on_pools};

/// The errors of a run that kept all.
#[track_caller]
fn several<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, GroupError<E>>,
) -> Vec<(usize, E)> {
    match result {
        Err(GroupError::Several(failures)) => failures.into_iter().collect(),
        other => panic!("several errors were expected, not {other:?}"),
    }
}

#[test]
fn a_scope_returns_all_errors_by_their_spawn_numbers() {
    on_pools(|threads| {
        for group in [
            ErrGroup::new().keep_going(),
            ErrGroup::new().max_errors(1000),
            ErrGroup::new().keep_going().concurrency(threads),
        ] {
            let result = group.scope(|s| {
                for task in 0..500 {
                    s.spawn(move |_| if task % 3 == 0 { Err(task) } else { Ok(()) });
                }
                Ok(())
            });
            let expected: Vec<_> = (0..500).step_by(3).map(|task| (task, task)).collect();
            assert_eq!(several(result), expected);
        }
    });
}

#[test]
fn tasks_that_are_spawned_by_tasks_are_numbered_too() {
    on_pools(|_| {
        let result = ErrGroup::new().keep_going().scope(|s| {
            s.spawn(|s| {
                for task in 1..100 {
                    s.spawn(move |_| Err(task));
                }
                Err(0)
            });
            Ok(())
        });
        let expected: Vec<_> = (0..100).map(|task| (task, task)).collect();
        assert_eq!(several(result), expected);
    });
}

#[test]
fn what_try_spawn_gives_back_has_no_number() {
    on_pool(2, || {
        let (release, wait) = channel::<()>();
        let result = ErrGroup::new().keep_going().concurrency(1).scope(|s| {
            s.spawn(move |_| wait.recv().map_err(|_| 0).and(Err(0)));
            assert!(s.try_spawn(|_| unreachable!()).is_err());
            drop(release);
            s.spawn(|_| Err(1));
            Ok(())
        });
        assert_eq!(several(result), [(0, 0), (1, 1)]);
    });
}

#[test]
fn one_error_has_its_number_and_none_has_one_where_the_first_error_stops() {
    on_pools(|_| {
        let run = |group: &ErrGroup| {
            let result = group.scope(|s| {
                s.spawn(|_| Ok(()));
                s.spawn(|_| Err("one"));
                Ok(())
            });
            let error = result.unwrap_err();
            let index = error.index();
            assert!(matches!(error, GroupError::Failed { error: "one", .. }));
            index
        };
        assert_eq!(run(&ErrGroup::new().keep_going()), Some(1));
        assert_eq!(run(&ErrGroup::new()), None);
    });
}

/// Guarantee 1: those that come after the cancellation are consequences.
#[test]
fn the_error_that_reaches_the_limit_is_the_last_that_counts() {
    on_pools(|_| {
        let ran = AtomicUsize::new(0);
        let result = ErrGroup::new().max_errors(3).scope(|s| {
            for task in 0..1000 {
                let ran = &ran;
                s.spawn(move |s| {
                    ran.fetch_add(1, SeqCst);
                    if s.token().is_cancelled() {
                        Err("late")
                    } else {
                        Err("its own")
                    }
                    .map_err(|error| (task, error))
                });
            }
            Ok(())
        });
        let errors = several(result);
        assert_eq!(errors.len(), 3);
        for (number, (task, error)) in errors {
            assert_eq!((number, error), (task, "its own"));
        }
        assert!(ran.into_inner() < 1000);
    });
}

#[test]
fn the_error_of_the_body_is_the_result_alone() {
    on_pools(|_| {
        let drops = Drops::new(5);
        let failed = AtomicUsize::new(0);
        let result = ErrGroup::new().keep_going().concurrency(2).scope(|s| {
            for number in 0..4 {
                let (thing, failed) = (drops.thing(number), &failed);
                s.spawn(move |_| {
                    failed.fetch_add(1, SeqCst);
                    Err(thing)
                });
            }
            while failed.load(SeqCst) < 4 {
                rayon::yield_now();
                std::thread::yield_now();
            }
            Err::<(), _>(drops.thing(4))
        });
        match result {
            Err(GroupError::Failed { index: None, error }) => assert_eq!(error.number, 4),
            other => panic!("{other:?}"),
        }
        drops.assert_each_once();
    });
}

#[test]
fn a_cancellation_and_a_panic_drop_the_errors_that_were_tolerated() {
    on_pools(|_| {
        let (stop, drops) = (CancelToken::new(), Drops::new(3));
        let result = ErrGroup::new().keep_going().token(&stop).scope(|s| {
            for thing in drops.things() {
                s.spawn(move |_| Err(thing));
            }
            // Some of the tasks have run, and others not.
            stop.cancel();
            s.spawn(|_| unreachable!());
            Ok(())
        });
        assert!(matches!(cancelled(result), Cause::Parent(_)));
        drops.assert_each_once();
        if cfg!(panic = "unwind") {
            let drops = Drops::new(3);
            let group = ErrGroup::new().keep_going().catch_panics();
            let result = group.scope(|s| {
                for thing in drops.things() {
                    s.spawn(move |_| Err(thing));
                }
                s.spawn(|_| std::panic::resume_unwind(Box::new("lost")));
                Ok(())
            });
            assert!(matches!(result, Err(GroupError::Panicked(_))));
            drops.assert_each_once();
        }
    });
}

/// Each of them is dropped by itself: two panics at once would abort the process.
#[test]
#[cfg(panic = "unwind")]
fn errors_whose_drops_panic_end_in_a_panic() {
    #[derive(Debug)]
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a bomb"));
        }
    }
    on_pools(|_| {
        let group = ErrGroup::new().keep_going().catch_panics();
        let result = group.scope(|s| {
            (0..3).for_each(|_| s.spawn(|_| Err(Bomb)));
            s.spawn(|_| std::panic::resume_unwind(Box::new("a task")));
            Ok(())
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            unreachable!()
        };
        assert_eq!(panicked.message(), Some("a task"));
    });
}

#[test]
fn postponed_tasks_keep_their_numbers() {
    on_pool(2, || {
        let io = ErrGroup::new().concurrency(1);
        let result = ErrGroup::new().keep_going().scope(|s| {
            for task in 0..3000 {
                let io = &io;
                s.spawn(move |_| {
                    let items = [0, 1].into_par_iter().with_max_len(1).with_group(io);
                    items.err_group(|_| Ok::<_, ()>(())).unwrap();
                    Err(task)
                });
            }
            Ok(())
        });
        let expected: Vec<_> = (0..3000).map(|task| (task, task)).collect();
        assert_eq!(several(result), expected);
    });
}

/// One item after another, so that the order in time is known.
#[test]
fn items_without_an_order_return_all_errors_in_the_order_in_time() {
    on_pools(|_| {
        let (group, order) = (ErrGroup::new().keep_going(), Mutex::new(Vec::new()));
        let each = |n: u32| {
            if n % 4 != 0 {
                return Ok(n);
            }
            order.lock().unwrap().push(n);
            Err(n)
        };
        let check = |result: Result<(), GroupError<u32>>, is_alone: bool| {
            let error = result.unwrap_err();
            assert_eq!(
                (error.index(), error.to_string()),
                (None, "25 items failed".into())
            );
            let (numbers, mut errors): (Vec<_>, Vec<_>) =
                several(Err::<(), _>(error)).into_iter().unzip();
            assert!(numbers.into_iter().eq(0..25));
            let mut expected = std::mem::take(&mut *order.lock().unwrap());
            if !is_alone {
                errors.sort_unstable();
                expected.sort_unstable();
            }
            assert_eq!(errors, expected);
        };
        let items = || (0..100).into_par_iter();
        let is_alone = rayon::current_num_threads() == 1;
        check(
            items().with_group(&group).err_group(|n| each(n).map(drop)),
            is_alone,
        );
        check(
            items()
                .with_group(&group)
                .try_for_each(|_, n| each(n).map(drop)),
            is_alone,
        );
        check(
            items().with_group(&group).try_map(|_, n| each(n)).map(drop),
            is_alone,
        );
        let unindexed = items().filter(|_| true);
        check(
            unindexed
                .with_group(&group)
                .try_map(|_, n| each(n))
                .map(drop),
            is_alone,
        );

        let three = ErrGroup::new().max_errors(3);
        let result = items().with_group(&three).err_group(Err::<(), _>);
        assert_eq!(several(result).len(), 3);
    });
}

#[test]
fn both_errors_of_a_join_are_returned() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let result = group.join(|_| Err::<(), _>("a"), |_| Err::<(), _>("b"));
        assert_eq!(several(result), [(0, "a"), (1, "b")]);
        let result = group.join(|_| Ok(()), |_| Err::<(), _>("b"));
        assert_eq!(result.unwrap_err().index(), Some(1));
    });
}

/// In order, the first error is enough, and `outcome` has all.
#[test]
fn in_order_the_first_error_is_returned() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let items = (0..100).into_par_iter().in_order().with_group(&group);
        let error = items.err_group(Err::<(), _>).unwrap_err();
        assert!(matches!(
            error,
            GroupError::Failed {
                index: Some(0),
                error: 0
            }
        ));
    });
}
