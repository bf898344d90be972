//! `ClaimQueue`: what the workers share, behind one lock.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use super::budget::Budget;
use super::chunk::{Chunk, ChunkItems, ChunkResult};
use super::handed_over::HandedOver;
use super::reorder::ReorderBuffer;
use super::source::{Buffer, Source};
use super::worker_state::{InHand, Later, WorkerState};
use super::{Collector, Limits, RunKind};
use crate::run::{Reaction, Run};
use crate::time::Moment;
use crate::token::{CancelToken, Held};

/// After what time of reading the source may have waited for an item, rather than computed many.
/// Four times the time after which [`Lazy`](super::lazy::Lazy) stops if `next` computes.
const LONG_READ: Duration = Duration::from_micros(200);

/// The rest of the input, from which workers claim chunks, and the results of the claimed ones.
///
/// Invariants, while the lock is held:
///
/// 1. To pull from the source runs user code (an iterator's `next`, the `clone` of `map_with`), so
///    the worker that does takes `source` out, and puts it back whatever that code does.
/// 2. Off the source and the buffer, items and chunks are claimed in ascending order. Once an item
///    has failed, everything that is left there comes after it: then the queue is closed. What was
///    handed over may come before it, and is claimed even then.
/// 3. All that a worker runs is at or after `workers[worker].start`. The start is written with the
///    claim, and after a failure inside the chunk. So a worker that fails finds here which workers,
///    itself among them, are after the bound; and if two workers fail at the same time, the second
///    finds the bound of the first.
/// 4. A worker is parked only while nothing can be claimed. A thread that changes this starts one
///    of the parked workers (or as many as it hands items over), and each of these starts the next
///    when it has claimed its chunk.
/// 5. While the source is out and may wait for its next item, one worker watches the buffer, or is
///    about to look at it: the one that runs a chunk, or has just been started.
/// 6. To split what was handed over may run user code, too. So the worker that claims some of it
///    takes it out, and is counted in `splitting` until it has put the rest back.
/// 7. A worker is called, by the signal in its token, only while it has several items in hand.
pub(super) struct ClaimQueue<S: Source, C: Collector, E> {
    pub(super) source: Option<S>,
    /// For the values of everything that is not claimed.
    collector: Option<C>,
    /// What was read from the source and is not claimed.
    pub(super) buffer: Option<S::Buffer>,
    /// An upper bound on how many items the source has left, when it was last asked.
    pub(super) max_left: Option<usize>,
    /// When a worker last began to read into the buffer.
    reading_since: Moment,
    /// The index of the first item of the buffer, and then of the source.
    pub(super) next: usize,
    /// Nothing more is claimed of the buffer and the source.
    pub(super) closed: bool,
    /// What busy workers have handed over, in order.
    handed_over: VecDeque<HandedOver<S::Item, C>>,
    /// How many workers are about to put back a rest of what was handed over.
    splitting: usize,
    /// Nothing after this index counts, because items have failed.
    bound: Option<usize>,
    /// Workers after the bound are cancelled, and their callbacks held back.
    callbacks_held: bool,
    pub(super) workers: Vec<WorkerState>,
    /// The workers that wait to be started again.
    parked: Vec<usize>,
    /// A worker watches the buffer.
    pub(super) is_watched: bool,
    /// How many workers have several items in hand (enough for two chunks), and how many of these
    /// were not called.
    have_several: usize,
    callable: usize,
    /// How many chunks are running.
    running: usize,
    pub(super) results: ReorderBuffer<Committed<C, E>>,
    limits: Limits,
    pub(super) sink: SinkThread,
    budget: Option<Budget>,
}

/// What the thread does that gives the values of a stream to the sink.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SinkThread {
    /// It gives values to the sink, or is about to.
    Drains,
    /// It waits until so many results are ready.
    WaitsFor(usize),
    /// It runs items itself, or other jobs of its pool, and drains nothing meanwhile.
    RunsJobs,
}

/// What came of a chunk whose values this collector has collected.
type Committed<C, E> = ChunkResult<<C as Collector>::Collected, E>;

