//! The scale of an axis.

/// Returns the marks of an axis from 0 to `end`, about as many as wanted: 1, 2 or 5 times a power
/// of ten apart.
pub(crate) fn ticks(end: f64, wanted: f64) -> Vec<f64> {
    let apart = end / wanted;
    let power = 10_f64.powf(apart.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= apart);
    let step = step.unwrap_or(end);
    let marks = (0_u32..).map(|number| f64::from(number) * step);
    marks.take_while(|mark| *mark <= end).collect()
}

/// The number without the noise behind its third digit.
pub(crate) fn label(tick: f64) -> String {
    ((tick * 1e3).round() / 1e3).to_string()
}
