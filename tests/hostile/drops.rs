//! Law 3 as a table: every terminal, ended in every way, drops each item, value and error once.
//!
//! `tests/laws/containment.rs` has the two stealing terminals, ended by their items and from outside.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*, scope};

use crate::harness::{Drops, Thing, on_pools};

const LENGTH: usize = 300;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Well,
    Error,
    /// Every item from there on fails.
    Errors,
    #[cfg(panic = "unwind")]
    Panic,
    /// An item cancels the token that it was given.
    Inside,
    /// The token that the group was given is cancelled.
    Outside,
    /// The run's own deadline passes.
    Deadline,
    /// The deadline has passed before the run begins.
    Late,
}

const ENDS: &[End] = &[
    End::Well,
    End::Error,
    End::Errors,
    #[cfg(panic = "unwind")]
    End::Panic,
    End::Inside,
    End::Outside,
    End::Deadline,
    End::Late,
];

/// What a run is made of, and how often each part of it was dropped.
struct Bench {
    end: End,
    /// The item that ends it.
    at: usize,
    stop: CancelToken,
    items: Drops,
    values: Drops,
    errors: Drops,
    /// How many values and errors there were of each item.
    made: [Vec<AtomicUsize>; 2],
}

impl Bench {
    fn new(end: End, at: usize) -> Self {
        Bench {
            end,
            at,
            stop: CancelToken::new(),
            items: Drops::new(LENGTH),
            values: Drops::new(LENGTH),
            errors: Drops::new(LENGTH),
            made: [(); 2].map(|()| (0..LENGTH).map(|_| AtomicUsize::new(0)).collect()),
        }
    }

    fn group(&self) -> ErrGroup {
        let group = ErrGroup::new().token(&self.stop);
        match self.end {
            End::Late => group.deadline(Instant::now()),
            End::Deadline => group.timeout(Duration::from_millis(1)),
            _ => group,
        }
    }

    fn work(&self, token: &CancelToken, item: Thing) -> Result<Thing, Thing> {
        let number = item.number;
        let is_end = number == self.at;
        match self.end {
            End::Error if is_end => return Err(self.made(1, number)),
            End::Errors if number >= self.at => return Err(self.made(1, number)),
            #[cfg(panic = "unwind")]
            End::Panic if is_end => std::panic::panic_any(number),
            End::Inside if is_end => _ = token.cancel(),
            End::Outside if is_end => _ = self.stop.cancel(),
            End::Deadline if is_end => _ = token.done().recv(),
            End::Late => unreachable!(),
            _ => {}
        }
        Ok(self.made(0, number))
    }

    fn made(&self, which: usize, number: usize) -> Thing {
        self.made[which][number].fetch_add(1, SeqCst);
        [&self.values, &self.errors][which].thing(number)
    }

    fn things(&self) -> Vec<Thing> {
        self.items.things()
    }
}

/// What comes of a terminal.
enum Ended {
    Values(Vec<Thing>),
    Error(Thing),
    Cancelled,
    Panicked,
    /// Values and errors.
    Both(Vec<Thing>, Vec<Thing>),
}

impl Ended {
    fn of(result: Result<Vec<Thing>, GroupError<Thing>>) -> Self {
        match result {
            Ok(values) => Ended::Values(values),
            Err(GroupError::Failed { error, .. }) => Ended::Error(error),
            Err(GroupError::Cancelled(_)) => Ended::Cancelled,
            Err(_) => Ended::Panicked,
        }
    }

    fn of_bare(result: Result<Vec<Thing>, Thing>) -> Self {
        result.map_or_else(Ended::Error, Ended::Values)
    }
}

type Terminal = fn(&Bench, &ErrGroup) -> Ended;

