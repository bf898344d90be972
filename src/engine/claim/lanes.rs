//! The lanes: who works.
//!
//! The first lane is the caller's, and loops: below it nobody waits but the caller. The others are
//! chains of jobs: one works on one chunk, and queues itself again.
//!
//! That is for the sake of items that wait for nested runs. A worker that waits looks for other
//! jobs, and may start a lane on top of the waiting item. The item must not wait until the whole
//! input is used up, so the worker looks up again after one chunk, as it would after any job of
//! rayon's. And a lane that queues itself always comes before the jobs that were queued earlier,
//! some of which the item may wait for. So it gives way, but only on top of an item, that is, where
//! this thread has [`Begun`] a chunk:
//!
//! - On top of an item of its own run it first runs the next job of its thread.
//! - On top of an item of another run it is parked until the next chunk of its run ends on another
//!   thread: a job that it ran would hold up the end of its own run.
//!
//! A job for each chunk costs two hundred nanoseconds: it is allocated, queued, and counted.

use std::cell::Cell;
use std::ptr;
use std::sync::PoisonError;

use rayon::Scope;

use super::front::Lane;
use super::pace::Pace;
use super::source::Source;
use super::{Claims, Gather};
use crate::lock::lock;
use crate::token::CancelToken;

/// What a lane does that cannot claim at the moment.
#[derive(Clone, Copy)]
pub(super) enum Busy {
    /// It waits to be started again.
    Park,
    /// Its owner does something else.
    Leave,
}

/// Whether there is more for a lane to do.
pub(super) struct GoOn(pub(super) bool);

thread_local! {
    /// The run whose chunk this thread works on; if there are several, the topmost: those below it
    /// wait for nested runs.
    static RUN: Cell<Option<RunId>> = const { Cell::new(None) };
}

/// The address of a run, while it lives.
type RunId = usize;

/// While it lives, this thread works on a chunk.
pub(super) struct Begun {
    below: Option<RunId>,
}

impl Begun {
    pub(super) fn new(run: RunId) -> Self {
        Begun {
            below: RUN.replace(Some(run)),
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        RUN.set(self.below);
    }
}

impl<F, S, G, E> Claims<'_, F, S, G, E>
where
    F: Fn(&CancelToken, S::Item) -> Result<G::Value, E> + Sync,
    S: Source,
    G: Gather,
    E: Send,
{
    /// Runs all lanes, on the current pool, and returns what came of the chunks, in order, and of
    /// the rest that nobody claimed.
    pub(super) fn work_off(self) -> Vec<G::Gathered> {
        if self.lanes < rayon::current_num_threads().min(2) {
            // Of an item alone rayon, too, makes no work for another thread.
            rayon::in_place_scope(|scope| self.lead(scope));
        } else {
            rayon::scope(|scope| self.lead(scope));
        }
        let front = self.front.into_inner();
        let mut front = front.unwrap_or_else(PoisonError::into_inner);
        let pieces = front.pieces.take_ready().into_iter();
        let rest = front.rest.and_then(|rest| rest.gather).map(G::finish);
        pieces.map(|piece| piece.gathered).chain(rest).collect()
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
            token: self.run.token().lane(),
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
        match RUN.get() {
            None => {}
            Some(run) if run == self.id() => _ = rayon::yield_local(),
            Some(_) if lock(&self.front).step_aside(lane) => return,
            Some(_) => {}
        }
        self.queue(scope, [lane]);
    }

    pub(super) fn id(&self) -> RunId {
        ptr::from_ref(self.run).addr()
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
