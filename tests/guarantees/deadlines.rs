//! Guarantee 6, by deadlines: a timer fires them, so no item has to look at the clock.

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::common::{POOLS, cancelled, on_pool, on_pools, pool, watched};
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

const HOUR: Duration = Duration::from_secs(3600);

/// Would hang if the deadline were only polled: on a pool of one thread, nothing polls it.
#[test]
fn a_blocked_item_wakes_at_the_deadline() {
    on_pools(|_| {
        let start = Instant::now();
        let group = ErrGroup::new().timeout(Duration::from_millis(5));
        let result = [0].par_iter().with_group(&group).try_for_each(|token, _| {
            token.done().recv().unwrap_err();
            token.check()
        });
        assert!(start.elapsed() >= Duration::from_millis(5));
        assert!(matches!(cancelled(result), Cause::Deadline));
    });
}

/// Derived from Java's testJoinWithTimeout1: a far deadline never fires and does not overflow.
#[test]
fn a_far_deadline_has_no_effect() {
    on_pools(|_| {
        for limit in [HOUR, Duration::from_secs(u64::MAX), Duration::MAX] {
            let group = ErrGroup::new().timeout(limit);
            let result = (0..100)
                .into_par_iter()
                .with_group(&group)
                .try_map(|token, n| {
                    assert!(token.remaining().is_none_or(|left| left <= limit));
                    Ok::<_, ()>(n)
                });
            assert!(result.unwrap().into_iter().eq(0..100));
        }
    });
}

/// Derived from golang/go TestDeadline (BSD licence) and Trio's test_current_effective_deadline.
#[test]
fn the_earlier_of_two_deadlines_counts() {
    watched(|| {
        let (parent, child);
        parent = CancelToken::new();
        child = parent.child();
        parent.cancel_after(Duration::from_millis(10));
        child.cancel_after(HOUR);
        assert_eq!(child.deadline(), parent.deadline());
        child.done().recv().unwrap_err();
        assert!(
            matches!(child.cause(), Some(Cause::Parent(cause)) if matches!(*cause, Cause::Deadline))
        );

        let parent = CancelToken::new();
        let child = parent.child();
        parent.cancel_after(HOUR);
        child.cancel_after(Duration::from_millis(10));
        assert!(child.deadline() < parent.deadline());
        child.done().recv().unwrap_err();
        assert!(matches!(child.cause(), Some(Cause::Deadline)));
        assert!(!parent.is_cancelled());

        let token = CancelToken::new();
        token.cancel_after(HOUR);
        token.cancel_after(Duration::from_millis(10));
        token.cancel_after(2 * HOUR);
        assert!(token.remaining().unwrap() <= Duration::from_millis(10));
        token.done().recv().unwrap_err();
        assert_eq!(token.remaining(), Some(Duration::ZERO));
    });
    on_pools(|_| {
        for (limit, at) in [
            (HOUR, Instant::now()),
            (Duration::ZERO, Instant::now() + HOUR),
        ] {
            let group = ErrGroup::new().timeout(limit).deadline(at);
            let result = [0]
                .par_iter()
                .with_group(&group)
                .try_for_each(|_, _| Ok::<_, ()>(()));
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
        }
    });
}

/// Derived from golang/go TestCause "WithTimeoutCause canceled" (BSD licence).
#[test]
fn an_error_before_the_deadline_is_kept() {
    on_pool(2, || {
        let (parent, both) = (CancelToken::new(), Barrier::new(2));
        let group = ErrGroup::new().token(&parent);
        let items = (0..2).into_par_iter().with_max_len(1).with_group(&group);
        let result = items.try_for_each(|token, n| {
            both.wait();
            if n == 0 {
                return Err("in time");
            }
            token.done().recv().unwrap_err();
            parent.cancel_at(Instant::now());
            token.cancel_at(Instant::now());
            assert!(matches!(token.cause(), Some(Cause::Failed)));
            Ok(())
        });
        assert_eq!(result.unwrap_err().into_error(), Some("in time"));
    });
}

#[test]
fn a_deadline_that_skips_nothing_is_not_an_error() {
    on_pools(|threads| {
        let all = Barrier::new(threads);
        let items = (0..threads).into_par_iter().with_max_len(1);
        let result = items.with_group(&ErrGroup::new()).try_map(|token, _| {
            all.wait();
            token.cancel_after(Duration::from_millis(1));
            token.done().recv().unwrap_err();
            assert!(matches!(token.cause(), Some(Cause::Deadline)));
            Ok::<_, ()>(())
        });
        assert!(result.is_ok_and(|values| values.len() == threads));
    });
}

