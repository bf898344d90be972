//! Drops that panic: of closures, sources, errors, values, payloads, reasons and callbacks.
//!
//! A bomb panics whenever it is dropped. Where the crate dropped one while it unwinds already, the
//! process of the test would be aborted.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError, prelude::*, scope};

use crate::harness::{Drops, on_pool, on_pools, payload_of};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Blast(&'static str);

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Blast(self.0));
    }
}

fn blast_of(payload: &(dyn Any + Send)) -> Option<Blast> {
    payload.downcast_ref().copied()
}

fn blast<R>(body: impl FnOnce() -> R) -> Option<Blast> {
    blast_of(&*payload_of(body))
}

fn caught<T, E>(result: Result<T, GroupError<E>>) -> Option<Blast> {
    match result {
        Err(GroupError::Panicked(panicked)) => blast_of(&*panicked.into_payload()),
        _ => None,
    }
}

/// The closure is dropped by the call, after the run: everything has ended by then.
#[test]
fn a_closure_that_cannot_be_dropped() {
    on_pools(|_| {
        for fails in [false, true] {
            let (items, ended) = (Drops::new(100), AtomicUsize::new(0));
            let f = || {
                let (bomb, ended) = (Bomb("closure"), &ended);
                move |_: &CancelToken, item: crate::harness::Thing| {
                    let _ = &bomb;
                    ended.fetch_add(1, SeqCst);
                    if fails { Err(()) } else { Ok(item.number) }
                }
            };
            let group = ErrGroup::new().catch_panics();
            let source = || items.things().into_par_iter();
            let lazy = || items.things().into_iter().par_in_order();
            let runs: [&dyn Fn(); 6] = [
                &|| drop(source().try_map_group(f())),
                &|| drop(source().with_group(&group).try_map(f())),
                &|| drop(source().in_order().with_group(&group).try_map(f())),
                &|| drop(lazy().with_group(&group).try_map(f())),
                &|| drop(lazy().with_group(&group).try_stream(f(), |_| Ok(()))),
                &|| drop(source().in_order().with_group(&group).outcome(f())),
            ];
            for (run, times) in runs.into_iter().zip(1..) {
                assert_eq!(blast(run), Some(Blast("closure")));
                let dropped: usize = (0..100).map(|number| items.of(number)).sum();
                assert_eq!(dropped, 100 * times);
                assert!(fails || ended.load(SeqCst) == 100 * times);
            }
        }
    });
}

/// A sink, a scope's body and a task are called by the run and dropped in it: a panic of the run.
#[test]
fn what_the_run_owns_and_cannot_drop_is_a_panic_of_the_run() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        for fails in [false, true] {
            let bomb = Bomb("sink");
            let stream = (0..100).par_in_order().with_group(&group);
            let result = stream.try_stream(
                |_, n| if fails && n == 50 { Err(()) } else { Ok(n) },
                move |_| {
                    let _ = &bomb;
                    Ok(())
                },
            );
            assert_eq!(caught(result), Some(Blast("sink")));

            let bomb = Bomb("body");
            let result = group.scope(move |_| {
                let _ = &bomb;
                if fails { Err(()) } else { Ok(()) }
            });
            assert_eq!(caught(result), Some(Blast("body")));

            let result = group.scope(|s| {
                let bomb = Bomb("task");
                s.spawn(move |_| {
                    let _ = &bomb;
                    if fails { Err(()) } else { Ok(()) }
                });
                Ok(())
            });
            assert_eq!(caught(result), Some(Blast("task")));
        }
        let bomb = Bomb("task");
        let skipped = blast(|| {
            scope(|s| {
                s.token().cancel();
                s.spawn(move |_| {
                    let _ = &bomb;
                    Ok::<_, ()>(())
                });
                Ok(())
            })
        });
        assert_eq!(skipped, Some(Blast("task")));
    });
}

struct Source(
    std::ops::Range<usize>,
    #[expect(dead_code, reason = "it is dropped")] Bomb,
);

impl Iterator for Source {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0.next()
    }
}

#[test]
fn a_source_that_cannot_be_dropped() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics();
        for len in [0, 1, 1000] {
            for at in [0, 999, usize::MAX] {
                let source = || Source(0..len, Bomb("source"));
                let f = |_: &CancelToken, n| if n == at { Err(()) } else { Ok(n) };
                let each = |token: &CancelToken, n| f(token, n).map(drop);
                let lazy = || source().par_in_order().with_group(&group);
                assert_eq!(caught(lazy().try_map(f)), Some(Blast("source")));
                assert_eq!(caught(lazy().try_for_each(each)), Some(Blast("source")));
                assert_eq!(
                    caught(lazy().try_stream(f, |_| Ok(()))),
                    Some(Blast("source"))
                );
                let outcome = lazy().outcome(f);
                assert_eq!((outcome.panics.len(), outcome.panics[0].0), (1, None));
                let ran = outcome.values.len() + outcome.errors.len();
                assert!(at < len || ran == len, "nothing is lost");
                let bridged = || source().par_bridge().with_group(&group);
                assert_eq!(caught(bridged().try_map(f)), Some(Blast("source")));
                let bare = blast(|| source().par_in_order().try_map_group(f));
                assert_eq!(bare, Some(Blast("source")));
            }
        }
    });
}

/// rayon clones this for each stretch, and drops it at the end of one.
#[derive(Default)]
struct Cloned(usize);

impl Clone for Cloned {
    fn clone(&self) -> Self {
        Cloned(self.0 + 1)
    }
}

impl Drop for Cloned {
    fn drop(&mut self) {
        // Only one: the drop of its neighbour would be the second panic of an unwinding thread.
        if self.0 == 1 && !std::thread::panicking() {
            panic_any(Blast("clone"));
        }
    }
}

