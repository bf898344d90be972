//! `fetch_urls`, against a server on the loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use tiny_http::{Request, Response};

use crate::program::{Folder, Program, WATCHDOG, example, run};

/// Answers `/bytes/N` with N bytes, never answers `/hang`, answers `/after-hang` with 503 once a
/// request hangs, and everything else with 404.
///
/// tiny_http may leave a fifth connection waiting until another is closed, so no test opens more.
struct Server {
    http: Arc<tiny_http::Server>,
    requests: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0").expect("a free port"));
        let (send_request, requests) = mpsc::channel();
        let thread = thread::spawn({
            let http = Arc::clone(&http);
            move || {
                let (mut hanging, mut waiting) = (Vec::new(), Vec::new());
                for request in http.incoming_requests() {
                    _ = send_request.send(request.url().to_owned());
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
            requests,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http.server_addr())
    }

    /// Waits for a request, and returns its path.
    fn await_request(&self) -> String {
        self.requests.recv_timeout(WATCHDOG).expect("a request")
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

/// The number after a word in the second half of the demonstration.
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
    let [started, never, fetched, failed, aborted] =
        ["started", "never started", "fetched", "failed", "aborted"]
            .map(|word| count(output, word));
    assert_eq!(started + never, 200, "{output}");
    assert_eq!(fetched + failed + aborted, started, "{output}");
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
    ended.prints(0, &lines);
    ended.says("4 of 4 fetched, 300014 bytes in ");
}

#[test]
fn the_first_failure_aborts_a_request_that_hangs() {
    let server = Server::start();
    let (hang, fail) = (server.url("/hang"), server.url("/after-hang"));
    let ended = run(example("fetch_urls").args(["-P", "2", &hang, &fail]));
    ended.prints(1, "");
    ended.says(&format!(
        "error: {fail:?}: http status: 503\n0 of 2 fetched, 1 failed, 1 aborted, 0 bytes in "
    ));
}

#[test]
fn keep_going_reports_each_failure() {
    let server = Server::start();
    let [a, b, c, d] = ["/bytes/1", "/no", "/none", "/bytes/2"].map(|path| server.url(path));
    let ended = run(example("fetch_urls").args(["--keep-going", "-P", "1", &a, &b, &c, &d]));
    let lines = format!("200\t1\t{a}\n200\t2\t{d}\n");
    ended.prints(1, &lines);
    for url in [b, c] {
        assert!(
            ended
                .stderr
                .contains(&format!("error: {url:?}: http status: 404\n"))
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
    fetch(&folder.0.join("missing")).refused(1, "missing\": ");
    fetch(&list("empty", "")).refused(1, "no URL in");
    fetch(&list("comments", "# one\n\n")).refused(1, "no URL in");
    fetch(&list("bad", &format!("{good}\n\nnonsense\n"))).refused(1, "error: line 3 of ");
    assert!(server.requests.try_recv().is_err(), "a request was made");
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
        ended.prints(2, "");
        ended.says("error: ");
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
        ended.prints(1, "");
        ended.says(&format!("error: {url:?}: "));
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
            .expect("the client reads");
        _ = client.read_to_end(&mut Vec::new());
    });
    let ended = run(example("fetch_urls").arg(&url));
    ended.prints(1, "");
    ended.says(&format!("error: {url:?}: "));
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
    server.join().expect("the server had a client");
}

#[test]
fn the_limits_of_a_request_and_of_the_run_are_distinguished() {
    let server = Server::start();
    let hang = server.url("/hang");
    let ended = run(example("fetch_urls").args(["--max-time", "0.05", &hang]));
    assert_eq!(ended.status, Some(1));
    ended.says(&format!(
        "error: {hang:?}: it took longer than 50ms (--max-time)\n"
    ));
    let ended = run(example("fetch_urls").args(["--timeout", "0.05", &hang]));
    assert_eq!(ended.status, Some(1));
    ended.says("error: the run exceeded its time limit");
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
    program.end().refused(
        130,
        "interrupted by Ctrl-C: 0 of 2 fetched, 1 aborted, 1 never started",
    );
}
