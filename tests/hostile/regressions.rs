//! Regressions: each of these tests once failed or hung.

use std::panic::panic_any;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::bomb::{Bomb, blast};
use crate::common::{on_pool, on_pools, payload_of, watched};
use crate::liar::Liar;
use crate::payloads::Reason;

/// An error whose drop panics if it is armed.
#[derive(Debug)]
struct Fuse(bool);

impl Drop for Fuse {
    fn drop(&mut self) {
        if self.0 {
            panic_any("the drop of an error");
        }
    }
}

/// Guarantee 5, with and without `catch_panics`: the panic of an item is the result, even if the
/// drop of an error panics too.
#[test]
fn the_panic_of_an_item_is_not_replaced_by_that_of_the_drop_of_an_error() {
    on_pool(2, || {
        let both = Barrier::new(2);
        let f = |token: &CancelToken, n: usize| {
            both.wait();
            if n == 0 {
                return Err(Fuse(true));
            }
            token.done().recv().unwrap_err();
            panic_any("an item")
        };
        let items = || (0..2).into_par_iter().with_max_len(1);
        let payload = payload_of(|| items().try_for_each_group(f));
        assert_eq!(payload.downcast_ref(), Some(&"an item"));
        let group = ErrGroup::new().catch_panics();
        let result = items().with_group(&group).try_for_each(f);
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("an item"));
    });
}

/// `catch_panics` returns a panic "instead of resuming it in the caller".
#[test]
fn an_error_that_came_too_late_and_cannot_be_dropped_is_a_caught_panic() {
    on_pools(|_| {
        let stop = CancelToken::new();
        let group = ErrGroup::new().catch_panics().token(&stop);
        let result = [0].par_iter().with_group(&group).try_for_each(|_, _| {
            stop.cancel();
            Err(Fuse(true))
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
    });
}

/// Neither of two errors can be dropped. The run drops the second, which panics, so the panic and
/// not the first error is the result.
#[test]
fn two_errors_that_cannot_be_dropped_are_one_caught_panic() {
    on_pool(2, || {
        let (group, both) = (ErrGroup::new().catch_panics(), Barrier::new(2));
        let items = (0..2).into_par_iter().with_max_len(1).with_group(&group);
        let result = items.try_for_each(|token, n| {
            both.wait();
            if n == 1 {
                token.done().recv().unwrap_err();
            }
            Err::<(), _>(Fuse(true))
        });
        assert!(matches!(result, Err(GroupError::Panicked(_))));
    });
}

/// The reason of a cancellation is dropped with the token of the run.
#[test]
fn the_panic_of_an_item_is_not_replaced_by_that_of_the_drop_of_a_reason() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        let result = [0].par_iter().with_group(&group).try_for_each(|token, _| {
            token.cancel_with(Reason(Bomb("a reason")));
            if token.is_cancelled() {
                panic_any("an item");
            }
            Ok::<_, ()>(())
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("an item"));
    });
}

/// The same if the result is values or an error.
#[test]
fn neither_values_nor_an_error_are_lost_to_the_drop_of_a_reason() {
    on_pools(|_| {
        let cancel = |token: &CancelToken, n: usize| {
            token.cancel_with(Reason(Bomb("a reason")));
            Ok::<_, ()>(n)
        };
        assert_eq!([7].into_par_iter().try_map_group(cancel), Ok(vec![7]));
        let group = ErrGroup::new();
        let outcome = [7]
            .into_par_iter()
            .in_order()
            .with_group(&group)
            .outcome(cancel);
        assert!(outcome.is_complete());
        assert_eq!(outcome.values(), [(0, 7)]);
        // The outcome holds the cause, and so the reason, of a cancellation that came too late.
        assert!(blast(|| drop(outcome)).is_some());
        let fail = |token: &CancelToken, n: usize| {
            token.cancel_with(Reason(Bomb("a reason")));
            Err::<(), _>(n)
        };
        assert_eq!([7].into_par_iter().try_for_each_group(fail), Err(7));
    });
}

/// An item panics, and then `len` panics too, when it is asked for the index of that item.
#[test]
fn a_stream_ends_although_the_length_of_a_chunk_panics() {
    watched(|| {
        let group = ErrGroup::new().catch_panics().concurrency(2);
        let stream = Liar::SAYS_IT_ONCE.in_order().with_group(&group);
        let result = stream.try_stream(|_, _| -> Result<(), ()> { panic_any(0) }, |()| Ok(()));
        assert!(matches!(result, Err(GroupError::Panicked(_))));
    });
}

/// The same without a stream: the panic of the item is the first in time.
#[test]
fn the_panic_of_an_item_is_not_replaced_by_that_of_the_length() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        let items = Liar::SAYS_IT_ONCE.in_order().with_group(&group);
        let result = items.try_for_each(|_, _| -> Result<(), ()> { panic_any("an item") });
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("an item"));
    });
}

/// A chunk has more items than it said, and all of them fail and are tolerated.
#[test]
fn a_stream_ends_although_a_chunk_has_more_items_than_it_says() {
    for liar in [Liar::MORE, Liar::SAYS_LESS, Liar::SAYS_NOTHING] {
        for max in [3, 30, usize::MAX] {
            watched(move || {
                let group = ErrGroup::new().max_errors(max).catch_panics();
                let group = group.concurrency(2);
                let stream = liar.in_order().with_group(&group);
                match stream.try_stream(|_, n| Err::<(), _>(n), |()| Ok(())) {
                    Err(GroupError::Failed { index, .. }) => assert_eq!(index, Some(0)),
                    // The wrong length was detected.
                    Err(GroupError::Panicked(_)) => {}
                    other => panic!("{other:?}"),
                }
            });
        }
    }
}

