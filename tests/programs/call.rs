//! Calls the crate: one method for each kind of work.

use std::sync::atomic::Ordering::SeqCst;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, InOrder, Ordered, prelude::*};

use crate::got::Got;
use crate::interpret::{Frame, perform};
use crate::log::{Kind, Thing};
use crate::program::{Call, Item, OrderedCall, OrderedSource, Source, Work};
use crate::seen::Actor;
use crate::steps::{SHORT_WAIT, wait_until};

/// An input item of a run.
struct Input<'p> {
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
                    perform(self, Actor::Body, body, Some(s.token()), Some(s), None)
                })),
                Some(group) => Got::of(
                    self,
                    group.scope(|s| {
                        perform(self, Actor::Body, body, Some(s.token()), Some(s), None)
                    }),
                ),
            },
        }
    }

    fn input(&self, index: usize) -> Input<'p> {
        self.made.fetch_add(1, SeqCst);
        Input {
            index,
            item: self.run.items().get(index).unwrap_or(&PLAIN),
            _thing: self.thing(Kind::Item),
        }
    }

    fn inputs(&self) -> Vec<Input<'p>> {
        let count = self.run.items().len();
        (0..count).map(|index| self.input(index)).collect()
    }

    /// Returns a closure that creates the item with an index.
    fn maker(&self) -> impl Fn(usize) -> Input<'p> {
        let closure = self.thing(Kind::Closure);
        move |index| {
            keep(&closure);
            self.input(index)
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
            Source::Vector => self.each(self.inputs().into_par_iter(), call, group),
            Source::Single => {
                let items = self.inputs().into_par_iter().with_max_len(1);
                self.each(items, call, group)
            }
            Source::Filter => {
                let items = self.inputs().into_par_iter();
                let items = items.filter(|input| self.run.lets_through(input.index));
                self.each(items, call, group)
            }
            Source::Chain => {
                let mut first = self.inputs();
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

    /// The closure that a run calls for each item.
    fn closure(&self) -> impl Fn(Option<&CancelToken>, Input<'p>) -> Result<Thing, Thing> {
        let closure = self.thing(Kind::Closure);
        move |token, input| {
            keep(&closure);
            self.perform(Actor::Item(input.index), input.item, token, None)
        }
    }

    fn each<I>(&self, items: I, call: Call, group: Option<&ErrGroup>) -> Got
    where
        I: ParallelIterator<Item = Input<'p>>,
    {
        let f = self.closure();
        match (call, group) {
            (Call::ErrGroup, None) => {
                Got::bare(items.err_group(move |input| f(None, input).map(drop)))
            }
            (Call::ForEach, None) => Got::bare(
                items.try_for_each_group(move |token, input| f(Some(token), input).map(drop)),
            ),
            (Call::Map, None) => {
                Got::bare(items.try_map_group(move |token, input| f(Some(token), input)))
            }
            (Call::ErrGroup, Some(group)) => {
                let items = items.with_group(group);
                Got::of(self, items.err_group(move |input| f(None, input).map(drop)))
            }
            (Call::ForEach, Some(group)) => {
                let items = items.with_group(group);
                Got::of(
                    self,
                    items.try_for_each(move |token, input| f(Some(token), input).map(drop)),
                )
            }
            (Call::Map, Some(group)) => {
                let items = items.with_group(group);
                Got::of(
                    self,
                    items.try_map(move |token, input| f(Some(token), input)),
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
                self.ordered(self.inputs().into_par_iter().in_order(), call, group)
            }
            OrderedSource::Single => {
                let items = self.inputs().into_par_iter().with_max_len(1);
                self.ordered(items.in_order(), call, group)
            }
            OrderedSource::Range => {
                let items = (0..count).into_par_iter().map(self.maker());
                self.ordered(items.in_order(), call, group)
            }
            OrderedSource::LazyEndless if self.is_bounded => {
                self.ordered((0..).map(self.maker()).par_in_order(), call, group)
            }
            OrderedSource::Bursts => {
                let maker = self.maker();
                let items = (0..count).map(move |index| {
                    if index % 5 == 4 {
                        // Not for long: one of them may be below, on the stack of this thread.
                        wait_until(SHORT_WAIT, || self.ended.load(SeqCst) >= index);
                    }
                    maker(index)
                });
                self.ordered(items.par_in_order(), call, group)
            }
            OrderedSource::Lazy | OrderedSource::LazyEndless => {
                self.ordered((0..count).map(self.maker()).par_in_order(), call, group)
            }
        }
    }

    fn ordered<S>(&self, items: InOrder<S>, call: &'p OrderedCall, group: Option<&ErrGroup>) -> Got
    where
        S: Ordered<Item = Input<'p>>,
    {
        let f = self.closure();
        let Some(group) = group else {
            return match call {
                OrderedCall::Plain(Call::ErrGroup) => {
                    Got::bare(items.err_group(move |input| f(None, input).map(drop)))
                }
                OrderedCall::Plain(Call::Map) => {
                    Got::bare(items.try_map(move |token, input| f(Some(token), input)))
                }
                OrderedCall::Plain(Call::ForEach) => Got::bare(
                    items.try_for_each(move |token, input| f(Some(token), input).map(drop)),
                ),
                OrderedCall::Stream(sink) => Got::bare(items.try_stream(
                    move |token, input| f(Some(token), input),
                    self.sink(sink.as_ref()),
                )),
                OrderedCall::Outcome => Got::outcome(
                    self,
                    items.outcome(move |token, input| f(Some(token), input)),
                ),
            };
        };
        let items = items.with_group(group);
        match call {
            OrderedCall::Plain(Call::Map) => Got::of(
                self,
                items.try_map(move |token, input| f(Some(token), input)),
            ),
            OrderedCall::Plain(Call::ErrGroup) => {
                Got::of(self, items.err_group(move |input| f(None, input).map(drop)))
            }
            OrderedCall::Plain(Call::ForEach) => Got::of(
                self,
                items.try_for_each(move |token, input| f(Some(token), input).map(drop)),
            ),
            OrderedCall::Stream(sink) => Got::of(
                self,
                items.try_stream(
                    move |token, input| f(Some(token), input),
                    self.sink(sink.as_ref()),
                ),
            ),
            OrderedCall::Outcome => Got::outcome(
                self,
                items.outcome(move |token, input| f(Some(token), input)),
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
            self.perform(Actor::Sink(calls - 1), item, None, Some(value))
                .map(drop)
        }
    }
}

/// Makes a closure capture the thing by value.
fn keep(_thing: &Thing) {}
