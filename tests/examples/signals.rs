//! Signals, also while a program is blocked.

use std::ffi::c_int;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use libc::{SIGHUP, SIGINT, SIGTERM};

use crate::program::{Folder, Program, WATCHDOG, example};

const SIGNALS: [(c_int, i32, &str); 3] = [
    (SIGINT, 130, "Ctrl-C"),
    (SIGTERM, 143, "SIGTERM"),
    (SIGHUP, 129, "SIGHUP"),
];

/// Each program with arguments that make it read the pipe, and what it says about a signal.
const READERS: [(&str, &[&str], &str); 8] = [
    ("batch_report", &["pipe"], ""),
    ("batch_report", &["--report", "old", "pipe"], ""),
    ("fetch_urls", &["--file", "pipe"], "nothing was fetched"),
    ("hash_tree", &["pipe"], "no sums are printed"),
    ("loader", &["new.db", "pipe"], "not all files were loaded"),
    ("ndjson_pipeline", &["pipe"], "0 lines changed"),
    (
        "ndjson_pipeline",
        &["--output", "old", "pipe"],
        "0 lines changed",
    ),
    (
        "service_start",
        &["--config", "pipe"],
        "every part has ended",
    ),
];

/// A folder with a pipe.
fn pipe(name: &str) -> (Folder, PathBuf) {
    let folder = Folder::new(name);
    let pipe = folder.0.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("`mkfifo` is installed").success());
    folder.file("old", b"old");
    (folder, pipe)
}

/// Opens the pipe for writing, which waits until the program opens it for reading. By then the
/// program handles signals.
fn open(pipe: PathBuf) -> File {
    let (done, opened) = mpsc::channel();
    thread::spawn(move || done.send(OpenOptions::new().write(true).open(pipe)));
    let opened = opened.recv_timeout(WATCHDOG).expect("it is read");
    opened.expect("a pipe")
}

fn start(folder: &Folder, program: &str, arguments: &[&str]) -> Program {
    let mut command = example(program);
    Program::start(command.args(arguments).current_dir(&folder.0))
}

/// Waits until the program handles this signal. Only Linux tells.
fn await_handler(program: &Program, signal: c_int) {
    let status = format!("/proc/{}/status", program.child.id());
    let start = Instant::now();
    loop {
        let status = fs::read_to_string(&status).expect("the program runs");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("a mask");
        if mask & 1 << (signal - 1) != 0 {
            return;
        }
        assert!(start.elapsed() < WATCHDOG, "no handler");
        thread::yield_now();
    }
}

/// The signal may come before the first file is read, which then is not in the report.
fn early(signal: &str) -> String {
    message(signal, "no file was read")
}

#[track_caller]
fn ends(program: Program, status: i32, message: &str) {
    let ended = program.end();
    assert_eq!(ended.status, Some(status), "{}", ended.stderr);
    assert_eq!(ended.stderr, message, "{}", ended.text());
}

fn message(signal: &str, result: &str) -> String {
    match result {
        // It is in the report.
        "" => String::new(),
        result => format!("interrupted by {signal}: {result}\n"),
    }
}

