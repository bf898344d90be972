//! How long the news of a failure takes, and what a run costs beside a blocking allreduce.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use rayon_errgroup::{CancelToken, ErrGroup, prelude::*};
use rayon_errgroup_cluster::{Ranks, Shard};

use crate::compute;
use crate::options::Options;

/// The first item fails when one on each other rank waits for its token. Prints on each
/// rank when that was, or when its token was cancelled, in nanoseconds: for the ranks of one
/// machine, which share a clock.
pub(crate) fn latency(ranks: &Ranks, times: usize) -> ExitCode {
    let group = ErrGroup::new().concurrency(1);
    for time in 0..times {
        let at = AtomicU64::new(0);
        let ended = ranks.run(4 * ranks.size(), &group, |token: &CancelToken, index| {
            if index == 0 {
                thread::sleep(Duration::from_millis(30));
            } else {
                // Until it is told.
                _ = token.sleep(Duration::from_secs(3600));
            }
            at.store(now(), SeqCst);
            Err::<(), _>("bad")
        });
        let is_right = ended.is_ok_and(|ended| ended.failed() == 1);
        let line = format!("{time} {} {} {is_right}\n", ranks.rank(), at.into_inner());
        _ = io::stdout().write_all(line.as_bytes());
    }
    ExitCode::SUCCESS
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// What one would write without this crate.
pub(crate) fn allreduce(world: &SimpleCommunicator, options: &Options) -> ExitCode {
    let (rank, size) = (world.rank(), world.size());
    let unsigned = |number: i32| usize::try_from(number).unwrap_or(0);
    let Ok(shard) = Shard::new(unsigned(rank), unsigned(size)) else {
        unreachable!("the rank is below the size")
    };
    let range = shard.range(options.items);
    let group = ErrGroup::new().concurrency(options.threads());
    let items = range.clone().par_in_order().with_group(&group);
    let result = items.err_group(|index| {
        compute(options);
        if options.fail.contains(&index) {
            Err(index)
        } else {
            Ok(())
        }
    });
    let first = result.err().and_then(|error| error.index());
    let first = first.map_or(u64::MAX, |index| (index + range.start) as u64);
    let mut lowest = 0_u64;
    world.all_reduce_into(&first, &mut lowest, SystemOperation::min());
    println!("rank {rank}: {lowest}");
    ExitCode::from(u8::from(lowest != u64::MAX))
}
