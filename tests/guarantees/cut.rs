//! Guarantees 2 and 7 for failures elsewhere: a cut cancels the items above it, and none below.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use proptest::collection::btree_set;
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cut, ErrGroup, GroupError, prelude::*};

use crate::common::{cancelled, cases, message_of, on_pools, shared};

type Item<'f> = &'f (dyn Fn(&CancelToken, usize) -> Result<usize, String> + Sync);

const HOUR: Duration = Duration::from_secs(3600);

/// Item `sleeper` waits for its token, and somebody else lowers the cut to `at` meanwhile. On more
/// than one thread item 0 runs at that time, too. Returns which items have seen a cancellation.
fn seen(
    threads: usize,
    sleeper: usize,
    at: usize,
    run: impl FnOnce(&Cut, Item<'_>),
) -> BTreeSet<usize> {
    let cut = Cut::new();
    let (started, lowered, seen) = (shared::<()>(), shared::<()>(), shared::<usize>());
    thread::scope(|scope| {
        scope.spawn(|| {
            started.1.lock().unwrap().recv().unwrap();
            cut.lower(at);
            lowered.0.lock().unwrap().send(()).unwrap();
        });
        run(&cut, &|token, item| {
            if item == sleeper {
                started.0.lock().unwrap().send(()).unwrap();
                token.sleep(HOUR).unwrap_err();
            } else if item == 0 && threads > 1 {
                lowered.1.lock().unwrap().recv().unwrap();
            }
            if token.is_cancelled() {
                seen.0.lock().unwrap().send(item).unwrap();
                return Err(format!("{}", token.check().unwrap_err()));
            }
            Ok(item)
        });
    });
    drop(seen.0);
    seen.1.into_inner().unwrap().into_iter().collect()
}

fn assert_cut<T: std::fmt::Debug>(result: Result<T, GroupError<String>>, at: usize) {
    let Err(GroupError::Cancelled(cancelled)) = result else {
        panic!("the run was cut off: {result:?}")
    };
    let reason = std::error::Error::source(&cancelled).unwrap();
    assert_eq!(reason.to_string(), format!("item {at} failed elsewhere"));
}

#[test]
fn an_item_above_that_sleeps_is_cancelled_and_none_below() {
    on_pools(|threads| {
        let group = &ErrGroup::new();
        for (sleeper, at) in [(1, 0), (2, 1), (5, 3), (19, 0), (40, 39), (99, 7)] {
            let seen = |run: &dyn Fn(&Cut, Item<'_>)| {
                let seen = seen(threads, sleeper, at, run);
                assert!(seen.contains(&sleeper));
                assert!(seen.range(..=at).next().is_none(), "{seen:?}");
            };
            let items = |cut: &Cut| (0..100_usize).into_par_iter().in_order().cut(cut);
            let lazy = |cut: &Cut| (0..100_usize).par_in_order().cut(cut);
            seen(&|cut, f| {
                let result = items(cut).with_group(group).try_map(f);
                assert_cut(result, at);
            });
            seen(&|cut, f| {
                let result = lazy(cut).with_group(group).try_map(f);
                assert_cut(result, at);
            });
            seen(&|cut, f| {
                let result = items(cut)
                    .with_group(group)
                    .try_for_each(|token, item| f(token, item).map(drop));
                assert_cut(result, at);
            });
            seen(&|cut, f| {
                let result = lazy(cut)
                    .with_group(group)
                    .try_for_each(|token, item| f(token, item).map(drop));
                assert_cut(result, at);
            });
            if sleeper < 20 {
                // Further items are not begun before the sink has had item 0.
                seen(&|cut, f| {
                    let (mut next, group) = (0, group);
                    let result = items(cut).with_group(group).try_stream(f, |value| {
                        assert_eq!(value, next);
                        next += 1;
                        Ok(())
                    });
                    assert_cut(result, at);
                });
            }
            seen(&|cut, f| {
                let values = items(cut).with_group(group);
                assert_cut(values.try_process(f, |values| values.sum::<usize>()), at);
            });
            for outcome_of_lazy in [false, true] {
                seen(&|cut, f| {
                    let outcome = if outcome_of_lazy {
                        lazy(cut).outcome(f)
                    } else {
                        items(cut).outcome(f)
                    };
                    let below = outcome.values().iter().take(at + 1);
                    assert!(below.map(|(index, _)| *index).eq(0..=at));
                    assert!(outcome.errors().is_empty());
                    assert!(outcome.cancelled() > 0 && !outcome.is_complete());
                    let account = outcome.to_string();
                    let reason = format!("skipped: item {at} failed elsewhere");
                    assert!(account.ends_with(&reason), "{account}");
                    if !outcome_of_lazy {
                        let ended = outcome.values().len() + outcome.late_errors().len();
                        assert_eq!(ended + outcome.skipped(), 100);
                    }
                    assert_cut(outcome.into_result(), at);
                });
            }
        }
    });
}

#[test]
fn a_cut_that_is_there_at_the_start_is_exact() {
    on_pools(|_| {
        for at in [0, 1, 10, 63, 98, 99, 100, usize::MAX] {
            let (cut, ran) = (Cut::new(), AtomicUsize::new(0));
            cut.lower(at);
            let items = (0..100_usize).into_par_iter().in_order().cut(&cut);
            let group = ErrGroup::new();
            let result = items.clone().with_group(&group).err_group(|_| {
                ran.fetch_add(1, SeqCst);
                Ok::<_, String>(())
            });
            let below = 100.min(at.saturating_add(1));
            assert_eq!(ran.into_inner(), below);
            if below == 100 {
                assert!(result.is_ok(), "nothing was skipped");
            } else {
                assert_cut(result, at);
            }
            let outcome = items.outcome(|_, n| Ok::<_, String>(n));
            assert_eq!(outcome.values().len(), below);
            assert_eq!(outcome.skipped(), 100 - below);
            assert_eq!(outcome.is_complete(), below == 100);
        }
    });
}

#[test]
fn an_endless_source_ends() {
    on_pools(|_| {
        let (cut, group) = (Cut::new(), ErrGroup::new());
        let lower = |n: usize| {
            if n == 5000 {
                cut.lower(7000);
            }
            Ok::<_, String>(())
        };
        let result = (0..)
            .par_in_order()
            .cut(&cut)
            .with_group(&group)
            .err_group(lower);
        assert_cut(result, 7000);
        let cut = Cut::new();
        let result = (0..)
            .par_in_order()
            .cut(&cut)
            .with_group(&group)
            .try_for_each(|_, n| {
                if n == 50 {
                    cut.lower(70);
                }
                Ok(())
            });
        assert_cut(result, 70);
        let items = rayon::iter::repeat(())
            .take(usize::MAX)
            .in_order()
            .cut(&cut);
        assert_cut(items.with_group(&group).err_group(|()| Ok(())), 70);
    });
}

#[test]
fn a_failure_of_the_run_itself_below_the_cut_is_the_result() {
    on_pools(|_| {
        let (cut, group) = (Cut::new(), ErrGroup::new());
        let items = (0..1000).into_par_iter().in_order().cut(&cut);
        let fails = |_: &CancelToken, n: usize| {
            if n == 100 {
                cut.lower(200);
            }
            if n == 150 { Err("its own") } else { Ok(n) }
        };
        let error = items.clone().with_group(&group).try_map(fails).unwrap_err();
        assert_eq!(error.index(), Some(150));
        assert_eq!(items.clone().try_map(fails), Err("its own"));
        let outcome = items.outcome(fails);
        assert_eq!(outcome.errors(), [(150, "its own")]);
    });
}

#[test]
fn an_item_that_lowers_the_cut_to_its_own_index_and_fails_is_the_failure() {
    on_pools(|_| {
        let cut = Cut::new();
        let items = (0..1000).into_par_iter().in_order().cut(&cut);
        let outcome = items.outcome(|_, n| {
            if n % 300 == 299 {
                cut.lower(n);
                return Err(n);
            }
            Ok(())
        });
        assert_eq!(outcome.errors(), [(299, 299)]);
    });
}

#[test]
fn one_cut_serves_several_runs_and_those_that_have_ended_do_not_matter() {
    on_pools(|_| {
        let (cut, group) = (Cut::new(), ErrGroup::new());
        let run = || {
            let items = (0..9).into_par_iter().in_order().cut(&cut);
            items.with_group(&group).err_group(|_| Ok::<_, String>(()))
        };
        for _ in 0..100 {
            assert!(run().is_ok());
        }
        cut.lower(3);
        assert_cut(run(), 3);
        assert_eq!(
            (cut.get(), format!("{cut:?}")),
            (Some(3), "Cut(Some(3))".to_owned())
        );
    });
}

#[test]
fn a_cancellation_from_outside_is_the_cause_if_it_comes_first() {
    on_pools(|_| {
        let (cut, stop) = (Cut::new(), CancelToken::new());
        let group = ErrGroup::new().token(&stop);
        let items = (0..1000).into_par_iter().in_order().cut(&cut);
        let result = items.with_group(&group).try_for_each(|_, n| {
            if n == 10 {
                stop.cancel();
                cut.lower(500);
            }
            Ok::<_, String>(())
        });
        assert!(matches!(
            cancelled(result),
            rayon_errgroup::Cause::Parent(_)
        ));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_run_without_a_group_says_what_is_missing() {
    on_pools(|_| {
        let cut = Cut::new();
        cut.lower(4);
        let items = (0..9).into_par_iter().in_order().cut(&cut);
        let message = message_of(|| items.err_group(|_| Ok::<_, String>(())));
        assert!(message.contains("item 4 failed elsewhere"), "{message}");
    });
}

#[cfg(panic = "unwind")]
#[test]
fn the_panic_of_an_item_and_that_of_a_callback_are_resumed() {
    on_pools(|_| {
        let (cut, group) = (Cut::new(), ErrGroup::new());
        let items = (0..9).into_par_iter().in_order().cut(&cut);
        let message = message_of(|| {
            items.with_group(&group).try_for_each(|token, n| {
                let _callback = (n == 3).then(|| token.on_cancel(|| panic!("a callback")));
                if n == 3 {
                    cut.lower(2);
                }
                Ok::<_, String>(())
            })
        });
        assert_eq!(message, "a callback");
        let cut = Cut::new();
        let items = (0..9).into_par_iter().in_order().cut(&cut);
        let message = message_of(|| {
            items.with_group(&group).try_for_each(|_, n| {
                cut.lower(2);
                assert!(n != 2, "an item");
                Ok::<_, String>(())
            })
        });
        assert_eq!(message, "an item");
    });
}

#[derive(Clone, Debug)]
struct Case {
    items: usize,
    cost: Vec<u32>,
    failing: BTreeSet<usize>,
    /// Which item lowers the cut, and to what.
    news: Vec<(usize, usize)>,
    keeps_going: bool,
}

fn any_case() -> impl Strategy<Value = Case> {
    let items = prop_oneof![1..40_usize, 1..3000_usize];
    items.prop_flat_map(|items| {
        let cost = prop::collection::vec(prop_oneof![4 => Just(0_u32), 1 => 0..3000_u32], 1..20);
        let news = prop::collection::vec((0..items, 0..items + 2), 0..4);
        (cost, btree_set(0..items, 0..3), news, any::<bool>()).prop_map(
            move |(cost, failing, news, keeps_going)| Case {
                items,
                cost,
                failing,
                news,
                keeps_going,
            },
        )
    })
}

/// Items above the cut wait until they are told. What is below has the sequential loop's result.
fn check(case: &Case, _threads: usize) {
    for is_lazy in [false, true] {
        let cut = Cut::new();
        let mut group = ErrGroup::new();
        if case.keeps_going {
            group = group.keep_going();
        }
        let f = |token: &CancelToken, n: usize| {
            for _ in 0..case.cost[n % case.cost.len()] {
                std::hint::spin_loop();
            }
            for (by, at) in &case.news {
                if *by == n {
                    cut.lower(*at);
                }
            }
            if cut.get().is_some_and(|at| n > at) {
                token.sleep(HOUR).unwrap_err();
                return Err(n);
            }
            if case.failing.contains(&n) {
                Err(n)
            } else {
                Ok(n)
            }
        };
        let outcome = if is_lazy {
            (0..case.items)
                .par_in_order()
                .cut(&cut)
                .with_group(&group)
                .outcome(f)
        } else {
            let items = (0..case.items).into_par_iter().in_order().cut(&cut);
            items.with_group(&group).outcome(f)
        };
        // Each item up to here has the result that it has alone.
        let first = case.failing.first().copied().filter(|_| !case.keeps_going);
        let end = cut
            .get()
            .into_iter()
            .chain(first)
            .min()
            .unwrap_or(case.items);
        let end = end.saturating_add(1).min(case.items);
        let below = |index: &usize| *index < end;
        let expected = (0..end).filter(|n| !case.failing.contains(n));
        let values = outcome.values().iter().map(|(index, _)| *index);
        assert!(values.take_while(below).eq(expected), "{outcome:?}");
        let errors = outcome.errors().iter().map(|(index, _)| *index);
        assert!(
            errors
                .take_while(below)
                .eq(case.failing.range(..end).copied()),
            "{outcome:?}"
        );
        // The news may come when every item has ended: then nothing was cut off.
        let is_whole = outcome.values().len() == case.items;
        assert_eq!(outcome.is_complete(), is_whole, "{outcome:?}");
        assert!(is_whole || end < case.items || !case.failing.is_empty());
        match outcome.into_result() {
            Ok(values) => assert_eq!(values.len(), case.items),
            Err(_) => assert!(!is_whole),
        }
    }
}

#[test]
fn random_batches_and_news() {
    cases(300, any_case, &[1, 2, 8], check);
}
