//! The guarantees for the two closures of a `join`.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, join, prelude::*};

use crate::common::{Drops, cancelled, message_of, on_pool, on_pools, watched};

const HOUR: Duration = Duration::from_secs(3600);

/// Waits for the cancellation.
fn wait<T>(token: &CancelToken) -> Result<T, &'static str> {
    _ = token.done().recv();
    assert!(token.is_cancelled());
    Err("a consequence")
}

#[test]
fn both_values_are_returned() {
    on_pools(|_| {
        let mut borrowed = String::new();
        let values = join(
            |_| {
                borrowed.push('a');
                Ok::<_, ()>(1)
            },
            |_| Ok("two"),
        );
        assert_eq!((values, borrowed.as_str()), (Ok((1, "two")), "a"));
        let values = ErrGroup::new().join(|_| Ok::<_, ()>(1), |_| Ok("two"));
        assert_eq!(values.unwrap(), (1, "two"));
    });
}

#[test]
fn an_outside_thread_may_join() {
    watched(|| {
        let own = ErrGroup::new().concurrency(1);
        for _ in 0..100 {
            assert_eq!(join(|_| Ok::<_, ()>(1), |_| Ok(2)), Ok((1, 2)));
            let name =
                |_: &CancelToken| Ok::<_, ()>(std::thread::current().name().map(String::from));
            let expected = || Some("errgroup-0".to_string());
            assert_eq!(own.join(name, name).unwrap(), (expected(), expected()));
        }
    });
}

/// Guarantee 1. On one thread the second closure is skipped, and on more it waits.
#[test]
fn the_first_error_in_time_is_returned() {
    on_pools(|_| {
        for _ in 0..50 {
            assert_eq!(join(|_| Err::<(), _>("a"), wait::<()>), Err("a"));
            let result = ErrGroup::new().join(|_| Err::<(), _>("a"), wait::<()>);
            assert_eq!(result.unwrap_err().into_error(), Some("a"));
            let second_fails = AtomicBool::new(false);
            let result = join(
                |token| {
                    // Alone, it must not wait for the second.
                    if rayon::current_num_threads() == 1 {
                        return Ok(());
                    }
                    while !second_fails.load(SeqCst) && !token.is_cancelled() {
                        std::thread::yield_now();
                    }
                    wait::<()>(token)
                },
                |_| {
                    second_fails.store(true, SeqCst);
                    Err::<(), _>("b")
                },
            );
            assert_eq!(result, Err("b"));
        }
    });
}

#[test]
fn the_cause_is_the_failure() {
    on_pool(2, || {
        let both = Barrier::new(2);
        let result = ErrGroup::new().join(
            |_| {
                both.wait();
                Err::<(), _>("a")
            },
            |token| {
                both.wait();
                let result = wait::<()>(token);
                assert!(matches!(token.cause(), Some(Cause::Failed)));
                result
            },
        );
        assert_eq!(result.unwrap_err().into_error(), Some("a"));
    });
}

/// Guarantees 2 and 3.
#[test]
fn a_closure_that_has_not_begun_is_dropped() {
    on_pool(1, || {
        let drops = Drops::new(2);
        let (mine, theirs) = (drops.thing(0), drops.thing(1));
        let result = join(
            move |_| {
                drop(mine);
                Err::<(), _>("a")
            },
            move |_| -> Result<(), _> {
                drop(theirs);
                unreachable!()
            },
        );
        assert_eq!(result, Err("a"));
        drops.assert_each_once();
    });
}

#[test]
fn a_value_that_is_not_returned_is_dropped_once() {
    on_pools(|_| {
        for fails in 0..3 {
            let drops = Drops::new(2);
            let (a, b) = (drops.thing(0), drops.thing(1));
            let result = join(
                |_| if fails == 0 { Err("a") } else { Ok(a) },
                |_| if fails == 1 { Err("b") } else { Ok(b) },
            );
            assert_eq!(result.is_ok(), fails == 2);
            if let Ok((a, b)) = &result {
                assert_eq!((a.number, b.number), (0, 1));
                assert_eq!((drops.of(0), drops.of(1)), (0, 0));
            }
            drop(result);
            drops.assert_each_once();
        }
    });
}

