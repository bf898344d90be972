//! The demonstration, which runs without arguments: changes generated records sequentially and in
//! parallel.

use std::io::Read;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytesize::ByteSize;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError};

use crate::generate::Generated;
use crate::lines::Lines;
use crate::pipeline::{self, Error};
use crate::stop;
use crate::tell::tell;

/// Enough to compare the times, and not too much without optimization.
const SIZE: ByteSize = ByteSize::mib(if cfg!(debug_assertions) { 8 } else { 64 });
/// Two of them, so that a run could report the wrong one.
const BAD_LINES: [u64; 2] = [20_000, 20_001];

/// A run that has ended.
struct Report {
    outcome: String,
    results: Vec<u8>,
    /// The number of lines of the results.
    count: usize,
    elapsed: Duration,
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let stop = stop::on_signal()?;
    tell(format_args!("Generated records, {SIZE}:"))?;
    compare(&[], &stop)?;
    if !stop.is_cancelled() {
        let [first, second] = BAD_LINES;
        tell(format_args!(
            "The same, but lines {first} and {second} are truncated:"
        ))?;
        compare(&BAD_LINES, &stop)?;
    }
    stop.check()?;
    Ok(ExitCode::SUCCESS)
}

fn compare(bad_lines: &[u64], stop: &CancelToken) -> anyhow::Result<()> {
    let mut records = Vec::new();
    Generated::new(SIZE.as_u64(), bad_lines).read_to_end(&mut records)?;
    let lines = || Lines::new(&*records, SIZE);

    let alone = report(|sink| pipeline::sequential(lines(), stop, sink));
    row("sequential", &alone)?;
    let jobs = thread::available_parallelism()?.get();
    let group = ErrGroup::new().try_concurrency(jobs)?.token(stop);
    let together = report(|sink| pipeline::parallel(lines(), &group, &stop.child(), sink));
    row("parallel", &together)?;
    if !stop.is_cancelled() {
        let is_same = alone.results == together.results && alone.outcome == together.outcome;
        ensure!(is_same, "the two runs differ");
        tell(format_args!(
            "  {:<12} {} lines, the same bytes",
            "results", alone.count
        ))?;
    }
    Ok(())
}

type Sink<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), Error>;

fn report(run: impl FnOnce(Sink<'_>) -> Result<(), GroupError<Error>>) -> Report {
    let mut results = Vec::new();
    let mut count = 0;
    let start = Instant::now();
    let result = run(&mut |result| {
        results.extend(result);
        count += 1;
        Ok(())
    });
    let elapsed = start.elapsed();
    let outcome = match result {
        Ok(()) => "Ok".to_owned(),
        Err(error) => format!("Err: {}", crate::message(error, "the records")),
    };
    Report {
        outcome,
        results,
        count,
        elapsed,
    }
}

fn row(name: &str, report: &Report) -> anyhow::Result<()> {
    let ms = report.elapsed.as_millis();
    tell(format_args!("  {name:<12} {ms} ms, {}", report.outcome))
}
