//! Runs a program with a time limit: a program that does not end is a violation too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use rayon_errgroup::CancelToken;

use crate::execute::execute;
use crate::guarantees::{self, Faults};
use crate::interpret::World;
use crate::log::{Alarm, Log, Thing};
use crate::program::{Program, Threads};

/// How long a program may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(30);
/// The same after a first hang, so that shrinking does not take too long.
const LIMIT_AFTER_HANG: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) enum Wrong {
    Violation(String),
    Hang,
}

/// Whether a program has hung before.
static HUNG: AtomicBool = AtomicBool::new(false);

/// Runs a program, and checks its log against the guarantees.
pub(crate) fn run(program: &Arc<Program>) -> Result<Faults, Wrong> {
    let (sender, receiver) = channel();
    let own = Arc::clone(program);
    thread::spawn(move || _ = sender.send(examine(&own)));
    let limit = if HUNG.load(SeqCst) {
        LIMIT_AFTER_HANG
    } else {
        LIMIT
    };
    match receiver.recv_timeout(limit) {
        Ok(result) => result.map_err(Wrong::Violation),
        Err(RecvTimeoutError::Timeout) => {
            HUNG.store(true, SeqCst);
            Err(Wrong::Hang)
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(Wrong::Violation("the interpreter panicked".into()))
        }
    }
}

fn examine(program: &Program) -> Result<Faults, String> {
    let (alarm, alarms) = channel();
    let moment = program.cancel_at.map_or(usize::MAX, |moment| moment + 1);
    let log = Log::new(Some((moment, alarm.clone())));
    let outside = CancelToken::new();
    let world = World {
        log: &log,
        outside: &outside,
    };
    let pool = ThreadPoolBuilder::new().num_threads(program.threads);
    let pool = pool.build().map_err(|error| error.to_string())?;
    let policy = program.run.policy;
    let has_threads = policy.is_some_and(|policy| matches!(policy.threads, Threads::Own(_)));
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Ok(Alarm::Cancel) = alarms.recv() {
                world.cancel_outside();
            }
        });
        let execute = || drop(execute(world, &program.run, None));
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if program.inside || !has_threads {
                pool.install(execute);
            } else {
                execute();
            }
        }));
        if ended.is_err_and(|payload| !payload.is::<Thing>()) {
            world.wrong("the interpreter panicked");
        }
        _ = alarm.send(Alarm::Stop);
    });
    let outside_is_cancelled = outside.is_cancelled();
    guarantees::check(&log, outside_is_cancelled)
}
