//! Calls the crate: a method for each kind of work.

use std::sync::atomic::Ordering::SeqCst;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, InOrder, Ordered, prelude::*};

use crate::got::Got;
use crate::interpret::{Frame, perform};
use crate::log::{Kind, Thing};
use crate::program::{Call, Item, OrderedCall, OrderedSource, Source, Work};
use crate::seen::Who;

/// An item on its way.
struct Piece<'p> {
    index: usize,
    item: &'p Item,
    _thing: Thing,
}

static PLAIN: Item = Item::PLAIN;

impl<'p> Frame<'p> {
    pub(crate) fn call(&self, group: Option<&ErrGroup>) -> Got {
        match &self.run.work {
            Work::Each(source, call, _) => self.call_each(*source, *call, group),
            Work::Ordered(source, call, _) => self.call_ordered(*source, call, group),
            Work::Scope(body) => match group {
                None => Got::bare(rayon_errgroup::scope(|s| {
                    perform(self, Who::Body, body, Some(s.token()), Some(s), None)
                })),
                Some(group) => Got::of(
                    self,
                    group.scope(|s| perform(self, Who::Body, body, Some(s.token()), Some(s), None)),
                ),
            },
        }
    }

    fn piece(&self, index: usize) -> Piece<'p> {
        self.made.fetch_add(1, SeqCst);
        Piece {
            index,
            item: self.run.items().get(index).unwrap_or(&PLAIN),
            _thing: self.thing(Kind::Item),
        }
    }

    fn pieces(&self) -> Vec<Piece<'p>> {
        let count = self.run.items().len();
        (0..count).map(|index| self.piece(index)).collect()
    }

    /// What makes items, in their turn.
    fn maker(&self) -> impl Fn(usize) -> Piece<'p> {
        let closure = self.thing(Kind::Closure);
        move |index| {
            keep(&closure);
            self.piece(index)
        }
    }

    fn call_each(&self, source: Source, call: Call, group: Option<&ErrGroup>) -> Got {
        let count = self.run.items().len();
        match source {
            Source::Endless if self.is_bounded => {
                let items = (0..usize::MAX).into_par_iter().map(self.maker());
                self.each(items, call, group)
            }
            Source::Range | Source::Endless => {
                let items = (0..count).into_par_iter().map(self.maker());
                self.each(items, call, group)
            }
            Source::Vector => self.each(self.pieces().into_par_iter(), call, group),
            Source::Single => {
                let items = self.pieces().into_par_iter().with_max_len(1);
                self.each(items, call, group)
            }
            Source::Filter => {
                let items = self.pieces().into_par_iter();
                let items = items.filter(|piece| self.run.lets_through(piece.index));
                self.each(items, call, group)
            }
            Source::Chain => {
                let mut first = self.pieces();
                let second = first.split_off(count / 2);
                let items = first.into_par_iter().chain(second);
                self.each(items, call, group)
            }
            Source::Bridge => {
                let items = (0..count).map(self.maker()).par_bridge();
                self.each(items, call, group)
            }
        }
    }

    /// The closure of a run.
    fn closure(&self) -> impl Fn(Option<&CancelToken>, Piece<'p>) -> Result<Thing, Thing> {
        let closure = self.thing(Kind::Closure);
        move |token, piece| {
            keep(&closure);
            self.perform(Who::Item(piece.index), piece.item, token, None)
        }
    }

    fn each<I>(&self, items: I, call: Call, group: Option<&ErrGroup>) -> Got
    where
        I: ParallelIterator<Item = Piece<'p>>,
    {
        let f = self.closure();
        match (call, group) {
            (Call::ErrGroup, None) => {
                Got::bare(items.err_group(move |piece| f(None, piece).map(drop)))
            }
            (Call::ForEach, None) => Got::bare(
                items.try_for_each_group(move |token, piece| f(Some(token), piece).map(drop)),
            ),
            (Call::Map, None) => {
                Got::bare(items.try_map_group(move |token, piece| f(Some(token), piece)))
            }
            (Call::ErrGroup | Call::ForEach, Some(group)) => {
                let items = items.with_group(group);
                Got::of(
                    self,
                    items.try_for_each(move |token, piece| f(Some(token), piece).map(drop)),
                )
            }
            (Call::Map, Some(group)) => {
                let items = items.with_group(group);
                Got::of(
                    self,
                    items.try_map(move |token, piece| f(Some(token), piece)),
                )
            }
        }
    }

    fn call_ordered(
        &self,
        source: OrderedSource,
        call: &'p OrderedCall,
        group: Option<&ErrGroup>,
    ) -> Got {
        let count = self.run.items().len();
        match source {
            OrderedSource::Vector => {
                self.ordered(self.pieces().into_par_iter().in_order(), call, group)
            }
            OrderedSource::Single => {
                let items = self.pieces().into_par_iter().with_max_len(1);
                self.ordered(items.in_order(), call, group)
            }
            OrderedSource::Range => {
                let items = (0..count).into_par_iter().map(self.maker());
                self.ordered(items.in_order(), call, group)
            }
            OrderedSource::LazyEndless if self.is_bounded => {
                self.ordered((0..).map(self.maker()).par_in_order(), call, group)
            }
            OrderedSource::Lazy | OrderedSource::LazyEndless => {
                self.ordered((0..count).map(self.maker()).par_in_order(), call, group)
            }
        }
    }

    fn ordered<S>(&self, items: InOrder<S>, call: &'p OrderedCall, group: Option<&ErrGroup>) -> Got
    where
        S: Ordered<Item = Piece<'p>>,
    {
        let f = self.closure();
        let Some(group) = group else {
            return match call {
                OrderedCall::Plain(Call::ErrGroup) => {
                    Got::bare(items.err_group(move |piece| f(None, piece).map(drop)))
                }
                OrderedCall::Plain(Call::Map) => {
                    Got::bare(items.try_map_group(move |token, piece| f(Some(token), piece)))
                }
                _ => Got::bare(
                    items.try_for_each_group(move |token, piece| f(Some(token), piece).map(drop)),
                ),
            };
        };
        let items = items.with_group(group);
        match call {
            OrderedCall::Plain(Call::Map) => Got::of(
                self,
                items.try_map(move |token, piece| f(Some(token), piece)),
            ),
            OrderedCall::Plain(_) => Got::of(
                self,
                items.try_for_each(move |token, piece| f(Some(token), piece).map(drop)),
            ),
            OrderedCall::Stream(sink) => Got::of(
                self,
                items.try_stream(
                    move |token, piece| f(Some(token), piece),
                    self.sink(sink.as_ref()),
                ),
            ),
            OrderedCall::Outcome => Got::outcome(
                self,
                items.outcome(move |token, piece| f(Some(token), piece)),
            ),
        }
    }

    fn sink(&self, sink: Option<&'p (usize, Item)>) -> impl FnMut(Thing) -> Result<(), Thing> {
        let (closure, mut calls) = (self.thing(Kind::Closure), 0);
        move |value| {
            keep(&closure);
            let item = sink.filter(|(at, _)| *at == calls);
            let item = item.map_or(&PLAIN, |(_, item)| item);
            calls += 1;
            self.perform(Who::Sink(calls - 1), item, None, Some(value))
                .map(drop)
        }
    }
}

/// The closure owns what it keeps.
fn keep(_thing: &Thing) {}
