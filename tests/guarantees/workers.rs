//! Guarantee 7 for tokens: which workers of a run in order see a failure, cancellation or panic.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use crossbeam_channel::TryRecvError;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{cancelled, on_pool, on_pools, payload_of, shared};

/// Runs three items at once. The one in the middle fails, the last one waits in `sees` until it
/// sees that, and then the first one ends with the result of `earlier`.
fn three_items(
    threads: usize,
    sees: fn(&CancelToken),
    earlier: fn(&CancelToken) -> Result<(), &'static str>,
) -> Result<(), GroupError<&'static str>> {
    on_pool(threads, move || {
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let group = ErrGroup::new();
        let result = (0..3).into_par_iter().in_order().with_group(&group);
        result.try_for_each(|token, n| {
            let called = Arc::new(AtomicBool::new(false));
            let calling = Arc::clone(&called);
            let _registration = token.on_cancel(move || calling.store(true, SeqCst));
            started.wait();
            match n {
                0 => {
                    wait.lock().unwrap().recv().unwrap();
                    assert!(!token.is_cancelled() && token.cause().is_none());
                    assert_eq!(token.done().try_recv(), Err(TryRecvError::Empty));
                    assert!(token.sleep(Duration::from_millis(1)).is_ok());
                    assert!(!called.load(SeqCst));
                    assert!(!token.child().is_cancelled());
                    earlier(token)
                }
                1 => Err("middle"),
                _ => {
                    sees(token);
                    assert!(matches!(token.cause(), Some(Cause::Failed)));
                    assert!(!called.load(SeqCst), "it waits for item 0");
                    seen.lock().unwrap().send(()).unwrap();
                    Err("a consequence")
                }
            }
        })
    })
}

#[test]
fn items_before_a_failure_never_see_it_and_later_items_do_at_once() {
    // Callbacks wait for the earlier items: see `held_callbacks.rs`.
    let sees: [fn(&CancelToken); 3] = [
        |token| while !token.is_cancelled() {},
        |token| assert!(token.done().recv().is_err()),
        |token| assert!(token.sleep(Duration::from_secs(3600)).is_err()),
    ];
    for threads in [3, 8] {
        for sees in sees {
            let error = three_items(threads, sees, |_| Ok(())).unwrap_err();
            assert_eq!(error.index(), Some(1));
            assert_eq!(error.into_error(), Some("middle"));

            let error = three_items(threads, sees, |_| Err("earlier")).unwrap_err();
            assert_eq!(error.index(), Some(0));
            assert_eq!(error.into_error(), Some("earlier"));
        }
    }
}

#[test]
fn an_item_after_a_failure_cannot_cancel_earlier_items() {
    let ways: [fn(&CancelToken); 4] = [
        |token| assert!(!token.cancel()),
        |token| assert!(!token.cancel_with("no effect")),
        |token| token.cancel_after(Duration::ZERO),
        |token| drop(token.clone().drop_guard()),
    ];
    for cancels in ways {
        let error = on_pool(3, move || {
            let (started, (seen, wait)) = (Barrier::new(3), shared());
            let result = (0..3).into_par_iter().in_order().try_for_each(|token, n| {
                started.wait();
                match n {
                    0 => {
                        wait.lock().unwrap().recv().unwrap();
                        assert!(!token.is_cancelled());
                        Ok(())
                    }
                    1 => Err("middle"),
                    _ => {
                        assert!(token.done().recv().is_err());
                        cancels(token);
                        seen.lock().unwrap().send(()).unwrap();
                        Err("a consequence")
                    }
                }
            });
            result.unwrap_err()
        });
        assert_eq!(error, "middle");
    }
}

#[test]
fn a_nested_run_after_a_failure_is_cancelled_and_one_before_is_not() {
    on_pool(3, || {
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let result = (0..3).into_par_iter().in_order().try_for_each(|token, n| {
            if n == 1 {
                started.wait();
                return Err("middle");
            }
            let group = ErrGroup::new().token(token);
            let nested = (n..=n).par_in_order().with_group(&group);
            let nested = nested.try_for_each(|token, n| {
                started.wait();
                if n == 2 {
                    assert!(token.done().recv().is_err());
                    let cause = token.cause().unwrap();
                    assert!(matches!(cause, Cause::Parent(_)));
                    assert!(matches!(cause.root(), Cause::Failed));
                    seen.lock().unwrap().send(()).unwrap();
                    return Err("a consequence");
                }
                wait.lock().unwrap().recv().unwrap();
                assert!(!token.is_cancelled());
                Ok(())
            });
            nested.map_err(|_| "nested")
        });
        assert_eq!(result, Err("middle"));
    });
}

