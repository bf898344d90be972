//! The time from the moment an item is about to fail to the return of the call.

mod contenders;
mod items;
mod peers;
mod settings;
mod work;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use rayon::prelude::*;
use rayon_cancel::CancelAdapter;
use rayon_errgroup::prelude::*;

use contenders::contenders;
use items::{ITEMS, items};
use peers::Contender;
use settings::group;
use work::fallible;

/// The moment when an item failed.
struct Failure {
    start: Instant,
    nanoseconds: AtomicU64,
}

impl Failure {
    fn new() -> Self {
        let (start, nanoseconds) = (Instant::now(), AtomicU64::new(0));
        Self { start, nanoseconds }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos())
            .expect("a benchmark takes less than 584 years")
    }

    /// Fails an item, and remembers when.
    fn fail(&self, item: u64) -> Result<(), u64> {
        self.nanoseconds.store(self.elapsed(), SeqCst);
        Err(item)
    }

    /// The time from the failure of an item of `run` to the return of `run`.
    fn to_return(&self, run: impl FnOnce() -> Result<(), u64>) -> Duration {
        run().expect_err("an item fails");
        Duration::from_nanos(self.elapsed() - self.nanoseconds.load(SeqCst))
    }

    fn bench(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        id: BenchmarkId,
        run: &dyn Fn() -> Result<(), u64>,
    ) {
        group.bench_function(id, |b| {
            b.iter_custom(|times| (0..times).map(|_| self.to_return(run)).sum());
        });
    }
}

/// Items that compute, of which one fails.
fn computing(criterion: &mut Criterion) {
    let items = items();
    let mut group = group(criterion, "failure_to_return", 1);
    row::<100>(&mut group, "100ns_early", &items, ITEMS / 100);
    row::<100>(&mut group, "100ns_middle", &items, ITEMS / 2);
    row::<10_000>(&mut group, "10us_early", &items[..4000], 40);
}

fn row<const NANOSECONDS: u32>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    row: &str,
    items: &[u64],
    failing: u64,
) {
    let failure = &Failure::new();
    let each = |x: &u64| {
        if *x == failing {
            return failure.fail(*x);
        }
        fallible::<NANOSECONDS>(*x).map(drop)
    };
    let err_group = || items.par_iter().err_group(each);
    failure.bench(group, BenchmarkId::new("err_group", row), &err_group);
    for contender in contenders() {
        contender.check(items, each);
        let Contender { name, run, .. } = contender;
        failure.bench(group, BenchmarkId::new(name, row), &|| run(items, each));
    }
}

/// How long an item waits if nothing wakes it.
const WAIT: Duration = Duration::from_millis(50);
/// How often an item checks where it can only poll.
const POLL: Duration = Duration::from_millis(1);

/// An item waits, and the item before it fails.
fn waiting(criterion: &mut Criterion) {
    if rayon::current_num_threads() < 2 {
        return;
    }
    let mut group = group(criterion, "failure_while_waiting", 1);
    let (failure, waits) = (&Failure::new(), &AtomicBool::new(false));
    let each = |x: &u64, wait: &dyn Fn()| {
        if *x == 0 {
            while !waits.swap(false, SeqCst) {
                thread::yield_now();
            }
            return failure.fail(*x);
        }
        waits.store(true, SeqCst);
        wait();
        Ok(())
    };
    let items = &[0, 1];
    let mut bench = |name, run: &dyn Fn() -> Result<(), u64>| {
        failure.bench(&mut group, BenchmarkId::new(name, "sleep"), run);
    };
    bench("try_for_each_group", &|| {
        let items = items.par_iter();
        items.try_for_each_group(|token, x| each(x, &|| _ = token.sleep(WAIT)))
    });
    bench("in_order", &|| {
        let items = items.par_iter().in_order();
        items.try_for_each(|token, x| each(x, &|| _ = token.sleep(WAIT)))
    });
    bench("rayon_cancel", &|| {
        let items = CancelAdapter::new(items);
        let canceller = items.canceller();
        let wait = || {
            let end = Instant::now() + WAIT;
            while !canceller.is_cancelled() && Instant::now() < end {
                thread::sleep(POLL);
            }
        };
        items.try_for_each(|x| each(x, &wait).inspect_err(|_| canceller.cancel()))
    });
    // The others give their closures nothing to check.
    let asleep = |x: &u64| each(x, &|| thread::sleep(WAIT));
    for Contender { name, run, .. } in contenders() {
        if !["in_order", "par_in_order", "rayon_cancel"].contains(&name) {
            bench(name, &|| run(items, asleep));
        }
    }
}

fn main() {
    settings::run(&[computing, waiting]);
}
