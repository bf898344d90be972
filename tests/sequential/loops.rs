//! What is only true of a loop: which items run, when what is dropped, and panics of every part.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Mutex;
use std::thread;

use rayon_errgroup::sequential::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, GroupError};

use crate::common::{Drops, Thing, cancelled, payload_of};

/// Counts how many items were read.
struct Counted<'c, I>(I, &'c Mutex<usize>);

impl<I: Iterator> Iterator for Counted<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        *self.1.lock().unwrap() += 1;
        self.0.next()
    }
}

#[test]
fn items_run_one_by_one_on_this_thread() {
    let (caller, order) = (thread::current().id(), Mutex::new(Vec::new()));
    let group = ErrGroup::new().concurrency(2);
    let items = (0..5).into_par_iter().in_order().with_group(&group);
    let result = items.try_stream(
        |_, n| {
            assert_eq!(thread::current().id(), caller);
            order.lock().unwrap().push(n);
            Ok::<_, ()>(n)
        },
        |n| {
            order.lock().unwrap().push(10 * n);
            Ok(())
        },
    );
    assert!(result.is_ok());
    assert_eq!(
        order.into_inner().unwrap(),
        [0, 0, 1, 10, 2, 20, 3, 30, 4, 40]
    );
}

#[test]
fn nothing_is_read_after_the_failure() {
    let read = Mutex::new(0);
    let result = Counted(0.., &read).err_group(|n| if n < 4 { Ok(()) } else { Err(n) });
    assert_eq!((result, *read.lock().unwrap()), (Err(4), 5));
}

#[test]
fn one_item_is_read_after_a_cancellation_as_the_proof() {
    let (read, stop) = (Mutex::new(0), CancelToken::new());
    let group = ErrGroup::new().token(&stop);
    let run = |limit: u32, lazily: bool| {
        *read.lock().unwrap() = 0;
        let items = Counted(0..limit, &read);
        let cancel_at_four = |_: &CancelToken, n: u32| {
            if n == 4 {
                stop.cancel();
            }
            Ok::<_, ()>(())
        };
        let outcome = if lazily {
            items
                .par_in_order()
                .with_group(&group)
                .outcome(cancel_at_four)
        } else {
            items.in_order().with_group(&group).outcome(cancel_at_four)
        };
        (outcome.to_string(), *read.lock().unwrap())
    };
    let stopped = ("0 ok, 0 failed, 1 skipped: requested".to_string(), 1);
    assert_eq!(run(9, true).1, 6);
    assert_eq!(run(9, true), stopped, "it is cancelled already");
    assert_eq!(run(9, false), stopped, "the length is unknown");
}

#[test]
fn a_cancellation_by_the_last_item_or_by_the_end_of_the_source_is_too_late() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let mut left = 3;
    let source = std::iter::from_fn(|| {
        left -= 1;
        if left == 0 {
            stop.cancel();
        }
        (left > 0).then_some(left)
    });
    let values = source.with_group(&group).try_map(|_, n| Ok::<_, ()>(n));
    assert_eq!(values.unwrap(), [2, 1]);
}

#[test]
fn another_thread_cancels() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let result = thread::scope(|threads| {
        threads.spawn(|| stop.cancel());
        (0_u64..)
            .par_in_order()
            .with_group(&group)
            .err_group(|_| Ok::<_, ()>(()))
    });
    assert!(matches!(cancelled(result), Cause::Parent(_)));
}

#[test]
fn a_deadline_wakes_an_item() {
    let group = ErrGroup::new().timeout(std::time::Duration::from_millis(5));
    let (ran, result) = (Mutex::new(0), [1, 2].par_iter().with_group(&group));
    let result = result.try_for_each(|token, _| {
        *ran.lock().unwrap() += 1;
        token.sleep(std::time::Duration::from_secs(3600))
    });
    assert!(matches!(cancelled(result), Cause::Deadline));
    assert_eq!(*ran.lock().unwrap(), 1);
}

