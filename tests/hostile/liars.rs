//! Iterators that lie about their length, or continue after their end.

use std::any::Any;
use std::iter;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

#[cfg(panic = "unwind")]
use crate::bomb::{Blast, Bomb, blast};
use crate::common::{on_pools, payload_of};
use crate::liar::Liar;

#[expect(
    clippy::unnecessary_wraps,
    reason = "the closure of a run returns a result"
)]
fn ok(_: &CancelToken, n: usize) -> Result<Box<usize>, ()> {
    Ok(Box::new(n))
}

#[cfg(panic = "unwind")]
fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
        .expect("a message")
}

#[cfg(panic = "unwind")]
fn message_of<R>(body: impl FnOnce() -> R) -> String {
    text_of(&*payload_of(body))
}

/// The surplus value is dropped before the crate panics: a second panic while unwinding would
/// abort.
#[cfg(panic = "unwind")]
#[test]
fn a_surplus_value_that_cannot_be_dropped() {
    on_pools(|_| {
        let liar = Liar {
            len: 1,
            ..Liar::MORE
        };
        let run = |n| Ok::<_, ()>((n == 1).then(|| Bomb("surplus")));
        let stealing = blast(|| liar.try_map_group(|_, n| run(n)));
        assert_eq!(stealing, Some(Blast("surplus")));
        let in_order = blast(|| liar.in_order().try_map(|_, n| run(n)));
        assert_eq!(in_order, stealing);
    });
}

/// The index of an error cannot be computed, and the error cannot be dropped.
#[cfg(panic = "unwind")]
#[test]
fn an_error_without_an_index_that_cannot_be_dropped() {
    on_pools(|_| {
        let items = Liar::SAYS_IT_ONCE.in_order();
        let payload = payload_of(|| items.try_for_each(|_, _| Err::<(), _>(Bomb("error"))));
        assert_eq!(text_of(&*payload), "asked too late");
    });
}

/// A single leaf of each length: the first surplus item is detected, not a later one.
#[cfg(panic = "unwind")]
#[test]
fn no_value_is_written_past_the_last_slot() {
    on_pools(|threads| {
        for len in 0..=40 {
            let made = AtomicUsize::new(0);
            let count = |_: &CancelToken, n: usize| {
                made.fetch_add(1, SeqCst);
                Ok::<_, ()>(Box::new(n))
            };
            let liar = Liar {
                len,
                has: |len| len + 20,
                ..Liar::HONEST
            };
            let items = || liar.with_min_len(len.max(1));
            let stealing = message_of(|| items().try_map_group(count));
            assert_eq!(stealing, "an iterator gave more items than its length");
            assert_eq!(made.swap(0, SeqCst), len + 1, "{len} on {threads}");
            if len > 0 {
                let in_order = message_of(|| items().in_order().try_map(count));
                assert_eq!(in_order, stealing);
                assert_eq!(
                    made.swap(0, SeqCst),
                    len + 1,
                    "in order, {len} on {threads}"
                );
            }
            // One item fails and is tolerated: its slot is used by the next value.
            let group = ErrGroup::new().keep_going();
            let tolerated = message_of(|| {
                items().with_group(&group).try_map(|token, n| match n {
                    10 => Err(()),
                    _ => count(token, n),
                })
            });
            assert_eq!(tolerated, stealing);
            assert_eq!(made.into_inner(), len + 1, "tolerated, {len} on {threads}");
        }
    });
}

/// Values are written into slots: the wrong length is detected, and no unwritten slot is read.
#[cfg(panic = "unwind")]
#[test]
fn a_wrong_number_of_items_is_a_panic_where_they_are_collected() {
    on_pools(|threads| {
        fn refused<T: Send>(
            liar: Liar,
            f: impl Fn(&CancelToken, usize) -> Result<T, ()> + Copy + Send + Sync,
        ) -> [String; 4] {
            [
                message_of(|| liar.try_map_group(f)),
                message_of(|| liar.with_max_len(1).try_map_group(f)),
                message_of(|| liar.in_order().try_map(f)),
                message_of(|| liar.with_min_len(100).in_order().try_map(f)),
            ]
        }
        for (gave, liar) in [
            ("more", Liar::MORE),
            ("fewer", Liar::FEWER),
            ("fewer", Liar::NONE),
        ] {
            let expected = format!("an iterator gave {gave} items than its length");
            let boxes = refused(liar, ok);
            let nothings = refused(liar, |_, _| Ok(()));
            for text in boxes.into_iter().chain(nothings) {
                assert_eq!(text, expected, "on {threads}");
            }
        }
        // These have the right number of items, and are never asked for it.
        for (name, liar) in [
            ("says nothing", Liar::SAYS_NOTHING),
            ("says less", Liar::SAYS_LESS),
            ("says more", Liar::SAYS_MORE),
            ("says max", Liar::SAYS_MAX),
        ] {
            let count = |values: Vec<_>| values.len();
            let in_order = liar.in_order().try_map(ok);
            assert_eq!(in_order.map(count), Ok(100), "{name}");
            assert_eq!(liar.try_map_group(ok).map(count), Ok(100), "{name}");
        }
        assert_eq!(
            Liar::HONEST
                .in_order()
                .try_map(ok)
                .map(|values| values.len()),
            Ok(100)
        );
    });
}