impl<S: Source, C: Collector, E> ClaimQueue<S, C, E> {
    pub(super) fn new(source: S, collector: C, limits: Limits, error_limit: Option<usize>) -> Self {
        let workers = limits.workers;
        ClaimQueue {
            buffer: None,
            source: Some(source),
            collector: Some(collector),
            max_left: None,
            reading_since: Moment::now(),
            next: 0,
            closed: workers == 0,
            handed_over: VecDeque::new(),
            splitting: 0,
            bound: None,
            callbacks_held: false,
            workers: Vec::new(),
            parked: Vec::new(),
            is_watched: false,
            have_several: 0,
            callable: 0,
            running: 0,
            results: ReorderBuffer::new(),
            limits,
            sink: SinkThread::Drains,
            budget: error_limit.map(|limit| Budget::new(limit, workers)),
        }
    }

    /// How many items a worker may claim off the buffer and the source.
    pub(super) fn claimable(&self) -> usize {
        match &self.budget {
            _ if self.closed || self.results.in_flight() >= self.limits.max_in_flight => 0,
            _ if !self.collector.as_ref().is_some_and(Collector::can_split) => 0,
            None => usize::MAX,
            Some(budget) => budget.share(),
        }
    }

    /// How many items were read and are not claimed.
    pub(super) fn read(&self) -> usize {
        self.buffer.as_ref().map_or(0, Buffer::len)
    }

    /// Takes the source out, for this worker to pull at most so many items (invariant 1). With a
    /// writer, if the items are to be read into the buffer.
    pub(super) fn take_source(
        &mut self,
        worker: usize,
        max: usize,
    ) -> Option<(S, Option<S::Writer>)> {
        let source = self.source.take()?;
        // A failure before the rest finds this worker from now on (invariant 3).
        self.workers[worker].start = self.next;
        // A worker that is alone has nobody to take items while it reads. The buffer of another
        // worker is empty, or the items would have been claimed. Each has its own, since memory
        // that two cores write to in turns is slow.
        let buffer = (self.limits.workers > 1).then(|| S::buffer(max)).flatten();
        let (writer, buffer) = buffer.unzip();
        if writer.is_some() {
            self.reading_since = Moment::now();
        }
        self.buffer = buffer;
        Some((source, writer))
    }

    /// Whether `next` may have waited for what was read.
    pub(super) fn reads_slowly(&self) -> bool {
        self.reading_since.elapsed() >= LONG_READ
    }

    /// How many of its items fit into the time of a chunk, as far as a worker knows.
    pub(super) fn fitting(&self, worker: usize) -> usize {
        self.workers[worker].sizer.next(None, 1)
    }

    /// Claims the next items that are in the buffer. `has_watched` says that the worker has waited
    /// for them.
    pub(super) fn claim_buffered(
        &mut self,
        worker: usize,
        now: Moment,
        has_watched: bool,
    ) -> Option<Chunk<S, C>> {
        let read = self.read();
        if read == 0 {
            return None;
        }
        let max_chunk = self.limits.max_chunk;
        let most = if has_watched && self.source.is_none() || self.reads_slowly() {
            // How long the items before took says nothing about those that `next` gives after it
            // has waited. So few items are claimed one by one, and none waits for the one before
            // it. Many are a batch, and each worker takes a share of it.
            (read / (2 * self.limits.workers)).clamp(1, max_chunk)
        } else {
            max_chunk
        };
        let left = self.max_left.map(|left| left.saturating_add(read));
        let fitting = self.workers[worker].sizer.next(left, self.limits.workers);
        let max_len = fitting.min(most).min(self.claimable());
        let (items, count) = self.buffer.as_mut()?.take(max_len)?;
        let chunk = self.claim(worker, now, ChunkItems::Fresh(items), count);
        self.close_if_ended();
        Some(chunk)
    }

    /// Registers the next items of the input as a chunk of this worker.
    pub(super) fn claim(
        &mut self,
        worker: usize,
        now: Moment,
        items: ChunkItems<S>,
        count: usize,
    ) -> Chunk<S, C> {
        let start = self.next;
        self.next += count;
        if let Some(budget) = &mut self.budget {
            budget.reserve(count);
        }
        if self.limits.kind != RunKind::Count {
            self.results.begin(start);
        }
        let (collector, others) = match self.collector.take() {
            Some(collector) => collector.split_at(count),
            None => unreachable!("it is put back below"),
        };
        self.collector = Some(others);
        self.running += 1;
        self.begin(worker, now, start, count, items, collector)
    }