#[test]
fn a_clone_of_map_with_that_cannot_be_dropped() {
    on_pools(|threads| {
        let group = ErrGroup::new().catch_panics();
        let items = || {
            let items = (0..64).into_par_iter().with_max_len(16);
            items.map_with(Cloned::default(), |_, n| n)
        };
        let f = |_: &CancelToken, n: usize| Ok::<_, ()>(n);
        for _ in 0..threads {
            assert_eq!(
                caught(items().with_group(&group).try_map(f)),
                Some(Blast("clone"))
            );
            let in_order = items().in_order().with_group(&group);
            assert_eq!(caught(in_order.try_map(f)), Some(Blast("clone")));
        }
    });
}

/// Of several errors that are borne all but one are dropped while the run goes on.
#[test]
fn an_error_that_is_not_kept_and_cannot_be_dropped() {
    on_pools(|_| {
        let group = ErrGroup::new().catch_panics().keep_going();
        let ran = AtomicUsize::new(0);
        let f = |_: &CancelToken, n: usize| -> Result<usize, Option<Bomb>> {
            ran.fetch_add(1, SeqCst);
            Err((n == 3).then(|| Bomb("error")))
        };
        let items = || (0..10).into_par_iter().with_max_len(1).in_order();
        assert_eq!(
            caught(items().with_group(&group).try_map(f)),
            Some(Blast("error"))
        );
        assert!(ran.into_inner() >= 4);

        // The error of the sink replaces those that were borne.
        let f = |_: &CancelToken, n: usize| match n {
            0 => Err(Some(Bomb("replaced"))),
            n => Ok(n),
        };
        let stream = items().with_group(&group);
        let result = stream.try_stream(f, |n| if n == 9 { Err(None) } else { Ok(()) });
        assert_eq!(caught(result), Some(Blast("replaced")));
    });
}

/// A payload that cannot be dropped goes on if it is the first, and is dropped in peace if it is not.
#[test]
fn payloads_that_cannot_be_dropped() {
    struct Payload(#[expect(dead_code, reason = "it is dropped")] Bomb);
    on_pool(2, || {
        let both = Barrier::new(2);
        let f = |_: &CancelToken, _: usize| -> Result<(), ()> {
            both.wait();
            panic_any(Payload(Bomb("payload")))
        };
        let group = ErrGroup::new().catch_panics();
        let items = || (0..2).into_par_iter().with_max_len(1);
        let forget = |payload: Box<dyn Any + Send>| {
            assert!(payload.is::<Payload>());
            std::mem::forget(payload);
        };
        let keep = |result: Result<(), GroupError<()>>| match result {
            Err(GroupError::Panicked(panicked)) => forget(panicked.into_payload()),
            _ => panic!("{result:?}"),
        };
        forget(payload_of(|| items().try_for_each_group(f)));
        forget(payload_of(|| items().in_order().try_for_each_group(f)));
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
        for (_, panicked) in outcome.panics {
            forget(panicked.into_payload());
        }
        // And of a callback, whose panic comes second.
        let payload = payload_of(|| {
            [0].par_iter()
                .try_for_each_group(|token, _| -> Result<(), ()> {
                    std::mem::forget(token.on_cancel(|| panic_any(Payload(Bomb("callback")))));
                    panic_any("item")
                })
        });
        assert_eq!(payload.downcast_ref(), Some(&"item"));
    });
}

struct Reason(#[expect(dead_code, reason = "it is dropped")] Bomb);

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
    // It comes too late, and is dropped by who brought it.
    assert_eq!(blast(|| token.cancel_with(reason())), Some(Blast("reason")));
    assert!(matches!(token.cause(), Some(Cause::Requested(None))));

    // It is dropped with the last token, in the middle of a tree that stays whole.
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

    // A deep tree all of which goes with the token that has the reason.
    let mut tokens = vec![CancelToken::new()];
    for at in 0..1000 {
        tokens.push(tokens[at].child());
    }
    tokens[500].cancel_with(reason());
    let bottom = tokens.pop().unwrap();
    drop(tokens);
    assert_eq!(blast(|| drop(bottom)), Some(Blast("reason")));
}

/// A callback that is taken back is dropped by who takes it back, and is gone.
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
    assert!(!unregistered.unregister());
    let dropped = register();
    assert_eq!(blast(|| drop(dropped)), Some(Blast("callback")));
    // One that runs has its captures dropped at the end of the call: that is a panic of the call, and
    // stops no other.
    let run: Vec<_> = (0..3).map(|_| register()).collect();
    assert_eq!(blast(|| token.cancel()), Some(Blast("callback")));
    assert_eq!(calls.load(SeqCst), 3);
    drop(run);
    assert_eq!(blast(register), Some(Blast("callback")), "too late to wait");
    assert_eq!((calls.load(SeqCst), Arc::strong_count(&calls)), (4, 1));

    // At the token of a run that is over it is dropped on the spot.
    let mut over = None;
    [0].par_iter()
        .with_max_len(1)
        .err_group(|_| Ok::<_, ()>(()))
        .unwrap();
    scope(|s| Ok::<_, ()>(over = Some(s.token().clone()))).unwrap();
    let bomb = Bomb("never");
    let late = blast(|| over.unwrap().on_cancel(move || _ = &bomb));
    assert_eq!(late, Some(Blast("never")));
}

/// Both at once: the callbacks of a run, dropped unrun at its end, and nothing keeps its children
/// from being released.
#[test]
fn callbacks_that_cannot_be_dropped_at_the_end_of_a_run() {
    on_pools(|_| {
        let kept = std::sync::Mutex::new(vec![]);
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
