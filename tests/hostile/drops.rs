//! Guarantee 3 as a table: every terminal, ended in every way, drops each item, value and error
//! once.
//!
//! `tests/guarantees/containment.rs` has more on the two terminals of the stealing engine.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, prelude::*, scope};

use crate::common::on_pools;
use crate::fixture::{ENDS, End, Ended, Fixture, LENGTH, both, check};

pub(crate) type Terminal = fn(&Fixture, &ErrGroup) -> Ended;

/// The terminals that take a policy.
const TERMINALS: &[(&str, Terminal)] = &[
    ("err_group", |fixture, group| {
        let items = fixture.things().into_par_iter().with_group(group);
        let result = items.err_group(|item| fixture.work(&fixture.own_token(), item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("try_for_each", |fixture, group| {
        let items = fixture.things().into_par_iter().with_group(group);
        let result = items.try_for_each(|token, item| fixture.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("try_map", |fixture, group| {
        let items = fixture.things().into_par_iter().with_max_len(7);
        Ended::of(
            items
                .with_group(group)
                .try_map(|token, item| fixture.work(token, item)),
        )
    }),
    ("try_map behind a filter", |fixture, group| {
        let items = fixture.things().into_par_iter().filter(|_| true);
        Ended::of(
            items
                .with_group(group)
                .try_map(|token, item| fixture.work(token, item)),
        )
    }),
    ("in order, err_group", |fixture, group| {
        let items = fixture.things().into_par_iter().in_order();
        let items = items.with_group(group);
        let result = items.err_group(|item| fixture.work(&fixture.own_token(), item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("in order, try_for_each", |fixture, group| {
        let items = fixture
            .things()
            .into_par_iter()
            .in_order()
            .with_group(group);
        let result = items.try_for_each(|token, item| fixture.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("in order, try_map", |fixture, group| {
        let items = fixture
            .things()
            .into_par_iter()
            .in_order()
            .with_group(group);
        Ended::of(items.try_map(|token, item| fixture.work(token, item)))
    }),
    ("in order, try_map, in one chunk", |fixture, group| {
        let items = fixture.things().into_par_iter().with_min_len(LENGTH);
        let items = items.in_order().with_group(group);
        Ended::of(items.try_map(|token, item| fixture.work(token, item)))
    }),
    ("in order, try_stream", |fixture, group| {
        let items = fixture
            .things()
            .into_par_iter()
            .in_order()
            .with_group(group);
        let mut sunk = vec![];
        let result = items.try_stream(
            |token, item| fixture.work(token, item),
            |value| {
                sunk.push(value);
                Ok(())
            },
        );
        Ended::of(result.map(|()| sunk))
    }),
    ("in order, outcome", |fixture, group| {
        let items = fixture
            .things()
            .into_par_iter()
            .in_order()
            .with_group(group);
        both(items.outcome(|token, item| fixture.work(token, item)))
    }),
    ("par_in_order, try_for_each", |fixture, group| {
        let items = fixture
            .things()
            .into_iter()
            .par_in_order()
            .with_group(group);
        let result = items.try_for_each(|token, item| fixture.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("par_in_order, try_map", |fixture, group| {
        let items = fixture
            .things()
            .into_iter()
            .par_in_order()
            .with_group(group);
        Ended::of(items.try_map(|token, item| fixture.work(token, item)))
    }),
    ("par_in_order, try_stream", |fixture, group| {
        let items = fixture
            .things()
            .into_iter()
            .par_in_order()
            .with_group(group);
        let result = items.try_stream(|token, item| fixture.work(token, item), |_| Ok(()));
        Ended::of(result.map(|()| vec![]))
    }),
    ("par_in_order, outcome", |fixture, group| {
        let items = fixture
            .things()
            .into_iter()
            .par_in_order()
            .with_group(group);
        both(items.outcome(|token, item| fixture.work(token, item)))
    }),
    ("scope", |fixture, group| {
        let values = Mutex::new(vec![]);
        let result = group.scope(|s| {
            for item in fixture.things() {
                let values = &values;
                s.spawn(move |s| {
                    let value = fixture.work(s.token(), item)?;
                    values.lock().unwrap().push(value);
                    Ok(())
                });
            }
            Ok(())
        });
        Ended::of(result.map(|()| values.into_inner().unwrap()))
    }),
];

/// The terminals that take no policy.
const BARE: &[(&str, Terminal)] = &[
    ("err_group", |fixture, _| {
        let items = fixture.things().into_par_iter();
        let result = items.err_group(|item| fixture.work(&fixture.own_token(), item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("try_for_each_group", |fixture, _| {
        let items = fixture.things().into_par_iter().filter(|_| true);
        let result = items.try_for_each_group(|token, item| fixture.work(token, item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("try_map_group", |fixture, _| {
        let items = fixture.things().into_par_iter();
        Ended::of_bare(items.try_map_group(|token, item| fixture.work(token, item)))
    }),
    ("in order, try_map", |fixture, _| {
        let items = fixture.things().into_par_iter().in_order();
        Ended::of_bare(items.try_map(|token, item| fixture.work(token, item)))
    }),
    ("in order, try_stream", |fixture, _| {
        let items = fixture.things().into_par_iter().in_order();
        let mut sunk = vec![];
        let result = items.try_stream(
            |token, item| fixture.work(token, item),
            |value| {
                sunk.push(value);
                Ok(())
            },
        );
        Ended::of_bare(result.map(|()| sunk))
    }),
    ("in order, outcome", |fixture, _| {
        let items = fixture.things().into_par_iter().in_order();
        both(items.outcome(|token, item| fixture.work(token, item)))
    }),
    ("par_in_order, err_group", |fixture, _| {
        let items = fixture.things().into_iter().par_in_order();
        let result = items.err_group(|item| fixture.work(&fixture.own_token(), item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("scope without a policy", |fixture, _| {
        let result = scope(|s| {
            for item in fixture.things() {
                s.spawn(move |s| fixture.work(s.token(), item).map(drop));
            }
            Ok(())
        });
        Ended::of_bare(result.map(|()| vec![]))
    }),
];

#[test]
fn whatever_ends_a_run_everything_is_dropped_once() {
    on_pools(|_| {
        for &(name, terminal) in TERMINALS {
            for &end in ENDS {
                for at in [0, 150, LENGTH - 1] {
                    for limit in [1, 3, usize::MAX] {
                        let fixture = Fixture::new(end, at);
                        let group = fixture.group().max_errors(limit).catch_panics();
                        check(name, terminal, &group, &fixture);
                    }
                }
            }
        }
    });
}

#[test]
fn whatever_ends_a_run_on_threads_of_its_own_everything_is_dropped_once() {
    on_pools(|_| {
        let threads = ErrGroup::new().concurrency(2).catch_panics();
        for &(name, terminal) in TERMINALS {
            for &end in ENDS {
                let fixture = Fixture::new(end, 150);
                let group = threads.clone().token(&fixture.stop);
                let group = match end {
                    End::Expired => group.deadline(Instant::now()),
                    End::Deadline => group.timeout(Duration::from_millis(1)),
                    _ => group,
                };
                check(name, terminal, &group, &fixture);
            }
        }
    });
}

#[test]
fn whatever_ends_a_run_without_a_policy_everything_is_dropped_once() {
    on_pools(|_| {
        for &(name, terminal) in BARE {
            for end in [End::Success, End::Error, End::Errors] {
                for at in [0, 150, LENGTH - 1] {
                    check(name, terminal, &ErrGroup::new(), &Fixture::new(end, at));
                }
            }
        }
    });
}

/// A run that panics because it has no error to return, and one that resumes a panic.
#[cfg(panic = "unwind")]
#[test]
fn whatever_unwinds_out_of_a_run_everything_is_dropped_once() {
    use crate::common::payload_of;
    use crate::fixture::after_unwinding;

    on_pools(|_| {
        for &(name, terminal) in BARE.iter().chain(TERMINALS) {
            for at in [0, 150] {
                let fixture = Fixture::new(End::Panic, at);
                let payload = payload_of(|| terminal(&fixture, &fixture.group()));
                assert_eq!(payload.downcast_ref(), Some(&at), "{name}");
                after_unwinding(name, &fixture);
            }
        }
        for &(name, terminal) in BARE {
            if name.ends_with("err_group") {
                continue; // Its closure has no token to cancel.
            }
            let fixture = Fixture::new(End::Inside, 0);
            // On several threads the cancellation may come too late to skip anything.
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                drop(terminal(&fixture, &ErrGroup::new()));
            }));
            if let Err(payload) = unwound {
                let text = payload.downcast_ref::<String>().unwrap();
                assert!(text.contains("no error to return"), "{name}: {text}");
            }
            after_unwinding(name, &fixture);
        }
    });
}
