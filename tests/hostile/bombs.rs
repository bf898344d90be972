//! Closures, sources, clones and errors whose drops panic.

use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, prelude::*, scope};

use crate::bomb::{Blast, Bomb, blast, caught};
use crate::common::{Drops, Thing, on_pool, on_pools};
use crate::fixture::returned;

/// The call drops the closure after the run, when everything has ended.
#[test]
fn a_closure_that_cannot_be_dropped() {
    on_pools(|_| {
        for fails in [false, true] {
            let (items, ended) = (Drops::new(100), AtomicUsize::new(0));
            let f = || {
                let (bomb, ended) = (Bomb("closure"), &ended);
                move |_: &CancelToken, item: Thing| {
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

/// A sink, the body of a scope and a task are dropped inside the run, so their drops panic in it.
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
                assert_eq!((outcome.panics().len(), outcome.panics()[0].0), (1, None));
                assert!(at < len || returned(&outcome) == len, "nothing is lost");
                let bridged = || source().par_bridge().with_group(&group);
                assert_eq!(caught(bridged().try_map(f)), Some(Blast("source")));
                let bare = blast(|| source().par_in_order().try_map(f));
                assert_eq!(bare, Some(Blast("source")));
            }
        }
    });
}

/// Two bombs, but the second is not dropped while the first unwinds.
#[test]
fn a_source_and_a_value_that_cannot_be_dropped() {
    on_pools(|_| {
        let items = Source(0..1, Bomb("source")).par_in_order();
        let first = blast(|| items.try_map(|_, _| Ok::<_, ()>(Bomb("value"))));
        assert_eq!(first, Some(Blast("source")));
    });
    on_pool(1, || {
        // The second item does not run, so the source still owns it.
        let items = vec![None, Some(Bomb("item"))].into_par_iter();
        let items = items.with_max_len(1).in_order();
        let first = blast(|| {
            items.try_map(|token, item| {
                assert!(item.is_none() && token.cancel());
                Ok::<_, ()>(Bomb("value"))
            })
        });
        assert_eq!(first, Some(Blast("item")));
    });
}

/// rayon clones this for each leaf, and drops the clone at the end of the leaf.
#[derive(Default)]
struct Cloned(usize);

impl Clone for Cloned {
    fn clone(&self) -> Self {
        Cloned(self.0 + 1)
    }
}

impl Drop for Cloned {
    fn drop(&mut self) {
        // Only one clone panics: a second panic on an unwinding thread would abort.
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
            // On threads of its own, where a lost worker would make the run wait forever.
            let group = group.clone().concurrency(2);
            let stream = items().in_order().with_group(&group);
            let result = stream.try_stream(f, |_| Ok(()));
            assert_eq!(caught(result), Some(Blast("clone")));
        }
    });
}

/// Of several tolerated errors all but one are dropped while the run goes on.
#[test]
fn an_error_that_is_not_kept_and_cannot_be_dropped() {
    on_pools(|threads| {
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
        // The panic cancels the run, so some of several workers may not reach their items.
        let ran = ran.into_inner();
        assert!(if threads == 1 { ran == 4 } else { ran >= 2 }, "{ran}");

        // The error of the sink replaces the tolerated ones.
        let f = |_: &CancelToken, n: usize| match n {
            0 => Err(Some(Bomb("replaced"))),
            n => Ok(n),
        };
        let stream = items().with_group(&group);
        let result = stream.try_stream(f, |n| if n == 9 { Err(None) } else { Ok(()) });
        assert_eq!(caught(result), Some(Blast("replaced")));

        // A scope keeps them until its body fails. On one thread the third task gets its permit
        // when the others have ended.
        let result = group.clone().concurrency(1).scope(|s| {
            s.spawn(|s| {
                s.spawn(|_| Err(Some(Bomb("task's error"))));
                Err(Some(Bomb("another task's")))
            });
            s.spawn(|_| Ok(()));
            Err::<(), _>(None)
        });
        assert_eq!(caught(result), Some(Blast("another task's")));
    });
}