    /// Takes out what was handed over first, for this worker to claim some of its items with
    /// [`claim_handed_over`](ClaimQueue::claim_handed_over). In between it splits them, without the
    /// lock: that may run user code. Returns how many it claims.
    pub(super) fn take_handed_over(
        &mut self,
        worker: usize,
        new_token: impl FnOnce() -> CancelToken,
    ) -> Option<(HandedOver<S::Item, C>, usize)> {
        let rest = self.handed_over.pop_front()?;
        let len = rest.items.len();
        // As guided self-scheduling does, but one by one until the worker knows these items.
        let share = len / (2 * self.limits.workers);
        let share = share.max(self.workers[worker].sizer.least());
        let mut count = self.fitting(worker).min(share).max(self.limits.min_chunk);
        if len < count.saturating_add(self.limits.min_chunk) {
            count = len;
        }
        self.splitting += usize::from(count < len);
        self.running += 1;
        let state = &mut self.workers[worker];
        state.start = rest.start;
        state.is_running = true;
        if self.bound.is_some() || state.token.node().may_be_cut() {
            // The worker may have been after the bound or the cut, and is now before it: its token
            // is cancelled, or is about to be.
            state.token = new_token();
        }
        Some((rest, count))
    }

    /// Claims items that were handed over, and puts the rest back.
    pub(super) fn claim_handed_over(
        &mut self,
        worker: usize,
        now: Moment,
        first: HandedOver<S::Item, C>,
        rest: Option<HandedOver<S::Item, C>>,
    ) -> Chunk<S, C> {
        if let Some(rest) = rest {
            self.splitting -= 1;
            self.hand_over(rest);
        }
        let HandedOver {
            start,
            items,
            collector,
        } = first;
        let count = items.len();
        let items = ChunkItems::HandedOver(Vec::from(items).into_iter());
        self.begin(worker, now, start, count, items, collector)
    }

    fn hand_over(&mut self, rest: HandedOver<S::Item, C>) {
        if self.limits.kind != RunKind::Count {
            self.results.begin(rest.start);
        }
        let place = self
            .handed_over
            .partition_point(|other| other.start < rest.start);
        self.handed_over.insert(place, rest);
    }

    fn begin(
        &mut self,
        worker: usize,
        now: Moment,
        start: usize,
        count: usize,
        items: ChunkItems<S>,
        collector: C,
    ) -> Chunk<S, C> {
        let state = &mut self.workers[worker];
        state.start = start;
        state.is_running = true;
        if count >= self.limits.min_chunk.saturating_mul(2) && self.limits.workers > 1 {
            state.in_hand = InHand::Several(now);
            self.have_several += 1;
            self.callable += 1;
        }
        Chunk {
            start,
            count,
            items,
            collector,
            token: state.token.clone(),
        }
    }

    /// Nothing more can be claimed once the input has ended and all of it is claimed.
    pub(super) fn close_if_ended(&mut self) {
        let has_ended = self.source.as_ref().is_some_and(Source::has_ended);
        self.closed |= has_ended && self.read() == 0;
    }

    /// The source is whole again, and the chunk that had borrowed of it has ended at `next`.
    pub(super) fn put_back(&mut self, loan: S::Loan, next: usize) {
        self.next = next;
        if let Some(source) = &mut self.source {
            source.put_back(loan);
        }
        self.close_if_ended();
    }

    pub(super) fn has_handed_over(&self) -> bool {
        !self.handed_over.is_empty()
    }

    /// Takes what was handed over and no longer counts, if there is any.
    pub(super) fn take_worthless(&mut self, is_cancelled: bool) -> Option<HandedOver<S::Item, C>> {
        let last = self.handed_over.back()?;
        if is_cancelled || self.bound.is_some_and(|bound| last.start > bound) {
            self.running += 1;
            self.handed_over.pop_back()
        } else {
            None
        }
    }

    /// The chunk of a worker has ended, and that of its items with indices from `start` on has this
    /// result. What its worker has not begun is handed over.
    pub(super) fn commit(
        &mut self,
        worker: usize,
        start: usize,
        result: Committed<C, E>,
        rest: Option<HandedOver<S::Item, C>>,
    ) {
        let state = &mut self.workers[worker];
        state.is_running = false;
        match mem::replace(&mut state.in_hand, InHand::Few) {
            InHand::Few => {}
            InHand::Several(_) => {
                self.have_several -= 1;
                self.callable -= 1;
            }
            InHand::Called => {
                self.have_several -= 1;
                state.token.node().end_call();
            }
        }
        if let Some(rest) = rest {
            self.hand_over(rest);
        }
        self.complete(start, result);
    }