#[test]
fn the_token_is_released_when_the_run_ends() {
    let (kept, group) = (Mutex::new(None), ErrGroup::new());
    let keep = |token: &CancelToken| *kept.lock().unwrap() = Some(token.clone());
    let result = [1].par_iter().with_group(&group).try_for_each(|token, _| {
        keep(token);
        Ok::<_, ()>(())
    });
    assert!(result.is_ok());
    let token = kept.lock().unwrap().take().unwrap();
    assert!(!token.is_cancelled());
    assert!(token.done().recv().is_err(), "the channel is closed");
    let result = [1]
        .par_iter()
        .in_order()
        .with_group(&group)
        .try_for_each(|token, _| {
            keep(token);
            Err(7)
        });
    assert_eq!(result.unwrap_err().index(), Some(0));
    let token = kept.lock().unwrap().take().unwrap();
    assert!(matches!(token.cause(), Some(Cause::Failed)));
}

/// Every way to run nine things. Each has one that stops at the thing with number four.
fn each_dropped_once(run: impl Fn(Vec<Thing>)) {
    let drops = Drops::new(9);
    run(drops.things());
    drops.assert_each_once();
}

#[test]
fn items_values_and_errors_are_dropped_once() {
    let fail = |_: &CancelToken, thing: Thing| {
        if thing.number == 4 {
            Err(thing)
        } else {
            Ok(thing)
        }
    };
    let stop = CancelToken::new();
    stop.cancel();
    let (group, patient) = (ErrGroup::new(), ErrGroup::new().keep_going());
    let stopped = ErrGroup::new().token(&stop);
    for group in [&group, &patient, &stopped] {
        each_dropped_once(|things| _ = things.into_par_iter().with_group(group).try_map(fail));
        each_dropped_once(|things| {
            _ = things
                .into_par_iter()
                .in_order()
                .with_group(group)
                .try_map(fail);
        });
        each_dropped_once(|things| {
            _ = things
                .into_par_iter()
                .in_order()
                .with_group(group)
                .outcome(fail);
        });
        each_dropped_once(|things| {
            let items = things.into_par_iter().in_order().with_group(group);
            _ = items.try_stream(fail, |thing| {
                if thing.number == 6 {
                    Err(thing)
                } else {
                    Ok(())
                }
            });
        });
        each_dropped_once(|things| {
            let items = things.into_par_iter().with_group(group);
            _ = items.try_process(fail, |values| values.collect::<Vec<_>>());
        });
        each_dropped_once(|things| {
            let items = things.into_par_iter().with_group(group);
            _ = items.try_process(fail, |mut values| {
                let first = values.next();
                std::mem::forget(values);
                first
            });
        });
    }
}

