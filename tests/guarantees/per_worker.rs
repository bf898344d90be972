//! `PerWorker`: a state for each item that runs, in every kind of run.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread;

use proptest::collection::vec;
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, PerWorker, prelude::*, scope};

use crate::common::{POOLS, cases, on_pool, on_pools, pool, watched};

/// Counts how many states there are at once, and how many calls of `with` run at once.
#[derive(Default)]
struct Counts {
    states: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl Counts {
    /// Makes a state, and asserts that there are never more of them than calls at once.
    fn state(&self) -> State<'_> {
        let states = self.states.fetch_add(1, Ordering::SeqCst) + 1;
        let most_running = self.most_running.load(Ordering::SeqCst);
        assert!(
            states <= most_running,
            "{states} states for {most_running} calls"
        );
        State {
            counts: self,
            is_used: Cell::new(false),
            uses: 0,
        }
    }
}

/// A state that knows whether it is in use.
struct State<'c> {
    counts: &'c Counts,
    is_used: Cell<bool>,
    uses: usize,
}

impl Drop for State<'_> {
    fn drop(&mut self) {
        self.counts.states.fetch_sub(1, Ordering::SeqCst);
    }
}

type States<'c> = PerWorker<'c, State<'c>, &'static str>;

/// Calls `with`, and asserts that nothing else uses the state meanwhile.
fn with(counts: &Counts, states: &States<'_>, body: impl FnOnce()) -> Result<(), &'static str> {
    let running = counts.running.fetch_add(1, Ordering::SeqCst) + 1;
    counts.most_running.fetch_max(running, Ordering::SeqCst);
    let result = states.with(|state| {
        assert!(!state.is_used.replace(true), "two items share a state");
        state.uses += 1;
        body();
        state.is_used.set(false);
        Ok(())
    });
    counts.running.fetch_sub(1, Ordering::SeqCst);
    result
}

/// `body` calls the closure a hundred times, on at most so many threads.
#[track_caller]
fn serves(threads: usize, body: impl FnOnce(&(dyn Fn() -> Result<(), &'static str> + Sync))) {
    let counts = Counts::default();
    let states = PerWorker::new(|| Ok(counts.state()));
    body(&|| with(&counts, &states, || {}));
    let states = states.into_states();
    assert!((1..=threads).contains(&states.len()), "{}", states.len());
    assert_eq!(states.iter().map(|state| state.uses).sum::<usize>(), 100);
    drop(states);
    assert_eq!(counts.states.load(Ordering::SeqCst), 0);
}

const ITEMS: std::ops::Range<usize> = 0..100;

#[test]
fn it_serves_the_calls_of_rayons_iterators() {
    on_pools(|threads| {
        let group = &ErrGroup::new().keep_going();
        serves(threads, |f| {
            ITEMS.into_par_iter().err_group(|_| f()).unwrap();
        });
        serves(threads, |f| {
            let items = ITEMS.into_par_iter().filter(|_| true);
            items.try_for_each_group(|_, _| f()).unwrap();
        });
        serves(threads, |f| {
            let units = ITEMS.into_par_iter().try_map_group(|_, _| f());
            assert_eq!(units.unwrap().len(), 100);
        });
        serves(threads, |f| {
            let items = ITEMS.into_par_iter().with_group(group);
            assert_eq!(items.try_map(|_, _| f()).unwrap().len(), 100);
        });
        serves(3, |f| {
            let own = ErrGroup::new().concurrency(3);
            let items = ITEMS.into_par_iter().with_group(&own);
            items.try_for_each(|_, _| f()).unwrap();
        });
    });
}

#[test]
fn it_serves_runs_in_order() {
    on_pools(|threads| {
        let group = &ErrGroup::new().keep_going();
        serves(threads, |f| {
            let units = ITEMS.into_par_iter().in_order().try_map(|_, _| f());
            assert_eq!(units.unwrap().len(), 100);
        });
        serves(threads, |f| {
            ITEMS.par_in_order().err_group(|_| f()).unwrap();
        });
        serves(threads, |f| {
            // Fifty calls by the items, and fifty by the sink.
            let items = (0..50_usize).into_par_iter().in_order();
            items.try_stream(|_, _| f(), |()| f()).unwrap();
        });
        serves(threads, |f| {
            let items = ITEMS.par_in_order().with_group(group);
            let outcome =
                items.outcome(|_, item| f().and(if item == 7 { Err("7") } else { Ok(()) }));
            assert_eq!(outcome.errors(), [(7, "7")]);
        });
    });
}

#[test]
fn it_serves_tasks_and_threads_outside_of_pools() {
    on_pools(|threads| {
        serves(threads, |f| {
            let run = scope(|s| {
                (1..100).for_each(|_| s.spawn(|_| f()));
                f()
            });
            run.unwrap();
        });
        serves(threads, |f| {
            for _ in 0..50 {
                assert_eq!(rayon::join(f, f), (Ok(()), Ok(())));
            }
        });
    });
    watched(|| serves(1, |f| ITEMS.for_each(|_| f().unwrap())));
    watched(|| {
        serves(4, |f| {
            thread::scope(|threads| {
                for _ in 0..4 {
                    threads.spawn(|| (0..25).for_each(|_| f().unwrap()));
                }
            });
        });
    });
    // The state goes from thread to thread.
    watched(|| {
        serves(1, |f| {
            ITEMS.for_each(|_| {
                thread::scope(|threads| threads.spawn(|| f().unwrap()).join().unwrap());
            });
        });
    });
}

/// Also of two pools at once, whose threads have the same indices.
#[test]
fn each_of_many_threads_has_a_state() {
    const THREADS: usize = 50;
    watched(|| {
        let counts = Counts::default();
        let states = PerWorker::new(|| Ok(counts.state()));
        let all = Barrier::new(2 * THREADS);
        let run = || {
            let items = (0..THREADS).into_par_iter().with_max_len(1);
            pool(THREADS).install(|| items.err_group(|_| with(&counts, &states, || _ = all.wait())))
        };
        for _ in 0..3 {
            thread::scope(|threads| {
                let other = threads.spawn(run);
                assert_eq!((run(), other.join().unwrap()), (Ok(()), Ok(())));
            });
        }
        let states = states.into_states();
        assert_eq!(states.len(), 2 * THREADS);
        assert_eq!(
            states.iter().map(|state| state.uses).sum::<usize>(),
            6 * THREADS
        );
    });
}

#[test]
fn an_item_on_top_of_another_one_has_a_state_of_its_own() {
    on_pool(1, || {
        let counts = Counts::default();
        let states = PerWorker::new(|| Ok(counts.state()));
        for _ in 0..3 {
            let run = [(); 4].par_iter().err_group(|()| {
                with(&counts, &states, || {
                    let inner = [(); 4]
                        .par_iter()
                        .err_group(|()| with(&counts, &states, || {}));
                    assert_eq!(inner, Ok(()));
                })
            });
            assert_eq!(run, Ok(()));
        }
        assert_eq!(counts.most_running.load(Ordering::SeqCst), 2);
        assert_eq!(states.into_states().len(), 2);
    });
    on_pools(|_| {
        let counts = Counts::default();
        let states = PerWorker::new(|| Ok(counts.state()));
        // While the item waits for the join, other items of the run may run on top of it.
        let wait = || _ = rayon::join(|| {}, || {});
        let items = (0..1000).into_par_iter();
        let run = items.err_group(|_| with(&counts, &states, wait));
        assert_eq!(run, Ok(()));
        let most_running = counts.most_running.load(Ordering::SeqCst);
        assert!(states.into_states().len() <= most_running);
    });
}

/// What an item does, and how often the run is repeated.
fn depths() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    vec(0..4_u8, 1..200)
}

#[test]
fn there_are_never_more_states_than_calls_at_once() {
    fn nested(counts: &Counts, states: &States<'_>, depth: u8) {
        if depth > 0 {
            let inner = || {
                rayon::join(
                    || nested(counts, states, depth - 1),
                    || nested(counts, states, depth - 1),
                );
            };
            with(counts, states, inner).unwrap();
        }
    }
    cases(64, depths, &POOLS, |depths, _| {
        let counts = Counts::default();
        let states = PerWorker::new(|| Ok(counts.state()));
        for _ in 0..3 {
            let items = depths.par_iter().with_max_len(1);
            let run = items.err_group(|depth| {
                nested(&counts, &states, *depth);
                Ok::<_, ()>(())
            });
            assert_eq!(run, Ok(()));
        }
        drop(states);
        assert_eq!(counts.states.load(Ordering::SeqCst), 0);
    });
}

/// More calls than states, of threads that have often none: the states move between the threads.
#[test]
fn no_state_is_made_while_another_one_is_idle() {
    const CALLS: usize = 20_000;
    watched(|| {
        let counts = Counts::default();
        let states = PerWorker::new(|| Ok(counts.state()));
        // At most two of the eight threads have a state at once.
        let permits = Mutex::new(2_usize);
        let call = || {
            let mut free = permits.lock().unwrap();
            if *free == 0 {
                drop(free);
                return thread::yield_now();
            }
            *free -= 1;
            drop(free);
            with(&counts, &states, || {}).unwrap();
            *permits.lock().unwrap() += 1;
        };
        thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| (0..CALLS).for_each(|_| call()));
            }
        });
        assert!((1..=2).contains(&states.into_states().len()));
    });
}

