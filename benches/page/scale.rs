//! The axis of a plot: ratios, as their logarithms.

use plotters::coord::ranged1d::{BoldPoints, LightPoints};
use plotters::prelude::{IntoLogRange, LogCoord, Ranged};

/// Other contenders that are this many times slower or faster are not compared by eye.
const FAR: f64 = 30.0;

/// The least distance between two labels, in pixels.
const LABEL: u32 = 40;

pub(crate) struct Scale {
    axis: LogCoord<f64>,
    /// The pixels at the ends.
    ends: (i32, i32),
}

impl Scale {
    /// One with room for 1, all of `ours`, and those of `others` that are not far away.
    pub(crate) fn new(
        ours: impl Iterator<Item = f64>,
        others: impl Iterator<Item = f64>,
        from: i32,
        to: i32,
    ) -> Self {
        let (mut low, mut high) = (0.7_f64, 1.4_f64);
        for ratio in ours.chain(others.map(|ratio| ratio.clamp(1.0 / FAR, FAR))) {
            low = low.min(ratio);
            high = high.max(ratio);
        }
        let margin = (high / low).powf(0.03);
        Self {
            axis: (low / margin..high * margin).log_scale().into(),
            ends: (from, to),
        }
    }

    /// The pixel of a ratio, or the end of the axis that is nearer to it.
    pub(crate) fn pixel(&self, ratio: f64) -> i32 {
        let range = self.axis.range();
        self.axis
            .map(&ratio.clamp(range.start, range.end), self.ends)
    }

    pub(crate) fn has(&self, ratio: f64) -> bool {
        let range = self.axis.range();
        (range.start..=range.end).contains(&ratio)
    }

    /// Powers of ten, and as many round numbers between them as there is room for.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        // plotters starts at the first power of ten. A decade more gives the ticks below it.
        let range = self.axis.range();
        let axis = LogCoord::from((range.start / 10.0..range.end).log_scale());
        let powers = axis.key_points(BoldPoints(9));
        let between = axis.key_points(LightPoints::new(9, 99));

        let mut ticks = Vec::new();
        for tick in powers.into_iter().chain(between) {
            let is_free = |other: &f64| self.pixel(tick).abs_diff(self.pixel(*other)) >= LABEL;
            if self.has(tick) && ticks.iter().all(is_free) {
                ticks.push(tick);
            }
        }
        ticks
    }
}
