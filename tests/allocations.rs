//! How much a run allocates does not depend on the number of its items, or hardly so for runs in
//! order. The memory it holds at once, except for values, never depends on it, and `outcome` holds
//! hardly more than its result.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

/// A run over the given number of items.
type Run<'g> = Box<dyn Fn(u64) + Sync + 'g>;

/// A name, a policy, and which items fail.
type Shape<'g> = (&'g str, &'g ErrGroup, fn(usize) -> bool);

struct CountingAllocator;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// How many bytes are allocated and not yet freed.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The most that was held at once.
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged. The default `realloc` calls
// `alloc` and `dealloc`, so it counts as old and new memory, both held.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The minimum of several runs, because other threads allocate now and then.
fn allocations<R>(run: impl Fn() -> R) -> usize {
    let once = || {
        let before = ALLOCATIONS.load(Relaxed);
        black_box(run());
        ALLOCATIONS.load(Relaxed) - before
    };
    (0..5).map(|_| once()).min().unwrap()
}

/// How many bytes a run without values holds when it reaches its last item, in chunks of one item.
/// Every item fails; the group should tolerate that. On more than one thread the first item waits
/// for the last.
fn held_at_the_end(items: usize, threads: usize, group: &ErrGroup) -> usize {
    let at_the_end = AtomicUsize::new(0);
    let (last, is_last) = sync_channel(1);
    let is_last = Mutex::new(is_last);
    let run = || {
        let before = HELD.load(Relaxed);
        let chunks = (0..items).into_par_iter().with_max_len(1).in_order();
        let result = chunks.with_group(group).try_for_each(|_, n| {
            if n == items - 1 {
                let held = HELD.load(Relaxed).saturating_sub(before);
                at_the_end.store(held, Relaxed);
                last.send(()).unwrap();
            } else if n == 0 && threads > 1 {
                let timeout = Duration::from_secs(60);
                is_last.lock().unwrap().recv_timeout(timeout).unwrap();
            }
            Err(())
        });
        assert!(result.is_err());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(run);
    at_the_end.into_inner()
}

/// One test, so that nothing else runs in the process.
#[test]
fn no_item_allocates_and_none_leaves_memory_behind() {
    no_item_leaves_memory_behind();
    no_chunk_allocates_for_all_its_values_in_advance();
    no_item_allocates();
    an_outcome_needs_little_more_than_its_result();
    an_item_that_is_postponed_again_takes_no_more_memory();
}

/// On a deep stack some sixty items run in a round, and all others are postponed once more.
fn an_item_that_is_postponed_again_takes_no_more_memory() {
    let peak = |items: usize, is_filtered: bool| {
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let each = |_: &CancelToken, n: usize| {
            while rayon::yield_now() == Some(rayon::Yield::Executed) {}
            Ok::<_, ()>(n)
        };
        let source = (0..items).into_par_iter().with_max_len(1);
        let values = if is_filtered {
            source.filter(|_| true).try_map_group(each)
        } else {
            source.try_map_group(each)
        };
        assert_eq!(values.map(|values| values.len()), Ok(items));
        PEAK.load(Relaxed) - before
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.unwrap().install(|| {
        for is_filtered in [false, true] {
            let [few, many] = [1000, 8000].map(|items| peak(items, is_filtered));
            println!("postponed: {few} bytes for a thousand items, {many} for eight");
            assert!(
                many <= 16 * few,
                "{few} bytes and {many}: not eight times as many"
            );
        }
    });
}

/// The values and the errors of an outcome, each with its index, are its result. Nothing is copied
/// as a whole, and no list grows as a whole.
fn an_outcome_needs_little_more_than_its_result() {
    const ITEMS: usize = 100_000;
    const RESULT: usize = ITEMS * size_of::<(usize, usize)>();
    let (keep_going, until_failure) = (ErrGroup::new().keep_going(), ErrGroup::new());
    let shapes: [Shape<'_>; 5] = [
        ("all fail", &keep_going, |_| true),
        ("every other fails", &keep_going, |n| n % 2 == 0),
        ("the second half fails", &keep_going, |n| n >= ITEMS / 2),
        ("none fails", &keep_going, |_| false),
        ("none may fail", &until_failure, |_| false),
    ];
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            for (shape, group, fails) in shapes {
                for is_lazy in [false, true] {
                    let each = |n: usize| if fails(n) { Err(n) } else { Ok(n) };
                    let before = HELD.load(Relaxed);
                    PEAK.store(before, Relaxed);
                    let outcome = if is_lazy {
                        let items = (0..ITEMS).par_in_order().with_group(group);
                        items.outcome(|_, n| each(n))
                    } else {
                        let items = (0..ITEMS).into_par_iter().in_order();
                        items.with_group(group).outcome(|_, n| each(n))
                    };
                    let peak = PEAK.load(Relaxed) - before;
                    let held = HELD.load(Relaxed) - before;
                    let shape = format!("{shape} on {threads} threads, lazy: {is_lazy}");
                    println!("{shape}: {peak} bytes at most, {held} at the end, {RESULT} needed");
                    assert_eq!(outcome.values().len() + outcome.errors().len(), ITEMS);
                    assert!(
                        peak <= RESULT * 3 / 2,
                        "{shape}: {peak} bytes, {RESULT} needed"
                    );
                    assert!(
                        held <= RESULT * 5 / 4,
                        "{shape}: {held} bytes, {RESULT} needed"
                    );
                }
            }
        });
    }
}

