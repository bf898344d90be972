//! Deadlines in a forked process, which has none of the threads of its parent.

#![cfg(unix)]
#![expect(unsafe_code, reason = "there is no fork in the standard library")]

use std::process;
use std::time::Duration;

use rayon_errgroup::CancelToken;

const HOUR: Duration = Duration::from_secs(3600);

fn deadline_passes() -> bool {
    let token = CancelToken::new();
    token.cancel_after(Duration::from_millis(1));
    token.sleep(HOUR).is_err()
}

#[test]
fn a_deadline_passes_in_a_forked_process() {
    // So that there is a timer thread, which the fork does not have.
    assert!(deadline_passes());
    let before = CancelToken::new();
    before.cancel_after(HOUR);
    // SAFETY: the child only sets deadlines and starts threads, which allocates; the allocators of
    // the systems that run this test may be used after a fork. It leaves without clean-up.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // Kills a child that hangs, and so fails the test.
        // SAFETY: it only sets a timer of this process.
        unsafe { libc::alarm(30) };
        let passes = deadline_passes() && deadline_passes();
        // A deadline that the parent has set.
        before.cancel();
        // SAFETY: it ends the process.
        unsafe { libc::_exit(i32::from(!passes)) }
    }
    assert!(child > 0, "the test cannot fork");
    let mut status = -1;
    // SAFETY: `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child of {}", process::id());
    assert!(deadline_passes());
}
