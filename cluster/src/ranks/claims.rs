//! `Claims`: the items of a rank, as an iterator that waits for the chunks.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Event;

/// For how long a chunk should last: several times as long as the hub takes to answer.
const CHUNK_TIME: Duration = Duration::from_millis(20);

/// How much longer a chunk may be than the one before.
const GROWTH: usize = 8;

/// Where the chunks wait that the hub has sent.
#[derive(Default)]
pub(super) struct ChunkQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Range<usize>>,
    is_closed: bool,
    /// How long the iterator has waited for chunks but the first.
    waited: Duration,
}

impl ChunkQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain bookkeeping: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, chunk: Range<usize>) {
        self.lock().chunks.push_back(chunk);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(super) fn waited(&self) -> Duration {
        self.lock().waited
    }

    /// The next chunk, as soon as there is one. `None` after the last.
    fn pop(&self, is_first: bool) -> Option<Range<usize>> {
        let mut state = self.lock();
        if state.chunks.is_empty() && !state.is_closed {
            let began = Instant::now();
            while state.chunks.is_empty() && !state.is_closed {
                let waiting = self.changed.wait(state);
                state = waiting.unwrap_or_else(PoisonError::into_inner);
            }
            if !is_first && !state.chunks.is_empty() {
                state.waited += began.elapsed();
            }
        }
        state.chunks.pop_front()
    }
}

/// The items of the chunks: their indices in the batch. Asks for a chunk whenever it begins with
/// one, so that the next is there when it is needed.
pub(super) struct Claims<'q> {
    queue: &'q ChunkQueue,
    events: Sender<Event>,
    current: Range<usize>,
    /// When the current chunk began, and its length.
    began: Instant,
    len: usize,
}

impl<'q> Claims<'q> {
    pub(super) fn new(queue: &'q ChunkQueue, events: Sender<Event>) -> Self {
        Claims {
            queue,
            events,
            current: 0..0,
            began: Instant::now(),
            len: 0,
        }
    }

    /// How long the next chunk should be, judged by the last.
    fn wanted(&self) -> usize {
        let threads = rayon::current_num_threads();
        let took = self.began.elapsed().as_nanos().max(1);
        let fitting = self.len as u128 * CHUNK_TIME.as_nanos() / took;
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        fitting.min(self.len.saturating_mul(GROWTH)).max(threads)
    }
}

impl Iterator for Claims<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if let Some(index) = self.current.next() {
            return Some(index);
        }
        // Nobody hears it after the end.
        let wanted = self.wanted();
        if self.len == 0 {
            _ = self.events.send(Event::Wants(wanted));
        }
        self.current = self.queue.pop(self.len == 0)?;
        (self.began, self.len) = (Instant::now(), self.current.len());
        _ = self.events.send(Event::Wants(wanted));
        self.current.next()
    }
}