/// If nothing is collected, every item runs, and the failure with the lowest index is found.
#[test]
fn a_wrong_number_of_items_does_not_matter_where_they_are_only_visited() {
    on_pools(|_| {
        for liar in [Liar::MORE, Liar::FEWER] {
            let seen = Mutex::new(vec![0; 200]);
            let visit = |n: usize| {
                seen.lock().unwrap()[n] += 1;
                Ok::<_, ()>(())
            };
            assert_eq!(liar.with_min_len(100).err_group(visit), Ok(()));
            assert_eq!(liar.with_min_len(100).in_order().err_group(visit), Ok(()));
            let seen = seen.into_inner().unwrap();
            assert!(seen[..99].iter().all(|times| *times == 2), "{seen:?}");

            let fail = |n| if n < 40 { Ok(()) } else { Err(n) };
            assert_eq!(liar.with_min_len(100).err_group(fail), Err(40));
            assert_eq!(liar.with_min_len(100).in_order().err_group(fail), Err(40));
        }
    });
}

/// A wrong length of a leaf either has no effect, or is a panic whose message names the length.
#[cfg(panic = "unwind")]
#[test]
fn a_wrong_length_is_ignored_or_refused() {
    on_pools(|_| {
        for liar in [Liar::SAYS_NOTHING, Liar::SAYS_LESS, Liar::SAYS_MORE] {
            let seen = Mutex::new(vec![0; 100]);
            let run = || {
                liar.in_order().err_group(|n: usize| {
                    seen.lock().unwrap()[n] += 1;
                    Ok::<_, ()>(())
                })
            };
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(result) => {
                    assert_eq!(result, Ok(()));
                    assert!(
                        seen.into_inner()
                            .unwrap()
                            .into_iter()
                            .all(|times| times == 1)
                    );
                }
                Err(payload) => assert!(text_of(&*payload).contains("length")),
            }
        }
    });
}

/// A leaf with too few items: there is a value or an error at the index of each item that ran, and
/// the items that the iterator withheld count as skipped.
#[test]
fn an_outcome_of_too_few_items() {
    on_pools(|_| {
        let group = ErrGroup::new().keep_going();
        let ran = AtomicUsize::new(0);
        let liar = Liar::FEWER.with_min_len(10);
        let outcome = liar.in_order().with_group(&group).outcome(|_, n| {
            ran.fetch_add(1, SeqCst);
            if n % 2 == 0 { Ok(n) } else { Err(n) }
        });
        assert!(outcome.values().iter().all(|(at, n)| at == n));
        assert!(outcome.errors().iter().all(|(at, n)| at == n));
        assert_eq!(
            outcome.values().len() + outcome.errors().len(),
            ran.into_inner()
        );
        assert!(outcome.skipped() >= 1 && !outcome.is_complete());
    });
}

/// A sequential iterator with an arbitrary size hint.
#[derive(Clone)]
struct Hints<I> {
    items: I,
    hint: fn() -> (usize, Option<usize>),
}

impl<I: Iterator> Iterator for Hints<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.hint)()
    }
}

