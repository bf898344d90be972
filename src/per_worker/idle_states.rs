//! `IdleStates`: the states that nothing uses.
//!
//! Each thread has a slot, where it puts the state that it has used, and takes it from for the next
//! item. So threads do not contend. A state that finds its slot occupied goes to `others`, which
//! all threads share.
//!
//! 1. **No state is idle when a new one is made.** Otherwise there would be more states than calls
//!    have run at once. A thread that looks into one slot after another is not enough: while it
//!    looks into the second, a state may be put into the first, and before it comes to the third,
//!    the state there may be taken. At each moment a state was idle, and it has found none. So a
//!    thread that has found nothing [searches](IdleStates::search): it locks `others`, says so in
//!    `searching`, and then looks into the slots. From then on states are put to `others`, and so
//!    wait for the end of the search. A slot that was seen empty stays empty until then, and at the
//!    end all are empty at once. What was not yet put back belongs to a call that has not ended.
//! 2. **Nobody waits for a slot**, except for a search. A slot that is locked counts as empty for
//!    one who takes, and as occupied for one who puts. A search must know, and waits the few
//!    instructions for which a slot is locked. It is rare: about one for each state that is made.
//! 3. **No user code runs under a lock.** States are made, used and dropped by the callers.
//!
//! Lock order: `others`, then a slot. Two slots are never locked at once.
//!
//! Memory ordering: `searching` is `Relaxed`, since the locks of the slots order it. It is loaded
//! by the thread that has locked the slot for a put, and stored by a search before it locks the
//! slot. If the put comes first, the search sees its state. Otherwise, the put sees `searching`.
//!
//! Where there are more threads than slots, or threads of several pools, a slot has several
//! threads. Then what they put back goes to `others` more often; it is no less exact.

use std::array;
use std::sync::OnceLock;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock, try_lock};

const IS_MODEL: bool = cfg!(any(model = "loom", model = "shuttle"));

/// How many slots are allocated at once.
const SLOTS: usize = if IS_MODEL { 3 } else { 32 };

/// A model has few slots, since a search looks into all of them.
const SEGMENTS: usize = if IS_MODEL { 1 } else { 32 };

/// A cache line of its own, so that threads do not slow each other down. Two lines, since Intel's
/// processors fetch them in pairs, and Apple's have lines of that size.
#[repr(align(128))]
struct Padded<T>(T);

/// The place of a thread for a state that is idle.
type Slot<S> = Padded<Mutex<Option<Box<S>>>>;

pub(super) struct IdleStates<S> {
    /// Allocated for the first of its threads, under the lock of `others`.
    segments: [OnceLock<Box<[Slot<S>; SLOTS]>>; SEGMENTS],
    /// Whether a thread looks for an idle state, and relies on slots that it saw empty.
    searching: Padded<AtomicBool>,
    /// The states that are in no slot.
    others: Padded<Mutex<Vec<Box<S>>>>,
}

impl<S> IdleStates<S> {
    pub(super) fn new() -> Self {
        IdleStates {
            segments: array::from_fn(|_| OnceLock::new()),
            searching: Padded(AtomicBool::new(false)),
            others: Padded(Mutex::new(Vec::new())),
        }
    }

    /// Takes a state. `None` if all of them are in use at one moment of the call.
    #[inline]
    pub(super) fn take(&self, thread: usize) -> Option<Box<S>> {
        match self.slot(thread) {
            Some(slot) => take_from(slot).or_else(|| self.take_elsewhere(thread)),
            None => self.search(thread),
        }
    }

    /// Gives a state back. The call that has used it ends after this.
    #[inline]
    pub(super) fn put(&self, thread: usize, state: Box<S>) {
        match self.slot(thread).and_then(|slot| try_lock(&slot.0)) {
            // Relaxed: see above. Pairs with the stores in `search`.
            Some(mut slot) if slot.is_none() && !self.searching.0.load(Ordering::Relaxed) => {
                *slot = Some(state);
            }
            occupied => {
                drop(occupied);
                self.put_elsewhere(state);
            }
        }
    }

    #[cold]
    fn put_elsewhere(&self, state: Box<S>) {
        lock(&self.others.0).push(state);
    }