#[test]
fn nothing_starts_in_a_group_that_is_cancelled() {
    on_pools(|_| {
        let stop = CancelToken::new();
        stop.cancel();
        let groups = [
            ErrGroup::new().token(&stop),
            ErrGroup::new().deadline(Instant::now()),
            ErrGroup::new().timeout(Duration::ZERO).concurrency(2),
        ];
        for group in groups {
            let drops = Drops::new(2);
            let [a, b] = [0, 1].map(|number| {
                let thing = drops.thing(number);
                move |_: &CancelToken| -> Result<(), ()> {
                    drop(thing);
                    unreachable!()
                }
            });
            _ = cancelled(group.join(a, b));
            drops.assert_each_once();
        }
    });
}

/// Guarantee 2: it skipped nothing. And a cancellation that skipped something is an error.
#[test]
fn a_late_cancellation_is_no_error() {
    on_pools(|threads| {
        let stop = CancelToken::new();
        let both_began = Barrier::new(2);
        let group = ErrGroup::new().token(&stop);
        let result = group.join(
            |_| {
                if threads > 1 {
                    both_began.wait();
                }
                Ok::<_, ()>(())
            },
            |token| {
                if threads > 1 {
                    both_began.wait();
                }
                stop.cancel();
                assert!(token.is_cancelled());
                Ok(())
            },
        );
        assert!(result.is_ok());
    });
    on_pool(1, || {
        let cancel = |token: &CancelToken| Ok::<_, ()>(token.cancel());
        let result = ErrGroup::new().join(cancel, |_| -> Result<(), ()> { unreachable!() });
        assert!(matches!(cancelled(result), Cause::Requested(None)));
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_closure_that_cancels_its_own_call_must_return_an_error() {
    on_pool(1, || {
        let cancel = |token: &CancelToken| Ok::<_, ()>(token.cancel());
        let message = message_of(|| join(cancel, |_| -> Result<(), ()> { unreachable!() }));
        assert!(message.contains("no error to return"), "{message}");
        let fail = |token: &CancelToken| {
            token.cancel();
            Err::<(), _>("an error")
        };
        let result = join(fail, |_| -> Result<(), _> { unreachable!() });
        assert_eq!(result, Err("an error"));
    });
}

/// Guarantee 4.
#[test]
fn the_token_is_released_and_the_callers_is_not_cancelled() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let kept = Mutex::new(Vec::new());
        let keep = |token: &CancelToken| {
            kept.lock().unwrap().push((token.clone(), token.child()));
            Ok::<_, ()>(())
        };
        join(keep, keep).unwrap();
        let group = ErrGroup::new().token(&stop);
        group.join(keep, keep).unwrap();
        for (token, child) in kept.into_inner().unwrap() {
            assert!(token.done().recv().is_err() && child.done().recv().is_err());
            assert!(!token.is_cancelled() && !child.is_cancelled());
            assert!(!token.cancel(), "it is released");
        }
        assert!(group.join(|_| Err::<(), _>(()), |_| Ok(())).is_err());
        assert!(!stop.is_cancelled());
    });
}

/// The memory of tokens is used again: none brings something of its last run with it.
#[test]
fn each_call_has_a_token_as_new() {
    on_pools(|_| {
        for round in 0..200 {
            let ran = Arc::new(AtomicUsize::new(0));
            let seen = Mutex::new(None);
            let result = join(
                |token| {
                    assert!(!token.is_cancelled() && token.cause().is_none());
                    assert_eq!(token.deadline(), None);
                    let ran = Arc::clone(&ran);
                    match round % 5 {
                        0 => *seen.lock().unwrap() = Some(token.clone()),
                        1 => _ = token.child(),
                        2 => token.cancel_after(HOUR),
                        3 => std::mem::forget(token.on_cancel(move || {
                            ran.fetch_add(1, SeqCst);
                        })),
                        _ => {}
                    }
                    Ok(())
                },
                |_| if round % 7 == 0 { Err(round) } else { Ok(()) },
            );
            assert_eq!(result.is_err(), round % 7 == 0);
            let cancelled = usize::from(round % 7 == 0 && round % 5 == 3);
            assert_eq!(ran.load(SeqCst), cancelled, "round {round}");
            let seen = seen.into_inner().unwrap();
            assert!(seen.is_none_or(|token| token.done().recv().is_err()));
        }
    });
}

