//! One item fails: how long until the call returns, and how many items begin after the failure.

mod items;
mod settings;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use items::{ITEMS, fallible, items};
use settings::group;

/// Where the failure lies.
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
    for (place, failing) in FAILURES {
        group.bench_function(BenchmarkId::new("sequential", place), |b| {
            b.iter(|| items.iter().try_for_each(|x| each(*x, failing)));
        });
        group.bench_function(BenchmarkId::new("rayon_try_for_each", place), |b| {
            b.iter(|| items.par_iter().try_for_each(|x| each(*x, failing)));
        });
        group.bench_function(BenchmarkId::new("err_group", place), |b| {
            b.iter(|| items.par_iter().err_group(|x| each(*x, failing)));
        });
        let ours = begun_late(failing, |f| _ = items.par_iter().err_group(|x| f(*x)));
        let rayons = begun_late(failing, |f| _ = items.par_iter().try_for_each(|x| f(*x)));
        println!("items begun after the failure ({place}): err_group {ours}, rayon {rayons}");
    }
}

/// The most items, of many runs, that began after the failing item was about to return.
fn begun_late(failing: u64, run: impl Fn(&(dyn Fn(u64) -> Result<(), u64> + Sync))) -> usize {
    let once = || {
        let (failed, late) = (AtomicBool::new(false), AtomicUsize::new(0));
        run(&|item| {
            if failed.load(SeqCst) {
                late.fetch_add(1, SeqCst);
            }
            if item == failing {
                failed.store(true, SeqCst);
            }
            each(item, failing)
        });
        late.into_inner()
    };
    (0..20).map(|_| once()).max().unwrap_or(0)
}

criterion_group!(cancellation, cancel);
criterion_main!(cancellation);