    /// A chunk that was begun at this index, or given up, has this result.
    pub(super) fn complete(&mut self, start: usize, result: Committed<C, E>) {
        self.running -= 1;
        if self.limits.kind == RunKind::Count {
            return;
        }
        self.results.complete(start, result);
        if self.limits.kind == RunKind::Keep {
            self.results.release_ready();
        }
        if !C::KEEPS {
            // The input may be endless.
            self.results.drop_ready();
        }
    }

    /// Gives back the items of a claim that have not failed.
    pub(super) fn refund(&mut self, items: usize) {
        if let Some(budget) = &mut self.budget {
            budget.refund(items);
        }
    }

    /// Asks the workers that have several items in hand to hand over those that they have not
    /// begun; or only those that have had them for so long.
    pub(super) fn call(&mut self, for_at_least: Option<Duration>) {
        if self.callable == 0 {
            return;
        }
        for state in &mut self.workers {
            let InHand::Several(since) = state.in_hand else {
                continue;
            };
            if for_at_least.is_none_or(|duration| since.elapsed() >= duration) {
                state.in_hand = InHand::Called;
                state.token.node().call();
                self.callable -= 1;
            }
        }
    }

    /// A worker waits to be started again, if there is something to wait for.
    pub(super) fn park(&mut self, worker: usize) {
        self.parked.push(worker);
    }

    /// Workers to be started again (invariant 4).
    pub(super) fn unpark(&mut self) -> Vec<usize> {
        if self.parked.is_empty() {
            return Vec::new();
        }
        if self.closed {
            // They were parked before the last chunk was claimed, and have not called for it.
            self.call(None);
        }
        let handed_over: usize = self.handed_over.iter().map(|rest| rest.items.len()).sum();
        let count = if handed_over > 0 {
            handed_over.min(self.parked.len())
        } else {
            let can_look = if self.source.is_some() {
                self.results.in_flight() <= self.limits.resume_at || !self.is_draining()
            } else {
                // Only to watch the buffer. The one that has the source may wait in `next`, and
                // then starts nobody.
                self.buffer.is_some() && !self.is_watched
            };
            usize::from(can_look && self.claimable() > 0)
        };
        self.parked.split_off(self.parked.len() - count)
    }

    /// Whether the sink will soon have had the values of another chunk.
    fn is_draining(&self) -> bool {
        match self.sink {
            SinkThread::Drains => true,
            SinkThread::WaitsFor(_) => self.results.ready() > 0,
            SinkThread::RunsJobs => false,
        }
    }

