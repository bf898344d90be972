//! Callbacks that act on their own token and its relatives, on each other, and on the run.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use rayon::prelude::*;
use rayon_errgroup::{
    CancelRegistration, CancelToken, Cause, ErrGroup, GroupError, TrySpawnError, prelude::*, scope,
};

use crate::common::{Drops, on_pools, payload_of, watched};

/// A family of tokens: grandparent, parent, self, child, sibling.
fn family() -> [CancelToken; 5] {
    let grandparent = CancelToken::new();
    let parent = grandparent.child();
    let own = parent.child();
    let (child, sibling) = (own.child(), parent.child());
    [grandparent, parent, own, child, sibling]
}

/// Each callback cancels another token of the family, whichever is cancelled first. None of them
/// waits forever, each runs once, and the first token keeps its own cause.
#[test]
fn callbacks_that_cancel_the_whole_family() {
    watched(|| {
        for first in 0..5 {
            for stride in 1..5 {
                let (family, calls) = (family(), Arc::new(AtomicUsize::new(0)));
                let registrations: Vec<_> = (0..5)
                    .map(|member| {
                        let (family, calls) = (family.clone(), Arc::clone(&calls));
                        family.clone()[member].on_cancel(move || {
                            calls.fetch_add(1, SeqCst);
                            assert!(family[member].is_cancelled());
                            assert!(
                                !family[member].cancel(),
                                "the token was cancelled before its callback ran"
                            );
                            family[(member + stride) % 5].cancel_with(format!("by {member}"));
                            assert!(family[(member + stride) % 5].is_cancelled());
                        })
                    })
                    .collect();
                assert!(family[first].cancel());
                assert_eq!(calls.load(SeqCst), 5, "{first} {stride}");
                assert!(family.iter().all(CancelToken::is_cancelled));
                assert!(matches!(
                    family[first].cause(),
                    Some(Cause::Requested(None))
                ));
                drop(registrations);
            }
        }
    });
}

/// The same, started by one thread for each token, all at once.
#[test]
fn callbacks_that_cancel_the_whole_family_from_everywhere() {
    watched(|| {
        for round in 0..300 {
            let (family, calls) = (family(), Drops::new(5));
            let kept: Vec<CancelRegistration> = (0..5)
                .map(|member| {
                    let (family, calls) = (family.clone(), calls.clone());
                    family.clone()[member].on_cancel(move || {
                        drop(calls.thing(member));
                        for token in &family {
                            token.cancel();
                        }
                    })
                })
                .collect();
            let (start, winners) = (Barrier::new(5), AtomicUsize::new(0));
            thread::scope(|threads| {
                for member in 0..5 {
                    let (family, start, winners) = (&family, &start, &winners);
                    threads.spawn(move || {
                        start.wait();
                        let token = &family[(member + round) % 5];
                        winners.fetch_add(usize::from(token.cancel()), SeqCst);
                        assert!(token.is_cancelled());
                    });
                }
            });
            // Callbacks may cancel a token before its thread does, but some thread is the first.
            assert!((1..=5).contains(&winners.into_inner()));
            drop(kept);
            calls.assert_each_once();
        }
    });
}

/// A callback that registers a callback that registers another: each runs at once.
#[test]
fn callbacks_that_register_callbacks() {
    fn register(token: &CancelToken, left: usize, calls: Arc<AtomicUsize>) -> CancelRegistration {
        token.clone().on_cancel({
            let token = token.clone();
            move || {
                calls.fetch_add(1, SeqCst);
                if left > 0 {
                    for token in [token.clone(), token.child()] {
                        let inner = register(&token, left - 1, Arc::clone(&calls));
                        assert!(!inner.unregister(), "it has run already");
                    }
                }
            }
        })
    }
    watched(|| {
        let (token, calls) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
        let registration = register(&token, 10, Arc::clone(&calls));
        token.cancel();
        assert_eq!(calls.load(SeqCst), (1 << 11) - 1);
        drop(registration);
        // Nothing else holds the counter: every closure was dropped after its call.
        assert_eq!(Arc::strong_count(&calls), 1);
    });
}