#[test]
fn a_state_is_reused_after_an_error() {
    on_pool(1, || {
        let states = PerWorker::new(|| Ok(0));
        let group = ErrGroup::new().keep_going();
        let items = (0..10).into_par_iter().in_order().with_group(&group);
        let outcome = items.outcome(|_, item| {
            states.with(|uses| {
                *uses += 1;
                if item % 2 == 0 { Ok(*uses) } else { Err(*uses) }
            })
        });
        assert_eq!(outcome.values().len(), 5);
        assert_eq!(outcome.errors(), [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]);
        assert_eq!(states.into_states(), [10]);
    });
}

#[test]
fn a_failing_init_is_the_error_of_its_item() {
    on_pools(|threads| {
        let calls = AtomicUsize::new(0);
        let states = PerWorker::new(|| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err("no connection"),
            _ => Ok(()),
        });
        let result = [(); 1000]
            .par_iter()
            .err_group(|()| states.with(|()| Ok(())));
        assert_eq!(result, Err("no connection"));
        assert!(
            states.into_states().len() < threads,
            "the first of them failed"
        );
    });
}

/// Item 1 has the one state, and the others need one of their own.
#[test]
fn in_order_the_first_failing_init_is_the_error() {
    for _ in 0..20 {
        on_pool(4, || {
            let calls = AtomicUsize::new(0);
            let states = PerWorker::new(|| match calls.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(()),
                _ => Err("too many connections"),
            });
            let (has_state, is_taken) = (Barrier::new(2), Barrier::new(4));
            let group = ErrGroup::new();
            let items = (0..4).into_par_iter().in_order().with_group(&group);
            let result = items.try_for_each(|_, item| {
                if item == 1 {
                    return states.with(|()| {
                        has_state.wait();
                        is_taken.wait();
                        Ok(())
                    });
                }
                if item == 0 {
                    has_state.wait();
                }
                is_taken.wait();
                // Item 1 has started and may end before: then its state is not in use any more.
                states.with(|()| states.with(|()| Ok(())))
            });
            let Err(GroupError::Failed { index, error, .. }) = result else {
                panic!("{result:?}")
            };
            assert_eq!((index, error), (Some(0), "too many connections"));
        });
    }
}

