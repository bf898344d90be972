//! `Postponed`: the items of a run that rayon has started on a stack that is too deep.
//!
//! Why and when is said in [`user_code`](super::user_code). They are made jobs, which the caller of
//! the run starts when rayon has ended all leaves. On the caller's own stack there is room, since
//! no item of the run is open there any more.
//!
//! The closure of the items is behind a `dyn` here: this happens rarely, and is compiled once for
//! each kind of item and value.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec;

use super::collect::LeafCollector;
use super::panic_fuse::PanicFuse;
use super::user_code::{RunId, UserCode, is_too_deep};
use crate::panic::Payload;
use crate::run::{Failure, Kind, Run};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::token::CancelToken;

/// How many items of one leaf are postponed at most, and how many one by one, behind a `filter`, in
/// all. A leaf may be endless; what comes after runs on the deep stack, and so makes it deeper by
/// one item for each leaf of this length.
pub(super) const MAX_POSTPONED: usize = 100_000;

/// A closure whose items are postponed.
type Erased<'j, I, T, E> = dyn Fn(&CancelToken, I) -> Result<T, E> + Sync + 'j;

/// Runs items, and returns a job of those that are postponed once more.
struct Job<'j>(Box<dyn FnOnce() -> Option<Job<'j>> + Send + 'j>);

#[derive(Default)]
pub(super) struct Postponed<'j> {
    /// Whether there was ever a job. To take the lock for nothing is a tenth of a run of a hundred
    /// items of 1 ns.
    any: AtomicBool,
    jobs: Mutex<Vec<Job<'j>>>,
}

impl Drop for Postponed<'_> {
    /// If jobs are left, the source has panicked, which has cancelled the run: they drop their
    /// items, one by one.
    fn drop(&mut self) {
        self.run();
    }
}

impl<'j> Postponed<'j> {
    /// Whether one more item may be postponed by itself.
    #[cold]
    pub(super) fn has_room(&self) -> bool {
        lock(&self.jobs).len() < MAX_POSTPONED
    }

    /// Makes a job of some items.
    pub(super) fn push<I, C, E>(
        &self,
        run: &'j Run<E>,
        f: &'j Erased<'j, I, C::Value, E>,
        items: Vec<I>,
        collector: C,
    ) where
        I: Send + 'j,
        C: LeafCollector + 'j,
        E: Send,
    {
        let job = Job::new(run, f, items.into_iter(), collector);
        lock(&self.jobs).push(job);
        // Relaxed: `run` is called when rayon has joined the leaf that calls this.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Runs the jobs, until nothing is postponed. No leaf runs any more.
    #[inline]
    pub(super) fn run(&self) {
        // Relaxed: see `push`.
        if self.any.load(Ordering::Relaxed) {
            self.run_jobs();
        }
    }

    #[cold]
    fn run_jobs(&self) {
        loop {
            let jobs = mem::take(&mut *lock(&self.jobs));
            if jobs.is_empty() {
                return;
            }
            self.run_all(jobs);
        }
    }

    /// Runs at least one item, since the first job starts on the stack of the caller.
    #[cold]
    fn run_all(&self, mut jobs: Vec<Job<'j>>) {
        if jobs.len() > 1 {
            let others = jobs.split_off(jobs.len() / 2);
            rayon::join(|| self.run_all(jobs), || self.run_all(others));
        } else if let Some(rest) = jobs.pop().and_then(|job| (job.0)()) {
            lock(&self.jobs).push(rest);
        }
    }
}

/// Reads the items of a leaf that are to be postponed. Returns the iterator, if it may have more of
/// them. `Err`: it has panicked, and was dropped.
#[cold]
#[inline(never)]
pub(super) fn read_ahead<S: Iterator, E>(
    fuse: &PanicFuse<'_, E>,
    read: &mut Vec<S::Item>,
    mut items: S,
) -> Result<Option<S>, Payload> {
    // What was read stays outside, and so does the iterator: both are dropped when the panic has
    // ended, so that a second one, from the drop of an item, does not abort the process.
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        while read.len() < MAX_POSTPONED && !fuse.is_over() {
            match items.next() {
                Some(item) => read.push(item),
                None => break,
            }
        }
    }));
    match unwound {
        Ok(()) => Ok((read.len() == MAX_POSTPONED).then_some(items)),
        Err(payload) => {
            fuse.run().drop_value(items);
            Err(payload)
        }
    }
}

impl<'j> Job<'j> {
    fn new<I, C, E>(
        run: &'j Run<E>,
        f: &'j Erased<'j, I, C::Value, E>,
        items: vec::IntoIter<I>,
        collector: C,
    ) -> Self
    where
        I: Send + 'j,
        C: LeafCollector + 'j,
        E: Send,
    {
        Job(Box::new(move || run_items(run, f, items, collector)))
    }
}

/// Runs items, or postpones them once more.
fn run_items<'j, I, C, E>(
    run: &'j Run<E>,
    f: &'j Erased<'j, I, C::Value, E>,
    mut items: vec::IntoIter<I>,
    mut collector: C,
) -> Option<Job<'j>>
where
    I: Send + 'j,
    C: LeafCollector + 'j,
    E: Send,
{
    let run_id = RunId::of(run);
    while items.len() > 0 && !run.token().is_cancelled() {
        if is_too_deep(run_id) {
            return Some(Job::new(run, f, items, collector));
        }
        let Some(item) = items.next() else { break };
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _user_code = UserCode::enter(run_id);
            f(run.token(), item)
        }));
        match result {
            Ok(Ok(value)) => collector.consume(value),
            Ok(Err(error)) => _ = run.fail(Failure::new(None, Kind::Error(error))),
            Err(payload) => _ = run.fail(Failure::new(None, Kind::Panic(payload))),
        }
    }
    if items.len() > 0 {
        run.mark_incomplete();
    }
    run.drop_each(items);
    drop(collector.complete());
    None
}