/// Those that take a policy.
const TERMINALS: &[(&str, Terminal)] = &[
    ("try_for_each", |bench, group| {
        let items = bench.things().into_par_iter().with_group(group);
        let result = items.try_for_each(|token, item| bench.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("try_map", |bench, group| {
        let items = bench.things().into_par_iter().with_max_len(7);
        Ended::of(
            items
                .with_group(group)
                .try_map(|token, item| bench.work(token, item)),
        )
    }),
    ("try_map behind a filter", |bench, group| {
        let items = bench.things().into_par_iter().filter(|_| true);
        Ended::of(
            items
                .with_group(group)
                .try_map(|token, item| bench.work(token, item)),
        )
    }),
    ("in order, try_for_each", |bench, group| {
        let items = bench.things().into_par_iter().in_order().with_group(group);
        let result = items.try_for_each(|token, item| bench.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("in order, try_map", |bench, group| {
        let items = bench.things().into_par_iter().in_order().with_group(group);
        Ended::of(items.try_map(|token, item| bench.work(token, item)))
    }),
    ("in order, try_map, in one chunk", |bench, group| {
        let items = bench.things().into_par_iter().with_min_len(LENGTH);
        let items = items.in_order().with_group(group);
        Ended::of(items.try_map(|token, item| bench.work(token, item)))
    }),
    ("in order, try_stream", |bench, group| {
        let items = bench.things().into_par_iter().in_order().with_group(group);
        let mut sunk = vec![];
        let result = items.try_stream(
            |token, item| bench.work(token, item),
            |value| {
                sunk.push(value);
                Ok(())
            },
        );
        Ended::of(result.map(|()| sunk))
    }),
    ("in order, outcome", |bench, group| {
        let items = bench.things().into_par_iter().in_order().with_group(group);
        both(items.outcome(|token, item| bench.work(token, item)))
    }),
    ("par_in_order, try_for_each", |bench, group| {
        let items = bench.things().into_iter().par_in_order().with_group(group);
        let result = items.try_for_each(|token, item| bench.work(token, item).map(drop));
        Ended::of(result.map(|()| vec![]))
    }),
    ("par_in_order, try_map", |bench, group| {
        let items = bench.things().into_iter().par_in_order().with_group(group);
        Ended::of(items.try_map(|token, item| bench.work(token, item)))
    }),
    ("par_in_order, try_stream", |bench, group| {
        let items = bench.things().into_iter().par_in_order().with_group(group);
        let result = items.try_stream(|token, item| bench.work(token, item), |_| Ok(()));
        Ended::of(result.map(|()| vec![]))
    }),
    ("par_in_order, outcome", |bench, group| {
        let items = bench.things().into_iter().par_in_order().with_group(group);
        both(items.outcome(|token, item| bench.work(token, item)))
    }),
    ("scope", |bench, group| {
        let values = Mutex::new(vec![]);
        let result = group.scope(|s| {
            for item in bench.things() {
                let values = &values;
                s.spawn(move |s| {
                    let value = bench.work(s.token(), item)?;
                    values.lock().unwrap().push(value);
                    Ok(())
                });
            }
            Ok(())
        });
        Ended::of(result.map(|()| values.into_inner().unwrap()))
    }),
];

fn both(outcome: rayon_errgroup::Outcome<Thing, Thing>) -> Ended {
    let things = |of: Vec<(usize, Thing)>| {
        let things = of
            .into_iter()
            .inspect(|(at, thing)| assert_eq!(*at, thing.number));
        things.map(|(_, thing)| thing).collect::<Vec<_>>()
    };
    if outcome.panics.is_empty() && outcome.errors.is_empty() && outcome.skipped > 0 {
        return Ended::Cancelled;
    }
    if !outcome.panics.is_empty() {
        return Ended::Panicked;
    }
    Ended::Both(things(outcome.values), things(outcome.errors))
}

/// Those that take none.
const BARE: &[(&str, Terminal)] = &[
    ("err_group", |bench, _| {
        let items = bench.things().into_par_iter();
        let result = items.err_group(|item| bench.work(&CancelToken::new(), item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("try_for_each_group", |bench, _| {
        let items = bench.things().into_par_iter().filter(|_| true);
        let result = items.try_for_each_group(|token, item| bench.work(token, item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("try_map_group", |bench, _| {
        let items = bench.things().into_par_iter();
        Ended::of_bare(items.try_map_group(|token, item| bench.work(token, item)))
    }),
    ("in order, try_map_group", |bench, _| {
        let items = bench.things().into_par_iter().in_order();
        Ended::of_bare(items.try_map_group(|token, item| bench.work(token, item)))
    }),
    ("par_in_order, err_group", |bench, _| {
        let items = bench.things().into_iter().par_in_order();
        let result = items.err_group(|item| bench.work(&CancelToken::new(), item).map(drop));
        Ended::of_bare(result.map(|()| vec![]))
    }),
    ("scope without a policy", |bench, _| {
        let result = scope(|s| {
            for item in bench.things() {
                s.spawn(move |s| bench.work(s.token(), item).map(drop));
            }
            Ok(())
        });
        Ended::of_bare(result.map(|()| vec![]))
    }),
];

/// Runs one cell of the table.
fn check(name: &str, terminal: Terminal, group: &ErrGroup, bench: &Bench) {
    let cell = format!("{name}, {:?} at {}", bench.end, bench.at);
    let ended = terminal(bench, group);
    // When the call has returned: what it has not returned is dropped.
    bench.items.assert_each_once();
    let kept = |drops: &Drops, which: usize, things: &[Thing]| {
        for number in 0..LENGTH {
            let kept = things.iter().filter(|thing| thing.number == number).count();
            let made = bench.made[which][number].load(SeqCst);
            assert!(kept <= made && made <= 1, "{cell}: {number}");
            assert_eq!(drops.of(number) + kept, made, "{cell}: {number}");
        }
    };
    let (values, errors, is_right) = match ended {
        Ended::Values(values) => {
            // A cancellation by the last item, or by none of them, skips nothing.
            let is_right = match bench.end {
                End::Well => true,
                End::Inside | End::Outside | End::Deadline => {
                    bench.made[0].iter().all(|made| made.load(SeqCst) == 1)
                }
                _ => false,
            };
            (values, vec![], is_right)
        }
        Ended::Error(error) => (
            vec![],
            vec![error],
            matches!(bench.end, End::Error | End::Errors),
        ),
        Ended::Cancelled => {
            let is_cancelled = matches!(
                bench.end,
                End::Inside | End::Outside | End::Deadline | End::Late
            );
            (vec![], vec![], is_cancelled)
        }
        #[cfg(panic = "unwind")]
        Ended::Panicked => (vec![], vec![], bench.end == End::Panic),
        #[cfg(not(panic = "unwind"))]
        Ended::Panicked => (vec![], vec![], false),
        Ended::Both(values, errors) => (values, errors, true),
    };
    assert!(is_right, "{cell}");
    kept(&bench.values, 0, &values);
    kept(&bench.errors, 1, &errors);
    drop((values, errors));
    kept(&bench.values, 0, &[]);
    kept(&bench.errors, 1, &[]);
}

#[test]
fn whatever_ends_a_run_everything_is_dropped_once() {
    on_pools(|_| {
        for &(name, terminal) in TERMINALS {
            for &end in ENDS {
                for at in [0, 150, LENGTH - 1] {
                    for tolerance in [1, 3, usize::MAX] {
                        let bench = Bench::new(end, at);
                        let group = bench.group().max_errors(tolerance).catch_panics();
                        check(name, terminal, &group, &bench);
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
                let bench = Bench::new(end, 150);
                let group = threads.clone().token(&bench.stop);
                let group = match end {
                    End::Late => group.deadline(Instant::now()),
                    End::Deadline => group.timeout(Duration::from_millis(1)),
                    _ => group,
                };
                check(name, terminal, &group, &bench);
            }
        }
    });
}

#[test]
fn whatever_ends_a_run_without_a_policy_everything_is_dropped_once() {
    on_pools(|_| {
        for &(name, terminal) in BARE {
            for end in [End::Well, End::Error, End::Errors] {
                for at in [0, 150, LENGTH - 1] {
                    check(name, terminal, &ErrGroup::new(), &Bench::new(end, at));
                }
            }
        }
    });
}

/// Where the run panics for want of an error to return, and where it resumes a panic.
#[cfg(panic = "unwind")]
#[test]
fn whatever_unwinds_out_of_a_run_everything_is_dropped_once() {
    use crate::harness::payload_of;

    on_pools(|_| {
        for &(name, terminal) in BARE.iter().chain(TERMINALS) {
            for at in [0, 150] {
                let bench = Bench::new(End::Panic, at);
                let payload = payload_of(|| terminal(&bench, &bench.group()));
                assert_eq!(payload.downcast_ref(), Some(&at), "{name}");
                after_unwinding(name, &bench);
            }
        }
        for &(name, terminal) in BARE {
            if name.ends_with("err_group") {
                continue; // Its closure has no token to cancel.
            }
            let bench = Bench::new(End::Inside, 0);
            // On many threads it may come too late to skip anything.
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                drop(terminal(&bench, &ErrGroup::new()));
            }));
            if let Err(payload) = unwound {
                let text = payload.downcast_ref::<String>().unwrap();
                assert!(text.contains("no error to return"), "{name}: {text}");
            }
            after_unwinding(name, &bench);
        }
    });
}

#[cfg(panic = "unwind")]
fn after_unwinding(name: &str, bench: &Bench) {
    bench.items.assert_each_once();
    for (drops, made) in [&bench.values, &bench.errors].into_iter().zip(&bench.made) {
        for number in 0..LENGTH {
            assert_eq!(
                drops.of(number),
                made[number].load(SeqCst),
                "{name}: {number}"
            );
        }
    }
}
