//! Deadlines as early and as late as an `Instant` can be, and many of them.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{TryRecvError, channel};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*};

use crate::common::{on_pools, watched};

const HOUR: Duration = Duration::from_secs(3600);

/// The instant farthest from now that `step` can reach.
fn furthest(step: impl Fn(Instant, Duration) -> Option<Instant>) -> Instant {
    let (mut at, mut width) = (Instant::now(), Duration::MAX);
    while !width.is_zero() {
        match step(at, width) {
            Some(further) => at = further,
            None => width /= 2,
        }
    }
    at
}

fn latest() -> Instant {
    furthest(|at, width| at.checked_add(width))
}

fn earliest() -> Instant {
    furthest(|at, width| at.checked_sub(width))
}

/// Whether the deadline of this policy stops a run before it begins.
fn is_late(group: &ErrGroup) -> bool {
    let ran = AtomicUsize::new(0);
    let f = |token: &CancelToken, n: usize| {
        assert!(token.deadline().is_none_or(|at| at > Instant::now()));
        ran.fetch_add(1, SeqCst);
        Ok::<_, ()>(n)
    };
    let items = || (0..100).into_par_iter();
    let each = |token: &CancelToken, n| f(token, n).map(drop);
    let results = [
        items().with_group(group).try_for_each(each),
        items().with_group(group).try_map(f).map(drop),
        items().in_order().with_group(group).try_map(f).map(drop),
        (0..100).par_in_order().with_group(group).try_for_each(each),
        items()
            .in_order()
            .with_group(group)
            .try_stream(f, |_| Ok(())),
        items()
            .in_order()
            .with_group(group)
            .outcome(f)
            .into_result()
            .map(drop),
        group.scope(|s| {
            (0..100).for_each(|n| s.spawn(move |s| each(s.token(), n)));
            Ok(())
        }),
    ];
    let mut late = 0;
    for result in &results {
        match result {
            Ok(()) => {}
            Err(GroupError::Cancelled(cancelled)) => {
                assert!(matches!(cancelled.cause(), Cause::Deadline));
                late += 1;
            }
            Err(_) => unreachable!(),
        }
    }
    assert_eq!(ran.into_inner(), (results.len() - late) * 100);
    assert!(late == 0 || late == results.len());
    late > 0
}

#[test]
fn deadlines_at_the_ends_of_time() {
    on_pools(|_| {
        let group = ErrGroup::new;
        let now = Instant::now();
        for past in [
            now,
            earliest(),
            now.checked_sub(Duration::from_nanos(1)).unwrap(),
        ] {
            assert!(is_late(&group().deadline(past)));
            assert!(is_late(&group().deadline(past).timeout(Duration::MAX)));
            assert!(is_late(&group().deadline(latest()).timeout(Duration::ZERO)));
        }
        for ahead in [latest(), latest().checked_sub(HOUR).unwrap(), now + HOUR] {
            assert!(!is_late(&group().deadline(ahead)));
            assert!(!is_late(&group().deadline(ahead).timeout(Duration::MAX)));
        }
        for limit in [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            latest() - now,
            HOUR,
        ] {
            assert!(!is_late(&group().timeout(limit)));
        }
        // The last call counts, as for every other setting of a policy.
        assert!(!is_late(&group().timeout(Duration::ZERO).timeout(HOUR)));
        assert!(is_late(&group().deadline(now + HOUR).deadline(earliest())));
    });
}

#[test]
fn tokens_at_the_ends_of_time() {
    watched(|| {
        let far = CancelToken::new();
        far.cancel_at(latest());
        assert_eq!(far.deadline(), Some(latest()));
        assert!(far.remaining() > Some(HOUR) && !far.is_cancelled());
        // The timer sleeps until the late deadline, but wakes for an earlier one.
        for token in [CancelToken::new(), far.child()] {
            token.cancel_after(Duration::from_millis(1));
            token.done().recv().unwrap_err();
            assert!(matches!(token.cause(), Some(Cause::Deadline)));
        }
        assert!(!far.is_cancelled());
        far.cancel_after(Duration::MAX);
        assert_eq!(
            far.deadline(),
            Some(latest()),
            "setting no deadline does not remove one"
        );
        far.cancel_at(earliest());
        assert!(matches!(far.cause(), Some(Cause::Deadline)));
        assert_eq!(far.remaining(), Some(Duration::ZERO));

        let token = CancelToken::new();
        token.cancel_after(Duration::MAX);
        assert_eq!((token.deadline(), token.remaining()), (None, None));
        token.cancel_with("not a deadline");
        token.cancel_at(earliest());
        assert!(matches!(token.cause(), Some(Cause::Requested(Some(_)))));
        assert!(token.sleep(Duration::MAX).is_err());
        assert!(token.sleep(Duration::ZERO).is_err());
        assert!(CancelToken::new().sleep(Duration::ZERO).is_ok());
    });
}