#[test]
fn a_size_hint_is_no_more_than_a_hint() {
    const LEN: usize = 3000;
    let hints: [fn() -> _; 6] = [
        || (0, Some(0)),
        || (1, Some(1)),
        || (usize::MAX, None),
        || (usize::MAX, Some(usize::MAX)),
        || (10, Some(5)),
        || (0, Some(usize::MAX)),
    ];
    on_pools(move |_| {
        let group = ErrGroup::new();
        for hint in hints {
            for at in [0, 1, 17, 2999, LEN] {
                let lines = || Hints {
                    items: 0..LEN,
                    hint,
                };
                let f = |_: &CancelToken, n| if n == at { Err(n) } else { Ok(n) };
                let mapped = lines().par_in_order().try_map(f);
                let mut sunk = 0;
                let streamed = lines()
                    .par_in_order()
                    .with_group(&group)
                    .try_stream(f, |n| {
                        assert_eq!(n, sunk);
                        sunk += 1;
                        Ok(())
                    });
                let outcome = lines().par_in_order().with_group(&group).outcome(f);
                let bridged = lines().par_bridge().try_map_group(f);
                if at == LEN {
                    assert!(mapped.unwrap().into_iter().eq(0..LEN));
                    assert!(streamed.is_ok() && outcome.is_complete());
                    assert_eq!(bridged.map(|values| values.len()), Ok(LEN));
                } else {
                    assert_eq!(mapped, Err(at));
                    assert_eq!(streamed.unwrap_err().index(), Some(at));
                    assert_eq!(outcome.errors(), [(at, at)]);
                    assert_eq!(bridged, Err(at));
                }
                assert_eq!(sunk, at);
            }
        }
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_size_hint_that_panics_is_a_panic_of_the_source() {
    on_pools(|_| {
        let lines = || Hints {
            items: 0..100,
            hint: || panic::panic_any("hint"),
        };
        let payload = payload_of(|| lines().par_in_order().err_group(|_| Ok::<_, ()>(())));
        assert_eq!(payload.downcast_ref(), Some(&"hint"));
        let group = ErrGroup::new().catch_panics();
        let result = lines().par_in_order().with_group(&group);
        let result = result.try_stream(|_, n| Ok::<_, ()>(n), |_| Ok(()));
        let Err(GroupError::Panicked(panicked)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(panicked.message(), Some("hint"));
        let outcome = lines().par_in_order().with_group(&group).outcome(ok);
        assert_eq!((outcome.panics().len(), outcome.values().len()), (1, 0));
    });
}

/// Some iterators, such as a channel's `try_iter`, continue after their end. A sequential loop
/// stops at the first `None`, and so must every terminal.
#[test]
fn an_iterator_that_continues_after_its_end() {
    on_pools(|_| {
        for before in [0, 1, 9, 2000] {
            let asked = AtomicUsize::new(0);
            let flickering = || {
                asked.store(0, SeqCst);
                iter::from_fn(|| {
                    let time = asked.fetch_add(1, SeqCst);
                    (time % (before + 1) < before).then_some(time)
                })
            };
            let asked_once = || assert_eq!(asked.load(SeqCst), before + 1);
            let group = ErrGroup::new();

            let values = flickering().par_in_order().try_map(ok).unwrap();
            assert!(values.into_iter().map(|n| *n).eq(0..before));
            asked_once();
            let mut sunk = 0;
            let stream = flickering().par_in_order().with_group(&group);
            let count = stream.try_stream(ok, |_| {
                sunk += 1;
                Ok(())
            });
            assert_eq!((count.is_ok(), sunk), (true, before));
            asked_once();
            let outcome = flickering().par_in_order().with_group(&group).outcome(ok);
            assert_eq!((outcome.values().len(), outcome.skipped()), (before, 0));
            asked_once();
            // rayon's bridge stops there too.
            let bridged = flickering().par_bridge().try_map_group(ok).unwrap();
            assert_eq!(bridged.len(), before);
            asked_once();
        }
    });
}

/// An iterator that panics once and would then continue is not asked again: its state is unknown.
#[cfg(panic = "unwind")]
#[test]
fn an_iterator_that_continues_after_its_panic() {
    on_pools(|_| {
        for at in [0, 1, 500] {
            for group in [ErrGroup::new(), ErrGroup::new().keep_going()] {
                let (asked, group) = (AtomicUsize::new(0), group.catch_panics());
                let source = || {
                    asked.store(0, SeqCst);
                    iter::from_fn(|| {
                        let time = asked.fetch_add(1, SeqCst);
                        assert!(time != at, "once");
                        Some(time)
                    })
                };
                let result = source().par_in_order().with_group(&group).try_map(ok);
                assert!(matches!(result, Err(GroupError::Panicked(_))));
                assert_eq!(asked.load(SeqCst), at + 1);
                let outcome = source().par_in_order().with_group(&group).outcome(ok);
                let read = outcome.values().len() + outcome.skipped();
                assert_eq!((outcome.panics().len(), read), (1, at));
                assert_eq!(asked.load(SeqCst), at + 1);
            }
        }
    });
}
