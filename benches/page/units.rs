//! Figures as they are printed.

/// A time in nanoseconds, with three significant digits and a fitting unit.
pub(crate) fn time(nanoseconds: f64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)];
    let unit = units.iter().find(|(_, unit)| nanoseconds >= *unit);
    let (name, unit) = unit.unwrap_or(&units[3]);
    format!("{} {name}", digits(nanoseconds / unit))
}

/// A ratio, as precise as a noisy machine allows.
pub(crate) fn ratio(ratio: f64) -> String {
    // Two significant digits, however small the ratio is.
    let decimals = (1..9).find(|decimals| ratio * 10_f64.powi(*decimals) >= 9.95);
    if let (true, Some(decimals)) = (ratio < 0.0995, decimals) {
        format!("{ratio:.0$}", usize::try_from(decimals).unwrap_or(9))
    } else {
        digits(ratio)
    }
}

/// Three significant digits, and all digits before the point.
fn digits(number: f64) -> String {
    if number < 9.995 {
        format!("{number:.2}")
    } else if number < 99.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}