    /// The slot of a thread, if a state was looked for on its behalf.
    #[inline]
    fn slot(&self, thread: usize) -> Option<&Slot<S>> {
        let segment = self.segments[segment_of(thread)].get()?;
        Some(&segment[thread % SLOTS])
    }

    fn slots(&self) -> impl Iterator<Item = &Slot<S>> {
        let segments = self.segments.iter().filter_map(OnceLock::get);
        segments.flat_map(|segment| &**segment)
    }

    /// Takes one of the other threads' states if that is possible without waiting.
    #[cold]
    fn take_elsewhere(&self, thread: usize) -> Option<Box<S>> {
        let other = try_lock(&self.others.0).and_then(|mut others| others.pop());
        other
            .or_else(|| self.slots().find_map(take_from))
            .or_else(|| self.search(thread))
    }

    /// Takes a state. `None` if at the end of the search all of them are in use.
    #[cold]
    pub(super) fn search(&self, thread: usize) -> Option<Box<S>> {
        let mut others = lock(&self.others.0);
        // Under the lock, so that the slots of a search stay the same.
        self.segments[segment_of(thread)]
            .get_or_init(|| Box::new(array::from_fn(|_| Padded(Mutex::new(None)))));
        let other = others.pop();
        if other.is_some() {
            return other;
        }
        // Relaxed, both: see above. Pair with the load in `put`.
        self.searching.0.store(true, Ordering::Relaxed);
        let found = self.slots().find_map(|slot| lock(&slot.0).take());
        self.searching.0.store(false, Ordering::Relaxed);
        found
    }
}

#[inline]
fn segment_of(thread: usize) -> usize {
    thread / SLOTS % SEGMENTS
}

#[inline]
fn take_from<S>(slot: &Slot<S>) -> Option<Box<S>> {
    try_lock(&slot.0)?.take()
}

impl<S> IntoIterator for IdleStates<S> {
    type Item = Box<S>;
    type IntoIter = std::vec::IntoIter<Box<S>>;

    fn into_iter(self) -> Self::IntoIter {
        let mut states = std::mem::take(&mut *lock(&self.others.0));
        states.extend(self.slots().filter_map(|slot| lock(&slot.0).take()));
        states.into_iter()
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;

    /// Numbers of threads that have slots of their own, in three segments.
    const THREADS: [usize; 4] = [0, 1, SLOTS, 2 * SLOTS + 1];

    /// States for these threads, each of which is in its thread's slot.
    fn filled() -> IdleStates<usize> {
        let states = IdleStates::new();
        for thread in THREADS {
            assert!(states.take(thread).is_none());
        }
        for thread in THREADS {
            states.put(thread, Box::new(thread));
        }
        states
    }

    #[test]
    fn each_thread_finds_its_own_state() {
        let states = filled();
        assert!(lock(&states.others.0).is_empty());
        assert_eq!(states.segments.iter().filter_map(OnceLock::get).count(), 3);
        for thread in THREADS.into_iter().rev() {
            let slot = states.slot(thread).expect("it was looked for");
            assert_eq!(take_from(slot).as_deref(), Some(&thread));
            states.put(thread, Box::new(thread));
            assert_eq!(states.take(thread).as_deref(), Some(&thread));
            states.put(thread, Box::new(thread));
        }
        assert!(states.slot(usize::MAX).is_none(), "nobody has looked there");
    }

    #[test]
    fn a_state_whose_slot_is_occupied_is_idle_all_the_same() {
        let states = filled();
        states.put(1, Box::new(100));
        assert_eq!(**lock(&states.others.0).first().unwrap(), 100);
        let mut all: Vec<_> = std::iter::from_fn(|| states.take(1)).collect();
        all.sort_unstable();
        assert!(
            all.into_iter()
                .map(|state| *state)
                .eq([0, 1, SLOTS, 2 * SLOTS + 1, 100])
        );
    }

    #[test]
    fn a_put_during_a_search_leaves_the_slot_empty() {
        let states = filled();
        assert_eq!(states.take(0).as_deref(), Some(&0));
        states.searching.0.store(true, Ordering::Relaxed);
        states.put(0, Box::new(0));
        assert!(take_from(states.slot(0).unwrap()).is_none());
        assert_eq!(lock(&states.others.0).len(), 1);
    }
}
