//! What the tests share: programs that are run with a time limit, and checks of what they print.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// After this time a program counts as hung. No successful test waits for it.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

/// Programs inherit which signals are ignored, and a test may run where some are: below `nohup`, or
/// in the background of a script. A signal that this process handles is a default one for the
/// programs that it starts.
#[cfg(target_os = "linux")]
fn unignore_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").expect("the status of this process");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let ignored = ignored.expect("the mask of the ignored signals");
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, std::sync::Arc::default())
                    .expect("the signal can be handled");
            }
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn unignore_signals() {}

/// The command of an example that cargo has built.
pub(crate) fn example(name: &str) -> Command {
    unignore_signals();
    let tests = std::env::current_exe().expect("the path of this test");
    let target = tests.ancestors().nth(2).expect("the folder of the profile");
    let path = target
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --examples`",
        path.display()
    );
    let mut command = Command::new(path);
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    command
}

/// A running program, which is killed if it does not end in time.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) outputs: [Receiver<Vec<u8>>; 2],
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        Program {
            child,
            outputs: [read_all(stdout), read_all(stderr)],
        }
    }

    /// Starts a program whose standard output is closed, as before `| head -0`.
    pub(crate) fn start_unread(command: &mut Command) -> Program {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        drop(child.stdout.take());
        let stderr = child.stderr.take().expect("it is piped");
        Program {
            child,
            outputs: [read_all(std::io::empty()), read_all(stderr)],
        }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it is taken only once")
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.send(libc::SIGINT);
    }

    #[cfg(unix)]
    pub(crate) fn send(&self, signal: std::ffi::c_int) {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.expect("`kill` is installed").success());
    }

    pub(crate) fn end(mut self) -> Ended {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + WATCHDOG;
        let [stdout, stderr] = self
            .outputs
            .map(|output| output.recv_timeout(deadline.saturating_duration_since(Instant::now())));
        if stdout.is_err() || stderr.is_err() {
            _ = self.child.kill();
        }
        let status = self.child.wait().expect("it was started").code();
        let (Ok(stdout), Ok(stderr)) = (stdout, stderr) else {
            panic!("the program hung")
        };
        let stderr = String::from_utf8(stderr).expect("messages are text");
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ended {
            status,
            stdout,
            stderr,
        }
    }
}

/// Reads in a thread, so that the caller can wait with a time limit.
fn read_all(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (done, bytes) = mpsc::channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        if from.read_to_end(&mut all).is_ok() {
            _ = done.send(all);
        }
    });
    bytes
}

pub(crate) fn run(command: &mut Command) -> Ended {
    Program::start(command).end()
}

impl Ended {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is text")
    }

    /// Asserts the exit status and the whole standard output.
    #[track_caller]
    pub(crate) fn prints(&self, status: i32, text: &str) {
        let ended = (self.status, self.text());
        assert_eq!(ended, (Some(status), text), "{}", self.stderr);
    }

    /// Asserts how the messages on standard error begin.
    #[track_caller]
    pub(crate) fn says(&self, beginning: &str) {
        let stderr = &self.stderr;
        assert!(
            stderr.starts_with(beginning),
            "{stderr} does not begin with {beginning:?}"
        );
    }

    /// Asserts that the program printed nothing but one error message.
    #[track_caller]
    pub(crate) fn refused(&self, status: i32, message: &str) {
        self.prints(status, "");
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(
            self.stderr.contains(message),
            "{} does not contain {message:?}",
            self.stderr
        );
    }
}

/// A temporary folder, removed with its contents when this is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("errgroup-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub(crate) fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("its folder");
        fs::write(&path, bytes).expect("a file for the test");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}