/// A chunk says that its length is `usize::MAX`.
#[test]
fn a_stream_ends_although_a_chunk_says_that_it_is_larger_than_anything() {
    watched(|| {
        let group = ErrGroup::new().max_errors(3).concurrency(2);
        let stream = Liar::SAYS_MAX.in_order().with_group(&group);
        assert!(stream.try_stream(|_, n| Ok::<_, ()>(n), |_| Ok(())).is_ok());
    });
}

/// Values, errors, panics and skipped items add up to the number of items. This holds for
/// `map_init` too, whose first closure is called when a chunk is created.
#[test]
fn an_outcome_accounts_for_a_chunk_that_was_never_created() {
    on_pool(1, || {
        let group = ErrGroup::new().catch_panics();
        let chunks = AtomicUsize::new(0);
        let items = (0..1000).into_par_iter().map_init(
            || assert!(chunks.fetch_add(1, SeqCst) < 2, "the third chunk"),
            |(), n| n,
        );
        let outcome = items
            .in_order()
            .with_group(&group)
            .outcome(|_, n: i32| Ok::<_, ()>(n));
        assert_eq!(outcome.panics().len(), 1);
        assert_eq!(outcome.panics()[0].0, None, "no item panicked");
        assert_eq!(
            outcome.values().len() + outcome.skipped(),
            1000,
            "{outcome}"
        );
    });
}

/// A run that skips items is not complete, even if their chunk says that it is empty.
#[test]
fn an_outcome_of_chunks_that_say_they_are_empty_is_not_complete() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        let ran = AtomicUsize::new(0);
        let items = Liar::SAYS_NOTHING.in_order().with_group(&group);
        let outcome = items.outcome(|_, n| {
            ran.fetch_add(1, SeqCst);
            Ok::<_, ()>(n)
        });
        assert!(
            ran.into_inner() == 100 || !outcome.is_complete(),
            "{outcome}"
        );
    });
}

/// Guarantee 2: a skipped item is never success. `try_map` detects the same iterator.
#[test]
fn an_outcome_with_skipped_items_has_no_values_of_all_items() {
    on_pools(|_| {
        let run = |group: &ErrGroup| {
            let items = Liar::FEWER.in_order().with_group(group);
            items.outcome(|_, n| Ok::<_, ()>(n))
        };
        payload_of(|| run(&ErrGroup::new()));
        let outcome = run(&ErrGroup::new().catch_panics());
        assert!(outcome.skipped() > 0 && !outcome.is_complete());
        assert!(matches!(
            outcome.into_result(),
            Err(GroupError::Panicked(_))
        ));
    });
}

/// The first error in time, a late error and a panic: the run drops both errors, and both drops
/// panic.
#[test]
fn two_discarded_errors_that_cannot_be_dropped_do_not_abort() {
    on_pool(3, || {
        let (all, late) = (Barrier::new(3), AtomicUsize::new(0));
        let group = ErrGroup::new().catch_panics();
        let items = (0..3).into_par_iter().with_max_len(1).with_group(&group);
        let result = items.try_for_each(|token, n| {
            all.wait();
            if n > 0 {
                token.done().recv().unwrap_err();
            }
            if n == 2 {
                // The late error is recorded after its item has ended, which cannot be observed. If
                // the panic comes first, this test passes without testing anything.
                while late.load(SeqCst) == 0 {
                    std::hint::spin_loop();
                }
                panic_any("an item");
            }
            late.store(n, SeqCst);
            Err::<(), _>(Fuse(true))
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("an item"));
    });
}

/// All errors are kept until a panic replaces them as the result.
#[test]
fn errors_that_are_kept_and_cannot_be_dropped_do_not_abort() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let items = (0..3).into_par_iter().in_order().with_group(&group);
        let f = |_: &CancelToken, n| -> Result<(), _> {
            if n < 2 {
                return Err(Fuse(true));
            }
            panic_any("an item")
        };
        let payload = payload_of(|| items.outcome(f));
        assert_eq!(payload.downcast_ref(), Some(&"an item"));
    });
}

/// A run without a policy has no error to return, so it panics. The reason is dropped before that.
///
/// Only one item cancels: a second reason would be dropped in its own closure. The other items wait
/// for the cancellation, so each thread begins at most one of them, and some are skipped.
#[test]
fn the_reason_of_a_run_without_a_policy_is_not_dropped_by_its_panic() {
    on_pools(|threads| {
        let first = AtomicBool::new(true);
        let payload = payload_of(|| {
            (0..threads + 2)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each_group(|token, _| {
                    if first.swap(false, SeqCst) {
                        token.cancel_with(Reason(Bomb("a reason")));
                    }
                    token.done().recv().unwrap_err();
                    Ok::<_, ()>(())
                })
        });
        let message = payload.downcast_ref::<String>().unwrap();
        assert!(
            message.starts_with("work was or may have been skipped"),
            "{message}"
        );
    });
}
