//! `service_start`, whose parts must all end, whatever ends the first of them.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::program::{Folder, example, run};

/// Settings with one worker, which must have begun when a probe is answered.
const ONE_WORKER: &[u8] = b"# one\n\n workers = 1\r\ninterval=1\nanswer = up = yes";

fn settings(name: &str, lines: &[u8]) -> (Folder, PathBuf) {
    let folder = Folder::new(name);
    let file = folder.file("service.conf", lines);
    (folder, file)
}

fn count(output: &str, is_counted: impl Fn(&str) -> bool) -> usize {
    output.lines().filter(|line| is_counted(line)).count()
}

#[track_caller]
fn has_one(output: &str, line: &str) {
    assert_eq!(count(output, |l| l == line), 1, "{line:?} in\n{output}");
}

#[test]
fn service_start_ends_after_five_probes() {
    let ended = run(&mut example("service_start"));
    let output = ended.text();
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (Some(0), ""),
        "{output}"
    );
    for number in 1..=5 {
        has_one(output, &format!("probe: answer {number} is \"ok\""));
    }
    has_one(output, "probe: done");
    has_one(output, "listener: ended, cancelled: requested");
    let workers = |end| {
        count(output, |line| {
            line.starts_with("worker") && line.ends_with(end)
        })
    };
    assert_eq!(
        workers(": ready"),
        workers(": ended, cancelled: requested"),
        "{output}"
    );
    assert_eq!(
        output.lines().last(),
        Some("stopped: every probe was answered")
    );
}

#[test]
fn a_file_changes_the_settings_of_the_service() {
    let (_folder, file) = settings("service-settings", ONE_WORKER);
    let ended = run(example("service_start")
        .args(["--probes", "2", "--config"])
        .arg(file));
    let output = ended.text();
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (Some(0), ""),
        "{output}"
    );
    has_one(output, "probe: answer 2 is \"up = yes\"");
    has_one(output, "worker 1: ended, cancelled: requested");
    assert!(!output.contains("worker 2"), "{output}");
}

#[test]
fn a_probe_that_fails_stops_every_part() {
    let (_folder, file) = settings("service-fails", ONE_WORKER);
    let ended = run(example("service_start")
        .args(["--fail-after", "2", "--config"])
        .arg(file));
    let output = ended.text();
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (
            Some(1),
            "error: probe: answer 3 is \"\" instead of \"up = yes\"\n"
        ),
        "{output}"
    );
    has_one(output, "probe: answer 2 is \"up = yes\"");
    has_one(output, "probe: failed");
    has_one(output, "listener: ended, cancelled: an item or task failed");
    has_one(output, "worker 1: ended, cancelled: an item or task failed");
}

#[test]
fn service_start_refuses_bad_settings() {
    let folder = Folder::new("service-refused");
    for (lines, message) in [
        (&b"workers=1\n\nworkers 2\n"[..], "line 3 of "),
        (b"workers 2", "\"workers 2\" is not of the form key=value"),
        (b"=1", "unknown setting \"\""),
        (b"# what?\nport=80", "unknown setting \"port\""),
        (b"workers=0", "workers: \"0\" is not a number from 1 to 64"),
        (b"interval=60001", "interval: \"60001\" is not a number"),
        (b"answer=", "answer must have 1 to 80 characters"),
        (b"answer=\xff", "cannot read "),
    ] {
        let file = folder.file("service.conf", lines);
        run(example("service_start").arg("--config").arg(file)).refused(1, message);
    }
    let missing = folder.0.join("missing");
    run(example("service_start").arg("--config").arg(missing)).refused(1, "cannot read ");
}

#[test]
fn service_start_refuses_a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("it is bound");
    let port = address.port().to_string();
    let ended = run(example("service_start").args(["--port", &port]));
    ended.refused(1, &format!("error: cannot listen on {address}: "));
}

#[test]
fn service_start_refuses_bad_arguments() {
    for arguments in [
        &["--port", "65536"][..],
        &["--port", "x"],
        &["--probes", "0"],
        &["--fail-after", "0"],
        &["--forever", "--probes", "5"],
        &["--forever", "--fail-after", "1"],
        &["--probes", "5", "--fail-after", "1"],
        &["--config"],
        &["more"],
    ] {
        let ended = run(example("service_start").args(arguments));
        assert_eq!((ended.status, ended.text()), (Some(2), ""), "{arguments:?}");
        ended.says("error: ");
    }
}

#[cfg(unix)]
mod interrupted {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};
    use std::sync::mpsc::{self, Receiver};
    use std::thread;

    use super::{ONE_WORKER, has_one, settings};
    use crate::program::{Program, WATCHDOG, example};

    /// Starts a program whose lines can be waited for while it runs.
    fn start_watched(command: &mut Command) -> (Program, Receiver<String>) {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut stderr = child.stderr.take().expect("it is piped");

        let (send_line, lines) = mpsc::channel();
        let (send_output, output) = mpsc::channel();
        thread::spawn(move || {
            let mut all = Vec::new();
            for line in stdout.lines().map_while(io::Result::ok) {
                _ = writeln!(all, "{line}");
                _ = send_line.send(line);
            }
            _ = send_output.send(all);
        });
        let (send_errors, errors) = mpsc::channel();
        thread::spawn(move || {
            let mut all = Vec::new();
            if stderr.read_to_end(&mut all).is_ok() {
                _ = send_errors.send(all);
            }
        });
        let program = Program {
            child,
            outputs: [output, errors],
        };
        (program, lines)
    }

    /// Waits for a line with this beginning, and returns the rest of the line.
    fn wait_for(lines: &Receiver<String>, beginning: &str) -> String {
        loop {
            let line = lines.recv_timeout(WATCHDOG).expect(beginning);
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    #[test]
    fn ctrl_c_stops_every_part() {
        let (_folder, file) = settings("service-interrupted", ONE_WORKER);
        let mut command = example("service_start");
        let (program, lines) = start_watched(command.args(["--forever", "--config"]).arg(file));
        let address = wait_for(&lines, "listener: on ");

        let client = TcpStream::connect(address).expect("the service listens");
        let mut answer = String::new();
        let mut client = BufReader::new(client);
        client.read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "up = yes\n");

        // Once a probe is answered, every part has begun.
        wait_for(&lines, "probe: answer 3 is");
        program.interrupt();
        let ended = program.end();
        let output = ended.text();
        assert_eq!(
            (ended.status, ended.stderr.as_str()),
            (Some(130), "interrupted by Ctrl-C: every part has ended\n"),
            "{output}"
        );
        for part in ["listener", "worker 1", "probe"] {
            let line = format!("{part}: ended, cancelled by the parent token");
            has_one(output, &line);
        }
    }
}
