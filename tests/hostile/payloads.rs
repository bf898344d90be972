//! Payloads, reasons and callbacks whose drops panic.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*, scope};

use crate::bomb::{Blast, Bomb, blast, blast_of};
use crate::common::{on_pool, on_pools, payload_of};

/// A payload whose drop panics is resumed if it is the first; otherwise it is dropped, and the
/// panic of its drop is caught.
#[test]
fn payloads_that_cannot_be_dropped() {
    struct Payload(Bomb);
    on_pool(2, || {
        let both = Barrier::new(2);
        let f = |_: &CancelToken, _: usize| -> Result<(), ()> {
            both.wait();
            panic_any(Payload(Bomb("payload")))
        };
        let group = ErrGroup::new().catch_panics();
        let items = || (0..2).into_par_iter().with_max_len(1);
        let forget = |payload: Box<dyn Any + Send>| {
            let Payload(bomb) = *payload.downcast().expect("the first of the panics");
            std::mem::forget(bomb);
        };
        let keep = |result: Result<(), GroupError<()>>| match result {
            Err(GroupError::Panicked(panicked)) => forget(panicked.into_payload()),
            _ => panic!("{result:?}"),
        };
        forget(payload_of(|| items().try_for_each_group(f)));
        forget(payload_of(|| items().in_order().try_for_each(f)));
        forget(payload_of(|| {
            items().in_order().with_group(&ErrGroup::new()).outcome(f)
        }));
        keep(items().with_group(&group).try_for_each(f));
        keep(
            items()
                .in_order()
                .with_group(&group)
                .try_stream(f, |()| Ok(())),
        );
        keep(group.scope(|s| {
            (0..2).for_each(|n| s.spawn(move |s| f(s.token(), n)));
            Ok(())
        }));
        let outcome = items().in_order().with_group(&group).outcome(f);
        let panics = outcome.into_panics();
        assert!(!panics.is_empty());
        for (_, panicked) in panics {
            forget(panicked.into_payload());
        }
        // The panic of a callback comes second.
        let kept = Mutex::new(None);
        let payload = payload_of(|| {
            [0].par_iter()
                .try_for_each_group(|token, _| -> Result<(), ()> {
                    let registration = token.on_cancel(|| panic_any(Payload(Bomb("callback"))));
                    *kept.lock().unwrap() = Some(registration);
                    panic_any("item")
                })
        });
        assert_eq!(payload.downcast_ref(), Some(&"item"));
    });
}

/// A reason that panics when it is dropped.
pub(crate) struct Reason(#[expect(dead_code, reason = "it is dropped")] pub(crate) Bomb);

impl fmt::Debug for Reason {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bomb")
    }
}

impl Error for Reason {}

#[test]
fn a_reason_that_cannot_be_dropped() {
    let reason = || Reason(Bomb("reason"));
    let token = CancelToken::new();
    token.cancel();
    // The reason comes too late, and is dropped by the caller.
    assert_eq!(blast(|| token.cancel_with(reason())), Some(Blast("reason")));
    assert!(matches!(token.cause(), Some(Cause::Requested(None))));

    // The reason is dropped with the last token that has it, and the tree stays intact.
    let top = CancelToken::new();
    let middle = top.child();
    let calls = Arc::new(AtomicUsize::new(0));
    let registrations: Vec<_> = [&top, &middle]
        .map(|token| {
            let calls = Arc::clone(&calls);
            token.on_cancel(move || _ = calls.fetch_add(1, SeqCst))
        })
        .into();
    let bottom = middle.child();
    bottom.cancel_with(reason());
    assert_eq!(blast(|| drop(bottom)), Some(Blast("reason")));
    assert!(!middle.is_cancelled());
    assert!(middle.child().child().check().is_ok());
    assert!(top.cancel());
    assert_eq!(calls.load(SeqCst), 2);
    drop(registrations);

    // A deep tree that is dropped with the token that has the reason.
    let mut tokens = vec![CancelToken::new()];
    for at in 0..1000 {
        tokens.push(tokens[at].child());
    }
    tokens[500].cancel_with(reason());
    let bottom = tokens.pop().unwrap();
    drop(tokens);
    assert_eq!(blast(|| drop(bottom)), Some(Blast("reason")));
}

/// A callback that is unregistered is dropped by the caller, and is removed even if the drop
/// panics.
#[test]
fn a_callback_that_cannot_be_dropped() {
    let token = CancelToken::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let register = || {
        let (bomb, calls) = (Bomb("callback"), Arc::clone(&calls));
        token.on_cancel(move || {
            let _ = &bomb;
            calls.fetch_add(1, SeqCst);
        })
    };
    let unregistered = register();
    assert_eq!(blast(|| unregistered.unregister()), Some(Blast("callback")));
    assert_eq!(Arc::strong_count(&calls), 1, "the callback was dropped");
    let dropped = register();
    assert_eq!(blast(|| drop(dropped)), Some(Blast("callback")));
    // The captures of a callback are dropped at the end of its call. That panic counts as one of
    // the callback, and does not stop the others.
    let run: Vec<_> = (0..3).map(|_| register()).collect();
    assert_eq!(blast(|| token.cancel()), Some(Blast("callback")));
    assert_eq!(calls.load(SeqCst), 3);
    drop(run);
    assert_eq!(blast(register), Some(Blast("callback")), "it runs at once");
    assert_eq!((calls.load(SeqCst), Arc::strong_count(&calls)), (4, 1));

    // On the token of a run that has ended, a callback is dropped at once.
    let mut over = None;
    [0].par_iter()
        .with_max_len(1)
        .err_group(|_| Ok::<_, ()>(()))
        .unwrap();
    scope(|s| {
        over = Some(s.token().clone());
        Ok::<_, ()>(())
    })
    .unwrap();
    let bomb = Bomb("never");
    let late = blast(|| over.unwrap().on_cancel(move || _ = &bomb));
    assert_eq!(late, Some(Blast("never")));
}

/// The callbacks of a run are dropped at its end without being called. Their panics must not
/// keep the run's tokens from being released.
#[test]
fn callbacks_that_cannot_be_dropped_at_the_end_of_a_run() {
    on_pools(|_| {
        let kept = Mutex::new(vec![]);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            (0..10).into_par_iter().try_for_each_group(|token, _| {
                for token in [token.clone(), token.child()] {
                    let bomb = Bomb("callback");
                    let registration = token.on_cancel(move || _ = &bomb);
                    kept.lock().unwrap().push((token, registration));
                }
                Ok::<_, ()>(())
            })
        }));
        assert_eq!(
            unwound.err().and_then(|p| blast_of(&*p)),
            Some(Blast("callback"))
        );
        for (token, registration) in kept.into_inner().unwrap() {
            token.done().recv().unwrap_err();
            assert!(!token.is_cancelled() && !registration.unregister());
        }
    });
}