    /// Whether everything that was claimed has ended.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.source.is_some() && self.running == 0 && self.handed_over.is_empty()
    }

    /// Whether there may be something to claim, now or later.
    pub(super) fn may_have_more(&self) -> bool {
        !self.closed || self.have_several > 0 || self.splitting > 0 || !self.handed_over.is_empty()
    }

    /// Whether the wake-up condition of the sink's thread holds.
    pub(super) fn is_ready(&self) -> bool {
        let results = match self.sink {
            SinkThread::WaitsFor(results) => results,
            SinkThread::Drains | SinkThread::RunsJobs => 1,
        };
        self.results.ready() >= results || self.is_over()
    }

    /// Whether the sink's thread waits and is to be woken now.
    pub(super) fn take_waiter(&mut self) -> bool {
        let wakes = matches!(self.sink, SinkThread::WaitsFor(_)) && self.is_ready();
        if wakes {
            self.sink = SinkThread::Drains;
        }
        wakes
    }

    /// The item at `index`, which `worker` ran, has failed, and the run reacts in this way. Returns
    /// the tokens of the workers whose items no longer count.
    pub(super) fn narrow(&mut self, worker: usize, index: usize, reaction: Reaction) -> Vec<Later> {
        self.workers[worker].start = index + 1;
        if let Reaction::StopAbove(bound) = reaction {
            self.bound = Some(self.bound.map_or(bound, |lowest| lowest.min(bound)));
            self.workers[worker].has_failed |= index >= bound;
        }
        self.closed |= reaction != Reaction::Continue;
        let Some(bound) = self.bound else {
            return Vec::new();
        };
        self.workers[worker].cancels_workers = true;
        let later = self.workers.iter().filter(|worker| worker.start > bound);
        let later = later.map(|worker| Later {
            token: worker.token.clone(),
            held: Held(!worker.is_on_top),
        });
        later.collect()
    }

    /// Whether this worker, which has just committed its chunk, is to run the callbacks that are
    /// held back: once nothing before the bound is left, and every worker that has cancelled others
    /// has committed or will ask here.
    pub(super) fn take_held_callbacks(&mut self, worker: usize) -> bool {
        let Some(bound) = self.bound else {
            return false;
        };
        self.callbacks_held |= mem::take(&mut self.workers[worker].cancels_workers);
        let mut workers = self.workers.iter();
        let is_earlier = workers.any(|worker| worker.is_running && worker.start <= bound);
        let first = self.handed_over.front();
        let is_left = is_earlier || first.is_some_and(|rest| rest.start <= bound);
        !is_left && mem::take(&mut self.callbacks_held)
    }

    /// Whether the sequential loop would have stopped before `index`, when every item before
    /// `index` has ended.
    pub(super) fn is_beyond_bound(&self, index: usize) -> bool {
        self.bound.is_some_and(|bound| index > bound)
    }

    /// How many items were read or are known to be left, with those that were claimed.
    pub(super) fn items(&self) -> usize {
        let held = self.source.as_ref().map_or(0, Source::held);
        self.next + self.read() + held
    }

    /// Ends the queue of a run that is over: the results, room for the values of everything that
    /// no worker claimed, and the input, as far as it is left.
    pub(super) fn into_parts(self) -> (Vec<Committed<C, E>>, Option<C>, Leftover<S>) {
        let mut results = self.results;
        let leftover = Leftover {
            source: self.source,
            buffer: self.buffer,
        };
        (results.take_ready(), self.collector, leftover)
    }
}

/// What no worker claimed.
pub(super) struct Leftover<S: Source> {
    source: Option<S>,
    buffer: Option<S::Buffer>,
}

