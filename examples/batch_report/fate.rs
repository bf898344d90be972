//! The result of each file.

use rayon_errgroup::Outcome;

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

/// The fate of each item, by index. An item that is not in the outcome was skipped.
pub(crate) fn fates<T, E>(outcome: &Outcome<T, E>, items: usize) -> Vec<Fate> {
    let mut fates = vec![Fate::Skipped; items];
    for (index, _) in outcome.values() {
        fates[*index] = Fate::Ok;
    }
    for (index, _) in outcome.errors() {
        fates[*index] = Fate::Failed;
    }
    for (index, _) in outcome.late_errors() {
        fates[*index] = Fate::Cancelled;
    }
    for index in outcome.panics().iter().filter_map(|(index, _)| *index) {
        fates[index] = Fate::Panicked;
    }
    fates
}