#[test]
fn init_runs_under_no_lock() {
    watched(|| {
        // Each waits for the other one.
        let both = Barrier::new(2);
        let states = PerWorker::new(|| {
            both.wait();
            Ok::<_, ()>(())
        });
        let run = || {
            let result = states.with(|()| {
                both.wait();
                Ok(())
            });
            assert_eq!(result, Ok(()));
        };
        pool(2).install(|| rayon::join(run, run));
        assert_eq!(states.into_states().len(), 2);
    });
    watched(|| {
        // An init that needs another state.
        static STATES: OnceLock<PerWorker<'static, usize, ()>> = OnceLock::new();
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let states = STATES.get_or_init(|| {
            PerWorker::new(|| match CALLS.fetch_add(1, Ordering::SeqCst) {
                0 => STATES.get().unwrap().with(|state| Ok(*state + 1)),
                _ => Ok(1),
            })
        });
        assert_eq!(states.with(|state| Ok(*state)), Ok(2));
    });
}

#[test]
fn all_states_are_returned_after_a_failed_run() {
    on_pools(|threads| {
        let all = Barrier::new(threads);
        let states = PerWorker::new(|| Ok(0));
        let items = (0..threads).into_par_iter().with_max_len(1);
        let result = items.err_group(|item| {
            states.with(|state| {
                *state = item;
                all.wait();
                Err("failed")
            })
        });
        assert_eq!(result, Err("failed"));
        let mut states = states.into_states();
        states.sort_unstable();
        assert!(states.into_iter().eq(0..threads));
    });
}