/// The first callback to run unregisters all others, also those of ancestors and descendants.
#[test]
fn callbacks_that_unregister_the_others() {
    watched(|| {
        for by_drop in [false, true] {
            let (family, calls) = (family(), Arc::new(AtomicUsize::new(0)));
            let all: Arc<Mutex<Vec<Option<CancelRegistration>>>> = Arc::default();
            let prevented = Arc::new(AtomicUsize::new(0));
            for number in 0..100 {
                let (all, calls) = (Arc::clone(&all), Arc::clone(&calls));
                let prevented = Arc::clone(&prevented);
                let len = all.lock().unwrap().len();
                let registration = family[number % 5].on_cancel({
                    let all = Arc::clone(&all);
                    move || {
                        calls.fetch_add(1, SeqCst);
                        let taken: Vec<_> =
                            all.lock().unwrap().iter_mut().map(Option::take).collect();
                        // This includes its own registration: a callback does not wait for itself.
                        for registration in taken.into_iter().flatten() {
                            if by_drop {
                                drop(registration);
                            } else {
                                prevented.fetch_add(registration.unregister().into(), SeqCst);
                            }
                        }
                    }
                });
                all.lock().unwrap().push(Some(registration));
                assert_eq!(all.lock().unwrap().len(), len + 1);
            }
            family[0].cancel();
            assert_eq!(calls.load(SeqCst), 1);
            assert_eq!(prevented.load(SeqCst), if by_drop { 0 } else { 99 });
            assert_eq!(Arc::strong_count(&all), 1, "every closure was dropped");
        }
    });
}

/// The drop of a registration waits until a running callback has returned, also if two threads
/// share the registration. `unregister` does not wait.
#[test]
fn a_callback_that_is_waited_for_from_two_threads() {
    watched(|| {
        for waits in [true, false].repeat(200) {
            let (token, drops) = (CancelToken::new(), Drops::new(1));
            let (entered, enter) = channel();
            let (leave, left) = sync_channel(0);
            let thing = drops.thing(0);
            let registration = Arc::new(token.on_cancel(move || {
                entered.send(()).unwrap();
                left.recv().unwrap();
                drop(thing);
            }));
            thread::scope(|threads| {
                threads.spawn(|| token.cancel());
                enter.recv().unwrap();
                if waits {
                    for registration in [Arc::clone(&registration), registration] {
                        let drops = &drops;
                        threads.spawn(move || {
                            if let Some(registration) = Arc::into_inner(registration) {
                                drop(registration);
                                drops.assert_each_once();
                            }
                        });
                    }
                } else {
                    let registration = Arc::into_inner(registration).unwrap();
                    assert!(!registration.unregister(), "the callback has begun");
                }
                leave.send(()).unwrap();
            });
            drops.assert_each_once();
        }
    });
}

/// A callback of a scope's token makes another thread spawn on the scope, and waits for its reply.
#[test]
fn a_callback_that_has_tasks_spawned() {
    on_pools(|_| {
        for limit in [None, Some(1), Some(3)] {
            let group = limit.map_or_else(ErrGroup::new, |n| ErrGroup::new().concurrency(n));
            let drops = Drops::new(2);
            let (ask, asked) = channel();
            let (answer, answered) = channel();
            let things = Mutex::new(drops.things());
            let result = group.scope(|s| {
                let registration = s.token().on_cancel(move || {
                    ask.send(()).unwrap();
                    answered.recv().unwrap();
                });
                let things = &things;
                thread::scope(|threads| {
                    threads.spawn(move || {
                        asked.recv().unwrap();
                        let [first, second] = [(); 2].map(|()| things.lock().unwrap().pop());
                        s.spawn(move |_| {
                            drop(first);
                            unreachable!("the scope is cancelled")
                        });
                        let task = |_: &rayon_errgroup::Scope<'_, &str>| {
                            drop(second);
                            Ok(())
                        };
                        let Err(TrySpawnError::Cancelled(task)) = s.try_spawn(task) else {
                            panic!("the scope is cancelled")
                        };
                        drop(task);
                        answer.send(()).unwrap();
                    });
                    assert!(s.token().cancel_with("from the body"));
                });
                drop(registration);
                Ok(())
            });
            assert!(matches!(result, Err(GroupError::Cancelled(_))));
            drops.assert_each_once();
        }
    });
}

