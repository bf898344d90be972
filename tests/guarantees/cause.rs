//! Guarantee 1: one trigger cancels a run, and what is returned names it.

use std::error::Error;
use std::sync::Barrier;

use crate::common::{cancelled, on_pool, on_pools, payload_of};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cancelled, Cause, ErrGroup, GroupError, prelude::*};

#[test]
fn the_error_of_the_only_failure_is_returned() {
    on_pools(|_| {
        for failing in [0, 1, 499, 998, 999] {
            let fail = |n| if n == failing { Err(n) } else { Ok(n) };
            let items = || (0..1000).into_par_iter();
            assert_eq!(items().err_group(|n| fail(n).map(drop)), Err(failing));
            assert_eq!(
                items().try_for_each_group(|_, n| fail(n).map(drop)),
                Err(failing)
            );
            assert_eq!(items().try_map_group(|_, n| fail(n)), Err(failing));
            let group = ErrGroup::new();
            let each = items()
                .with_group(&group)
                .try_for_each(|_, n| fail(n).map(drop));
            assert_eq!(each.unwrap_err().into_error(), Some(failing));
            let map = items().with_group(&group).try_map(|_, n| fail(n));
            assert_eq!(map.unwrap_err().into_error(), Some(failing));
        }
    });
}

/// Derived from golang/sync errgroup_test.go, TestZeroGroup (BSD licence): the earliest error is
/// returned if the tasks run one after another.
#[test]
fn in_time_and_in_order_agree_on_one_thread() {
    on_pool(1, || {
        type Task = Result<(), u8>;
        let cases: [(&[Task], Task); 5] = [
            (&[], Ok(())),
            (&[Ok(())], Ok(())),
            (&[Err(1)], Err(1)),
            (&[Err(1), Ok(())], Err(1)),
            (&[Ok(()), Err(1), Ok(()), Err(2)], Err(1)),
        ];
        for (tasks, expected) in cases {
            assert_eq!(tasks.par_iter().err_group(|task| *task), expected);
        }
    });
}

/// Derived from the .NET suite ParallelForEachAsyncTests (MIT), Exception_FromLoopBody.
#[test]
fn of_two_failures_at_once_one_is_returned() {
    on_pool(2, || {
        for _ in 0..200 {
            let barrier = Barrier::new(2);
            let result = (0..2).into_par_iter().with_max_len(1).err_group(|n| {
                barrier.wait();
                Err::<(), i32>(n)
            });
            assert!(matches!(result, Err(0 | 1)));
        }
    });
}

/// The error of an item that failed because it saw the cancellation is never returned.
#[test]
fn a_consequence_is_never_returned() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Root,
        Consequence,
    }

    for (threads, tries) in [(1, 2_000), (2, 10_000), (4, 8_000)] {
        on_pool(threads, move || {
            for round in 0..tries {
                // On one thread the items that wait must come after the item they wait for.
                let root = if threads == 1 { 0 } else { round % threads };
                let items = (0..threads).into_par_iter().with_max_len(1);
                let run = |token: &CancelToken, n: usize| {
                    if n == root {
                        return Err(Failure::Root);
                    }
                    if n % 2 == 0 {
                        token.done().recv().unwrap_err();
                    } else {
                        while !token.is_cancelled() {
                            std::thread::yield_now();
                        }
                    }
                    Err(Failure::Consequence)
                };
                match round % 4 {
                    0 => assert_eq!(items.try_for_each_group(run), Err(Failure::Root)),
                    1 => assert_eq!(items.try_map_group(run), Err(Failure::Root)),
                    2 => {
                        let result = items.with_group(&ErrGroup::new()).try_for_each(run);
                        assert_eq!(result.unwrap_err().into_error(), Some(Failure::Root));
                    }
                    _ => {
                        let result = items.filter(|_| true).try_map_group(run);
                        assert_eq!(result, Err(Failure::Root));
                    }
                }
            }
        });
    }
}

