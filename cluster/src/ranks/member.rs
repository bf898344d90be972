//! `Member`: what a rank knows of the batch, and what it tells the hub. Rank 0 is a member, too.

use std::ops::Range;

use super::ended::{Ended, RanksError};
use super::message::Message;
use super::{Event, LocalEnd};

/// The run of one rank. Its items are those of the chunks that it is given, one after another.
pub(super) trait Local {
    /// Gives it a chunk of the batch.
    fn push(&self, chunk: Range<usize>);

    /// There are no more chunks.
    fn close(&self);

    /// Only its first so many items count.
    fn cut(&self, items: usize);
}

pub(super) struct Member<L> {
    local: L,
    /// The chunks, in ascending order.
    chunks: Vec<Range<usize>>,
    /// The hub is to answer.
    is_waiting: bool,
    is_closed: bool,
    /// The lowest failure that this rank knows. Nothing from there on counts.
    lowest: usize,
    local_end: Option<LocalEnd>,
    ended: Option<Result<Ended, RanksError>>,
}

impl<L: Local> Member<L> {
    pub(super) fn new(local: L) -> Self {
        Member {
            local,
            chunks: Vec::new(),
            is_waiting: false,
            is_closed: false,
            lowest: usize::MAX,
            local_end: None,
            ended: None,
        }
    }

    /// The result of the batch, once the hub has said it.
    pub(super) fn take_ended(&mut self) -> Option<Result<Ended, RanksError>> {
        self.ended.take()
    }

    /// Reacts to the local run, with messages to the hub. Not to `Event::Panicked`.
    pub(super) fn on_event(&mut self, event: Event, outbox: &mut Vec<Message>) {
        match event {
            Event::Wants(len) => {
                if !self.is_waiting && !self.is_closed {
                    self.is_waiting = true;
                    outbox.push(Message::Want(len));
                }
            }
            Event::Failed(index, error) => {
                self.lowest = self.lowest.min(index);
                outbox.push(Message::Failed(index, error));
            }
            Event::Ended(end) => {
                self.local_end = Some(end);
                self.end_if_over(outbox);
            }
            Event::Panicked => unreachable!("the job is aborted"),
        }
    }

    /// Reacts to a message of the hub.
    pub(super) fn on_message(&mut self, message: Message, outbox: &mut Vec<Message>) {
        match message {
            Message::Chunk(chunk) => {
                self.is_waiting = false;
                self.chunks.push(chunk.clone());
                // To a run that is over, it is a chunk that is unknown.
                self.local.push(chunk);
                self.end_if_over(outbox);
            }
            Message::NoMore => {
                self.is_waiting = false;
                self.close();
                self.end_if_over(outbox);
            }
            Message::Lowest(index) => {
                self.lowest = self.lowest.min(index);
                // Those that the rank has. None of the chunks that may come is before the failure.
                let items = self.chunks.iter();
                let items = items.map(|chunk| chunk.end.min(index + 1).saturating_sub(chunk.start));
                self.local.cut(items.sum());
            }
            Message::Stop => {
                self.local.cut(0);
                self.close();
            }
            Message::End(ended) => self.ended = Some(Ok(ended)),
            Message::Refused(reason) => {
                self.ended = Some(Err(RanksError::DifferentBatches(reason)));
            }
            _ => unreachable!("only members say that"),
        }
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.local.close();
    }

    /// Tells what came of the local run, when it is over and the hub has answered all.
    fn end_if_over(&mut self, outbox: &mut Vec<Message>) {
        if self.is_waiting {
            return;
        }
        let Some(end) = self.local_end.take() else {
            return;
        };
        // An own failure, or that of another rank, leaves no item unknown that comes before it.
        let mut known = end.known;
        let mut holes = Vec::new();
        for chunk in &self.chunks {
            let len = chunk.len().min(known);
            known -= len;
            let hole = chunk.start + len..chunk.end.min(self.lowest);
            if !hole.is_empty() {
                holes.push(hole);
            }
        }
        // A run that was stopped before its first chunk has no holes. But it ended unasked, before
        // there were no more chunks and without a failure.
        let ended_unasked = !self.is_closed && self.lowest == usize::MAX;
        let stopped = (ended_unasked || !holes.is_empty())
            .then(|| end.stopped_by.unwrap_or_else(|| "stopped".to_owned()));
        let counts = [end.ok, end.failed, end.cancelled];
        outbox.push(Message::Done(counts, holes, stopped));
    }
}
