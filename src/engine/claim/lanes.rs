//! The lanes: who works.
//!
//! The first lane is the caller's, and loops: the caller waits for all lanes anyway. The others are
//! chains of jobs: one works on one chunk, and queues itself again.
//!
//! That is for the sake of items that wait for nested runs. A worker that waits looks for other
//! jobs, and may start a lane on top of the waiting item. The item must not wait until the whole
//! input is used up, so the worker looks up again after one chunk, as it would after any job of
//! rayon's. And since rayon takes first what was queued last, a lane that only queued itself would
//! keep its thread from every other job, and one of those may be what the item waits for, wherever
//! in the pool it is queued. So a lane that is on top of something first does another job, if
//! there is one. That job may delay the end of the lane's own run, as any job may that rayon starts
//! on a thread that waits. The first lane of a run that was called from outside of the pool is such a
//! job, too, and ends with its run.
//!
//! The price is a job for each chunk: it is allocated, queued, and counted.

use std::sync::PoisonError;

use super::front::Lane;
use super::pace::Pace;
use super::source::Source;
use super::{Claims, Gather};
use crate::engine::busy;
use crate::run::GoOn;
use crate::sync::lock;
use crate::sync::pool::{self, Scope};
use crate::token::CancelToken;

/// What a lane does that cannot claim at the moment.
#[derive(Clone, Copy)]
pub(super) enum Busy {
    /// It waits to be started again.
    Park,
    /// Its owner does something else.
    Leave,
}

impl<F, S, G, E> Claims<'_, F, S, G, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<G::Value, E> + Sync,
    S: Source,
    G: Gather,
    E: Send,
{
    /// Runs all lanes, on the current pool, and returns what came of the chunks, in order, and of
    /// the rest that nobody claimed; and the source, as far as it was read.
    pub(super) fn work_off(self) -> (Vec<G::Gathered>, Option<S>) {
        if self.lanes < pool::current_num_threads().min(2) {
            // Of an item alone rayon, too, makes no work for another thread.
            pool::in_place_scope(|scope| self.lead(scope));
        } else {
            pool::scope(|scope| self.lead(scope));
        }
        let front = self.front.into_inner();
        let mut front = front.unwrap_or_else(PoisonError::into_inner);
        assert!(front.is_over(), "a lane was lost");
        let pieces = front.pieces.take_ready().into_iter();
        let (source, gather) = front.rest.map(|rest| (rest.source, rest.gather)).unzip();
        let rest = gather.flatten().map(G::finish);
        (
            pieces.map(|piece| piece.gathered).chain(rest).collect(),
            source,
        )
    }

    /// The first lane.
    fn lead<'s>(&'s self, scope: &Scope<'s>) {
        self.start_others(scope, 0);
        if let Some(lane) = self.new_lane() {
            while let Some(GoOn(true)) = self.work(scope, lane, Busy::Park) {}
        }
    }

    /// Starts a lane on another thread. All lanes form a tree: each starts those below it.
    pub(super) fn start<'s>(&'s self, scope: &Scope<'s>, place: usize) {
        if place < self.lanes {
            scope.spawn(move |scope| {
                self.start_others(scope, place);
                if let Some(lane) = self.new_lane() {
                    self.advance(scope, lane);
                }
            });
        }
    }

    pub(super) fn start_others<'s>(&'s self, scope: &Scope<'s>, place: usize) {
        self.start(scope, 2 * place + 1);
        self.start(scope, 2 * place + 2);
    }

    /// A lane with a token of its own, if there is something to do.
    pub(super) fn new_lane(&self) -> Option<usize> {
        if lock(&self.front).closed {
            return None;
        }
        let lane = Lane {
            start: 0,
            token: self.run.token().worker(),
            pace: Pace::new(self.lanes),
        };
        let lanes = &mut lock(&self.front).lanes;
        lanes.push(lane);
        Some(lanes.len() - 1)
    }

    /// One job of a lane: a chunk, and the next job.
    fn advance<'s>(&'s self, scope: &Scope<'s>, lane: usize) {
        let Some(GoOn(true)) = self.work(scope, lane, Busy::Park) else {
            return;
        };
        if busy::is_in_the_middle() {
            pool::yield_now();
        }
        self.queue(scope, [lane]);
    }

    pub(super) fn queue<'s>(&'s self, scope: &Scope<'s>, lanes: impl IntoIterator<Item = usize>) {
        for lane in lanes {
            scope.spawn(move |scope| self.advance(scope, lane));
        }
    }

    /// Claims a chunk and works on it, if there is one to be had at the moment.
    pub(super) fn work<'s>(&'s self, scope: &Scope<'s>, lane: usize, busy: Busy) -> Option<GoOn> {
        let chunk = self
            .take_rest(lane, busy)
            .and_then(|rest| self.take_chunk(scope, lane, rest));
        chunk.map(|chunk| self.run_chunk(scope, chunk))
    }
}
