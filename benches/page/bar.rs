//! A performance target: a limit to what a call may cost.

use crate::contender::Contender;
use crate::figures::Figures;
use crate::units;

pub(crate) struct Bar {
    pub(crate) ours: &'static str,
    pub(crate) parameter: &'static str,
    pub(crate) against: Against,
    pub(crate) limit: f64,
}

pub(crate) enum Against {
    /// The limit is a ratio to this contender's time.
    Contender(&'static str),
    /// The limit is in milliseconds.
    Clock,
}

/// How a measured figure compares with a bar.
pub(crate) struct Verdict {
    pub(crate) measured: String,
    pub(crate) is_met: bool,
}

impl Bar {
    /// A limit to the ratio to another contender of the same row.
    pub(crate) const fn ratio(
        ours: &'static str,
        parameter: &'static str,
        contender: &'static str,
        limit: f64,
    ) -> Self {
        Self {
            ours,
            parameter,
            against: Against::Contender(contender),
            limit,
        }
    }

    pub(crate) const fn milliseconds(
        ours: &'static str,
        parameter: &'static str,
        limit: f64,
    ) -> Self {
        Self {
            ours,
            parameter,
            against: Against::Clock,
            limit,
        }
    }

    /// `None` if the row was not measured.
    pub(crate) fn verdict(&self, group: &str, figures: &Figures) -> Option<Verdict> {
        let median = |name| figures.median(group, self.parameter, name);
        let ours = median(self.ours)?;
        let (figure, measured) = match self.against {
            Against::Contender(name) => {
                let ratio = ours / median(name)?;
                (ratio, format!("{ratio:.3}"))
            }
            Against::Clock => (ours / 1e6, units::time(ours)),
        };
        Some(Verdict {
            measured,
            is_met: figure <= self.limit,
        })
    }

    /// Our call, and what it is compared with.
    pub(crate) fn describe(&self, group: &str) -> String {
        let ours = Contender::new(group, self.ours).label;
        match self.against {
            Against::Contender(name) => {
                let other = Contender::new(group, name).label;
                format!("{ours} / {other}")
            }
            Against::Clock => format!("{ours}, wall time"),
        }
    }

    pub(crate) fn limit(&self) -> String {
        match self.against {
            Against::Contender(_) => format!("{:.2}", self.limit),
            Against::Clock => format!("{} ms", self.limit),
        }
    }

    /// The limit as a ratio to `base`, if this bar is about contender `name` in that row.
    pub(crate) fn mark(&self, name: &str, parameter: &str, base: &str) -> Option<f64> {
        let same = self.ours == name && self.parameter == parameter;
        let plotted = matches!(self.against, Against::Contender(other) if other == base);
        (same && plotted).then_some(self.limit)
    }
}
