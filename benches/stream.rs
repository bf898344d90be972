//! Values for a sink on the calling thread.

mod settings;
mod work;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use pariter::IteratorExt as _;
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, prelude::*};

use settings::group;
use work::{fallible, work};

/// The number of items.
const LEN: u64 = 200_000;

/// A sink whose result depends on the order of the values.
#[derive(Default)]
struct Sink(u64);

impl Sink {
    fn put(&mut self, value: u64) {
        self.0 = self.0.wrapping_mul(31).wrapping_add(black_box(value));
    }
}

fn stream<const NANOSECONDS: u32>(criterion: &mut Criterion) {
    let items: Vec<u64> = (0..LEN).collect();
    let (row, policy) = (format!("{NANOSECONDS}ns"), ErrGroup::new());
    let mut group = group(criterion, "stream", LEN);
    let mut sum = Sink::default();
    for x in &items {
        sum.put(work::<NANOSECONDS>(*x));
    }
    let Sink(expected) = sum;

    let mut race = |name: &str, ordered: bool, run: &dyn Fn(&mut Sink)| {
        bench(&mut group, name, &row, ordered.then_some(expected), run);
    };
    race("sequential", true, &|sink| {
        for x in &items {
            sink.put(work::<NANOSECONDS>(*x));
        }
    });
    race("collect_then_loop", true, &|sink| {
        let values = items
            .par_iter()
            .map(|x| work::<NANOSECONDS>(*x))
            .collect::<Vec<_>>();
        for value in values {
            sink.put(value);
        }
    });
    race("par_bridge_unordered", false, &|sink| {
        let sink = Mutex::new(sink);
        items.iter().par_bridge().for_each(|x| {
            let value = work::<NANOSECONDS>(*x);
            sink.lock().unwrap().put(value);
        });
    });
    race("pariter", true, &|sink| {
        let values = items.clone().into_iter().parallel_map(work::<NANOSECONDS>);
        values.for_each(|value| sink.put(value));
    });
    race("scope_cursor", true, &|sink| {
        reordered(&items, work::<NANOSECONDS>, |value| sink.put(value));
    });
    race("in_order", true, &|sink| {
        let stream = items.par_iter().in_order().with_group(&policy);
        let f = |_: &_, x: &u64| fallible::<NANOSECONDS>(*x);
        stream
            .try_stream(f, |value| {
                sink.put(value);
                Ok(())
            })
            .unwrap();
    });
    race("par_in_order", true, &|sink| {
        let stream = items.iter().par_in_order().with_group(&policy);
        let f = |_: &_, x: &u64| fallible::<NANOSECONDS>(*x);
        stream
            .try_stream(f, |value| {
                sink.put(value);
                Ok(())
            })
            .unwrap();
    });
    let (live, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stream = items.par_iter().in_order().with_group(&policy);
    let f = |_: &_, x: &u64| {
        most.fetch_max(live.fetch_add(1, Relaxed) + 1, Relaxed);
        fallible::<NANOSECONDS>(*x)
    };
    let sink = |_| {
        live.fetch_sub(1, Relaxed);
        Ok(())
    };
    stream.try_stream(f, sink).unwrap();
    eprintln!(
        "stream/in_order/{row}: at most {} of {LEN} values at once",
        most.into_inner()
    );
}

/// What one would write without a library: threads that send chunks, and a caller that keeps the
/// early ones. Nothing bounds their number.
fn reordered(items: &[u64], f: fn(u64) -> u64, mut sink: impl FnMut(u64)) {
    const STEP: usize = 256;
    let (cursor, (sender, receiver)) = (AtomicUsize::new(0), mpsc::sync_channel(16));
    let work = |sender: SyncSender<_>| {
        loop {
            let start = cursor.fetch_add(STEP, Relaxed);
            if start >= items.len() {
                return;
            }
            let chunk = &items[start..items.len().min(start + STEP)];
            let values: Vec<_> = chunk.iter().map(|x| f(*x)).collect();
            sender.send((start, values)).expect("the caller receives");
        }
    };
    thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for (start, values) in receiver {
            early.insert(start, values);
            while let Some(values) = early.remove(&next) {
                next += values.len();
                values.into_iter().for_each(&mut sink);
            }
        }
    });
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    row: &str,
    expected: Option<u64>,
    run: &dyn Fn(&mut Sink),
) {
    let sink = || {
        let mut sink = Sink::default();
        run(&mut sink);
        sink.0
    };
    if let Some(expected) = expected {
        assert_eq!(sink(), expected, "{name}");
    }
    group.bench_function(BenchmarkId::new(name, row), |b| b.iter(sink));
}

fn main() {
    settings::run(&[stream::<10>, stream::<1000>]);
}