/// Guarantee 5.
#[test]
#[cfg(panic = "unwind")]
fn a_panic_cancels_at_once_and_outranks_the_error() {
    on_pool(2, || {
        for order in [true, false] {
            let both = Barrier::new(2);
            let group = ErrGroup::new().catch_panics();
            let panic = |_: &CancelToken| -> Result<(), _> {
                both.wait();
                std::panic::resume_unwind(Box::new("lost"))
            };
            let sees_it = |token: &CancelToken| {
                both.wait();
                wait::<()>(token)
            };
            let result = if order {
                group.join(panic, sees_it)
            } else {
                group.join(sees_it, panic)
            };
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("{result:?}")
            };
            assert_eq!(panicked.message(), Some("lost"));
        }
        let both = Barrier::new(2);
        let message = message_of(|| {
            join(
                |_| {
                    both.wait();
                    Err::<(), _>("an error")
                },
                |token| -> Result<(), _> {
                    both.wait();
                    _ = token.done().recv();
                    std::panic::resume_unwind(Box::new("lost"))
                },
            )
        });
        assert_eq!(message, "lost");
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_a_drop_is_the_result() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a bomb"));
        }
    }
    on_pool(1, || {
        // The value of the first, and a closure that has not begun.
        let message = message_of(|| join(|_| Ok(Bomb), |_| Err::<(), _>("b")));
        assert_eq!(message, "a bomb");
        let bomb = Bomb;
        let never = move |_: &CancelToken| {
            drop(bomb);
            Ok(())
        };
        assert_eq!(message_of(|| join(|_| Err::<(), _>("a"), never)), "a bomb");
    });
}

fn count(depth: u32, failing: Option<u32>, leaf: &AtomicUsize) -> Result<u32, u32> {
    if depth == 0 {
        let number = u32::try_from(leaf.fetch_add(1, SeqCst)).unwrap();
        return if failing == Some(number) {
            Err(number)
        } else {
            Ok(1)
        };
    }
    let (left, right) = join(
        |_| count(depth - 1, failing, leaf),
        |_| count(depth - 1, failing, leaf),
    )?;
    Ok(left + right)
}

#[test]
fn calls_are_nested() {
    on_pools(|_| {
        assert_eq!(count(12, None, &AtomicUsize::new(0)), Ok(4096));
        assert_eq!(count(12, Some(4000), &AtomicUsize::new(0)), Err(4000));
        // In the items of a run, and the other way round.
        let result = (0..100).into_par_iter().try_map_group(|_, _: u32| {
            let (sum, values) = join(
                |_| count(4, None, &AtomicUsize::new(0)),
                |_| (0..10).into_par_iter().try_map_group(|_, n: u32| Ok(n)),
            )?;
            Ok::<_, u32>(sum + values.into_iter().sum::<u32>())
        });
        assert_eq!(result, Ok(vec![61; 100]));
    });
}

thread_local! {
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// Guarantee 8: each leaf waits for a run on another pool, and its thread looks for other work
/// meanwhile. Without a limit, thousands of leaves would be open on one thread.
#[test]
fn closures_that_wait_need_a_bounded_stack() {
    fn tree(depth: u32, io: &ErrGroup, most: &AtomicUsize) -> Result<u32, ()> {
        if depth > 0 {
            let below = |_: &CancelToken| tree(depth - 1, io, most);
            let (left, right) = join(below, below)?;
            return Ok(left + right);
        }
        let open = OPEN.with(|open| open.replace(open.get() + 1)) + 1;
        most.fetch_max(open, SeqCst);
        let items = (0..2).into_par_iter().with_max_len(1).with_group(io);
        let result = items.err_group(|_| Ok::<_, ()>(()));
        OPEN.with(|open| open.set(open.get() - 1));
        result.map(|()| 1).map_err(drop)
    }
    on_pools(|threads| {
        let (io, most) = (ErrGroup::new().concurrency(2), AtomicUsize::new(0));
        assert_eq!(tree(12, &io, &most), Ok(4096));
        let most = most.into_inner();
        assert!(most <= 64, "{most} leaves on one of {threads} threads");
    });
}