#[test]
fn one_signal_ends_a_program_that_reads_from_a_silent_pipe() {
    for (program, arguments, result) in READERS {
        for (signal, status, name) in SIGNALS {
            let (folder, pipe) = pipe(&format!("silent-{program}-{name}"));
            let program = start(&folder, program, arguments);
            let _silent = open(pipe);
            program.send(signal);
            ends(program, status, &message(name, result));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn one_signal_ends_a_program_that_waits_for_the_writer_of_a_pipe() {
    for (program, arguments, result) in READERS {
        for (signal, status, name) in SIGNALS {
            let (folder, _pipe) = pipe(&format!("unopened-{program}-{name}"));
            let program = start(&folder, program, arguments);
            await_handler(&program, signal);
            program.send(signal);
            let ended = program.end();
            assert_eq!(ended.status, Some(status), "{}", ended.stderr);
            let is_early = result.is_empty() && ended.stderr == early(name);
            assert!(
                is_early || ended.stderr == message(name, result),
                "{}",
                ended.stderr
            );
        }
    }
}

#[test]
fn what_was_done_before_a_signal_is_written() {
    let (folder, pipe) = pipe("signal-results");
    let mut program = start(&folder, "ndjson_pipeline", &["-"]);
    let mut input = program.stdin();
    let mut results = start(&folder, "ndjson_pipeline", &["pipe"]);
    drop(results.child.stdin.take());
    // The lines have been read once more than a pipe holds was written.
    let lines = "{}\n".repeat(100_000);
    let mut pipe = open(pipe);
    pipe.write_all(lines.as_bytes()).expect("it reads");
    input.write_all(lines.as_bytes()).expect("it reads");
    for program in [program, results] {
        program.send(SIGTERM);
        let ended = program.end();
        let count = ended.text().lines().count();
        assert_eq!(ended.text(), "{\"slow\":false}\n".repeat(count));
        let message = format!("interrupted by SIGTERM: {count} lines changed\n");
        assert_eq!((ended.status, ended.stderr), (Some(143), message));
    }
}

#[test]
fn a_failure_does_not_wait_for_a_silent_pipe() {
    for way in [&["--jobs", "1"][..], &["--jobs", "3"], &["--sequential"]] {
        let mut program = Program::start(example("ndjson_pipeline").arg("-").args(way));
        let mut silent = program.stdin();
        silent.write_all(b"{}\nbad\n").expect("it reads");
        let ended = program.end();
        ended.prints(1, "{\"slow\":false}\n");
        ended.says("error: line 2 of standard input: not a JSON object");
        drop(silent);
    }
}

/// Some programs, such as GNU timeout, signal a process and its group.
#[test]
fn two_signals_at_once_count_as_one() {
    for _ in 0..5 {
        let (folder, pipe) = pipe("twice");
        let program = start(&folder, "hash_tree", &["pipe"]);
        let _silent = open(pipe);
        program.send(SIGINT);
        program.send(SIGINT);
        ends(program, 130, &message("Ctrl-C", "no sums are printed"));
    }
}

/// Starts a program that is blocked in writing. Returns its output, which is not read, and its
/// messages, line by line.
fn blocked_in_writing() -> (Program, ChildStdout, Receiver<String>) {
    let mut command = example("ndjson_pipeline");
    command.args(["--generate", "1GiB"]).stdin(Stdio::piped());
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    // It writes, so it handles signals.
    stdout.read_exact(&mut [0]).expect("it writes");

    let (send_line, lines) = mpsc::channel();
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            _ = send_line.send(line.expect("text"));
        }
        _ = done.send(Vec::new());
    });
    let (done, unread) = mpsc::channel();
    done.send(Vec::new()).expect("it is not closed");
    let outputs = [unread, ended];
    (Program { child, outputs }, stdout, lines)
}

#[test]
fn a_user_is_told_how_to_end_a_program_that_is_blocked() {
    let (program, _unread, lines) = blocked_in_writing();
    program.send(SIGINT);
    let told = lines.recv_timeout(WATCHDOG);
    program.send(SIGINT);
    assert_eq!(program.end().status, Some(130));
    let told = told.expect("a message");
    assert!(told.contains("press Ctrl-C again"), "{told}");
}

#[test]
fn sigterm_ends_a_program_that_is_blocked() {
    let (program, _unread, lines) = blocked_in_writing();
    program.send(SIGTERM);
    assert_eq!(program.end().status, Some(143));
    let last = lines.iter().last().expect("a message");
    assert!(last.contains("stopped before everything"), "{last}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_ignored_signal_stays_ignored() {
    let (folder, pipe) = pipe("nohup");
    let direct = example("hash_tree");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" HUP; exec "$0" "$@""#]);
    shell.arg(direct.get_program()).arg("pipe");
    let program = Program::start(shell.current_dir(&folder.0));
    let _silent = open(pipe);
    program.send(SIGHUP);
    program.send(SIGTERM);
    ends(program, 143, &message("SIGTERM", "no sums are printed"));
}

/// `word_count` has nothing to tidy up: signals end it as they end any program.
#[test]
fn a_signal_kills_word_count() {
    for (signal, ..) in SIGNALS {
        let (folder, pipe) = pipe("kill");
        let program = start(&folder, "word_count", &["pipe"]);
        let _silent = open(pipe);
        program.send(signal);
        let ended = program.end();
        assert_eq!((ended.status, ended.stderr.as_str()), (None, ""));
    }
}