#[cfg(panic = "unwind")]
mod panics {
    use std::panic::panic_any;

    use super::*;
    use crate::common::{Drops, payload_of};

    #[test]
    fn a_state_whose_closure_has_panicked_is_dropped() {
        on_pools(|_| {
            let (drops, made) = (Drops::new(2), AtomicUsize::new(0));
            let states = PerWorker::new(|| Ok(drops.thing(made.fetch_add(1, Ordering::SeqCst))));
            let lost = || states.with(|_| -> Result<(), ()> { panic_any(7) });
            let payload = payload_of(|| [()].par_iter().err_group(|()| lost()));
            assert_eq!(payload.downcast_ref(), Some(&7));
            assert_eq!(drops.of(0), 1, "it is dropped before the run ends");
            assert_eq!(states.with(|thing| Ok(thing.number)), Ok(1));
            assert_eq!(states.into_states().len(), 1);
            drops.assert_each_once();
        });
    }

    #[test]
    fn a_state_that_cannot_be_dropped_does_not_replace_the_panic() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic_any("the drop");
            }
        }
        on_pools(|_| {
            let states = PerWorker::new(|| Ok(Bomb));
            let lost = || states.with(|_| -> Result<(), ()> { panic_any("the closure") });
            let payload = payload_of(|| [(); 9].par_iter().err_group(|()| lost()));
            assert_eq!(payload.downcast_ref(), Some(&"the closure"));
            assert!(states.into_states().is_empty());
        });
    }

    #[test]
    fn a_panic_of_init_is_a_panic_of_the_item() {
        on_pools(|_| {
            let calls = AtomicUsize::new(0);
            let states = PerWorker::new(|| match calls.fetch_add(1, Ordering::SeqCst) {
                0 => panic_any(7),
                _ => Ok(()),
            });
            let group = ErrGroup::new().catch_panics();
            let items = [(); 9].par_iter().in_order().with_group(&group);
            match items.try_map(|_, ()| states.with(|()| Ok::<_, ()>(()))) {
                Err(GroupError::Panicked(panicked)) => {
                    assert_eq!(panicked.into_payload().downcast_ref(), Some(&7));
                }
                result => panic!("{result:?}"),
            }
            assert_eq!(
                states.with(|()| Ok(1)),
                Ok(1),
                "the next call makes a state"
            );
        });
    }
}