#[cfg(panic = "unwind")]
#[test]
fn things_are_dropped_once_where_something_panics() {
    let panic_at = |number: usize| {
        move |_: &CancelToken, thing: Thing| {
            if thing.number == number {
                panic_any("an item");
            }
            Ok::<_, ()>(thing)
        }
    };
    each_dropped_once(|things| {
        let run = || things.into_par_iter().try_map_group(panic_at(4));
        assert_eq!(payload_of(run).downcast_ref(), Some(&"an item"));
    });
    each_dropped_once(|things| {
        let group = ErrGroup::new().catch_panics().keep_going();
        let outcome = things
            .into_par_iter()
            .in_order()
            .with_group(&group)
            .outcome(panic_at(4));
        assert_eq!((outcome.values().len(), outcome.panics().len()), (8, 1));
    });
    each_dropped_once(|things| {
        let run = || {
            let items = things.into_par_iter().in_order();
            items.try_stream(panic_at(9), |thing| {
                if thing.number == 4 {
                    panic_any("a sink");
                }
                Ok(())
            })
        };
        assert_eq!(payload_of(run).downcast_ref(), Some(&"a sink"));
    });
    each_dropped_once(|things| {
        let run = || {
            things
                .into_par_iter()
                .try_process_group(panic_at(9), |values| {
                    if values.take(4).count() == 4 {
                        panic_any("a body");
                    }
                })
        };
        assert_eq!(payload_of(run).downcast_ref(), Some(&"a body"));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_source_stops_even_a_run_that_tolerates_panics() {
    let group = ErrGroup::new().catch_panics().keep_going();
    let ran = Mutex::new(0);
    let items = (0..9).map(|n| if n == 4 { panic_any("a source") } else { n });
    let outcome = items.in_order().with_group(&group).outcome(|_, n| {
        *ran.lock().unwrap() += 1;
        Ok::<_, ()>(n)
    });
    assert_eq!((*ran.lock().unwrap(), outcome.values().len()), (4, 4));
    let [(None, panicked)] = outcome.panics() else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (panicked.message(), outcome.skipped()),
        (Some("a source"), 5)
    );
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_in_the_drop_of_an_item_that_is_left_outranks_the_error() {
    struct Left(Vec<usize>);
    impl Iterator for Left {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            self.0.pop()
        }
    }
    impl Drop for Left {
        fn drop(&mut self) {
            panic_any(self.0.len());
        }
    }
    let run = || Left(vec![3, 2, 1, 0]).err_group(|n| if n == 1 { Err(n) } else { Ok(()) });
    assert_eq!(payload_of(run).downcast_ref(), Some(&2_usize));
}

#[cfg(panic = "unwind")]
#[test]
fn a_body_that_catches_the_panic_of_an_item_does_not_hide_it() {
    let run = || {
        let panic_at_two = |_: &CancelToken, n: u32| {
            if n == 2 {
                panic_any(n);
            }
            Ok::<_, ()>(n)
        };
        (0..9_u32)
            .into_par_iter()
            .try_process_group(panic_at_two, |values| {
                let mut seen = Vec::new();
                let mut values = values;
                let caught = catch_unwind(AssertUnwindSafe(|| seen.extend(&mut values)));
                assert!(caught.is_ok() && seen == [0, 1] && values.next().is_none());
            })
    };
    assert_eq!(payload_of(run).downcast_ref(), Some(&2_u32));
}

#[cfg(panic = "unwind")]
#[test]
fn a_body_may_catch_its_own_panic() {
    let panic_at = |n: u32, panicking: u32| {
        if n == panicking {
            panic_any(n);
        }
    };
    let result = (0..9_u32).into_par_iter().try_process_group(
        |_, n| Ok::<_, ()>(n),
        |mut values| {
            let first = catch_unwind(AssertUnwindSafe(|| {
                values.by_ref().for_each(|n| panic_at(n, 0));
            }));
            let fold = catch_unwind(AssertUnwindSafe(|| values.for_each(|n| panic_at(n, 3))));
            let message = |caught: Result<(), Box<dyn std::any::Any + Send>>| {
                *caught.unwrap_err().downcast_ref::<u32>().unwrap()
            };
            [message(first), message(fold)]
        },
    );
    assert_eq!(result, Ok([0, 3]));
}

#[cfg(panic = "unwind")]
#[test]
fn a_bare_run_that_cancels_itself_panics_as_it_does_in_parallel() {
    let run = || {
        (0..9).into_par_iter().try_for_each_group(|token, _| {
            token.cancel();
            Ok::<_, ()>(())
        })
    };
    let message = *payload_of(run).downcast::<String>().unwrap();
    assert!(
        message.contains("a closure cancelled its own run"),
        "{message}"
    );
}

#[test]
fn a_value_of_an_item_that_cancels_the_run_does_not_reach_the_sink() {
    let (stop, drops, mut seen) = (CancelToken::new(), Drops::new(9), 0);
    let group = ErrGroup::new().token(&stop);
    let items = drops.things().into_par_iter().in_order();
    let result = items.with_group(&group).try_stream(
        |_, thing| {
            if thing.number == 8 {
                stop.cancel();
            }
            Ok::<_, ()>(thing)
        },
        |thing| {
            assert_eq!(thing.number, seen);
            seen += 1;
            Ok(())
        },
    );
    assert!(
        matches!(cancelled(result), Cause::Parent(_)),
        "the sink has not had the last value"
    );
    assert_eq!(seen, 8);
    drops.assert_each_once();
}

#[test]
fn a_sink_that_has_enough_cancels_what_still_has_the_token() {
    let kept = Mutex::new(None);
    let result = (0..9).in_order().try_stream(
        |token, n| {
            *kept.lock().unwrap() = Some(token.clone());
            Ok::<_, ()>(n)
        },
        |_| Ok(ControlFlow::Break(())),
    );
    assert_eq!(result, Ok(()));
    assert!(kept.into_inner().unwrap().unwrap().is_cancelled());
}

#[test]
fn values_end_once() {
    let asked = Mutex::new(0);
    // Not fused: it gives more after its end.
    let source = || {
        std::iter::from_fn(|| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            (*asked != 3).then_some(*asked)
        })
    };
    let result = source().in_order().try_process(
        |_, n| if n == 9 { Err(n) } else { Ok(n) },
        |mut values| {
            let all: Vec<_> = values.by_ref().collect();
            (all, values.next(), values.count())
        },
    );
    assert_eq!(
        (result, *asked.lock().unwrap()),
        (Ok((vec![1, 2], None, 0)), 3)
    );
    let result = source().in_order().try_process(
        |_, n| if n == 5 { Err(n) } else { Ok(n) },
        |mut values| {
            assert_eq!(
                (values.next(), values.next(), values.next()),
                (Some(4), None, None)
            );
        },
    );
    assert_eq!((result, *asked.lock().unwrap()), (Err(5), 5));
}

#[test]
fn values_know_how_many_may_come() {
    let result = (0..9).into_par_iter().try_process_group(
        |_, n| if n == 4 { Err(n) } else { Ok(n) },
        |mut values| {
            assert_eq!(values.size_hint(), (0, Some(9)));
            assert_eq!(values.by_ref().count(), 4);
            assert_eq!(values.size_hint(), (0, Some(0)));
            assert_eq!(values.next(), None);
            assert_eq!(format!("{values:?}"), "Values { .. }");
        },
    );
    assert_eq!(result, Err(4));
}

#[test]
fn a_length_that_does_not_fit_into_the_memory_reserves_nothing() {
    let items = std::iter::repeat_n([0_u8; 64], usize::MAX / 2);
    assert_eq!(
        items.try_map_group(|_, item| Err::<[u8; 64], _>(item.len())),
        Err(64)
    );
}

#[test]
fn an_outcome_counts_what_was_read_if_the_length_is_unknown() {
    let odd = |_: &CancelToken, n: u32| if n == 3 { Err(n) } else { Ok(n) };
    let known = (0..9).into_par_iter().in_order().outcome(odd);
    assert_eq!(known.to_string(), "3 ok, 1 failed, 5 skipped");
    let unknown = (0..9).filter(|n| *n < 100).in_order().outcome(odd);
    assert_eq!(unknown.to_string(), "3 ok, 1 failed, 0 skipped");
    let lazy = (0..9).par_in_order().outcome(odd);
    assert_eq!(lazy.to_string(), "3 ok, 1 failed, 0 skipped");
    assert!(matches!(
        lazy.into_result(),
        Err(GroupError::Failed { index: Some(3), .. })
    ));
}

#[cfg(panic = "unwind")]
#[test]
fn an_iterator_that_is_wrong_about_its_length_panics_or_is_not_believed() {
    struct Liar(usize, usize);
    impl Iterator for Liar {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.1, Some(self.1))
        }
    }
    let message = |payload: Box<dyn std::any::Any + Send>| *payload.downcast_ref::<&str>().unwrap();
    let fewer = payload_of(|| Liar(3, 4).try_map_group(|_, n| Ok::<_, ()>(n)));
    assert_eq!(
        message(fewer),
        "an iterator gave fewer items than its length"
    );
    let more = payload_of(|| Liar(5, 4).in_order().try_map(|_, n| Ok::<_, ()>(n)));
    assert_eq!(message(more), "an iterator gave more items than its length");
    assert_eq!(
        Liar(3, 4).par_in_order().try_map(|_, n| Ok::<_, ()>(n)),
        Ok(vec![2, 1, 0])
    );
    assert_eq!(Liar(3, 4).err_group(|_| Ok::<_, ()>(())), Ok(()));
    assert_eq!(
        Liar(3, 4).try_map_group(|_, n| if n == 1 { Err(n) } else { Ok(n) }),
        Err(1)
    );
}
