//! Figures as they are read.

/// A time given in nanoseconds, with three digits.
pub(crate) fn time(nanoseconds: f64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)];
    let unit = units.iter().find(|(_, unit)| nanoseconds >= *unit);
    let (name, unit) = unit.unwrap_or(&units[3]);
    format!("{} {name}", digits(nanoseconds / unit))
}

/// How many times as long, with a precision that a noisy machine bears.
pub(crate) fn ratio(ratio: f64) -> String {
    // Two digits, however far behind the point they are.
    let decimals = (1..9).find(|decimals| ratio * 10_f64.powi(*decimals) >= 9.95);
    if let (true, Some(decimals)) = (ratio < 0.0995, decimals) {
        format!("{ratio:.0$}", usize::try_from(decimals).unwrap_or(9))
    } else {
        digits(ratio)
    }
}

/// Three digits, or more before the point.
fn digits(number: f64) -> String {
    if number < 9.995 {
        format!("{number:.2}")
    } else if number < 99.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}