/// The earliest of a thousand deadlines on one token counts, in whatever order they are set.
#[test]
fn many_deadlines_on_one_token() {
    watched(|| {
        let base = Instant::now() + HOUR;
        for stride in [1, 7, 333, 999] {
            let (token, (call, called)) = (CancelToken::new(), channel());
            let registration = token.on_cancel(move || call.send(()).unwrap());
            let mut earliest = None;
            for step in 0..1000_u32 {
                let at = base + Duration::from_secs(((step * stride) % 1000).into());
                token.cancel_at(at);
                earliest = earliest.min(Some(at)).or(Some(at));
                assert_eq!(token.deadline(), earliest);
            }
            assert_eq!(token.deadline(), Some(base));
            // A deadline counts for all descendants, but not for the parent.
            let below = token.child();
            below.cancel_after(Duration::from_millis(2));
            below.done().recv().unwrap_err();
            assert_eq!(called.try_recv(), Err(TryRecvError::Empty));
            token.cancel_after(Duration::from_millis(1));
            token.cancel_after(HOUR);
            token.done().recv().unwrap_err();
            let cause = token.cause();
            token.cancel_at(Instant::now());
            token.cancel_after(Duration::ZERO);
            assert!(matches!(cause, Some(Cause::Deadline)));
            assert!(!token.cancel());
            assert_eq!(called.recv(), Ok(()));
            drop(registration);
            assert!(called.recv().is_err(), "called once");
        }
    });
}

/// An item sets the deadline of its own run, by whichever token it was given.
#[test]
fn an_item_sets_the_deadline_of_its_run() {
    on_pools(|_| {
        for at in [earliest(), Instant::now()] {
            let group = ErrGroup::new().timeout(HOUR);
            let f = |token: &CancelToken, n: usize| {
                if n == 5 {
                    token.cancel_at(at);
                    assert!(token.is_cancelled());
                    assert_eq!(token.remaining(), Some(Duration::ZERO));
                }
                Ok::<_, ()>(())
            };
            let items = || (0..100_000).into_par_iter();
            for result in [
                items().with_group(&group).try_for_each(f),
                items().in_order().with_group(&group).try_for_each(f),
                (0..100_000)
                    .par_in_order()
                    .with_group(&group)
                    .try_for_each(f),
            ] {
                let Err(GroupError::Cancelled(cancelled)) = result else {
                    panic!("{result:?}")
                };
                assert!(matches!(cancelled.cause(), Cause::Deadline));
            }
        }
    });
}

/// The token of a run that has ended and its children ignore deadlines.
#[test]
fn a_released_token_has_no_deadline() {
    on_pools(|_| {
        let kept = std::sync::Mutex::new(Vec::new());
        let f = |token: &CancelToken, _| {
            kept.lock().unwrap().extend([token.clone(), token.child()]);
            Ok::<_, ()>(())
        };
        [0].par_iter().try_for_each_group(f).unwrap();
        [0].par_iter().in_order().try_for_each(f).unwrap();
        let kept = kept.into_inner().unwrap();
        for token in kept.iter().chain(&[kept[0].child(), kept[2].child()]) {
            for at in [earliest(), Instant::now(), latest()] {
                token.cancel_at(at);
            }
            token.cancel_after(Duration::ZERO);
            assert_eq!(token.deadline(), None);
            assert!(!token.is_cancelled() && token.cause().is_none());
            token.done().recv().unwrap_err();
        }
    });
}
