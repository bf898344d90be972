//! `Taker`: what becomes of the values of a loop.

use std::mem;
use std::ops::ControlFlow;

use crate::engine::collect::Collector;
use crate::engine::slots::Slots;
use crate::engine::unwind_flag::UnwindFlag;

/// Takes the values of a loop, with the indices of their items.
///
/// It calls `next` for the next value, as a `Collector` of the other engines does, so that the loop
/// is the taker's: what it writes to can stay in registers. If `next` panics, it keeps what it has.
pub(super) trait Taker<T> {
    /// Takes values until there is no next one, or it has enough.
    fn take_from(&mut self, next: impl FnMut() -> Option<(usize, T)>);

    /// Whether the taker has panicked with code that is none of the run's.
    fn has_unwound(&self) -> bool {
        false
    }
}

/// For items that have no value.
pub(super) struct Nothing;

impl Taker<()> for Nothing {
    #[inline]
    fn take_from(&mut self, mut next: impl FnMut() -> Option<(usize, ())>) {
        while next().is_some() {}
    }
}

/// Writes the values of an input of known length into place.
impl<T: Send> Taker<T> for Slots<'_, T> {
    #[inline]
    fn take_from(&mut self, mut next: impl FnMut() -> Option<(usize, T)>) {
        self.consume_iter(|| next().map(|(_, value)| value));
    }
}

/// Keeps the values.
pub(super) struct Values<T>(pub(super) Vec<T>);

impl<T> Taker<T> for Values<T> {
    #[inline]
    fn take_from(&mut self, mut next: impl FnMut() -> Option<(usize, T)>) {
        extend(&mut self.0, || next().map(|(_, value)| value));
    }
}

/// Keeps the values with the indices of their items.
pub(super) struct WithIndices<T>(pub(super) Vec<(usize, T)>);

impl<T> Taker<T> for WithIndices<T> {
    #[inline]
    fn take_from(&mut self, next: impl FnMut() -> Option<(usize, T)>) {
        extend(&mut self.0, next);
    }
}

/// Calls a closure for each value, until it breaks.
pub(super) struct OneByOne<F>(pub(super) F);

impl<T, F: FnMut(usize, T) -> ControlFlow<()>> Taker<T> for OneByOne<F> {
    #[inline]
    fn take_from(&mut self, mut next: impl FnMut() -> Option<(usize, T)>) {
        while let Some((index, value)) = next() {
            if self.0(index, value).is_break() {
                return;
            }
        }
    }
}

/// Folds the values.
pub(super) struct Folded<A, G> {
    /// `None` only while `fold` runs, or if it has panicked.
    pub(super) result: Option<A>,
    pub(super) fold: G,
    pub(super) unwinding: UnwindFlag,
}

impl<A, T, G: FnMut(A, T) -> A> Taker<T> for Folded<A, G> {
    #[inline]
    fn take_from(&mut self, mut next: impl FnMut() -> Option<(usize, T)>) {
        let Folded {
            result,
            fold,
            unwinding,
        } = self;
        let mut local = Local::of(result);
        while let Some((_, value)) = next() {
            local.value = match local.value.take() {
                Some(before) => Some(unwinding.run(|| fold(before, value))),
                None => unreachable!("the fold has panicked"),
            };
        }
    }

    fn has_unwound(&self) -> bool {
        self.unwinding.is_set()
    }
}

/// As `Vec::extend`, with the vector in a local variable: the compiler then knows that no value
/// that is written is a part of its length, which it would otherwise load again for each.
#[inline]
fn extend<T>(values: &mut Vec<T>, mut next: impl FnMut() -> Option<T>) {
    let mut local = Local::of(values);
    while let Some(value) = next() {
        local.value.push(value);
    }
}

/// A value that is in a local variable for a while. However the loop ends, it is put back.
struct Local<'h, V: Default> {
    value: V,
    home: &'h mut V,
}

impl<'h, V: Default> Local<'h, V> {
    #[inline]
    fn of(home: &'h mut V) -> Self {
        let value = mem::take(home);
        Local { value, home }
    }
}

impl<V: Default> Drop for Local<'_, V> {
    #[inline]
    fn drop(&mut self) {
        *self.home = mem::take(&mut self.value);
    }
}
