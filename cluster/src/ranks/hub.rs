//! `Hub`: what rank 0 knows of the batch, and what it answers.

use std::ops::Range;

use super::ended::Ended;
use super::message::{Batch, Message};
use crate::merge::Verdict;

/// The first failure, as far as it is known.
struct Lowest {
    index: usize,
    rank: usize,
    error: String,
}

pub(super) struct Hub {
    batch: Batch,
    size: usize,
    /// The first item that was not handed out.
    next: usize,
    lowest: Option<Lowest>,
    stopped: Option<(usize, String)>,
    refused: Option<String>,
    /// How many ranks are done, and what they have said.
    done: usize,
    counts: [usize; 3],
    holes: Vec<Range<usize>>,
}

/// Messages and their receivers.
pub(super) type Outbox = Vec<(usize, Message)>;

impl Hub {
    pub(super) fn new(batch: Batch, size: usize) -> Self {
        Hub {
            batch,
            size,
            next: 0,
            lowest: None,
            stopped: None,
            refused: None,
            done: 0,
            counts: [0; 3],
            holes: Vec::new(),
        }
    }

    /// Reacts to a message to the hub.
    pub(super) fn on_message(&mut self, from: usize, message: Message, outbox: &mut Outbox) {
        match message {
            Message::Hello(batch) => {
                if batch != self.batch && self.refused.is_none() {
                    self.refused = Some(difference(&self.batch, from, &batch));
                    self.to_all(&Message::Stop, outbox);
                }
            }
            Message::Want(len) => outbox.push((from, self.answer(len))),
            Message::Failed(index, error) => {
                if self
                    .lowest
                    .as_ref()
                    .is_none_or(|lowest| index < lowest.index)
                {
                    self.lowest = Some(Lowest {
                        index,
                        rank: from,
                        error,
                    });
                    self.to_all(&Message::Lowest(index), outbox);
                }
            }
            Message::Done(counts, holes, stopped) => {
                self.done += 1;
                if let Some(reason) = stopped {
                    self.on_stopped(from, reason, &holes, outbox);
                }
                for (sum, count) in self.counts.iter_mut().zip(counts) {
                    *sum += count;
                }
                self.holes.extend(holes);
                if self.done == self.size {
                    let last = self.end();
                    self.to_all(&last, outbox);
                }
            }
            _ => unreachable!("only the hub says that"),
        }
    }

    /// Stops all ranks, because one has stopped. Not if a failure comes before all that this leaves
    /// unknown: the other ranks know what comes before it.
    fn on_stopped(
        &mut self,
        from: usize,
        reason: String,
        holes: &[Range<usize>],
        outbox: &mut Outbox,
    ) {
        let matters = self
            .lowest
            .as_ref()
            .is_none_or(|lowest| holes.iter().any(|hole| hole.start < lowest.index));
        if matters && self.stopped.is_none() {
            self.stopped = Some((from, reason));
            self.to_all(&Message::Stop, outbox);
        }
    }

    /// Chunks are handed out in ascending order. So every item before a failure is in a chunk that
    /// was handed out before.
    fn answer(&mut self, len: usize) -> Message {
        let left = self.batch.items - self.next;
        let is_over = self.lowest.is_some() || self.stopped.is_some() || self.refused.is_some();
        if left == 0 || is_over {
            return Message::NoMore;
        }
        // Guided self-scheduling, so that no rank has a long tail at the end.
        let share = left.div_ceil(2 * self.size);
        let start = self.next;
        self.next += len.clamp(1, share);
        Message::Chunk(start..self.next)
    }

    fn end(&mut self) -> Message {
        if let Some(reason) = self.refused.take() {
            return Message::Refused(reason);
        }
        let items = self.batch.items;
        let end = self.lowest.as_ref().map_or(items, |lowest| lowest.index);
        let mut below = std::mem::take(&mut self.holes);
        below.push(self.next..items);
        for hole in &mut below {
            hole.end = hole.end.min(end);
        }
        below.retain(|hole| !hole.is_empty());
        below.sort_by_key(|hole| hole.start);
        // Chunks that follow each other are one range for the caller.
        below.dedup_by(|next, hole| {
            let joins = next.start == hole.end;
            if joins {
                hole.end = next.end;
            }
            joins
        });
        let [ok, failed, cancelled] = self.counts;
        // Holes are what the ranks say of themselves. The items before the end must be accounted
        // for, too, or else none of them is known.
        let adds_up = match &self.lowest {
            None => ok == items,
            Some(lowest) => ok >= lowest.index,
        };
        if below.is_empty() && !adds_up {
            below.push(0..end);
        }
        let rank = self.lowest.as_ref().map(|lowest| lowest.rank);
        let first = self
            .lowest
            .take()
            .map(|lowest| (lowest.index, lowest.error));
        let (verdict, counts) = match first {
            None if below.is_empty() => (Verdict::Complete, [items, 0, 0, 0]),
            Some((index, error)) if below.is_empty() => {
                let counts = [index, 1, 0, items - index - 1];
                (Verdict::Failed { index, error }, counts)
            }
            first => {
                let skipped = items.saturating_sub(ok + failed + cancelled);
                let verdict = Verdict::Undecided { first, below };
                (verdict, [ok, failed, cancelled, skipped])
            }
        };
        let is_decided = !matches!(verdict, Verdict::Undecided { .. });
        Message::End(Ended {
            verdict,
            counts,
            rank,
            stopped: self.stopped.take().filter(|_| !is_decided),
        })
    }

    fn to_all(&self, message: &Message, outbox: &mut Outbox) {
        outbox.extend((0..self.size).map(|rank| (rank, message.clone())));
    }
}

fn difference(own: &Batch, rank: usize, other: &Batch) -> String {
    if own.items != other.items {
        let (own, other) = (own.items, other.items);
        format!("rank 0 has {own} items, and rank {rank} has {other}")
    } else if own.closure != other.closure {
        let (own, other) = (&own.closure, &other.closure);
        format!("rank 0 runs {own}, and rank {rank} runs {other}")
    } else if own.place != other.place {
        let (own, other) = (&own.place, &other.place);
        format!("rank 0 calls it at {own}, and rank {rank} at {other}")
    } else {
        let (own, other) = (own.run + 1, other.run + 1);
        format!("it is run {own} of rank 0, and run {other} of rank {rank}")
    }
}
