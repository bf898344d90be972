//! The cost of `join`, compared with rayon's.

mod settings;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};

/// How many calls of `join` one tree has, about.
const LEAVES: usize = 1024;

/// Not inlined, so that the leaves of both trees are the same code.
#[inline(never)]
fn sum_leaf(numbers: &[u64]) -> u64 {
    black_box(numbers).iter().sum()
}

fn rayon_sum(numbers: &[u64], leaf: usize) -> u64 {
    if numbers.len() <= leaf {
        return sum_leaf(numbers);
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = rayon::join(|| rayon_sum(left, leaf), || rayon_sum(right, leaf));
    left + right
}

fn sum(numbers: &[u64], leaf: usize) -> Result<u64, String> {
    if numbers.len() <= leaf {
        return Ok(sum_leaf(numbers));
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = rayon_errgroup::join(|_| sum(left, leaf), |_| sum(right, leaf))?;
    Ok(left + right)
}

/// Trees of calls, inside of the pool: the leaves of the one do nothing, and those of the other
/// take some time.
fn joins(criterion: &mut Criterion) {
    let mut group = settings::group(criterion, "join", LEAVES as u64);
    for leaf in [1, 1000] {
        let numbers: Vec<u64> = (0..(LEAVES * leaf) as u64).collect();
        let mut bench = |name, run: &(dyn Fn() -> u64 + Sync)| {
            group.bench_function(BenchmarkId::new(name, leaf), |b| {
                rayon::scope(|_| b.iter(run));
            });
        };
        bench("rayon_join", &|| rayon_sum(&numbers, leaf));
        bench("join", &|| sum(&numbers, leaf).expect("no leaf fails"));
    }
}

fn main() {
    settings::run(&[joins]);
}