impl<S: Source> Leftover<S> {
    /// By itself: if its drop panicked while values are held, a value whose drop panics too would
    /// abort the process.
    pub(super) fn drop_in<E>(mut self, run: &Run<E>) {
        while let Some((item, _)) = self.buffer.as_mut().and_then(|buffer| buffer.take(1)) {
            run.drop_value(item);
        }
        run.drop_value(self.source);
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use super::*;
    use crate::engine::claim::chunk_size::ChunkSizer;
    use crate::engine::claim::source::{NoBuffer, Pulled};
    use crate::engine::collect::PerChunk;

    /// A source of so many numbers, of which the queue pulls none.
    struct Numbers(usize);

    impl Source for Numbers {
        type Item = usize;
        type Chunk = ();
        type Items = std::vec::IntoIter<usize>;
        type Writer = ();
        type Buffer = NoBuffer;
        type Loan = ();
        const IS_SPLIT: bool = true;

        fn chunk_limits(&self) -> (usize, usize) {
            (1, usize::MAX)
        }

        fn max_left(&self) -> Option<usize> {
            Some(self.0)
        }

        fn pull(&mut self, _: usize, _: Option<()>, _: &CancelToken) -> Pulled<()> {
            unreachable!("the tests pull nothing")
        }

        fn has_next(&mut self) -> bool {
            self.0 > 0
        }

        fn iterate((): ()) -> Self::Items {
            Vec::new().into_iter()
        }

        fn buffer(_: usize) -> Option<((), NoBuffer)> {
            None
        }

        fn take_loan(_: &mut Self::Items) -> Option<()> {
            None
        }

        fn put_back(&mut self, (): ()) {}

        fn opt_len(&self) -> Option<usize> {
            Some(self.0)
        }

        fn has_ended(&self) -> bool {
            self.0 == 0
        }

        fn held(&self) -> usize {
            self.0
        }
    }

    type Queue = ClaimQueue<Numbers, PerChunk<usize>, ()>;

    fn queue(max_in_flight: usize, error_limit: Option<usize>, workers: usize) -> Queue {
        let limits = Limits {
            workers,
            max_in_flight,
            resume_at: max_in_flight / 2,
            min_chunk: 1,
            max_chunk: usize::MAX,
            kind: RunKind::Stream,
        };
        let mut queue = ClaimQueue::new(Numbers(1000), PerChunk::new(), limits, error_limit);
        for _ in 0..workers {
            let state = WorkerState::new(CancelToken::new(), ChunkSizer::new(workers));
            queue.workers.push(state);
        }
        queue
    }

    fn claim(queue: &mut Queue, worker: usize, count: usize) -> usize {
        let chunk = queue.claim(worker, Moment::now(), ChunkItems::Fresh(()), count);
        assert_eq!(chunk.count, count);
        chunk.start
    }

    /// Of a chunk that has collected the index of its first item.
    fn result(start: usize) -> ChunkResult<Vec<usize>, ()> {
        ChunkResult {
            collected: vec![start],
            failed: Vec::new(),
            errors: Vec::new(),
            complete: true,
        }
    }

    fn commit(queue: &mut Queue, worker: usize, start: usize, rest: Option<(usize, usize)>) {
        let rest = rest.map(|(start, end)| HandedOver {
            start,
            items: (start..end).collect(),
            collector: PerChunk::new(),
        });
        queue.commit(worker, start, result(start), rest);
    }

    /// Claims a chunk of one item, and runs it.
    fn run_a_chunk(queue: &mut Queue) {
        let start = claim(queue, 0, 1);
        commit(queue, 0, start, None);
    }

    /// The first index and the items of a chunk.
    fn claim_handed_over(queue: &mut Queue, worker: usize) -> Option<(usize, Vec<usize>)> {
        let (first, count) = queue.take_handed_over(worker, CancelToken::new)?;
        let is_left = count < first.items.len();
        assert!(
            queue.may_have_more() || !is_left,
            "a worker waits for the rest"
        );
        let (first, rest) = first.split(count);
        let chunk = queue.claim_handed_over(worker, Moment::now(), first, rest);
        let ChunkItems::HandedOver(items) = chunk.items else {
            panic!("it was handed over")
        };
        assert_eq!(chunk.count, items.len());
        Some((chunk.start, items.collect()))
    }

    fn is_called(queue: &Queue, worker: usize) -> bool {
        queue.workers[worker].token.node().signal().is_call()
    }

    #[test]
    fn a_parked_worker_is_started_again_when_half_of_the_chunks_have_been_drained() {
        let mut queue = queue(4, None, 2);
        for _ in 0..4 {
            assert_eq!(queue.claimable(), usize::MAX);
            run_a_chunk(&mut queue);
        }
        assert_eq!(queue.claimable(), 0);
        queue.park(7);
        queue.results.release(1);
        assert!(queue.unpark().is_empty(), "three are in flight");
        queue.sink = SinkThread::RunsJobs;
        assert_eq!(queue.unpark(), [7], "the sink drains nothing");
        (queue.sink, queue.parked) = (SinkThread::Drains, vec![7]);
        queue.results.release(1);
        let source = queue.source.take();
        assert!(queue.unpark().is_empty(), "another worker claims");
        queue.source = source;
        assert_eq!(queue.unpark(), [7]);
        assert!(queue.unpark().is_empty());
        queue.park(7);
        queue.closed = true;
        assert!(queue.unpark().is_empty());
    }

    #[test]
    fn a_worker_has_its_share_of_the_error_budget() {
        // Nine more are tolerated, and each of the two workers may run one when the tenth comes.
        let mut queue = queue(100, Some(10), 2);
        assert_eq!(queue.claimable(), 5);
        claim(&mut queue, 0, 5);
        assert_eq!(queue.claimable(), 3);
        claim(&mut queue, 0, 3);
        assert_eq!(queue.claimable(), 1);
        claim(&mut queue, 0, 3);
        assert_eq!(queue.claimable(), 0);
        queue.park(0);
        assert!(queue.unpark().is_empty());
        queue.refund(2);
        assert_eq!(queue.unpark(), [0]);
        assert_eq!(queue.claimable(), 1);
    }

    #[test]
    fn the_sink_is_woken_when_enough_results_are_ready_or_all() {
        let mut queue = queue(100, None, 2);
        assert!(!queue.is_ready());
        run_a_chunk(&mut queue);
        assert!(queue.is_ready());
        assert!(!queue.take_waiter(), "no thread waits");
        queue.sink = SinkThread::WaitsFor(2);
        assert!(!queue.is_ready() && !queue.take_waiter());
        let start = claim(&mut queue, 0, 4);
        queue.closed = true;
        assert!(!queue.is_ready(), "a chunk is running");
        queue.sink = SinkThread::WaitsFor(3);
        commit(&mut queue, 0, start, Some((start + 2, start + 4)));
        assert!(!queue.is_ready(), "two items were handed over");
        while let Some((start, _)) = claim_handed_over(&mut queue, 1) {
            commit(&mut queue, 1, start, None);
        }
        assert!(queue.is_ready(), "there are no more");
        assert!(queue.take_waiter() && !queue.take_waiter(), "once");
        queue.source = None;
        assert!(
            !queue.is_over(),
            "the worker that has the source may claim a chunk"
        );
    }

    #[test]
    fn workers_after_a_failure_are_cancelled_and_those_before_go_on() {
        let mut queue = queue(100, None, 3);
        (0..3).for_each(|worker| queue.workers[worker].start = 10 * worker);
        let tokens: Vec<_> = queue
            .workers
            .iter()
            .map(|state| state.token.clone())
            .collect();
        assert!(!queue.is_beyond_bound(usize::MAX));
        let later = queue.narrow(1, 12, Reaction::StopAbove(12));
        assert!(queue.closed);
        assert!(
            later
                .into_iter()
                .map(|worker| worker.token)
                .eq(tokens[1..].iter().cloned())
        );
        assert!(!queue.is_beyond_bound(12) && queue.is_beyond_bound(13));
        assert_eq!(queue.narrow(0, 3, Reaction::StopAbove(3)).len(), 3);
        assert!(
            queue.narrow(1, 14, Reaction::StopAbove(14)).len() == 3,
            "it never moves up"
        );
    }

    #[test]
    fn a_worker_that_has_reached_the_limit_claims_nothing_more() {
        let mut queue = queue(100, None, 3);
        _ = queue.narrow(0, 12, Reaction::StopAbove(12));
        // This one is tolerated: the limit is reached at a later item.
        _ = queue.narrow(1, 3, Reaction::StopAbove(12));
        _ = queue.narrow(2, 5, Reaction::Continue);
        let has_failed: Vec<_> = queue.workers.iter().map(|state| state.has_failed).collect();
        assert_eq!(has_failed, [true, false, false]);
    }

    #[test]
    fn a_worker_at_the_bound_is_not_after_it() {
        let mut queue = queue(100, None, 2);
        queue.workers[1].start = 12;
        let later = queue.narrow(0, 12, Reaction::StopAbove(12));
        assert!(later.len() == 1 && later[0].token == queue.workers[0].token);
    }

    #[test]
    fn a_tolerated_failure_stops_no_worker() {
        let mut queue = queue(100, None, 1);
        assert!(queue.narrow(0, 12, Reaction::Continue).is_empty());
        assert!(!queue.closed && !queue.is_beyond_bound(13));
    }

    #[test]
    fn workers_with_several_items_are_called_once() {
        let mut queue = queue(100, None, 3);
        claim(&mut queue, 0, 1);
        let start = claim(&mut queue, 1, 5);
        queue.call(Some(Duration::from_secs(3600)));
        assert!(!is_called(&queue, 1), "it has just begun");
        queue.call(None);
        assert!(!is_called(&queue, 0) && is_called(&queue, 1));
        assert_eq!(queue.callable, 0);
        commit(&mut queue, 1, start, None);
        assert!(!is_called(&queue, 1));
        assert_eq!((queue.have_several, queue.callable), (0, 0));
        let start = claim(&mut queue, 1, 2);
        assert_eq!(
            (queue.have_several, queue.callable),
            (1, 1),
            "two are several"
        );
        commit(&mut queue, 1, start, None);
        assert_eq!((queue.have_several, queue.callable), (0, 0));
        claim(&mut queue, 1, 5);
        assert!(!is_called(&queue, 1), "a new chunk");
        queue.call(Some(Duration::ZERO));
        assert!(is_called(&queue, 1));
    }

    #[test]
    fn what_is_handed_over_is_claimed_first_and_in_order() {
        let mut queue = queue(100, None, 2);
        let (first, second) = (claim(&mut queue, 0, 10), claim(&mut queue, 1, 20));
        assert_eq!((first, second), (0, 10));
        commit(&mut queue, 1, second, Some((12, 30)));
        commit(&mut queue, 0, first, Some((8, 10)));
        queue.park(0);
        queue.park(1);
        queue.park(2);
        assert_eq!(queue.unpark().len(), 3, "there are items for all of them");
        assert_eq!(claim_handed_over(&mut queue, 0), Some((8, vec![8])));
        assert_eq!(claim_handed_over(&mut queue, 1), Some((9, vec![9])));
        // The share of a worker whose items are quick.
        let sizer = &mut queue.workers[0].sizer;
        sizer.record(100, Duration::from_micros(100), Duration::ZERO, None);
        let share = claim_handed_over(&mut queue, 0);
        assert_eq!(share, Some((12, vec![12, 13, 14, 15])));
        // All of it is still to come in the order of the items.
        for start in [8, 9, 12] {
            queue.complete(start, result(start));
        }
        let ready = queue.results.take_ready().into_iter();
        let starts: Vec<_> = ready.flat_map(|result| result.collected).collect();
        assert_eq!(starts, [0, 8, 9, 10, 12]);
    }

    #[test]
    fn after_a_failure_only_what_comes_before_it_is_claimed() {
        let mut queue = queue(100, None, 2);
        let (first, second) = (claim(&mut queue, 0, 10), claim(&mut queue, 1, 10));
        commit(&mut queue, 0, first, Some((5, 10)));
        assert!(queue.take_worthless(false).is_none());
        _ = queue.narrow(1, 12, Reaction::StopAbove(12));
        commit(&mut queue, 1, second, Some((13, 20)));
        let old = queue.workers[1].token.clone();
        let worthless = queue.take_worthless(false).unwrap();
        assert_eq!((worthless.start, worthless.items.len()), (13, 7));
        assert!(!queue.is_over(), "it is still to be dropped");
        assert!(queue.take_worthless(false).is_none());
        assert_eq!(claim_handed_over(&mut queue, 1), Some((5, vec![5])));
        assert!(old != queue.workers[1].token, "the old one is cancelled");
        assert!(queue.has_handed_over());
        assert!(queue.take_worthless(true).is_some(), "the run is cancelled");
        assert!(!queue.has_handed_over());
    }

    #[test]
    fn what_begins_at_the_bound_is_not_worthless() {
        let mut queue = queue(100, None, 2);
        let (first, second) = (claim(&mut queue, 0, 10), claim(&mut queue, 1, 10));
        commit(&mut queue, 0, first, Some((5, 10)));
        _ = queue.narrow(1, second, Reaction::StopAbove(5));
        assert!(queue.take_worthless(false).is_none());
    }

    #[test]
    fn held_callbacks_run_when_nothing_before_the_bound_is_left() {
        let mut queue = queue(100, None, 3);
        let starts = [0, 1, 2].map(|worker| claim(&mut queue, worker, 10));
        commit(&mut queue, 2, starts[2], None);
        assert!(!queue.take_held_callbacks(2), "nothing has failed");
        _ = queue.narrow(1, 12, Reaction::StopAbove(12));
        commit(&mut queue, 1, starts[1], None);
        assert!(!queue.take_held_callbacks(1), "an earlier chunk is running");
        commit(&mut queue, 0, starts[0], Some((5, 10)));
        assert!(
            !queue.take_held_callbacks(0),
            "earlier items were handed over"
        );
        while let Some((start, _)) = claim_handed_over(&mut queue, 0) {
            assert!(!queue.take_held_callbacks(1));
            commit(&mut queue, 0, start, None);
            assert_eq!(queue.take_held_callbacks(0), !queue.has_handed_over());
        }
        assert!(!queue.take_held_callbacks(0), "once");
    }

    #[test]
    fn a_worker_that_comes_late_is_needed_while_there_may_be_something_to_claim() {
        let mut queue = queue(100, None, 2);
        let start = claim(&mut queue, 0, 2);
        queue.closed = true;
        assert!(queue.may_have_more(), "one may be handed over");
        commit(&mut queue, 0, start, Some((1, 2)));
        assert!(queue.may_have_more());
        assert!(claim_handed_over(&mut queue, 1).is_some());
        assert!(!queue.may_have_more());
    }
}