/// The first item may fail, so a chunk must not allocate for all its values in advance.
fn no_chunk_allocates_for_all_its_values_in_advance() {
    const SIZE: usize = 64 * 1024;
    let before = HELD.load(Relaxed);
    let items = (0..1000).into_par_iter().with_min_len(1000).in_order();
    let group = ErrGroup::new();
    let result = items.with_group(&group).try_stream(
        |_, _| Err::<[u8; SIZE], _>(HELD.load(Relaxed).saturating_sub(before)),
        |_| Ok(()),
    );
    let Err(GroupError::Failed { error: held, .. }) = result else {
        panic!("the first item fails");
    };
    assert!(held < 16 * SIZE, "{held} bytes");
}

fn no_item_leaves_memory_behind() {
    let group = ErrGroup::new().keep_going();
    for threads in [1, 2] {
        let [few, many] = [1_000, 100_000].map(|items| held_at_the_end(items, threads, &group));
        println!(
            "in order on {threads} threads: {few} bytes for a thousand items, {many} for more"
        );
        assert!(many <= few + 4096, "{threads} threads: {few}, {many}");
    }
}

fn no_item_allocates() {
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let group = ErrGroup::new();
            let ok = |n: u64| {
                if black_box(n) == u64::MAX {
                    Err(n)
                } else {
                    Ok(n)
                }
            };
            let runs: [(&str, Run<'_>); 4] = [
                (
                    "err_group",
                    Box::new(|length| {
                        (0..length)
                            .into_par_iter()
                            .err_group(|n| ok(n).map(drop))
                            .unwrap();
                    }),
                ),
                (
                    "try_for_each_group",
                    Box::new(|length| {
                        let filtered = (0..length).into_par_iter().filter(|n| n % 2 == 0);
                        filtered.try_for_each_group(|_, n| ok(n).map(drop)).unwrap();
                    }),
                ),
                (
                    "try_map_group",
                    Box::new(|length| {
                        let values = (0..length)
                            .into_par_iter()
                            .try_map_group(|_, n| ok(n))
                            .unwrap();
                        assert_eq!(values.len() as u64, length);
                    }),
                ),
                (
                    "with_group",
                    Box::new(|length| {
                        let items = (0..length).into_par_iter().with_group(&group);
                        items.try_map(|_, n| ok(n)).unwrap();
                    }),
                ),
            ];
            let million: Vec<u64> = (0..1_000_000).collect();
            let in_order: [(&str, &dyn Fn()); 3] = [
                ("in_order", &|| {
                    let items = million.par_iter().in_order();
                    items.err_group(|n| ok(*n).map(drop)).unwrap();
                }),
                ("par_in_order", &|| {
                    let items = million.iter().par_in_order();
                    items.err_group(|n| ok(*n).map(drop)).unwrap();
                }),
                ("try_stream", &|| {
                    let stream = million.par_iter().in_order().with_group(&group);
                    stream.try_stream(|_, n| ok(*n), |_| Ok(())).unwrap();
                }),
            ];
            for (name, run) in in_order {
                // A chunk has fewer items while the machine does something else.
                let many = (0..5).map(|_| allocations(run)).min().unwrap();
                println!("{name} on {threads} threads: {many} for a million");
                assert!(many <= million.len() / 100, "{name}: a few for each chunk");
            }
            for (name, run) in runs {
                let (few, many) = (allocations(|| run(1_000)), allocations(|| run(1_000_000)));
                println!("{name} on {threads} threads: {few} for a thousand, {many} for a million");
                assert!(
                    many <= few.max(4),
                    "{name} on {threads} threads: {few}, {many}"
                );
            }
        });
    }
}