/// Derived from Trio's test_cancel_scope_deadline_duplicates (MIT / Apache-2.0).
#[test]
fn many_deadlines_in_any_order() {
    watched(|| {
        let start = Instant::now();
        let (early, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut kept = vec![];
        for number in 0..500_u64 {
            let token = CancelToken::new();
            let at = start + Duration::from_millis(number * 7919 % 100);
            token.cancel_at(at);
            let (early, late) = (Arc::clone(&early), Arc::clone(&late));
            let dropped = Arc::new(AtomicBool::new(false));
            let registration = token.on_cancel({
                let dropped = Arc::clone(&dropped);
                move || {
                    early.fetch_add(usize::from(Instant::now() < at), SeqCst);
                    late.fetch_add(usize::from(dropped.load(SeqCst)), SeqCst);
                }
            });
            if number % 2 == 0 {
                drop((registration, token));
                dropped.store(true, SeqCst);
            } else {
                kept.push((token, registration));
            }
        }
        for (token, _registration) in &kept {
            token.done().recv().unwrap_err();
            assert!(matches!(token.cause(), Some(Cause::Deadline)));
        }
        drop(kept);
        assert_eq!(early.load(SeqCst), 0, "fired before its time");
        assert_eq!(late.load(SeqCst), 0, "fired for a dropped token");
    });
}

/// The callbacks of one deadline wait for another one, whose callbacks run meanwhile.
#[test]
fn a_callback_that_blocks_delays_no_deadline() {
    watched(|| {
        let (first, second) = (CancelToken::new(), CancelToken::new());
        let (sender, receiver) = channel();
        let _blocks = first.on_cancel({
            let second = second.clone();
            move || {
                second.cancel_after(Duration::from_millis(1));
                second.done().recv().unwrap_err();
                receiver.recv().unwrap();
            }
        });
        let _unblocks = second.on_cancel(move || sender.send(()).unwrap());
        first.cancel_after(Duration::from_millis(1));
        second.done().recv().unwrap_err();
    });
}

/// The thread of the item drops the registration, and so waits for the callback, which waits for
/// that thread.
#[test]
fn a_callback_may_call_rayon() {
    for threads in POOLS {
        watched(move || {
            let pool = Arc::new(pool(threads));
            let (calls, begun_items) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
            let group = ErrGroup::new();
            let result = pool.install(|| {
                let items = (0..threads).into_par_iter().with_max_len(1);
                items.with_group(&group).try_for_each(|token, _| {
                    let (pool, calls) = (Arc::clone(&pool), Arc::clone(&calls));
                    let (begins, begun) = channel();
                    let _registration = token.on_cancel(move || {
                        begins.send(()).unwrap();
                        pool.install(|| (0..10).into_par_iter().for_each(|_| ()));
                        let group = ErrGroup::new().timeout(HOUR);
                        let items = (0..10).into_par_iter().with_group(&group);
                        let result = pool.install(|| items.err_group(|_| Ok::<_, ()>(())));
                        assert!(result.is_ok());
                        calls.fetch_add(1, SeqCst);
                    });
                    begun_items.fetch_add(1, SeqCst);
                    token.cancel_after(Duration::from_millis(1));
                    begun.recv().unwrap();
                    token.check()
                })
            });
            assert!(matches!(cancelled(result), Cause::Deadline));
            assert_eq!(calls.load(SeqCst), begun_items.into_inner());
        });
    }
}

/// A run inside of a callback has deadlines, too.
#[test]
fn a_deadline_passes_inside_of_a_callback() {
    watched(|| {
        let (token, (sender, receiver)) = (CancelToken::new(), channel());
        let _registration = token.on_cancel(move || {
            let group = ErrGroup::new().timeout(Duration::from_millis(1));
            let items = [0].par_iter().with_group(&group);
            sender
                .send(items.try_for_each(|token, _| token.sleep(HOUR)))
                .unwrap();
        });
        token.cancel_after(Duration::from_millis(1));
        assert!(matches!(
            cancelled(receiver.recv().unwrap()),
            Cause::Deadline
        ));
    });
}
