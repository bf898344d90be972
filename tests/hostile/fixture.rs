//! The fixture of `drops.rs`: what a run consumes, how it ends, and counts of everything it made
//! and dropped.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rayon_errgroup::{CancelToken, ErrGroup, GroupError, Outcome};

use crate::common::{Drops, Thing};
use crate::drops::Terminal;

pub(crate) const LENGTH: usize = 300;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Error,
    /// Every item from that index on fails.
    Errors,
    #[cfg(panic = "unwind")]
    Panic,
    /// An item cancels the token that it was given.
    Inside,
    /// The token that the group was given is cancelled.
    Outside,
    /// The run's own deadline passes.
    Deadline,
    /// The deadline passes before the run begins.
    Expired,
}

pub(crate) const ENDS: &[End] = &[
    End::Success,
    End::Error,
    End::Errors,
    #[cfg(panic = "unwind")]
    End::Panic,
    End::Inside,
    End::Outside,
    End::Deadline,
    End::Expired,
];

/// The items of a run, how it is to end, and how often each item, value and error was dropped.
pub(crate) struct Fixture {
    pub(crate) end: End,
    /// The index of the item that ends the run.
    pub(crate) at: usize,
    pub(crate) stop: CancelToken,
    pub(crate) items: Drops,
    pub(crate) values: Drops,
    pub(crate) errors: Drops,
    /// How many values, and how many errors, each item returned.
    made: [Vec<AtomicUsize>; 2],
}

impl Fixture {
    pub(crate) fn new(end: End, at: usize) -> Self {
        Fixture {
            end,
            at,
            stop: CancelToken::new(),
            items: Drops::new(LENGTH),
            values: Drops::new(LENGTH),
            errors: Drops::new(LENGTH),
            made: [(); 2].map(|()| (0..LENGTH).map(|_| AtomicUsize::new(0)).collect()),
        }
    }

    pub(crate) fn group(&self) -> ErrGroup {
        let group = ErrGroup::new().token(&self.stop);
        match self.end {
            End::Expired => group.deadline(Instant::now()),
            End::Deadline => group.timeout(Duration::from_millis(1)),
            _ => group,
        }
    }

    /// A token for closures that get none. The run never cancels it, so it has a deadline of its
    /// own where `work` waits for one.
    pub(crate) fn own_token(&self) -> CancelToken {
        let token = CancelToken::new();
        if self.end == End::Deadline {
            token.cancel_after(Duration::from_millis(1));
        }
        token
    }

    #[expect(clippy::needless_pass_by_value, reason = "the item is dropped here")]
    pub(crate) fn work(&self, token: &CancelToken, item: Thing) -> Result<Thing, Thing> {
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
            End::Expired => unreachable!(),
            _ => {}
        }
        Ok(self.made(0, number))
    }

    fn made(&self, which: usize, number: usize) -> Thing {
        self.made[which][number].fetch_add(1, SeqCst);
        [&self.values, &self.errors][which].thing(number)
    }

    pub(crate) fn things(&self) -> Vec<Thing> {
        self.items.things()
    }
}

/// The result of a terminal.
pub(crate) enum Ended {
    Values(Vec<Thing>),
    Error(Thing),
    Cancelled,
    Panicked,
    /// Values and errors.
    Both(Vec<Thing>, Vec<Thing>),
}

impl Ended {
    pub(crate) fn of(result: Result<Vec<Thing>, GroupError<Thing>>) -> Self {
        match result {
            Ok(values) => Ended::Values(values),
            Err(GroupError::Failed { error, .. }) => Ended::Error(error),
            Err(GroupError::Several(failures)) => {
                let errors = failures.into_iter().map(|(_, error)| error);
                Ended::Both(vec![], errors.collect())
            }
            Err(GroupError::Cancelled(_)) => Ended::Cancelled,
            Err(_) => Ended::Panicked,
        }
    }

    pub(crate) fn of_bare(result: Result<Vec<Thing>, Thing>) -> Self {
        result.map_or_else(Ended::Error, Ended::Values)
    }
}

/// How many items of an outcome returned a value or an error.
pub(crate) fn returned<T, E>(outcome: &Outcome<T, E>) -> usize {
    outcome.values().len() + outcome.errors().len() + outcome.late_errors().len()
}

pub(crate) fn both(outcome: Outcome<Thing, Thing>) -> Ended {
    if !outcome.panics().is_empty() {
        return Ended::Panicked;
    }
    if returned(&outcome) == outcome.values().len() && outcome.skipped() > 0 {
        return Ended::Cancelled;
    }
    let (mut values, mut errors) = (vec![], vec![]);
    for (index, result) in outcome {
        let (thing, things) = match result {
            Ok(value) => (value, &mut values),
            Err(error) => (error, &mut errors),
        };
        assert_eq!(index, thing.number);
        things.push(thing);
    }
    Ended::Both(values, errors)
}

/// Runs one cell of the table.
pub(crate) fn check(name: &str, terminal: Terminal, group: &ErrGroup, fixture: &Fixture) {
    let cell = format!("{name}, {:?} at {}", fixture.end, fixture.at);
    let ended = terminal(fixture, group);
    // The call has returned, so everything that it did not return has been dropped.
    fixture.items.assert_each_once();
    let kept = |drops: &Drops, which: usize, things: &[Thing]| {
        for number in 0..LENGTH {
            let kept = things.iter().filter(|thing| thing.number == number).count();
            let made = fixture.made[which][number].load(SeqCst);
            assert!(kept <= made && made <= 1, "{cell}: {number}");
            assert_eq!(drops.of(number) + kept, made, "{cell}: {number}");
        }
    };
    let (values, errors, is_right) = match ended {
        Ended::Values(values) => {
            // A cancellation that comes after the last item has begun skips nothing.
            let is_right = match fixture.end {
                End::Success => true,
                End::Inside | End::Outside | End::Deadline => {
                    fixture.made[0].iter().all(|made| made.load(SeqCst) == 1)
                }
                _ => false,
            };
            (values, vec![], is_right)
        }
        Ended::Error(error) => (
            vec![],
            vec![error],
            matches!(fixture.end, End::Error | End::Errors),
        ),
        Ended::Cancelled => {
            let is_cancelled = matches!(
                fixture.end,
                End::Inside | End::Outside | End::Deadline | End::Expired
            );
            (vec![], vec![], is_cancelled)
        }
        #[cfg(panic = "unwind")]
        Ended::Panicked => (vec![], vec![], fixture.end == End::Panic),
        #[cfg(not(panic = "unwind"))]
        Ended::Panicked => (vec![], vec![], false),
        Ended::Both(values, errors) => (values, errors, true),
    };
    assert!(is_right, "{cell}");
    kept(&fixture.values, 0, &values);
    kept(&fixture.errors, 1, &errors);
    drop((values, errors));
    kept(&fixture.values, 0, &[]);
    kept(&fixture.errors, 1, &[]);
}

#[cfg(panic = "unwind")]
pub(crate) fn after_unwinding(name: &str, fixture: &Fixture) {
    fixture.items.assert_each_once();
    for (drops, made) in [&fixture.values, &fixture.errors]
        .into_iter()
        .zip(&fixture.made)
    {
        for (number, made) in made.iter().enumerate() {
            assert_eq!(drops.of(number), made.load(SeqCst), "{name}: {number}");
        }
    }
}
