//! Derived from the tests of Go's golang.org/x/sync/errgroup (BSD-3-Clause): `TestZeroGroup`,
//! `TestWithContext`, `TestTryGo`, `TestGoLimit`, `TestCancelCause`, and the example of the three
//! searches. Where this crate differs on purpose, a comment says what Go does.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

use crossbeam_channel::{TryRecvError, bounded};
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, Scope, TrySpawnError, scope};

use crate::common::{Drops, POOLS, message_of, on_pools, watched};
use crate::everywhere;

type Answer = Result<(), &'static str>;

/// What the tasks of a scope return, in the order in which they are spawned.
const ANSWERS: [&[Answer]; 6] = [
    &[],
    &[Ok(())],
    &[Err("one")],
    &[Err("one"), Ok(())],
    &[Err("one"), Ok(()), Err("two")],
    &[Ok(()), Err("one"), Err("two"), Ok(())],
];

/// The same for Go's `TestWithContext` and `TestCancelCause`.
const DOOMED: [&[Answer]; 4] = [&[], &[Ok(())], &[Err("doomed")], &[Err("doomed"), Ok(())]];

fn first_error(answers: &[Answer]) -> Answer {
    answers
        .iter()
        .copied()
        .find(Result::is_err)
        .unwrap_or(Ok(()))
}

/// The result of a scope that only a task can have stopped.
fn answer(result: Result<(), GroupError<&'static str>>) -> Answer {
    result.map_err(|error| error.into_error().expect("a task's error"))
}

/// `TestZeroGroup`. Go would run the tasks after the error, too.
#[test]
fn the_first_error_is_returned_and_the_tasks_after_it_never_run() {
    everywhere(|| {
        for threads in POOLS {
            let group = ErrGroup::new().concurrency(threads);
            for answers in ANSWERS {
                let (begin, begun) = channel();
                let result = group.scope(|s| {
                    for (number, answer) in answers.iter().enumerate() {
                        let (begin, is_over) = (begin.clone(), s.token().is_cancelled());
                        s.spawn(move |_| {
                            begin.send(number).unwrap();
                            *answer
                        });
                        if !is_over {
                            assert_eq!(begun.recv(), Ok(number));
                        }
                        if answer.is_err() {
                            s.token().done().recv().unwrap_err();
                        }
                    }
                    Ok(())
                });
                assert_eq!(answer(result), first_error(answers));
                assert!(begun.try_recv().is_err(), "a task began after the failure");
            }
        }
    });
}

/// `TestZeroGroup`, where every task runs, as in Go. One thread runs them in order.
#[test]
fn the_first_of_several_tolerated_errors_is_returned() {
    everywhere(|| {
        let group = ErrGroup::new().concurrency(1).keep_going();
        for answers in ANSWERS {
            let ran = AtomicUsize::new(0);
            let result = group.scope(|s| {
                for answer in answers {
                    s.spawn(|_| {
                        ran.fetch_add(1, SeqCst);
                        *answer
                    });
                }
                Ok(())
            });
            assert_eq!(answer(result), first_error(answers));
            assert_eq!(ran.into_inner(), answers.len());
        }
    });
}

/// `TestZeroGroup`. Go's `Wait` returns the first error forever; here each scope starts afresh.
#[test]
fn a_group_remembers_no_error_of_its_last_scope() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            for expected in ANSWERS.concat() {
                let result = group.scope(|s| {
                    s.spawn(move |_| expected);
                    Ok(())
                });
                assert_eq!(answer(result), expected);
            }
        }
    });
}

/// `TestWithContext`. After a success Go's context is cancelled; here it is only done.
#[test]
fn the_token_is_done_after_every_scope_and_cancelled_after_a_failure() {
    on_pools(|threads| {
        let parent = CancelToken::new();
        let with_parent = ErrGroup::new().token(&parent);
        let with_threads = with_parent.clone().concurrency(threads);
        for answers in DOOMED {
            for group in [None, Some(&with_parent), Some(&with_threads)] {
                let mut token = None;
                let body = |s: &Scope<'_, _>| {
                    let open = s.token().done().try_recv();
                    assert_eq!(open, Err(TryRecvError::Empty), "not done while it runs");
                    token = Some(s.token().clone());
                    for answer in answers {
                        s.spawn(|_| *answer);
                    }
                    Ok(())
                };
                let result = match group {
                    None => scope(body),
                    Some(group) => answer(group.scope(body)),
                };
                assert_eq!(result, first_error(answers));
                let token = token.unwrap();
                let closed = token.done().try_recv();
                assert_eq!(closed, Err(TryRecvError::Disconnected));
                assert_eq!(token.is_cancelled(), result.is_err());
                let open = parent.done().try_recv();
                assert_eq!(
                    open,
                    Err(TryRecvError::Empty),
                    "the token of the caller is not affected"
                );
            }
        }
    });
}

