//! The settings of criterion.

use std::env;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};

/// Measures each of these, as often as the variable `ROUNDS` says.
///
/// All rounds of one benchmark come before the next benchmark. So the contenders of a row take
/// turns, some seconds apart, in one process: what disturbs the machine for longer disturbs all of
/// them. Each round is a baseline of criterion, for `benches/page`.
pub(crate) fn run(benchmarks: &[fn(&mut Criterion)]) {
    let rounds = env::var("ROUNDS").ok().map(|rounds| {
        let rounds = rounds.parse::<usize>().ok().filter(|rounds| *rounds > 0);
        rounds.expect("ROUNDS is the number of rounds")
    });
    let criterion = || Criterion::default().configure_from_args();
    for benchmark in benchmarks {
        match rounds {
            None => benchmark(&mut criterion()),
            Some(rounds) => {
                for round in 1..=rounds {
                    benchmark(&mut criterion().save_baseline(format!("round{round}")));
                }
            }
        }
    }
    criterion().final_summary();
}

pub(crate) fn group<'c>(
    criterion: &'c mut Criterion,
    operation: &str,
    elements: u64,
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(operation);
    group
        .throughput(Throughput::Elements(elements))
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    group
}