/// Runs of every kind, started by a callback of the run's token on the thread of the failed item.
#[test]
fn a_callback_that_starts_runs() {
    on_pools(|_| {
        let inner = Arc::new(AtomicUsize::new(0));
        let run_all = {
            let inner = Arc::clone(&inner);
            move |token: &CancelToken| {
                let count = |_: &CancelToken, _: usize| {
                    inner.fetch_add(1, SeqCst);
                    Ok::<_, ()>(())
                };
                (0..100).into_par_iter().try_for_each_group(count).unwrap();
                (0..100).par_in_order().try_for_each(count).unwrap();
                scope(|s| {
                    (0..100).for_each(|n| s.spawn(move |s| count(s.token(), n)));
                    Ok::<_, ()>(())
                })
                .unwrap();
                // A run below the token that has just been cancelled runs nothing.
                let group = ErrGroup::new().token(token);
                let items = (0..100).into_par_iter().with_group(&group);
                assert!(items.try_for_each(count).is_err());
            }
        };
        let kept = Mutex::new(Vec::new());
        let each = |token: &CancelToken, n: usize| {
            if n != 50 {
                return Ok(());
            }
            let (run_all, below) = (run_all.clone(), token.clone());
            let registration = token.on_cancel(move || run_all(&below));
            kept.lock().unwrap().push(registration);
            Err(n)
        };
        let calls_of = |run: &dyn Fn() -> Result<(), usize>| {
            assert_eq!(run(), Err(50));
            assert_eq!(
                inner.swap(0, SeqCst),
                300,
                "three runs are complete, and one is empty"
            );
        };
        calls_of(&|| (0..100).into_par_iter().try_for_each_group(each));
        calls_of(&|| {
            (0..100)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each_group(each)
        });
        calls_of(&|| (0..100).par_in_order().try_for_each(each));
    });
}

/// All callbacks panic: every one of them runs, and one of the panics is resumed.
#[cfg(panic = "unwind")]
#[test]
fn callbacks_that_all_panic() {
    watched(|| {
        let (family, calls) = (family(), Drops::new(50));
        let registrations: Vec<_> = (0..50)
            .map(|number| {
                let calls = calls.clone();
                family[number % 5].on_cancel(move || {
                    drop(calls.thing(number));
                    std::panic::panic_any(number);
                })
            })
            .collect();
        let payload = payload_of(|| family[0].cancel());
        let number = *payload.downcast_ref::<usize>().unwrap();
        assert!(number < 50);
        calls.assert_each_once();
        assert!(!family[0].cancel(), "no panic is left for a later call");
        assert!(
            registrations
                .into_iter()
                .all(|registration| !registration.unregister())
        );

        // The drop of a guard resumes the panic too, unless the thread is unwinding already.
        let token = CancelToken::new();
        let _registration = token.on_cancel(|| std::panic::panic_any("callback"));
        let payload = payload_of(|| drop(token.clone().drop_guard()));
        assert_eq!(payload.downcast_ref(), Some(&"callback"));
    });
}

/// Callbacks on the tokens of workers: each runs once, whatever cancelled its token.
#[test]
fn callbacks_of_workers() {
    on_pools(|_| {
        for failing in [0, 7, 63] {
            let (calls, kept) = (Drops::new(64), Mutex::new(Vec::new()));
            let tokens = Mutex::new(HashSet::new());
            let items = (0..64).into_par_iter().with_max_len(1).in_order();
            let result = items.try_for_each(|token, n| {
                let calls = calls.clone();
                let registration = token.on_cancel(move || drop(calls.thing(n)));
                kept.lock().unwrap().push((n, registration));
                tokens.lock().unwrap().insert(token.clone());
                if n == failing { Err(n) } else { Ok(()) }
            });
            assert_eq!(result, Err(failing));
            // When the run has ended, every one of its tokens is cancelled.
            for (n, registration) in kept.into_inner().unwrap() {
                assert!(!registration.unregister());
                assert_eq!(calls.of(n), 1, "item {n}");
            }
            for token in tokens.into_inner().unwrap() {
                assert!(matches!(token.cause(), Some(Cause::Failed)), "{token:?}");
            }
        }
    });
}
