//! More threads than there is memory for.
//!
//! Each test runs in a child process with a memory limit, so that it never exhausts the machine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, prelude::*};

use crate::common::watched;

/// Runs `body` in a child process with `memory` MiB of memory and thread stacks of `stack` MiB.
fn in_a_process(test: &str, memory: usize, stack: usize, body: impl FnOnce()) {
    const MARK: &str = "HOSTILE_CHILD";
    if env::var_os(MARK).is_some() {
        return body();
    }
    let limit = format!("ulimit -v {} && exec \"$0\" \"$@\"", memory * 1024);
    let mut child = Command::new("sh");
    child.args(["-c", &limit]).arg(env::current_exe().unwrap());
    child.args(["--exact", test, "--test-threads=1", "--nocapture"]);
    child
        .env(MARK, "1")
        .env("RUST_MIN_STACK", (stack << 20).to_string());
    let output = watched(move || child.output().unwrap());
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}\n{errors}");
}

fn message_of<R>(body: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).err().expect("a panic");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// If one thread cannot be started, those that were started before it are ended again.
#[test]
fn more_threads_than_there_is_memory_for() {
    let test = "absurd::more_threads_than_there_is_memory_for";
    in_a_process(test, 2048, 64, || {
        let before = threads();
        for n in [1000, rayon::max_num_threads()] {
            let message = message_of(|| ErrGroup::new().concurrency(n));
            assert!(
                message.contains(&format!("the {n} threads of a group")),
                "{message}"
            );
            assert!(message.contains("cannot be started"), "{message}");
            while threads() > before {
                thread::yield_now();
            }
        }
        // A refused policy does not change the one that it was cloned from.
        let group = ErrGroup::new().concurrency(2);
        for n in [rayon::max_num_threads() + 1, usize::MAX] {
            let message = message_of(|| group.clone().concurrency(n));
            assert!(
                message.contains("a group has at most 65535 threads"),
                "{message}"
            );
        }
        let ran = AtomicUsize::new(0);
        let result = (0..100)
            .into_par_iter()
            .with_group(&group)
            .try_for_each(|_, _| {
                ran.fetch_add(1, SeqCst);
                Ok::<_, ()>(())
            });
        assert_eq!((result, ran.into_inner()).1, 100);
    });
}

/// A deadline is refused if the timer thread cannot be started. A deadline in the past needs no
/// timer, and the token still works.
#[test]
fn a_timer_that_cannot_be_started() {
    let test = "absurd::a_timer_that_cannot_be_started";
    in_a_process(test, 2048, 1 << 20, || {
        let token = CancelToken::new();
        for _ in 0..3 {
            let soon = Duration::from_secs(3600);
            let message = message_of(|| token.child().cancel_after(soon));
            assert!(message.contains("timer thread"), "{message}");
        }
        let child = token.child();
        message_of(|| child.cancel_after(Duration::from_secs(60)));
        assert!(!child.is_cancelled());
        let registration = child.on_cancel(|| ());
        child.cancel_at(Instant::now());
        assert!(matches!(child.cause(), Some(Cause::Deadline)));
        assert!(!registration.unregister(), "the callback ran");
        child.done().recv().unwrap_err();
        // This is no deadline at all, so no timer is started.
        token.cancel_after(Duration::MAX);
        assert!(token.cancel());
    });
}
