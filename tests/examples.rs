//! The examples, run as their users run them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tiny_http::{Request, Response};

/// After this a program counts as hung. No test takes it on its way to success.
const WATCHDOG: Duration = Duration::from_secs(30);

/// An example as cargo has built it, beside this test.
fn example(name: &str) -> Command {
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

/// A program that runs, and is killed if it does not end in time.
struct Program {
    child: Child,
    outputs: [Receiver<Vec<u8>>; 2],
}

/// A program that has ended.
struct Ended {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Program {
    fn start(command: &mut Command) -> Program {
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

    /// As at the left of `| head -0`: nobody reads what it prints.
    fn start_unread(command: &mut Command) -> Program {
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

    fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("taken once")
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        let sent = Command::new("kill")
            .arg("-INT")
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.expect("`kill` is there").success());
    }

    fn end(mut self) -> Ended {
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

/// Reads in a thread, so that the caller can wait with a limit.
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

fn run(command: &mut Command) -> Ended {
    Program::start(command).end()
}

impl Ended {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is text")
    }

    /// The one line that a refusal consists of.
    #[track_caller]
    fn refused(&self, status: i32, message: &str) {
        assert_eq!(
            (self.status, self.text()),
            (Some(status), ""),
            "{}",
            self.stderr
        );
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(
            self.stderr.contains(message),
            "{} has no {message:?}",
            self.stderr
        );
    }
}

/// Removed with all it holds.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("errgroup-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
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

/// Answers `/bytes/N` with N bytes, keeps `/hang` for ever, answers `/after-hang` with 503 as soon
/// as somebody hangs, and all else with 404.
///
/// tiny_http may leave a fifth connection waiting until another is closed, so no test has more.
struct Server {
    http: Arc<tiny_http::Server>,
    asked: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0").expect("a free port"));
        let (ask, asked) = mpsc::channel();
        let thread = thread::spawn({
            let http = Arc::clone(&http);
            move || {
                let (mut hanging, mut waiting) = (Vec::new(), Vec::new());
                for request in http.incoming_requests() {
                    _ = ask.send(request.url().to_owned());
                    match request.url() {
                        "/hang" => hanging.push(request),
                        "/after-hang" => waiting.push(request),
                        _ => answer(request),
                    }
                    if !hanging.is_empty() {
                        waiting.drain(..).for_each(answer);
                    }
                }
            }
        });
        Server {
            http,
            asked,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http.server_addr())
    }

    /// Waits until somebody has asked for something.
    fn await_request(&self) -> String {
        self.asked.recv_timeout(WATCHDOG).expect("a request")
    }
}

fn answer(request: Request) {
    let path = request.url().to_owned();
    let bytes = path
        .strip_prefix("/bytes/")
        .and_then(|length| length.parse().ok());
    _ = match bytes {
        Some(length) => request.respond(Response::from_data(vec![b'x'; length])),
        None if path == "/after-hang" => request.respond(Response::empty(503)),
        None => request.respond(Response::empty(404)),
    };
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.unblock();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// The number behind a word in the demonstration's second half.
fn count(output: &str, word: &str) -> usize {
    let second = output
        .split("never answers:")
        .nth(1)
        .expect("the second half");
    let line = second
        .lines()
        .map(str::trim)
        .find_map(|line| line.strip_prefix(word));
    let number = line
        .and_then(|rest| rest.split_whitespace().next())
        .expect(word);
    number.parse().expect(word)
}

#[test]
fn fetch_urls_demonstrates_itself() {
    let ended = run(&mut example("fetch_urls"));
    let output = ended.text();
    assert_eq!(ended.status, Some(0), "{output}{}", ended.stderr);
    assert!(output.contains("200 of 200 fetched"), "{output}");
    assert!(output.contains("http status: 500"), "{output}");
    assert!(output.contains("then aborted by on_cancel"), "{output}");
    let [begun, never, fetched, failed, aborted] =
        ["begun", "never begun", "fetched", "failed", "aborted"].map(|word| count(output, word));
    assert_eq!(begun + never, 200, "{output}");
    assert_eq!(fetched + failed + aborted, begun, "{output}");
    assert!(never > 0 && failed > 0 && aborted > 0, "{output}");
}

#[test]
fn pages_are_listed_in_the_order_given() {
    let server = Server::start();
    let [a, b, c, d] = ["/bytes/7", "/bytes/300000", "/bytes/0", "/bytes/7"].map(|p| server.url(p));
    let mut command = example("fetch_urls");
    let mut program = Program::start(command.args(["-P", "3", "--file", "-", &a, &b]));
    write!(program.stdin(), "# a comment\n\n  {c}\r\n{d}").expect("it reads");
    let ended = program.end();
    let lines = format!("200\t7\t{a}\n200\t300000\t{b}\n200\t0\t{c}\n200\t7\t{d}\n");
    assert_eq!(
        (ended.status, ended.text()),
        (Some(0), lines.as_str()),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.starts_with("4 of 4 fetched, 300014 bytes in "),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_first_failure_aborts_a_request_that_hangs() {
    let server = Server::start();
    let (hang, fail) = (server.url("/hang"), server.url("/after-hang"));
    let ended = run(example("fetch_urls").args(["-P", "2", &hang, &fail]));
    assert_eq!(
        (ended.status, ended.text()),
        (Some(1), ""),
        "{}",
        ended.stderr
    );
    let expected = format!(
        "error: {fail}: http status: 503\n0 of 2 fetched, 1 failed, 1 aborted, 0 bytes in "
    );
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
}

#[test]
fn keep_going_reports_each_failure() {
    let server = Server::start();
    let [a, b, c, d] = ["/bytes/1", "/no", "/none", "/bytes/2"].map(|path| server.url(path));
    let ended = run(example("fetch_urls").args(["--keep-going", "-P", "1", &a, &b, &c, &d]));
    let lines = format!("200\t1\t{a}\n200\t2\t{d}\n");
    assert_eq!(
        (ended.status, ended.text()),
        (Some(1), lines.as_str()),
        "{}",
        ended.stderr
    );
    for url in [b, c] {
        assert!(
            ended
                .stderr
                .contains(&format!("error: {url}: http status: 404\n"))
        );
    }
    assert!(
        ended
            .stderr
            .contains("2 of 4 fetched, 2 failed, 3 bytes in "),
        "{}",
        ended.stderr
    );
}

#[test]
fn nothing_is_requested_if_the_list_is_bad() {
    let server = Server::start();
    let good = server.url("/bytes/1");
    for bad in [
        "example.org",
        "ftp://example.org/",
        "http://",
        "http://a b/",
        "http://h:99999/",
    ] {
        run(example("fetch_urls").args([&good, bad])).refused(2, bad);
    }
    let folder = Folder::new("lists");
    let list = |name, text: &str| folder.file(name, text.as_bytes());
    let fetch = |file: &Path| run(example("fetch_urls").arg("--file").arg(file));
    fetch(&folder.0.join("missing")).refused(2, "missing: ");
    fetch(&list("empty", "")).refused(2, "no URL in");
    fetch(&list("comments", "# one\n\n")).refused(2, "no URL in");
    fetch(&list("bad", &format!("{good}\n\nnonsense\n"))).refused(2, "error: line 3 of ");
    assert!(server.asked.try_recv().is_err(), "a request was made");
}

#[test]
fn options_are_checked() {
    for bad in [
        ["--concurrency", "0"],
        ["--timeout", "0"],
        ["--max-time", "-1"],
        ["--file", ""],
    ] {
        let ended = run(example("fetch_urls").args(bad).arg("http://127.0.0.1/"));
        assert_eq!(
            (ended.status, ended.text()),
            (Some(2), ""),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}

#[test]
fn an_unreachable_host_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}/");
        let ended = run(example("fetch_urls").arg(&url));
        assert_eq!((ended.status, ended.text()), (Some(1), ""));
        assert!(
            ended.stderr.starts_with(&format!("error: {url}: ")),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("refused"), "{}", ended.stderr);
    }
}

#[test]
fn https_to_a_server_without_it_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/", listener.local_addr().expect("it is bound"));
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .expect("it listens");
        _ = client.read_to_end(&mut Vec::new());
    });
    let ended = run(example("fetch_urls").arg(&url));
    assert_eq!((ended.status, ended.text()), (Some(1), ""));
    assert!(
        ended.stderr.starts_with(&format!("error: {url}: ")),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("InvalidContentType"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.lines().count(),
        2,
        "the error and the summary: {}",
        ended.stderr
    );
    server.join().expect("it had a client");
}

#[test]
fn the_limits_of_a_request_and_of_the_run_are_told_apart() {
    let server = Server::start();
    let hang = server.url("/hang");
    let ended = run(example("fetch_urls").args(["--max-time", "0.05", &hang]));
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.starts_with(&format!("error: {hang}: timeout")),
        "{}",
        ended.stderr
    );
    let ended = run(example("fetch_urls").args(["--timeout", "0.05", &hang]));
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.starts_with("error: gave up at the time limit"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_reader_that_stops_reading_ends_the_fetching_quietly() {
    let server = Server::start();
    let mut program = Program::start_unread(example("fetch_urls").args(["-P", "1", "--file", "-"]));
    let urls = [server.url("/bytes/1"), server.url("/hang")].join("\n");
    program
        .stdin()
        .write_all(urls.as_bytes())
        .expect("it reads");
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn interrupting_aborts_the_requests() {
    let server = Server::start();
    let hang = server.url("/hang");
    let program = Program::start(example("fetch_urls").args(["-P", "1", &hang, &hang]));
    assert_eq!(server.await_request(), "/hang");
    program.interrupt();
    program
        .end()
        .refused(130, "interrupted: 0 of 2 fetched, 1 aborted, 1 never begun");
}

/// Runs a checksum program, or says that it is not installed.
fn tool(name: &str, paths: &[PathBuf]) -> Option<Vec<u8>> {
    if cfg!(windows) {
        println!("skipped: {name} writes the paths of Windows differently");
        return None;
    }
    match Command::new(name).arg("--").args(paths).output() {
        Ok(output) => {
            assert!(output.status.success(), "{name}: {output:?}");
            Some(output.stdout)
        }
        Err(error) => {
            println!("skipped: {name} cannot be run: {error}");
            None
        }
    }
}

/// A folder whose files are awkward, and their paths in order.
fn odd_folder(name: &str) -> (Folder, Vec<PathBuf>) {
    let folder = Folder::new(name);
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut paths = vec![
        folder.file("empty", b""),
        folder.file("a/b/deep", b"deep"),
        folder.file("a-b", b"sorts before a/b, but not as a path"),
        folder.file("with space", b"space"),
        folder.file("-dash", b"dash"),
        folder.file("größe", b"text"),
        folder.file("large", &large),
    ];
    if cfg!(unix) {
        paths.push(folder.file("new\nline", b"line"));
        paths.push(folder.file("back\\slash\\", b"slash"));
    }
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    (folder, paths)
}

#[test]
fn hash_tree_prints_what_sha256sum_does() {
    let (folder, mut paths) = odd_folder("sha256");
    #[cfg(unix)]
    {
        use std::ffi::OsStr;
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        // Some file systems accept only text.
        let path = folder.0.join(OsStr::from_bytes(b"not \xff text"));
        if fs::write(&path, b"bytes").is_ok() {
            paths.push(path);
        }
        symlink("empty", folder.0.join("link")).expect("a link");
        symlink("nowhere", folder.0.join("dangling")).expect("a link");
    }
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    let ended = run(example("hash_tree").arg(&folder.0));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let lines = ended.stdout.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(lines, paths.len(), "links are not followed");
    let jobs = run(example("hash_tree").args(["--jobs", "3"]).arg(&folder.0));
    assert_eq!(jobs.stdout, ended.stdout);
    if let Some(expected) = tool("sha256sum", &paths) {
        assert_eq!(
            ended.stdout.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let mut check = Command::new("sha256sum");
        let mut program = Program::start(check.args(["--check", "--quiet"]));
        program.stdin().write_all(&ended.stdout).expect("it reads");
        let checked = program.end();
        assert_eq!(
            (checked.status, checked.text()),
            (Some(0), ""),
            "{}",
            checked.stderr
        );
    }
}

#[test]
fn hash_tree_prints_what_b3sum_does() {
    let (folder, paths) = odd_folder("blake3");
    let ended = run(example("hash_tree")
        .args(["--algorithm", "blake3"])
        .arg(&folder.0));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.text().lines().count(), paths.len());
    if let Some(expected) = tool("b3sum", &paths) {
        assert_eq!(
            ended.stdout.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
}

#[test]
fn hash_tree_hashes_the_sources_of_the_crate_by_default() {
    let ended = run(&mut example("hash_tree"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.text().lines().any(|line| line.ends_with("lib.rs")),
        "{}",
        ended.text()
    );
}

#[test]
fn hash_tree_names_what_it_cannot_read() {
    let (folder, _) = odd_folder("unreadable");
    let missing = folder.0.join("missing");
    run(example("hash_tree").arg(&folder.0).arg(&missing)).refused(1, "missing\": ");
    // Whoever runs this may read every file, but the first page of no process is mapped.
    if cfg!(target_os = "linux") {
        let ended = run(example("hash_tree").arg(&folder.0).arg("/proc/self/mem"));
        ended.refused(
            1,
            "error: cannot read \"/proc/self/mem\": Input/output error",
        );
    }
    let ended = run(example("hash_tree").args(["--jobs", "0"]));
    assert_eq!((ended.status, ended.text()), (Some(2), ""));
}

#[cfg(unix)]
#[test]
fn hash_tree_ends_quietly_if_nobody_reads() {
    let mut program = Program::start_unread(example("hash_tree").arg("/dev/stdin"));
    program
        .stdin()
        .write_all(b"hashed when nobody listens any more")
        .expect("it reads");
    let ended = program.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn hash_tree_stops_in_the_middle_of_a_file() {
    let mut program = Program::start(example("hash_tree").arg("/dev/stdin"));
    let mut endless = program.stdin();
    // More than a pipe holds: once this is written, the program is reading.
    let data = vec![0; 1 << 20];
    endless.write_all(&data).expect("it reads");
    program.interrupt();
    let writer = thread::spawn(move || while endless.write_all(&data).is_ok() {});
    program.end().refused(130, "interrupted");
    writer.join().expect("the pipe is closed");
}

/// What `ndjson_pipeline` is to make of some records: the results of the lines before the first bad
/// one, and what is said of that one.
fn loop_over(records: &[u8]) -> (String, Option<String>) {
    let mut results = String::new();
    for (number, line) in (1..).zip(records.split_inclusive(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match serde_json::from_slice::<serde_json::Map<_, _>>(line) {
            Ok(mut record) => {
                record.shift_remove("debug");
                let is_slow = record["ms"].as_u64() > Some(500);
                record.insert("slow".to_owned(), is_slow.into());
                results += &serde_json::Value::from(record).to_string();
                results.push('\n');
            }
            Err(error) => return (results, Some(format!("line {number}, {error}"))),
        }
    }
    (results, None)
}

/// Generated records with some lines cut off.
fn records(size: &str, bad_lines: &[&str]) -> Vec<u8> {
    let mut command = example("ndjson_pipeline");
    command.args(["--generate", size, "--raw"]);
    for line in bad_lines {
        command.args(["--bad-line", line]);
    }
    let ended = run(&mut command);
    results(&ended);
    ended.stdout
}

/// All ways to run the pipeline.
const WAYS: [&[&str]; 6] = [
    &["--sequential"],
    &["--jobs", "1"],
    &["--jobs", "2"],
    &["--jobs", "3"],
    &["--jobs", "8"],
    &[],
];

/// Runs the pipeline on standard input.
fn pipe(records: &[u8], args: &[&str]) -> Ended {
    let mut program = Program::start(example("ndjson_pipeline").arg("-").args(args));
    let mut stdin = program.stdin();
    thread::scope(|scope| {
        // At a bad line it stops reading.
        scope.spawn(move || _ = stdin.write_all(records));
        program.end()
    })
}

/// The output of a program that had nothing to complain of.
#[track_caller]
fn results(ended: &Ended) -> &str {
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    ended.text()
}

#[test]
fn ndjson_pipeline_demonstrates_itself() {
    let ended = run(&mut example("ndjson_pipeline"));
    let output = ended.text();
    assert_eq!(ended.status, Some(0), "{output}{}", ended.stderr);
    assert_eq!(output.matches("the same bytes").count(), 2, "{output}");
    let stopped = "Err: line 20000 of the records: EOF while parsing";
    assert_eq!(output.matches(stopped).count(), 2, "{output}");
}

#[test]
fn ndjson_pipeline_writes_what_the_sequential_loop_does() {
    let records = records("1MB", &[]);
    assert!(records.len() >= 1_000_000 && records.ends_with(b"}\n"));
    let (expected, None) = loop_over(&records) else {
        panic!("a bad line")
    };
    let slow = expected.matches(r#""slow":true}"#).count();
    assert!(0 < slow && 2 * slow < expected.lines().count());
    let folder = Folder::new("ndjson");
    let file = folder.file("records", &records);
    let out = folder.0.join("results");
    for way in WAYS {
        let command = || {
            let mut command = example("ndjson_pipeline");
            command.args(way);
            command
        };
        for ended in [
            run(command().arg(&file)),
            run(command().args(["--generate", "1MB"])),
            pipe(&records, way),
        ] {
            assert!(results(&ended) == expected, "{way:?}: the results differ");
        }
        let ended = run(command().arg(&file).arg("--output").arg(&out));
        assert_eq!(results(&ended), "");
        assert!(fs::read(&out).expect("the results") == expected.as_bytes());
    }
}

#[test]
fn ndjson_pipeline_stops_at_the_lowest_bad_line() {
    let bad_lines = ["1500", "1501", "1530", "3000"];
    let records = records("1MB", &bad_lines);
    let (expected, Some(error)) = loop_over(&records) else {
        panic!("no bad line")
    };
    // The parser of a line knows of one line only.
    let error = error.replace(" at line 1 column ", " at column ");
    let error = error.replace("line 1500, ", "error: line 1500 of standard input: ") + "\n";
    for way in [WAYS.as_slice(); 3].concat() {
        let ended = pipe(&records, way);
        assert_eq!(
            (ended.status, ended.stderr.as_str()),
            (Some(1), error.as_str())
        );
        assert!(ended.text() == expected, "{way:?}: the results differ");
    }
}

#[test]
fn ndjson_pipeline_takes_lines_as_they_come() {
    for (records, expected, error) in [
        ("", "", ""),
        ("\n\n", "", ""),
        ("{}", "{'slow':false}\n", ""),
        (
            "{'ms':501}\r\n\r\n \t\n{'ms':500}",
            "{'ms':501,'slow':true}\n{'ms':500,'slow':false}\n",
            "",
        ),
        (
            "{'b': [1, {'debug': -1}], 'debug': 0, 'slow': 1, 'a': 0.1}\n",
            "{'b':[1,{'debug':-1}],'slow':false,'a':0.1}\n",
            "",
        ),
        (
            "{'ms':18446744073709551615}\n{'ms':'501'}\n{'ms':null}\n{'ms':501.5}\n",
            "{'ms':18446744073709551615,'slow':true}\n{'ms':'501','slow':false}\n\
             {'ms':null,'slow':false}\n{'ms':501.5,'slow':true}\n",
            "",
        ),
        (
            "\n{}\n\n{'a':\r\n{}\n",
            "{'slow':false}\n",
            "line 4 of standard input: EOF while parsing a value at column 5",
        ),
        (
            "{}\n{} {}\n",
            "{'slow':false}\n",
            "line 2 of standard input: trailing characters at column 4",
        ),
        (
            "[]\n",
            "",
            "line 1 of standard input: invalid type: sequence, expected a map at column 0",
        ),
    ] {
        let [records, expected] = [records, expected].map(|text| text.replace('\'', "\""));
        for way in WAYS {
            let ended = pipe(records.as_bytes(), way);
            assert_eq!(ended.text(), expected, "{records:?}");
            let (status, message) = match error {
                "" => (0, String::new()),
                _ => (1, format!("error: {error}\n")),
            };
            assert_eq!((ended.status, ended.stderr), (Some(status), message));
        }
    }
    // Neither text nor JSON.
    for (records, message) in [
        (
            &b"{\"a\":\"\xff\"}"[..],
            "invalid unicode code point at column",
        ),
        (b"\xff\xfe{\0}\0\n\0", "expected value at column 1"),
        (
            "{\"a\":".repeat(1000).as_bytes(),
            "recursion limit exceeded",
        ),
        (b"{\"a\":\"\\ud800\"}", "unexpected end of hex escape"),
    ] {
        pipe(records, &[]).refused(1, message);
    }
}

#[test]
fn ndjson_pipeline_limits_the_length_of_a_line() {
    // Longer than what is read and written at once.
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1 << 20));
    let records = format!("{{}}\n{long}{{}}\n");
    let expected = records.replace('}', ",\"slow\":false}").replace("{,", "{");
    assert!(results(&pipe(records.as_bytes(), &[])) == expected);

    let length = long.len().to_string();
    let ended = pipe(records.as_bytes(), &["--max-line", &length]);
    assert!(results(&ended) == expected, "a line may be as long as that");
    let shorter = (long.len() - 1).to_string();
    for way in WAYS {
        let ended = pipe(
            records.as_bytes(),
            &[way, &["--max-line", &shorter]].concat(),
        );
        assert_eq!(
            (ended.status, ended.text()),
            (Some(1), "{\"slow\":false}\n")
        );
        assert_eq!(
            ended.stderr,
            "error: line 2 of standard input: longer than 1.0 MiB (--max-line)\n"
        );
    }
}

#[test]
fn ndjson_pipeline_names_what_it_cannot_read_or_write() {
    let folder = Folder::new("ndjson-files");
    let file = folder.file("records", b"{}\n");
    let pipeline = |input: &Path, args: &[&str]| {
        let mut command = example("ndjson_pipeline");
        run(command.arg(input).args(args).current_dir(&folder.0))
    };
    let missing = folder.0.join("missing");
    pipeline(&missing, &[]).refused(1, "missing\": ");
    pipeline(&missing, &["--output", "new"]).refused(1, "missing\": ");
    assert!(!folder.0.join("new").exists(), "an output without an input");
    pipeline(&folder.0, &[]).refused(1, "error: cannot read ");
    pipeline(&file, &["--output", "missing/out"]).refused(1, "cannot write to \"missing/out\": ");
    pipeline(&file, &["--output", "records"]).refused(1, "would overwrite the input");
    assert_eq!(fs::read(&file).expect("it is left"), b"{}\n");
    if cfg!(target_os = "linux") {
        for way in WAYS {
            let memory = pipeline(Path::new("/proc/self/mem"), way);
            memory.refused(1, "line 1 of \"/proc/self/mem\": cannot be read: Input/");
            let full = [way, &["--output", "/dev/full"]].concat();
            pipeline(&file, &full).refused(1, "cannot write to \"/dev/full\": No space");
            // More than is written at once.
            let mut full = example("ndjson_pipeline");
            full.args(["--generate", "1MB", "--output", "/dev/full"]);
            run(full.args(way)).refused(1, "cannot write to \"/dev/full\": No space");
        }
    }
}

#[test]
fn ndjson_pipeline_checks_its_options() {
    for bad in [
        "- --jobs 0",
        "- --jobs 2 --sequential",
        "- --generate 1MB",
        "- --raw",
        "- --bad-line 1",
        "--jobs 2",
        "--generate much",
        "--generate 1MB --bad-line 0",
        "--generate 1MB --raw --sequential",
        "a b",
    ] {
        let ended = run(example("ndjson_pipeline").args(bad.split(' ')));
        assert_eq!((ended.status, ended.text()), (Some(2), ""), "{bad}");
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}

#[test]
fn ndjson_pipeline_ends_quietly_if_nobody_reads() {
    for way in WAYS {
        let mut program = Program::start_unread(example("ndjson_pipeline").arg("-").args(way));
        let mut endless = program.stdin();
        let writer = thread::spawn(move || while endless.write_all(b"{}\n").is_ok() {});
        assert_eq!(results(&program.end()), "");
        writer.join().expect("the pipe is closed");
    }
    let mut raw = example("ndjson_pipeline");
    let program = Program::start_unread(raw.args(["--generate", "1GiB", "--raw"]));
    assert_eq!(results(&program.end()), "");
    // Even if a line is bad: the results before it come first.
    let mut bad = example("ndjson_pipeline");
    bad.args(["--generate", "1MB", "--bad-line", "2"]);
    assert_eq!(results(&Program::start_unread(&mut bad).end()), "");
}

#[cfg(unix)]
#[test]
fn ndjson_pipeline_stops_between_two_lines() {
    for way in WAYS {
        let mut program = Program::start(example("ndjson_pipeline").arg("-").args(way));
        let mut endless = program.stdin();
        // More than a pipe holds: once this is written, the program is reading.
        let data = "{}\n".repeat(100_000);
        endless.write_all(data.as_bytes()).expect("it reads");
        program.interrupt();
        let writer = thread::spawn(move || while endless.write_all(data.as_bytes()).is_ok() {});
        let ended = program.end();
        writer.join().expect("the pipe is closed");
        let count = ended.text().lines().count();
        assert_eq!(ended.text(), "{\"slow\":false}\n".repeat(count));
        assert_eq!(
            (ended.status, ended.stderr),
            (Some(130), format!("interrupted after {count} lines\n"))
        );
    }
}
