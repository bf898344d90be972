//! What goes wrong.

use std::time::Duration;
use std::{env, process, thread};

use crate::options::{Fault, Options};
use crate::say;

/// Longer than any job.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn before_init(options: &Options) {
    let rank = env::var("OMPI_COMM_WORLD_RANK").or_else(|_| env::var("PMI_RANK"));
    let is_rank = rank.is_ok_and(|rank| rank == options.rank.to_string());
    if options.fault == Some(Fault::DeadBeforeInit) && is_rank {
        process::exit(4);
    }
}

pub(crate) fn after_init(options: &Options, rank: i32) {
    if usize::try_from(rank) != Ok(options.rank) {
        return;
    }
    match options.fault {
        Some(Fault::PanicOutside) => panic!("rank {rank} panics"),
        Some(Fault::Late) => thread::sleep(Duration::from_secs(1)),
        _ => {}
    }
}

pub(crate) fn in_item(options: &Options, rank: usize, index: usize) {
    if index != options.at {
        return;
    }
    match options.fault {
        Some(Fault::Kill) => {
            // The shell is the one that outlives this process for a moment.
            let kill = format!("kill -KILL {}", process::id());
            _ = process::Command::new("sh").args(["-c", &kill]).status();
            thread::sleep(LONG);
        }
        Some(Fault::Abort) => process::abort(),
        Some(Fault::Exit) => process::exit(3),
        Some(Fault::Panic) => panic!("item {index} panics"),
        Some(Fault::Hang) => {
            say(&format_args!("rank {rank}: item {index} hangs"));
            thread::sleep(LONG);
        }
        _ => {}
    }
}
