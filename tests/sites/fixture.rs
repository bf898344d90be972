//! Inputs that are all well, and inputs where the third item fails.

pub(crate) const GOOD: [&str; 5] = ["1", "2", "3", "4", "5"];
pub(crate) const BAD: [&str; 5] = ["1", "2", "x", "4", "5"];

/// Stands for the work of an item. The error is the word.
pub(crate) fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| word.to_owned())
}

/// What each call returns for [`BAD`].
pub(crate) fn failure<T>() -> Result<T, String> {
    Err("x".to_owned())
}
