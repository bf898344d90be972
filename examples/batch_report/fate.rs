//! The result of each file.

use rayon_errgroup::Outcome;

use crate::validate::Error;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Ok,
    Failed,
    /// It failed after the run was cancelled, and most likely because of that.
    Cancelled,
    Panicked,
    Skipped,
}

impl Fate {
    pub(crate) const ALL: [Fate; 5] = [
        Fate::Ok,
        Fate::Failed,
        Fate::Cancelled,
        Fate::Panicked,
        Fate::Skipped,
    ];

    /// The word that the outcome uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Fate::Ok => "ok",
            Fate::Failed => "failed",
            Fate::Cancelled => "cancelled",
            Fate::Panicked => "panicked",
            Fate::Skipped => "skipped",
        }
    }
}

/// A file that is not valid, as far as is known.
pub(crate) struct Failure {
    /// The index of the file.
    pub(crate) index: Option<usize>,
    pub(crate) fate: Fate,
    pub(crate) cause: String,
}

/// The errors and panics, in the order of the files.
pub(crate) fn failures<T>(outcome: &Outcome<T, Error>) -> Vec<Failure> {
    let failed = outcome.errors().iter().map(|error| (error, Fate::Failed));
    let late = outcome.late_errors().iter();
    let cancelled = late.map(|error| (error, Fate::Cancelled));
    let errors = failed
        .chain(cancelled)
        .map(|((index, error), fate)| Failure {
            index: Some(*index),
            fate,
            cause: error.to_string(),
        });
    let panics = outcome.panics().iter().map(|(index, panicked)| Failure {
        index: *index,
        fate: Fate::Panicked,
        cause: panicked.message().unwrap_or("(no message)").to_owned(),
    });
    let mut failures: Vec<_> = errors.chain(panics).collect();
    failures.sort_by_key(|failure| failure.index);
    failures
}

/// The fate of each item, by index. An item that is not in the outcome was skipped.
pub(crate) fn fates<T>(
    outcome: &Outcome<T, Error>,
    failures: &[Failure],
    items: usize,
) -> Vec<Fate> {
    let mut fates = vec![Fate::Skipped; items];
    for (index, _) in outcome.values() {
        fates[*index] = Fate::Ok;
    }
    for failure in failures {
        if let Some(index) = failure.index {
            fates[index] = failure.fate;
        }
    }
    fates
}
