//! Checks a tree of files against their SHA-256 sums, on one machine or on many.
//!
//! ```sh
//! find data -type f -print0 | sort -z | xargs -0 sha256sum > sums
//! shard_batch sums --reports reports         # alone
//! parallel SHARD='{#}/{##}' shard_batch sums --reports reports '#' ::: 1 2 3 4
//! mpirun -n 4 shard_batch sums --reports reports
//! sbatch launch/array.sh sums reports        # a Slurm array
//! launch/parallel.sh sums reports 4 HOST...  # GNU parallel on other hosts
//! kubectl apply -f launch/job.yaml           # an indexed job of Kubernetes
//! shard_batch sums --reports reports --merge # the verdict
//! ```
//!
//! The list of sums is the batch, and its lines are the items: so all processes mean the same item
//! by an index, whatever happens to the tree meanwhile. Each batch has a folder of its own for its
//! reports, and those of another list are refused. Each process writes a report, also if it is
//! told to stop by SIGTERM. Exit status:
//!
//! | status | meaning |
//! | --- | --- |
//! | 0 | all items of this process are good; with `--merge`, all of the batch |
//! | 1 | one has failed |
//! | 64 | the command line, the environment or the list makes no sense |
//! | 74 | the reports cannot be read or written |
//! | 75 | with `--merge`: undecided, items have to run again |
//! | 101 | an item has panicked |
//! | 128 + n | stopped by signal n, and no item is known to have failed: 143 for SIGTERM |

mod check;
mod options;
mod signals;
mod sums;

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rayon_errgroup::{Panicked, prelude::*};
use rayon_errgroup_cluster::{Account, Report, Shard, Verdict, merge};

use crate::options::Options;
use crate::signals::Signals;
use crate::sums::Entry;

const FAILED: u8 = 1;
const USAGE: u8 = 64;
const IO: u8 = 74;
const UNDECIDED: u8 = 75;
const PANICKED: u8 = 101;

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(status) => return ExitCode::from(status),
    };
    // First of all, so that a signal never ends the process without a report. A merge writes none,
    // and signals end it.
    let signals = match Signals::install(!options.merge) {
        Ok(signals) => signals,
        Err(error) => return fail(IO, &error),
    };
    let entries = match sums::read(&options.sums) {
        Ok(entries) => entries,
        Err(error) => return fail(USAGE, &error),
    };
    let result = if options.merge {
        judge(&options, &entries).map_err(|error| (IO, error))
    } else {
        ranges(&options, entries.len())
            .map_err(|error| (USAGE, error))
            .and_then(|ranges| {
                run(&options, &signals, &entries, ranges).map_err(|error| (IO, error))
            })
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err((status, error)) => fail(status, &error),
    }
}

/// What this process is to do: what it was told, or its shard, or all.
fn ranges(options: &Options, items: usize) -> anyhow::Result<Vec<Range<usize>>> {
    let shard = Shard::from_env()?;
    if options.ranges.is_empty() {
        let range = shard.map_or(0..items, |shard| shard.range(items));
        return Ok(vec![range]);
    }
    // Ranges that were named are for one process.
    anyhow::ensure!(shard.is_none(), "--range is for a process without a shard");
    for range in &options.ranges {
        anyhow::ensure!(
            range.start <= range.end && range.end <= items,
            "--range {}..{} is not within the {items} items",
            range.start,
            range.end
        );
    }
    Ok(options.ranges.clone())
}

/// Runs the items of these ranges, and writes a report of each. Returns the exit status.
fn run(
    options: &Options,
    signals: &Signals,
    entries: &[Entry],
    ranges: Vec<Range<usize>>,
) -> anyhow::Result<u8> {
    let group = options.group()?.token(&signals.stop).catch_panics();
    let batch_id = sums::batch_id(entries);
    let mut status = 0;
    for range in ranges {
        let progress = progress_bar(&range)?;
        let mine = entries[range.clone()].par_iter().in_order();
        let outcome = mine.with_group(&group).outcome(|token, entry| {
            token.sleep(options.pause)?;
            let checked = check::check(token, entry, &options.root);
            progress.inc(1);
            checked
        });
        progress.finish_and_clear();

        let report = Report::new(range.clone(), entries.len(), &outcome).with_batch_id(&*batch_id);
        report.write(&options.reports)?;
        say(format_args!("{}..{}: {report}", range.start, range.end));
        let has_panicked = |(index, panicked): &(Option<usize>, Panicked)| {
            // A panic that is late may be a consequence of the signal.
            index.is_none() || !panicked.is_late()
        };
        status = match (status, signals.status()) {
            (PANICKED, _) => PANICKED,
            _ if outcome.panics().iter().any(has_panicked) => PANICKED,
            (FAILED, _) => FAILED,
            _ if report.first().is_some() => FAILED,
            (_, Some(status)) if !report.is_complete() => status,
            (status, _) => status,
        };
    }
    Ok(status)
}

/// Prints what came of the whole batch. Returns the exit status.
fn judge(options: &Options, entries: &[Entry]) -> anyhow::Result<u8> {
    let reports = Report::read_all(&options.reports)?;
    let batch_id = sums::batch_id(entries);
    if let Some(other) = reports.iter().find(|other| other.batch_id() != batch_id) {
        let Range { start, end } = other.range();
        anyhow::bail!("the report of items {start} to {end} belongs to another list");
    }
    let verdict = merge(&reports, entries.len())?;
    let account = Account::of(&reports, entries.len())?;
    writeln!(io::stdout(), "{verdict}\n{account}")?;
    Ok(match verdict {
        Verdict::Complete => 0,
        Verdict::Failed { .. } => FAILED,
        Verdict::Undecided { .. } => UNDECIDED,
    })
}

/// A progress bar on standard error, hidden if that is not a terminal.
fn progress_bar(range: &Range<usize>) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}")?;
    Ok(ProgressBar::new(range.len() as u64).with_style(style))
}

fn fail(status: u8, error: &anyhow::Error) -> ExitCode {
    say(format_args!("error: {error:#}"));
    ExitCode::from(status)
}

/// Like `eprintln!`, but does not panic if standard error is closed.
fn say(line: fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{line}");
}
