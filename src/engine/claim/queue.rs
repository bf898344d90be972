//! `ClaimQueue`: what the workers share, behind one lock.

use super::Limits;
use super::chunk_size::ChunkSizer;
use super::reorder::ReorderBuffer;
use crate::run::Reaction;
use crate::token::CancelToken;

/// The rest of the input, from which workers claim chunks, and the results of the claimed ones.
///
/// Invariants, while the lock is held:
///
/// 1. A claim runs user code (an iterator's `next`, the `clone` of `map_with`), so the worker that
///    claims takes `rest` out, and puts it back whatever that code does.
/// 2. Items and chunks are claimed in ascending order, so those of a worker ascend. Once an item
///    has failed, everything that is not claimed comes after it: then the queue is closed.
/// 3. All that a worker runs is at or after `workers[worker].start`. The start is written with the
///    claim, and after a failure inside the chunk. So a worker that fails finds here which workers,
///    itself among them, are after the bound; and if two workers fail at the same time, the second
///    finds the bound of the first.
/// 4. A worker is parked only while `rest` is out, too many chunks are in flight, or the error
///    budget is used up. A thread that changes one of these starts one of the parked workers, and
///    that one starts the next when it has claimed its chunk.
pub(super) struct ClaimQueue<R, T> {
    /// The rest of the input, and of the collector for its values.
    pub(super) rest: Option<R>,
    /// The index of the first item of the rest.
    pub(super) next: usize,
    /// Nothing more is claimed.
    pub(super) closed: bool,
    /// Nothing after this index counts, because items have failed.
    bound: Option<usize>,
    pub(super) workers: Vec<Worker>,
    /// The workers that wait to be started again.
    parked: Vec<usize>,
    pub(super) results: ReorderBuffer<T>,
    limits: Limits,
    /// The sink's thread waits until so many results are ready.
    pub(super) wake_at: Option<usize>,
    budget: Option<Budget>,
}

/// The error budget of a run that tolerates some failures, then stops, and keeps all: how many
/// items may be claimed.
///
/// Even if all items in flight fail, the failures are no more than the error limit and one for each
/// worker. So where few errors are left, each worker has one item; and while the budget is used up
/// by items that may still succeed, a worker parks until they have ended.
struct Budget {
    left: usize,
    workers: usize,
}

pub(super) struct Worker {
    /// See invariant 3.
    pub(super) start: usize,
    pub(super) token: CancelToken,
    pub(super) sizer: ChunkSizer,
}

impl<R, T> ClaimQueue<R, T> {
    pub(super) fn new(rest: R, limits: Limits, error_limit: Option<usize>, workers: usize) -> Self {
        let budget = error_limit.map(|limit| Budget {
            left: (limit - 1).saturating_add(workers),
            workers,
        });
        ClaimQueue {
            rest: Some(rest),
            next: 0,
            closed: false,
            bound: None,
            workers: Vec::new(),
            parked: Vec::new(),
            results: ReorderBuffer::new(limits.only_counts),
            limits,
            wake_at: None,
            budget,
        }
    }

    /// How many items a worker may claim.
    pub(super) fn claimable(&self) -> usize {
        match &self.budget {
            _ if self.results.in_flight() >= self.limits.max_in_flight => 0,
            None => usize::MAX,
            Some(budget) => (budget.left / budget.workers).max(1).min(budget.left),
        }
    }

    /// Takes the items of a claim from the error budget.
    pub(super) fn reserve(&mut self, items: usize) {
        if let Some(budget) = &mut self.budget {
            budget.left = budget.left.saturating_sub(items);
        }
    }

    /// Gives back the items of a claim that have not failed.
    pub(super) fn refund(&mut self, items: usize) {
        if let Some(budget) = &mut self.budget {
            budget.left += items;
        }
    }

    pub(super) fn park(&mut self, worker: usize) {
        self.parked.push(worker);
    }

    /// A worker to be started again (invariant 4).
    pub(super) fn unpark(&mut self) -> Option<usize> {
        if self.closed {
            self.parked.clear();
            return None;
        }
        let is_far = self.results.in_flight() > self.limits.resume_at;
        if self.rest.is_none() || is_far || self.claimable() == 0 {
            return None;
        }
        self.parked.pop()
    }

