//! The tests: one runs a number of programs, the other runs programs for a given time.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::got::is_no_error_message;
use crate::guarantees::Faults;
use crate::strategy::programs;
use crate::watchdog::{self, Wrong};

/// The default number of programs: about ten seconds on two cores.
const CASES: u32 = 6000;

/// How often each smaller program is tried while shrinking, since a failure may be a matter of
/// timing.
const TRIES: usize = 60;

const STACK: usize = 256 << 20;

/// The totals of a series of programs.
#[derive(Default)]
struct Tally {
    runs: AtomicUsize,
    failures: AtomicUsize,
    panics: AtomicUsize,
    cancellations: AtomicUsize,
    deadlines: AtomicUsize,
    violations: AtomicUsize,
    hangs: AtomicUsize,
}

impl Tally {
    fn add(&self, faults: Faults) {
        self.runs.fetch_add(faults.runs, SeqCst);
        self.failures.fetch_add(faults.failures, SeqCst);
        self.panics.fetch_add(faults.panics, SeqCst);
        self.cancellations.fetch_add(faults.cancellations, SeqCst);
        self.deadlines.fetch_add(faults.deadlines, SeqCst);
    }

    fn is_clean(&self) -> bool {
        self.violations.load(SeqCst) + self.hangs.load(SeqCst) == 0
    }

    fn line(&self) -> String {
        let count = |counter: &AtomicUsize| counter.load(SeqCst);
        let (failures, panics) = (count(&self.failures), count(&self.panics));
        let (cancellations, deadlines) = (count(&self.cancellations), count(&self.deadlines));
        let faults = failures + panics + cancellations + deadlines;
        format!(
            "runs {}, faults injected {faults} (failures {failures}, panics {panics}, \
             cancellations {cancellations}, deadlines {deadlines}), violations {}, hangs {}",
            count(&self.runs),
            count(&self.violations),
            count(&self.hangs),
        )
    }
}

/// Silences the panic of a run without a policy that cancels itself, which is expected.
fn mute_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload().downcast_ref::<String>();
            if !message.is_some_and(|message| is_no_error_message(message)) {
                before(info);
            }
        }));
    });
}

/// Runs a number of programs that are generated from this seed.
fn series(cases: u32, seed: u64, tally: &Tally) -> Result<(), String> {
    mute_expected_panics();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let is_shrinking = AtomicBool::new(false);
    let result = runner.run(&programs(), |program| {
        let program = Arc::new(program);
        let tries = if is_shrinking.load(SeqCst) { TRIES } else { 1 };
        for _ in 0..tries {
            match watchdog::run(&program) {
                Ok(_) if is_shrinking.load(SeqCst) => {}
                Ok(faults) => tally.add(faults),
                Err(wrong) => {
                    if !is_shrinking.swap(true, SeqCst) {
                        let (counter, what) = match &wrong {
                            Wrong::Violation(what) => (&tally.violations, what.as_str()),
                            Wrong::Hang => (&tally.hangs, "it hangs"),
                        };
                        counter.fetch_add(1, SeqCst);
                        eprintln!("violated by {program:?}\n{what}\nshrinking");
                    }
                    return Err(TestCaseError::fail(format!("{wrong:?}")));
                }
            }
        }
        Ok(())
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, program)) => Err(format!(
            "seed {seed}: the smallest program is {program:?}\n{reason}"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs `body` on a large stack: generating nested programs needs more than a test thread has.
fn with_large_stack<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, body).unwrap();
        thread
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// The value of `PROGRAMS_SEED`, or a random seed.
fn seed() -> u64 {
    variable("PROGRAMS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0))
}

#[test]
fn the_guarantees_hold_for_any_program() {
    let cases = variable("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok());
    let result = with_large_stack(|| series(cases.unwrap_or(CASES), seed(), &Tally::default()));
    if let Err(what) = result {
        panic!("{what}");
    }
}

/// Runs programs for `SOAK_SECONDS` seconds.
#[test]
#[ignore = "takes as long as it is told to; see .ci/soak"]
fn soak() {
    let limit = Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(60));
    let (first, tally, began) = (seed(), Tally::default(), Instant::now());
    println!("seed {first}");
    // More programs than cores run at once, so that threads are preempted at unusual points.
    let next = AtomicU64::new(first);
    let goes_on = || tally.is_clean() && began.elapsed() < limit;
    let work = || {
        let mut result = Ok(());
        while result.is_ok() && goes_on() {
            result = series(200, next.fetch_add(1, SeqCst), &tally);
        }
        result
    };
    let results = thread::scope(|scope| {
        let workers = [(); 3].map(|()| scope.spawn(|| with_large_stack(work)));
        workers.map(|worker| worker.join().unwrap())
    });
    println!("{}", tally.line());
    let found: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
