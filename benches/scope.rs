//! The cost of spawning tasks, compared with rayon's scopes.

mod settings;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion};
use rayon_errgroup::{ErrGroup, Scope, TrySpawnError, scope};

const TASKS: u64 = 1_000_000;

/// The levels of a binary tree with a task per node.
const LEVELS: u32 = 17;

/// The work of the tasks that capture variables.
fn count(counter: &AtomicU64, task: u64) {
    if black_box(task) == u64::MAX {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tasks spawned by the body, on a thread of the pool or outside it.
fn spawns(criterion: &mut Criterion) {
    let mut group = settings::group(criterion, "scope", TASKS);
    let counter = AtomicU64::new(0);
    for (from, is_inside) in [("outside", false), ("inside", true)] {
        let rayon_empty = || rayon::in_place_scope(|s| (0..TASKS).for_each(|_| s.spawn(|_| ())));
        let our_empty = || {
            scope(|s| {
                (0..TASKS).for_each(|_| s.spawn(|_| Ok::<_, ()>(())));
                Ok(())
            })
        };
        let rayon_counting = || {
            rayon::in_place_scope(|s| {
                for task in 0..TASKS {
                    let counter = &counter;
                    s.spawn(move |_| count(counter, task));
                }
            });
        };
        let our_counting = || {
            scope(|s| {
                for task in 0..TASKS {
                    let counter = &counter;
                    s.spawn(move |_| {
                        count(counter, task);
                        Ok::<_, ()>(())
                    });
                }
                Ok(())
            })
        };
        let mut bench = |name, kind, run: &(dyn Fn() + Sync)| {
            group.bench_function(BenchmarkId::new(name, format!("{kind}_{from}")), |b| {
                if is_inside {
                    rayon::scope(|_| b.iter(run));
                } else {
                    b.iter(run);
                }
            });
        };
        bench("rayon_in_place_scope", "empty", &rayon_empty);
        bench("scope", "empty", &|| our_empty().expect("no task fails"));
        bench("rayon_in_place_scope", "closure", &rayon_counting);
        bench("scope", "closure", &|| {
            our_counting().expect("no task fails");
        });
    }
}

/// Tasks that spawn two more each.
fn trees(criterion: &mut Criterion) {
    fn rayon_tree(s: &rayon::Scope<'_>, levels: u32) {
        for _ in 0..if levels > 0 { 2 } else { 0 } {
            s.spawn(move |s| rayon_tree(s, levels - 1));
        }
    }
    fn tree(s: &Scope<'_, ()>, levels: u32) {
        for _ in 0..if levels > 0 { 2 } else { 0 } {
            s.spawn(move |s| {
                tree(s, levels - 1);
                Ok(())
            });
        }
    }
    let mut group = settings::group(criterion, "scope", 2 << LEVELS);
    group.bench_function(BenchmarkId::new("rayon_in_place_scope", "tree"), |b| {
        b.iter(|| rayon::in_place_scope(|s| rayon_tree(s, LEVELS)));
    });
    group.bench_function(BenchmarkId::new("scope", "tree"), |b| {
        b.iter(|| {
            scope(|s| {
                tree(s, LEVELS);
                Ok(())
            })
        });
    });
}

/// With limited concurrency: a body that waits for permits, and one that runs the rejected tasks
/// itself.
fn permits(criterion: &mut Criterion) {
    const TASKS: u64 = 100_000;
    let mut group = settings::group(criterion, "scope_permits", TASKS);
    for concurrency in [1, 2] {
        let errgroup = ErrGroup::new().concurrency(concurrency);
        group.bench_function(BenchmarkId::new("spawn", concurrency), |b| {
            b.iter(|| {
                errgroup.scope(|s| {
                    (0..TASKS).for_each(|_| s.spawn(|_| Ok::<_, ()>(())));
                    Ok(())
                })
            });
        });
        group.bench_function(BenchmarkId::new("try_spawn", concurrency), |b| {
            b.iter(|| {
                errgroup.scope(|s| {
                    for _ in 0..TASKS {
                        match s.try_spawn(|_| Ok::<_, ()>(())) {
                            Err(TrySpawnError::Full(task)) => task(s)?,
                            other => other.map_err(drop)?,
                        }
                    }
                    Ok(())
                })
            });
        });
        let unlimited = ErrGroup::new();
        group.bench_function(BenchmarkId::new("spawn_unlimited", concurrency), |b| {
            b.iter(|| {
                unlimited.scope(|s| {
                    (0..TASKS).for_each(|_| s.spawn(|_| Ok::<_, ()>(())));
                    Ok(())
                })
            });
        });
    }
}

fn main() {
    settings::run(&[spawns, trees, permits]);
}