    /// Whether everything that was claimed has ended.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.rest.is_some() && !self.results.are_running()
    }

    /// Whether the wake-up condition of the sink's thread holds.
    pub(super) fn is_ready(&self) -> bool {
        self.results.ready() >= self.wake_at.unwrap_or(1) || self.is_over()
    }

    /// Whether the sink's thread waits and is to be woken now.
    pub(super) fn take_waiter(&mut self) -> bool {
        let is_ready = self.is_ready();
        self.wake_at.take_if(|_| is_ready).is_some()
    }

    /// The item at `index`, which `worker` ran, has failed, and the run reacts in this way. Returns
    /// the tokens of the workers whose items no longer count.
    pub(super) fn narrow(
        &mut self,
        worker: usize,
        index: usize,
        reaction: Reaction,
    ) -> Vec<CancelToken> {
        self.workers[worker].start = index + 1;
        if let Reaction::StopAbove(bound) = reaction {
            self.bound = Some(self.bound.map_or(bound, |lowest| lowest.min(bound)));
        }
        self.closed |= reaction != Reaction::Continue;
        let Some(bound) = self.bound else {
            return Vec::new();
        };
        let later = self.workers.iter().filter(|worker| worker.start > bound);
        later.map(|worker| worker.token.clone()).collect()
    }

    /// Whether the sequential loop would have stopped before `index`, when every item before
    /// `index` has ended.
    pub(super) fn is_beyond_bound(&self, index: usize) -> bool {
        self.bound.is_some_and(|bound| index > bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(
        max_in_flight: usize,
        error_limit: Option<usize>,
        workers: usize,
    ) -> ClaimQueue<(), char> {
        let limits = Limits {
            max_in_flight,
            resume_at: max_in_flight / 2,
            max_chunk: usize::MAX,
            only_counts: false,
            streams: true,
        };
        ClaimQueue::new((), limits, error_limit, workers)
    }

    /// Claims a chunk, and runs it.
    fn run_a_chunk(queue: &mut ClaimQueue<(), char>) {
        let number = queue.results.begin();
        queue.results.complete(number, 'x');
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
        assert_eq!(queue.unpark(), None, "three are in flight");
        queue.results.release(1);
        queue.rest = None;
        assert_eq!(queue.unpark(), None, "another worker claims");
        queue.rest = Some(());
        assert_eq!(queue.unpark(), Some(7));
        assert_eq!(queue.unpark(), None);
        queue.park(7);
        queue.closed = true;
        assert_eq!(queue.unpark(), None);
        queue.closed = false;
        assert_eq!(queue.unpark(), None, "it has ended");
    }

    #[test]
    fn a_worker_has_its_share_of_the_error_budget() {
        // Nine more are tolerated, and each of the two workers may run one when the tenth comes.
        let mut queue = queue(100, Some(10), 2);
        assert_eq!(queue.claimable(), 5);
        queue.reserve(5);
        assert_eq!(queue.claimable(), 3);
        queue.reserve(3);
        assert_eq!(queue.claimable(), 1);
        queue.reserve(3);
        assert_eq!(queue.claimable(), 0);
        queue.park(0);
        assert_eq!(queue.unpark(), None);
        queue.refund(2);
        assert_eq!(queue.unpark(), Some(0));
        assert_eq!(queue.claimable(), 1);
    }

    #[test]
    fn the_sink_is_woken_when_enough_results_are_ready_or_all() {
        let mut queue = queue(100, None, 2);
        assert!(!queue.is_ready());
        run_a_chunk(&mut queue);
        assert!(queue.is_ready());
        assert!(!queue.take_waiter(), "no thread waits");
        queue.wake_at = Some(2);
        assert!(!queue.is_ready() && !queue.take_waiter());
        let number = queue.results.begin();
        queue.closed = true;
        assert!(!queue.is_ready(), "a chunk is running");
        queue.wake_at = Some(3);
        queue.results.complete(number, 'y');
        assert!(queue.is_ready(), "there are no more");
        assert!(queue.take_waiter() && !queue.take_waiter(), "once");
        queue.rest = None;
        assert!(
            !queue.is_over(),
            "the worker that has the rest may claim a chunk"
        );
    }

    #[test]
    fn workers_after_a_failure_are_cancelled_and_those_before_go_on() {
        let mut queue = queue(100, None, 3);
        for start in [0, 10, 20] {
            let (token, sizer) = (CancelToken::new(), ChunkSizer::new(3));
            queue.workers.push(Worker {
                start,
                token,
                sizer,
            });
        }
        assert!(!queue.is_beyond_bound(usize::MAX));
        let later = queue.narrow(1, 12, Reaction::StopAbove(12));
        assert!(queue.closed);
        assert!(
            later
                == [
                    queue.workers[1].token.clone(),
                    queue.workers[2].token.clone()
                ]
        );
        assert!(!queue.is_beyond_bound(12) && queue.is_beyond_bound(13));
        assert_eq!(queue.narrow(0, 3, Reaction::StopAbove(3)).len(), 3);
        assert!(
            queue.narrow(1, 14, Reaction::StopAbove(14)).len() == 3,
            "it never moves up"
        );
    }

    #[test]
    fn a_worker_at_the_bound_is_not_after_it() {
        let mut queue = queue(100, None, 2);
        for start in [0, 12] {
            let (token, sizer) = (CancelToken::new(), ChunkSizer::new(2));
            queue.workers.push(Worker {
                start,
                token,
                sizer,
            });
        }
        assert!(queue.narrow(0, 12, Reaction::StopAbove(12)) == [queue.workers[0].token.clone()]);
    }

    #[test]
    fn a_tolerated_failure_stops_no_worker() {
        let mut queue = queue(100, None, 1);
        let (token, sizer) = (CancelToken::new(), ChunkSizer::new(1));
        queue.workers.push(Worker {
            start: 0,
            token,
            sizer,
        });
        assert!(queue.narrow(0, 12, Reaction::Continue).is_empty());
        assert!(!queue.closed && !queue.is_beyond_bound(13));
    }
}
