//! A batch on all ranks of an MPI job, in which things go wrong as the options say. Each rank
//! prints what it was told: the same on all.
//!
//! ```sh
//! cargo build --release --features mpi --example mpi_job
//! mpirun -n 4 mpi_job --items 4000 --fail 3000
//! mpirun -n 4 mpi_job --items 4000 --fail 3000 --fault kill --at 100
//! mpirun -n 4 mpi_job --random 25 --seed 7 # random batches, compared with the sequential loop
//! ```
//!
//! The exit status is 0 if all items succeeded, 1 if one failed, and 75 if that is undecided.

mod compare;
mod fault;
mod options;
mod random;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mpi::Threading;
use mpi::traits::Communicator;
use rayon_errgroup::{CancelToken, ErrGroup};
use rayon_errgroup_cluster::{Ended, Ranks, Verdict};

use crate::options::Options;

const FAILED: u8 = 1;
const UNDECIDED: u8 = 75;

fn main() -> ExitCode {
    let options = Options::parse();
    fault::before_init(&options);
    let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)
        .unwrap_or_else(|| unreachable!("this is the first call"));
    // Right after the universe, so that it is dropped first: see `Ranks`.
    let ranks = match Ranks::new(&universe.world()) {
        Ok(ranks) => ranks,
        Err(error) => {
            say(&format_args!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    fault::after_init(&options, universe.world().rank());
    if let Some(batches) = options.random {
        return random::run(&ranks, batches, options.seed, options.threads());
    }
    if let Some(times) = options.latency {
        return compare::latency(&ranks, times);
    }
    if options.allreduce {
        return compare::allreduce(&universe.world(), &options);
    }
    let result = run(&ranks, &options);
    match result {
        Ok(ended) => {
            // By every rank in one write: see `say`.
            let line = format!("rank {}: {}; {ended}\n", ranks.rank(), ended.verdict());
            _ = io::stdout().write_all(line.as_bytes());
            match ended.verdict() {
                Verdict::Complete => ExitCode::SUCCESS,
                Verdict::Failed { .. } => ExitCode::from(FAILED),
                Verdict::Undecided { .. } => ExitCode::from(UNDECIDED),
            }
        }
        Err(error) => {
            say(&format_args!("rank {}: {error}", ranks.rank()));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line to standard error in one write. `eprintln!` makes several, and the launcher mixes
/// those of all ranks.
pub(crate) fn say(line: &dyn Display) {
    _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn run(ranks: &Ranks, options: &Options) -> Result<Ended, rayon_errgroup_cluster::RanksError> {
    let mut group = ErrGroup::new().concurrency(options.threads());
    if let Some(limit) = options.timeout {
        group = group.timeout(Duration::from_millis(limit));
    }
    let first = options.fail.iter().copied().min();
    let rank = ranks.rank();
    let items = options.items + options.more_on_rank(rank);
    let began = Instant::now();
    let ended = ranks.run(items, &group, |token: &CancelToken, index| {
        if options.sleep && first.is_some_and(|first| index > first) {
            // Waits for the news of the failure.
            token
                .sleep(Duration::from_secs(3600))
                .map_err(|_| "a consequence".to_owned())?;
        }
        compute(options);
        fault::in_item(options, rank, index);
        if options.fail.contains(&index) {
            Err(format!("item {index} is bad"))
        } else {
            Ok(())
        }
    })?;
    if options.time {
        let (took, waited) = (began.elapsed(), ranks.waited());
        say(&format_args!(
            "rank {rank}: took {took:?}, waited for chunks for {waited:?}"
        ));
    }
    Ok(ended)
}

fn compute(options: &Options) {
    if options.cost > 0 {
        spin(Duration::from_micros(options.cost));
    }
    let steps = 0..1000 * options.work;
    let sum = steps.fold(0, |sum: u64, step| std::hint::black_box(sum ^ step));
    std::hint::black_box(sum);
}

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}