/// `TestCancelCause`. Go's cause is the error itself, and `Canceled` after a success.
#[test]
fn the_cause_is_a_failure_or_nothing() {
    on_pools(|threads| {
        for group in [ErrGroup::new(), ErrGroup::new().concurrency(threads)] {
            for answers in DOOMED {
                let result = group.scope(|s| {
                    for answer in answers {
                        match s.try_spawn(|_| *answer) {
                            Ok(()) => {}
                            // As in Go's test, a later task may be accepted or not.
                            Err(TrySpawnError::Full(_) | TrySpawnError::Cancelled(_))
                                if answer.is_ok() => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    Ok(s.token().clone())
                });
                match (first_error(answers), result) {
                    (Ok(()), Ok(token)) => assert!(token.cause().is_none()),
                    (Err(expected), Err(error)) => assert_eq!(error.into_error(), Some(expected)),
                    (_, result) => panic!("{result:?}"),
                }
            }
        }
        let mut token = None;
        let result = scope(|s| {
            token = Some(s.token().clone());
            s.try_spawn(|_| Err("doomed")).unwrap();
            Ok(())
        });
        assert_eq!(result, Err("doomed"));
        assert!(matches!(token.unwrap().cause(), Some(Cause::Failed)));
    });
}

/// `TestTryGo`, with its limit of 42.
#[test]
fn a_full_scope_gives_tasks_back_until_one_has_ended() {
    const LIMIT: usize = 42;
    everywhere(|| {
        let group = ErrGroup::new().concurrency(LIMIT);
        let (sender, receiver) = bounded(0);
        let send = || sender.send(()).map_err(|_| "the channel is closed");
        for _ in 0..2 {
            let result = group.scope(|s| {
                for _ in 0..LIMIT {
                    s.try_spawn(|_| send()).unwrap();
                }
                for _ in 0..1 << 10 {
                    let refused = s.try_spawn(|_| send());
                    assert!(matches!(refused, Err(TrySpawnError::Full(_))));
                }
                receiver.recv().unwrap();
                s.spawn(|_| send()); // waits for the permit of the task that ends
                let refused = s.try_spawn(|_| send());
                assert!(matches!(refused, Err(TrySpawnError::Full(_))));
                (0..LIMIT).for_each(|_| receiver.recv().unwrap());
                Ok(())
            });
            assert_eq!(answer(result), Ok(()), "a refused task does not count");
            assert!(receiver.is_empty(), "a refused task never runs");
        }
    });
}

/// `TestTryGo`. Go's `TryGo` would run it.
#[test]
fn a_cancelled_scope_gives_tasks_back() {
    on_pools(|_| {
        let result = ErrGroup::new().scope(|s| {
            assert!(s.token().cancel());
            let Err(TrySpawnError::Cancelled(task)) = s.try_spawn(|_| Err("it ran")) else {
                panic!("it was accepted")
            };
            assert_eq!(task(s), Err("it ran"), "the closure comes back unchanged");
            Ok(())
        });
        assert_eq!(answer(result), Ok(()), "a refused task does not count");
    });
}

/// `TestTryGo`. With a limit of zero Go's `TryGo` refuses everything and its `Go` waits forever.
#[test]
fn a_limit_of_zero_panics() {
    watched(|| {
        let message = message_of(|| ErrGroup::new().concurrency(0));
        assert!(message.contains("at least 1"), "{message}");
    });
}

/// `TestGoLimit`: exactly as many tasks as the limit run at once, and `spawn` does not get further
/// ahead.
#[test]
fn as_many_tasks_as_the_limit_run_at_once() {
    everywhere(|| {
        for limit in [1, 2, 10] {
            let (all, most) = (Barrier::new(limit), AtomicUsize::new(0));
            let (active, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let task = || {
                most.fetch_max(active.fetch_add(1, SeqCst) + 1, SeqCst);
                all.wait();
                active.fetch_sub(1, SeqCst);
                ended.fetch_add(1, SeqCst);
                Ok::<_, &str>(())
            };
            let result = ErrGroup::new().concurrency(limit).scope(|s| {
                for spawned in 1..=1000 {
                    s.spawn(|_| task());
                    assert!(spawned <= ended.load(SeqCst) + limit, "too far ahead");
                }
                Ok(())
            });
            assert_eq!(answer(result), Ok(()));
            assert_eq!(ended.load(SeqCst), 1000);
            assert_eq!(most.load(SeqCst), limit);
        }
    });
}

/// `TestGoLimit`. Go's `Go` would wait forever inside the only task.
#[test]
fn a_task_that_spawns_never_waits() {
    everywhere(|| {
        let ran = AtomicUsize::new(0);
        let result = ErrGroup::new().concurrency(1).scope(|s| {
            s.spawn(|s| {
                assert!(matches!(
                    s.try_spawn(|_| Ok(())),
                    Err(TrySpawnError::Full(_))
                ));
                for _ in 0..10 {
                    s.spawn(|s| {
                        s.spawn(|_| Ok(_ = ran.fetch_add(1, SeqCst)));
                        Ok(())
                    });
                }
                Ok(())
            });
            Ok(())
        });
        assert_eq!(answer(result), Ok(()));
        assert_eq!(ran.into_inner(), 10);
    });
}

/// golang/go#27837. In Go the spawner wakes only when a task ends, and then runs its own task.
#[test]
fn a_cancellation_wakes_a_spawner_that_waits_for_a_permit() {
    everywhere(|| {
        for _ in 0..50 {
            let (stop, (release, hold)) = (CancelToken::new(), channel());
            let group = ErrGroup::new().concurrency(1).token(&stop);
            let result = thread::scope(|threads| {
                group.scope(|s| {
                    s.spawn(move |_| hold.recv().map_err(|_| "the channel is closed"));
                    threads.spawn(|| stop.cancel());
                    s.spawn(|_| Err("it ran"));
                    assert!(s.token().is_cancelled(), "no permit was available");
                    release.send(()).map_err(|_| "the first task never ran")
                })
            });
            // If the cancellation skips the first task, the body fails afterwards.
            let Err(GroupError::Cancelled(cancelled)) = result else {
                panic!("{result:?}")
            };
            assert!(matches!(cancelled.cause().root(), Cause::Requested(None)));
        }
    });
}

/// golang/go#61611. Go runs tasks that are spawned after the failure.
#[test]
fn what_is_spawned_after_the_failure_is_dropped_at_once() {
    everywhere(|| {
        for threads in POOLS {
            let drops = Drops::new(100);
            let result = ErrGroup::new().concurrency(threads).scope(|s| {
                s.spawn(|_| Err("doomed"));
                s.token().done().recv().unwrap_err();
                for thing in drops.things() {
                    let number = thing.number;
                    s.spawn(move |_| {
                        let _kept = thing;
                        unreachable!("it is dropped")
                    });
                    assert_eq!(drops.of(number), 1);
                }
                Ok(())
            });
            assert_eq!(answer(result), Err("doomed"));
            drops.assert_each_once();
        }
    });
}

/// The example of the three searches.
#[test]
fn three_searches_write_three_results() {
    on_pools(|_| {
        let kinds = ["web", "image", "video"];
        let search = |query: &str| {
            let mut results = [const { String::new() }; 3];
            scope(|s| {
                for (result, kind) in results.iter_mut().zip(kinds) {
                    s.spawn(move |_| {
                        if query.is_empty() {
                            return Err("the query is empty");
                        }
                        *result = format!("{kind} result for {query:?}");
                        Ok(())
                    });
                }
                Ok(())
            })?;
            Ok(results)
        };
        let expected = kinds.map(|kind| format!("{kind} result for \"golang\""));
        assert_eq!(search("golang"), Ok(expected));
        assert_eq!(search(""), Err("the query is empty"));
    });
}
