//! Guarantee 6: how soon the items see a cancellation, and how few begin after it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use crate::common::{cancelled, on_pool, on_pools};
use crossbeam_channel::{never, select};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

/// Derived from oneTBB's rule (Apache-2.0): executed <= executed at the cancellation + threads.
#[test]
fn each_other_worker_begins_at_most_one_item_after_the_trigger() {
    for threads in [1, 2, 4, 8] {
        on_pool(threads, move || {
            for round in 0..500 {
                let late = AtomicUsize::new(0);
                let result = (0..4096).into_par_iter().try_for_each_group(|token, n| {
                    if token.is_cancelled() {
                        late.fetch_add(1, SeqCst);
                    }
                    if n % 1024 == round { Err(()) } else { Ok(()) }
                });
                assert_eq!(result, Err(()));
                assert!(late.into_inner() < threads);

                // From outside, also counting the items that the iterator produces.
                let (stop, late, made) =
                    (CancelToken::new(), AtomicUsize::new(0), AtomicUsize::new(0));
                let (group, run) = (ErrGroup::new().token(&stop), OnceLock::new());
                let items = (0..4096).into_par_iter().map(|n| {
                    let over = run.get().is_some_and(CancelToken::is_cancelled);
                    made.fetch_add(usize::from(over), SeqCst);
                    n
                });
                let result = items.with_group(&group).try_map(|token, n| {
                    run.get_or_init(|| token.clone());
                    late.fetch_add(usize::from(token.is_cancelled()), SeqCst);
                    if n % 1024 == round {
                        stop.cancel();
                    }
                    Ok::<_, ()>(())
                });
                assert!(matches!(result, Err(GroupError::Cancelled(_))));
                assert!(late.into_inner() < threads);
                assert!(
                    made.into_inner() <= threads,
                    "one more item may show the cancellation"
                );
            }
        });
    }
}

/// Derived from .NET's Exception_ImplicitlyCancelsOtherWorkers tests (MIT).
#[test]
fn infinite_sources_end() {
    on_pools(|_| {
        fn check<I: ParallelIterator>(source: impl Fn() -> I) {
            let calls = AtomicUsize::new(0);
            let result = source().err_group(|_| {
                if calls.fetch_add(1, SeqCst) == 1000 {
                    Err("enough")
                } else {
                    Ok(())
                }
            });
            assert_eq!(result, Err("enough"));

            let (stop, calls) = (CancelToken::new(), AtomicUsize::new(0));
            let group = ErrGroup::new().token(&stop);
            let result = source().with_group(&group).try_for_each(|_, _| {
                if calls.fetch_add(1, SeqCst) == 1000 {
                    stop.cancel();
                }
                Ok::<_, ()>(())
            });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));

            let group = ErrGroup::new().timeout(Duration::from_millis(5));
            let result = source()
                .with_group(&group)
                .try_for_each(|_, _| Ok::<_, ()>(()));
            assert!(matches!(cancelled(result), Cause::Deadline));
        }
        check(|| rayon::iter::repeat(()));
        check(|| (0..u64::MAX).into_par_iter());
        check(|| (0_u64..).par_bridge());
        check(|| rayon::iter::repeat(1).filter(|n| *n == 1));
        check(|| rayon::iter::repeat(0).flat_map(|n| [n; 3]));
    });
}

/// Derived from oneTBB ParForBodyToCancel2: hangs if the flag is not seen.
#[test]
fn running_items_see_a_cancellation_from_outside() {
    for threads in [1, 2, 8] {
        on_pool(threads, move || {
            let (stop, started) = (CancelToken::new(), Barrier::new(threads + 1));
            thread::scope(|scope| {
                scope.spawn(|| {
                    started.wait();
                    stop.cancel();
                });
                let group = ErrGroup::new().token(&stop);
                let items = (0..threads)
                    .into_par_iter()
                    .with_max_len(1)
                    .with_group(&group);
                let result = items.try_for_each(|token, _| {
                    started.wait();
                    while !token.is_cancelled() {
                        thread::yield_now();
                    }
                    Ok::<_, ()>(())
                });
                assert!(result.is_ok(), "all items ran");
            });
        });
    }
}

#[test]
fn blocked_items_wake_when_another_fails() {
    on_pool(4, || {
        let (started, woken) = (Barrier::new(4), AtomicUsize::new(0));
        let result = (0..4)
            .into_par_iter()
            .with_max_len(1)
            .try_for_each_group(|token, n| {
                started.wait();
                match n {
                    0 => return Err("the root"),
                    1 => token.sleep(Duration::MAX).unwrap_err(),
                    2 => {
                        select! {
                            recv(never::<()>()) -> _ => unreachable!(),
                            recv(token.done()) -> _ => {}
                        }
                        select! {
                            recv(never::<()>()) -> _ => unreachable!("`done` stays ready"),
                            recv(token.done()) -> _ => token.check().unwrap_err(),
                        }
                    }
                    _ => {
                        let (sender, receiver) = channel();
                        let _wake = token.on_cancel(move || sender.send(()).unwrap());
                        receiver.recv().unwrap();
                        token.check().unwrap_err()
                    }
                };
                woken.fetch_add(1, SeqCst);
                Err("a consequence")
            });
        assert_eq!(result, Err("the root"));
        assert_eq!(woken.into_inner(), 3);
    });
}
