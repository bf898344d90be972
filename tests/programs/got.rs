//! The result of a call of the crate.

use std::any::Any;

use rayon_errgroup::{GroupError, Outcome, Panicked};

use crate::interpret::Frame;
use crate::log::{Kind, Thing};
use crate::seen::{Report, Returned};

/// The result of a call, and the things in it.
pub(crate) struct Got {
    pub(crate) returned: Returned,
    pub(crate) held: Vec<Thing>,
    outcome: Option<Outcome<Thing, Thing>>,
}

/// The `Ok` type of a call.
pub(crate) trait Success {
    fn values(self) -> Option<Vec<Thing>>;
}

impl Success for () {
    fn values(self) -> Option<Vec<Thing>> {
        None
    }
}

impl Success for Thing {
    fn values(self) -> Option<Vec<Thing>> {
        Some(vec![self])
    }
}

impl Success for Vec<Thing> {
    fn values(self) -> Option<Vec<Thing>> {
        Some(self)
    }
}

fn ids(things: &[Thing]) -> Vec<usize> {
    things.iter().map(Thing::id).collect()
}

impl Got {
    fn ok(values: Option<Vec<Thing>>) -> Self {
        Got {
            returned: Returned::Ok(values.as_deref().map(ids)),
            held: values.unwrap_or_default(),
            outcome: None,
        }
    }

    fn failed(index: Option<usize>, error: Thing) -> Self {
        Got {
            returned: Returned::Failed {
                index,
                error: error.id(),
            },
            held: vec![error],
            outcome: None,
        }
    }

    pub(crate) fn bare<T: Success>(result: Result<T, Thing>) -> Self {
        match result {
            Ok(values) => Got::ok(values.values()),
            Err(error) => Got::failed(None, error),
        }
    }

    pub(crate) fn of<T: Success>(frame: &Frame<'_>, result: Result<T, GroupError<Thing>>) -> Self {
        match result {
            Ok(values) => Got::ok(values.values()),
            Err(GroupError::Failed { index, error }) => Got::failed(index, error),
            Err(GroupError::Cancelled(cancelled)) => Got {
                returned: Returned::Cancelled(cancelled.cause().clone()),
                held: Vec::new(),
                outcome: None,
            },
            Err(GroupError::Panicked(panicked)) => {
                let thing = own(frame, panicked.into_payload());
                Got {
                    returned: Returned::Panicked(thing.id()),
                    held: vec![thing],
                    outcome: None,
                }
            }
            Err(GroupError::Several(failures)) => {
                let (numbers, held): (Vec<_>, Vec<_>) = failures.into_iter().unzip();
                Got {
                    returned: Returned::Several(numbers.into_iter().zip(ids(&held)).collect()),
                    held,
                    outcome: None,
                }
            }
            Err(_) => {
                frame.world.wrong("an unknown error");
                Got::ok(None)
            }
        }
    }

    pub(crate) fn outcome(frame: &Frame<'_>, outcome: Outcome<Thing, Thing>) -> Self {
        let number = |(index, thing): &(usize, Thing)| (*index, thing.id());
        for (_, panicked) in outcome.panics() {
            // A program raises things, and no messages.
            if let Some(message) = panicked.message() {
                frame
                    .world
                    .wrong(format!("the crate itself panicked: {message:?}"));
            }
        }
        let report = Report {
            values: outcome.values().iter().map(number).collect(),
            errors: outcome.errors().iter().map(number).collect(),
            late_errors: outcome.late_errors().iter().map(number).collect(),
            panics: outcome.panics().iter().map(|(index, _)| *index).collect(),
            payloads: Vec::new(),
            cancelled: outcome.cancelled(),
            skipped: outcome.skipped(),
            cause: outcome.cause().cloned(),
            is_complete: outcome.is_complete(),
            is_ok: false,
        };
        Got {
            returned: Returned::Outcome(report),
            held: Vec::new(),
            outcome: Some(outcome),
        }
    }

    /// Asks an outcome for its result, or for all of its panics if there are several. This drops
    /// things, so what is alive has to be recorded before.
    pub(crate) fn ask_for_result(&mut self, frame: &Frame<'_>) {
        let (Returned::Outcome(report), Some(outcome)) = (&mut self.returned, self.outcome.take())
        else {
            return;
        };
        let panics = if report.panics.len() > 1 {
            outcome.into_panics()
        } else {
            let result = outcome.into_result();
            report.is_ok = result.is_ok();
            match result {
                Err(GroupError::Panicked(panicked)) => vec![(None, panicked)],
                _ => Vec::new(),
            }
        };
        let own = |(_, panicked): (_, Panicked)| own(frame, panicked.into_payload()).id();
        report.payloads = panics.into_iter().map(own).collect();
    }

    pub(crate) fn unwound(frame: &Frame<'_>, payload: Box<dyn Any + Send>) -> Self {
        let message = payload.downcast_ref::<String>();
        if message.is_some_and(|message| is_no_error_message(message)) {
            return Got {
                returned: Returned::NoError,
                held: Vec::new(),
                outcome: None,
            };
        }
        let thing = own(frame, payload);
        Got {
            returned: Returned::Unwound(thing.id()),
            held: vec![thing],
            outcome: None,
        }
    }
}

/// Whether this is the panic of a run without a policy that was cancelled by its own item.
pub(crate) fn is_no_error_message(message: &str) -> bool {
    message.starts_with("work was or may have been skipped because a closure cancelled its own run")
}

/// The payload of a panic, which the program must have raised.
fn own(frame: &Frame<'_>, payload: Box<dyn Any + Send>) -> Thing {
    match payload.downcast::<Thing>() {
        Ok(thing) => *thing,
        Err(payload) => {
            let message = payload.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
            frame
                .world
                .wrong(format!("the crate itself panicked: {message:?}"));
            frame.thing(Kind::Payload)
        }
    }
}
