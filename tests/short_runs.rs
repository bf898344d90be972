//! Runs that succeed, one after another on one thread, allocate nothing: a run that has ended
//! leaves its token to the next one.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;

use crossbeam_channel::TryRecvError;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, join, prelude::*};

struct CountingAllocator;

thread_local! {
    /// Of this thread alone, so that other tests do not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // There is none on a thread that ends.
        _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn pool_of_one() -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    pool.build().unwrap()
}

/// How many allocations the thread of a pool makes for a hundred runs, when it has made some.
fn for_a_hundred(run: impl Fn() + Sync) -> usize {
    pool_of_one().install(|| {
        let hundred = || (0..100).for_each(|_| run());
        hundred();
        let before = ALLOCATIONS.get();
        hundred();
        ALLOCATIONS.get() - before
    })
}

#[test]
fn runs_that_succeed_allocate_nothing() {
    let ok = |_: &CancelToken| Ok::<_, Infallible>(1);
    let each = || [1, 2, 3].par_iter().err_group(|_| Ok::<_, Infallible>(()));
    let counts = [
        for_a_hundred(|| assert_eq!(each(), Ok(()))),
        for_a_hundred(|| assert_eq!(join(ok, ok), Ok((1, 1)))),
        for_a_hundred(|| {
            // One in another: each has a token of its own.
            let inner = |_: &CancelToken| join(ok, ok);
            assert_eq!(join(inner, ok), Ok(((1, 1), 1)));
        }),
    ];
    assert_eq!(counts, [0; 3]);
    let group = ErrGroup::new();
    let with_group = for_a_hundred(|| assert_eq!(group.join(ok, ok).unwrap(), (1, 1)));
    assert_eq!(with_group, 0);
}

/// A token that somebody keeps is not given to another run.
#[test]
fn a_token_that_is_kept_stays_that_of_its_run() {
    let pool = pool_of_one();
    let kept = pool.install(|| {
        let keep = |token: &CancelToken| {
            token.cancel();
            Err::<(), _>(token.clone())
        };
        join(keep, |_| Ok(())).unwrap_err()
    });
    assert!(kept.is_cancelled());
    pool.install(|| {
        for _ in 0..100 {
            let is_new = |token: &CancelToken| Ok::<_, Infallible>(!token.is_cancelled());
            assert_eq!(join(is_new, is_new), Ok((true, true)));
        }
    });
}

/// What hangs on a token ends with its run, and is not left to another one.
#[test]
fn what_hangs_on_a_token_ends_with_its_run() {
    pool_of_one().install(|| {
        let keep = |token: &CancelToken| Ok::<_, Infallible>(token.done().clone());
        let (done, ()) = join(keep, |_| Ok(())).unwrap();
        assert_eq!(done.try_recv(), Err(TryRecvError::Disconnected));
    });
}

/// The run was cancelled by its last item, so that nothing was skipped.
#[test]
fn a_token_that_was_cancelled_is_not_left_to_another_run() {
    pool_of_one().install(|| {
        for _ in 0..10 {
            let run = |cancels: bool| {
                [()].par_iter().try_for_each_group(|token, ()| {
                    assert!(!token.is_cancelled());
                    if cancels {
                        token.cancel();
                    }
                    Ok::<_, Infallible>(())
                })
            };
            assert_eq!([run(true), run(false)], [Ok(()), Ok(())]);
        }
    });
}
