//! The result of each file.

use rayon_errgroup::Outcome;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Ok,
    Failed,
    Panicked,
    Skipped,
}

impl Fate {
    pub(crate) const ALL: [Fate; 4] = [Fate::Ok, Fate::Failed, Fate::Panicked, Fate::Skipped];

    /// The word that the outcome uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Fate::Ok => "ok",
            Fate::Failed => "failed",
            Fate::Panicked => "panicked",
            Fate::Skipped => "skipped",
        }
    }
}

/// The fate of each item, by index. An item that is not in the outcome was skipped.
pub(crate) fn fates<T, E>(outcome: &Outcome<T, E>, items: usize) -> Vec<Fate> {
    let mut fates = vec![Fate::Skipped; items];
    for (index, result) in outcome {
        fates[index] = match result {
            Ok(_) => Fate::Ok,
            Err(_) => Fate::Failed,
        };
    }
    for index in outcome.panics.iter().filter_map(|(index, _)| *index) {
        fates[index] = Fate::Panicked;
    }
    fates
}