/// Derived from dotnet/runtime SimultaneousStopBreakTests (MIT licence), "Cancel After Break"; here
/// the first of the two is the result.
#[test]
fn a_failure_before_a_cancellation_from_outside_stays_the_result() {
    on_pool(3, || {
        let stop = CancelToken::new();
        let (started, (seen, wait)) = (Barrier::new(3), shared());
        let group = ErrGroup::new().token(&stop);
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let result = items.try_for_each(|token, n| {
            started.wait();
            match n {
                0 => {
                    wait.lock().unwrap().recv().unwrap();
                    assert!(!token.is_cancelled());
                    stop.cancel();
                    assert!(token.is_cancelled(), "from outside it reaches every item");
                    Err("a consequence")
                }
                1 => Err("middle"),
                _ => {
                    assert!(token.done().recv().is_err());
                    seen.lock().unwrap().send(()).unwrap();
                    Ok(())
                }
            }
        });
        let error = result.unwrap_err();
        assert_eq!(error.index(), Some(1), "the index is frozen");
        assert_eq!(error.into_error(), Some("middle"));
    });
}

#[test]
fn a_failure_after_a_cancellation_from_outside_is_not_the_result() {
    on_pool(2, || {
        let stop = CancelToken::new();
        let (started, (seen, wait)) = (Barrier::new(2), shared());
        let group = ErrGroup::new().token(&stop);
        let items = (0..2).into_par_iter().in_order().with_group(&group);
        let result = items.try_for_each(|_, n| {
            started.wait();
            if n == 0 {
                stop.cancel();
                seen.lock().unwrap().send(()).unwrap();
                return Ok(());
            }
            wait.lock().unwrap().recv().unwrap();
            Err("late")
        });
        assert!(
            matches!(result, Err(GroupError::Cancelled(_))),
            "{result:?}"
        );
    });
}

#[test]
fn a_cancellation_from_outside_or_by_an_item_reaches_every_worker() {
    for threads in [1, 2, 8] {
        for by_item in [false, true] {
            on_pool(threads, move || {
                let (stop, started) = (CancelToken::new(), Barrier::new(threads));
                let group = ErrGroup::new().token(&stop);
                let items = (0..2 * threads)
                    .into_par_iter()
                    .in_order()
                    .with_group(&group);
                let result = items.try_for_each(|token, n| {
                    started.wait();
                    if n == threads - 1 {
                        assert!(if by_item {
                            token.cancel()
                        } else {
                            stop.cancel()
                        });
                    }
                    assert!(token.done().recv().is_err());
                    Ok::<_, ()>(())
                });
                let cause = cancelled(result);
                assert!(matches!(cause.root(), Cause::Requested(None)));
                assert_eq!(matches!(cause, Cause::Parent(_)), !by_item);
                assert_eq!(stop.is_cancelled(), !by_item, "down, not up");
            });
        }
    }
}

#[test]
fn a_deadline_set_by_an_item_is_one_of_the_run() {
    on_pools(|_| {
        let group = ErrGroup::new();
        let items = rayon::iter::repeat_n((), 1_000_000)
            .in_order()
            .with_group(&group);
        let result = items.try_for_each(|token, ()| {
            token.cancel_after(Duration::from_millis(1));
            assert!(token.deadline().is_some());
            token.sleep(Duration::from_secs(3600)).map_err(|_| ())
        });
        assert!(matches!(cancelled(result), Cause::Deadline));
    });
}

#[test]
fn a_call_without_a_group_returns_the_error_of_an_item_that_cancels_it() {
    on_pools(|_| {
        let result = (0..100)
            .into_par_iter()
            .in_order()
            .try_for_each(|token, n| {
                token.cancel();
                Err(n)
            });
        assert!(result.is_err());
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_outranks_an_earlier_failure_and_reaches_every_item() {
    for threads in [2, 8] {
        let payload = on_pool(threads, || {
            let started = Barrier::new(2);
            payload_of(|| {
                (0..2).into_par_iter().in_order().try_for_each(|token, n| {
                    started.wait();
                    if n == 0 {
                        return Err("first in time and in order");
                    }
                    assert!(token.done().recv().is_err());
                    std::panic::panic_any(7_u8)
                })
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&7_u8));

        let payload = on_pool(threads, || {
            let (started, cause) = (Barrier::new(2), Mutex::new(None));
            let payload = payload_of(|| {
                (0..2).into_par_iter().in_order().try_for_each(|token, n| {
                    started.wait();
                    if n == 1 {
                        std::panic::panic_any(7_u8)
                    }
                    _ = token.done().recv();
                    *cause.lock().unwrap() = token.cause();
                    Err("a consequence")
                })
            });
            assert!(matches!(cause.into_inner().unwrap(), Some(Cause::Panicked)));
            payload
        });
        assert_eq!(payload.downcast_ref(), Some(&7_u8));
    }
}
