//! One item fails: how long the call takes, and how many items start after the failure.

mod items;
mod settings;
mod work;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use criterion::{BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use items::{ITEMS, items};
use settings::group;
use work::fallible;

/// The failing item.
const FAILURES: [(&str, u64); 4] = [
    ("early", ITEMS / 100),
    ("middle", ITEMS / 2),
    ("late", ITEMS / 100 * 99),
    ("never", u64::MAX),
];

fn each(item: u64, failing: u64) -> Result<(), u64> {
    if item == failing {
        return Err(item);
    }
    fallible::<100>(item).map(drop)
}

fn cancel(criterion: &mut Criterion) {
    let items = items();
    let mut group = group(criterion, "cancel", ITEMS);
    for (position, failing) in FAILURES {
        group.bench_function(BenchmarkId::new("sequential", position), |b| {
            b.iter(|| items.iter().try_for_each(|x| each(*x, failing)));
        });
        group.bench_function(BenchmarkId::new("rayon_try_for_each", position), |b| {
            b.iter(|| items.par_iter().try_for_each(|x| each(*x, failing)));
        });
        group.bench_function(BenchmarkId::new("err_group", position), |b| {
            b.iter(|| items.par_iter().err_group(|x| each(*x, failing)));
        });
        println!("{}", late(&items, position, failing));
    }
}

/// The closure that runs on each item.
type Item<'f> = &'f (dyn Fn(u64) -> Result<(), u64> + Sync);

/// A sentence about how many items start after the failure.
fn late(items: &[u64], position: &str, failing: u64) -> String {
    const RUNS: usize = 21;
    let median = |mut counts: Vec<usize>| {
        counts.sort_unstable();
        counts[RUNS / 2]
    };

    // Counted from the moment when the failing item is about to return.
    let after_the_failure = |run: &dyn Fn(Item<'_>)| {
        let (failed, late) = (AtomicBool::new(false), AtomicUsize::new(0));
        run(&|item| {
            late.fetch_add(usize::from(failed.load(SeqCst)), SeqCst);
            failed.fetch_or(item == failing, SeqCst);
            each(item, failing)
        });
        late.into_inner()
    };
    let rayon = |f: Item<'_>| _ = items.par_iter().try_for_each(|x| f(*x));
    let ours = |f: Item<'_>| _ = items.par_iter().err_group(|x| f(*x));
    let rayon = median((0..RUNS).map(|_| after_the_failure(&rayon)).collect());
    let ours = median((0..RUNS).map(|_| after_the_failure(&ours)).collect());

    // Counted from the moment when closures can see the cancellation.
    let after_the_trigger = || {
        let late = AtomicUsize::new(0);
        _ = items.par_iter().try_for_each_group(|token, x| {
            late.fetch_add(usize::from(token.is_cancelled()), SeqCst);
            each(*x, failing)
        });
        late.into_inner()
    };
    let visible = (0..RUNS).map(|_| after_the_trigger()).max().unwrap_or(0);
    format!(
        "items started late ({position}): err_group at most {visible} in {RUNS} runs after the \
         trigger is visible; after the failing item's last line err_group {ours}, rayon {rayon} \
         (medians)"
    )
}

fn main() {
    settings::run(&[cancel]);
}