/// Derived from golang/go context tests, TestCause, "parent cause after child" (BSD licence).
#[test]
fn an_item_fails_and_then_the_parent_is_cancelled() {
    on_pool(2, || {
        let (parent, barrier) = (CancelToken::new(), Barrier::new(2));
        let seen = std::sync::Mutex::new(None);
        let group = ErrGroup::new().token(&parent);
        let items = (0..2).into_par_iter().with_max_len(1).with_group(&group);
        let result = items.try_for_each(|token, n| {
            barrier.wait();
            if n == 0 {
                return Err("the root");
            }
            token.done().recv().unwrap_err();
            parent.cancel_with("too late");
            *seen.lock().unwrap() = Some(token.clone());
            Ok(())
        });
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
        let token = seen.into_inner().unwrap().unwrap();
        assert!(matches!(token.cause(), Some(Cause::Failed)));
        assert!(matches!(parent.cause(), Some(Cause::Requested(Some(_)))));
    });
}

#[test]
fn the_parent_is_cancelled_and_then_an_item_fails() {
    on_pools(|_| {
        let parent = CancelToken::new();
        let group = ErrGroup::new().token(&parent);
        let result = [0].par_iter().with_group(&group).try_for_each(|_, _| {
            parent.cancel_with("enough");
            Err("possibly a consequence")
        });
        let Err(GroupError::Cancelled(cancelled)) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(
            cancelled.cause().root(),
            Cause::Requested(Some(_))
        ));
        assert_eq!(cancelled.source().unwrap().to_string(), "enough");
    });
}

/// Derived from dotnet/runtime issue 58981: an error is judged by when it came, never by its type.
#[test]
fn the_crates_own_error_is_an_ordinary_failure() {
    on_pools(|_| {
        let elsewhere = CancelToken::new();
        elsewhere.cancel();
        let result = (0..10).into_par_iter().err_group(|_| elsewhere.check());
        assert!(matches!(
            result.unwrap_err().cause(),
            Cause::Requested(None)
        ));
        let group = ErrGroup::new();
        let result = [0]
            .par_iter()
            .with_group(&group)
            .try_for_each(|_, _| elsewhere.check());
        assert!(matches!(
            result,
            Err(GroupError::Failed {
                error: Cancelled { .. },
                ..
            })
        ));
    });
}

/// A call without a group can only return an error of an item.
#[test]
fn a_closure_that_cancels_its_own_run_returns_its_error() {
    on_pools(|_| {
        let result = (0..1000).into_par_iter().try_for_each_group(|token, _| {
            token.cancel();
            Err("stopped")
        });
        assert_eq!(result, Err("stopped"));

        let payload = payload_of(|| {
            (0..1000).into_par_iter().try_for_each_group(|token, _| {
                token.cancel();
                Ok::<_, ()>(())
            })
        });
        assert!(payload.downcast::<String>().unwrap().contains("with_group"));
    });
}

#[test]
fn err_group_under_a_policy_returns_the_failure_or_the_cancellation() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().token(&stop);
        let items = || (0..1000_usize).into_par_iter();
        for failing in [0, 1, 500, 999] {
            let only_one_fails = |n| if n == failing { Err(n) } else { Ok(()) };
            let result = items().with_group(&group).err_group(only_one_fails);
            assert_eq!(result.unwrap_err().into_error(), Some(failing));

            let all_from_here_fail = |n| if n >= failing { Err(n) } else { Ok(()) };
            let indexed = items().in_order().with_group(&group);
            let lazy = (0..1000).par_in_order().with_group(&group);
            for result in [
                indexed.err_group(all_from_here_fail),
                lazy.err_group(all_from_here_fail),
            ] {
                let error = result.unwrap_err();
                assert_eq!(error.index(), Some(failing));
                assert_eq!(error.into_error(), Some(failing));
            }
        }
        let ok = |_| Ok::<_, ()>(());
        assert!(items().with_group(&group).err_group(ok).is_ok());
        assert!(items().in_order().with_group(&group).err_group(ok).is_ok());

        stop.cancel_with("stopped");
        let never = |_| -> Result<(), ()> { unreachable!() };
        for result in [
            items().with_group(&group).err_group(never),
            items().in_order().with_group(&group).err_group(never),
            (0..1000).par_in_order().with_group(&group).err_group(never),
        ] {
            let cause = cancelled(result);
            assert!(matches!(cause, Cause::Parent(_)));
            assert!(matches!(cause.root(), Cause::Requested(Some(_))));
        }
    });
}
