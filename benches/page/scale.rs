//! The axis of a plot: ratios, as their logarithms.

/// Others that are so many times slower or faster are not compared by eye.
const FAR: f64 = 30.0;

pub(crate) struct Scale {
    low: f64,
    high: f64,
    /// The pixels at the ends.
    from: i32,
    to: i32,
}

impl Scale {
    /// One on which 1 is, all of `ours`, and those of `others` that are not far away.
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
            low: low / margin,
            high: high * margin,
            from,
            to,
        }
    }

    /// Where the ratio is, or the end of the axis.
    pub(crate) fn pixel(&self, ratio: f64) -> i32 {
        let ratio = ratio.clamp(self.low, self.high);
        let part = (ratio / self.low).ln() / (self.high / self.low).ln();
        let pixel = f64::from(self.from) + part * f64::from(self.to - self.from);
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a plot are few")]
        let pixel = pixel.round() as i32;
        pixel
    }

    pub(crate) fn has(&self, ratio: f64) -> bool {
        (self.low..=self.high).contains(&ratio)
    }

    /// Round numbers, as many as are read easily.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = match self.high / self.low {
            span if span > 2000.0 => &[1.0],
            span if span > 60.0 => &[1.0, 3.0],
            span if span > 4.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 8.0, 9.0],
        };
        // Divided, where that is exact.
        let small = (1..=6).map(|power| 10_f64.powi(power));
        let small = small.flat_map(|decade| steps.iter().map(move |step| step / decade));
        let large = [1.0, 10.0].into_iter();
        let large = large.flat_map(|decade| steps.iter().map(move |step| step * decade));
        let ticks = small.chain(large);
        ticks.filter(|tick| self.has(*tick)).collect()
    }
}
