//! A token that outlives 200,000 runs keeps nothing of them: no memory and no thread, and it is
//! still not cancelled.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};

struct CountingAllocator;

/// How many allocations are not yet freed, and how many bytes.
static BLOCKS: AtomicIsize = AtomicIsize::new(0);
static BYTES: AtomicIsize = AtomicIsize::new(0);

fn count(blocks: isize, layout: Layout) {
    let bytes = isize::try_from(layout.size()).unwrap_or(isize::MAX);
    BLOCKS.fetch_add(blocks, Relaxed);
    BYTES.fetch_add(blocks * bytes, Relaxed);
}

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-1, layout);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// How many threads the process has, or 0 if the platform does not tell.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

const HOUR: Duration = Duration::from_secs(3600);

/// The name of a kind of run, and a function that runs it; the run's number selects how it ends.
type Kind<'k> = (&'static str, Box<dyn Fn(usize) + Sync + 'k>);

/// What an item does in the run with this number: most succeed, and some use the token.
fn item(token: &CancelToken, run: usize, n: usize) -> Result<usize, Box<usize>> {
    let _callback = token.on_cancel(|| ());
    match run % 16 {
        3 if n == 2 => return Err(Box::new(n)),
        5 if n == 2 => _ = token.cancel(),
        7 if n == 2 => _ = token.cancel_with("a reason"),
        9 => black_box(token.child().child()).cancel_after(HOUR),
        11 => assert!(token.done().try_recv().is_err()),
        #[cfg(panic = "unwind")]
        13 if n == 2 => resume_unwind(Box::new("a panic")),
        15 if n == 2 => token.cancel_at(Instant::now()),
        _ => {}
    }
    Ok(n)
}

fn kinds(parent: &CancelToken) -> Vec<Kind<'_>> {
    let group = ErrGroup::new().token(parent).catch_panics();
    let with = |change: fn(ErrGroup) -> ErrGroup| change(group.clone());
    let timed = with(|group| group.timeout(HOUR));
    let (doomed, going) = (
        with(|group| group.timeout(Duration::ZERO)),
        with(ErrGroup::keep_going),
    );
    let narrow = with(|group| group.concurrency(1));
    let each = |run, n: usize| move |token: &CancelToken| item(token, run, n);
    let items = || (0..4).into_par_iter();
    vec![
        // The token of this run has no parent; the item uses the long-lived one.
        ("err_group", {
            let parent = parent.clone();
            Box::new(move |run| {
                _ = items().err_group(|n| match run % 16 {
                    3 | 13 if n == 2 => Err(Box::new(n)),
                    _ => item(&parent.child(), 0, n).map(drop),
                });
            })
        }),
        ("with_group", {
            let timed = timed.clone();
            Box::new(move |run| {
                _ = items()
                    .with_group(&timed)
                    .try_map(|token, n| each(run, n)(token));
            })
        }),
        ("a deadline that has passed", {
            Box::new(move |run| {
                let items = items().with_group(&doomed);
                _ = items.try_for_each(|token, n| each(run, n)(token).map(drop));
            })
        }),
        ("in_order", {
            let timed = timed.clone();
            Box::new(move |run| {
                let items = items().in_order().with_group(&timed);
                _ = items.try_map(|token, n| each(run, n)(token));
            })
        }),
        ("par_in_order", {
            let group = group.clone();
            Box::new(move |run| {
                let items = (0..4).par_in_order().with_group(&group);
                _ = items.try_stream(|token, n| each(run, n)(token), |_| Ok(()));
            })
        }),
        ("outcome", {
            Box::new(move |run| {
                let items = items().in_order().with_group(&going);
                drop(items.outcome(|token, n| each(run, n)(token)));
            })
        }),
        ("scope", {
            Box::new(move |run| {
                _ = timed.scope(|s| {
                    (0..4).for_each(|n| s.spawn(move |s| each(run, n)(s.token()).map(drop)));
                    Ok(())
                });
            })
        }),
        ("own threads", {
            Box::new(move |run| {
                _ = narrow.scope(|s| {
                    (0..4).for_each(|n| s.spawn(move |s| each(run, n)(s.token()).map(drop)));
                    Ok(())
                });
            })
        }),
        ("a kept token", {
            let kept = Mutex::new(None);
            Box::new(move |run| {
                _ = items().with_group(&group).try_for_each(|token, n| {
                    *kept.lock().unwrap() = Some((token.clone(), token.child()));
                    each(run, n)(token).map(drop)
                });
                // The token of a run lives until that of the next run replaces it.
                let kept = kept.lock().unwrap();
                let (own, child) = kept.as_ref().unwrap();
                assert_ne!(own.done().try_recv(), Err(TryRecvError::Empty));
                assert_ne!(child.done().try_recv(), Err(TryRecvError::Empty));
            })
        }),
    ]
}

/// One test, so that nothing else runs in the process.
#[test]
fn two_hundred_thousand_runs_leave_nothing_behind() {
    const RUNS: usize = 200_000;
    /// How much rayon's queues and the waiter lists of channels may keep for reuse.
    const SLACK: isize = 400;

    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let pool = pool.unwrap();
    let parent = CancelToken::new();
    let done = parent.done().clone();
    let kinds = kinds(&parent);
    let round = |runs: std::ops::Range<usize>| {
        for run in runs {
            let (_, kind) = &kinds[run / 16 % kinds.len()];
            kind(run);
        }
    };
    // Half of the runs are called outside of the pool, and half on one of its threads.
    let both = |runs: usize| {
        round(0..runs / 2);
        pool.install(|| round(runs / 2..runs));
    };
    let look = || (BLOCKS.load(Relaxed), BYTES.load(Relaxed), threads());

    both(RUNS / 20);
    let before = look();
    let began = Instant::now();
    both(RUNS);
    let after = look();
    let names: Vec<_> = kinds.iter().map(|(name, _)| name).collect();
    println!("{RUNS} runs of {names:?} in {:?}", began.elapsed());
    println!("blocks, bytes, threads: {before:?} before, {after:?} after");
    assert!((after.0 - before.0).abs() < SLACK, "leaked allocations");
    assert!((after.1 - before.1).abs() < SLACK * 256, "leaked memory");
    // The first runs have already started the timer thread.
    assert_eq!(after.2, before.2, "leaked threads");

    // No run has affected its parent token.
    assert!(!parent.is_cancelled() && parent.cause().is_none() && parent.deadline().is_none());
    assert_eq!(done.try_recv(), Err(TryRecvError::Empty));
    let child = parent.child();
    let unwound = catch_unwind(AssertUnwindSafe(|| parent.cancel()));
    assert!(unwound.unwrap(), "not cancelled before");
    assert!(child.is_cancelled());
    done.recv().unwrap_err();
}
