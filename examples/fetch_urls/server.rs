//! The server of the demonstration.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::anyhow;
use rayon_errgroup::CancelToken;
use tiny_http::{Request, Response};

/// How long a good page takes.
pub(crate) const PAGE_DELAY: Duration = Duration::from_millis(100);
/// How long a failing page takes once the hanging one was requested.
const FAIL_DELAY: Duration = Duration::from_millis(250);

/// Serves `/page/…` after a delay, answers `/fail/…` with an error, and never answers `/hang`.
pub(crate) struct Server {
    http: Arc<tiny_http::Server>,
    events: Arc<Events>,
    thread: Option<JoinHandle<()>>,
}

/// Tokens as flags that threads can sleep on.
struct Events {
    closing: CancelToken,
    /// The failing pages wait for this, so that the demonstration has a request to abort.
    hanging: CancelToken,
}

impl Server {
    pub(crate) fn start() -> anyhow::Result<Server> {
        let http = tiny_http::Server::http((Ipv4Addr::LOCALHOST, 0))
            .map_err(|error| anyhow!("cannot start a server: {error}"))?;
        let http = Arc::new(http);
        let closing = CancelToken::new();
        let events = Arc::new(Events {
            hanging: closing.child(),
            closing,
        });
        let thread = thread::Builder::new().spawn({
            let (http, events) = (Arc::clone(&http), Arc::clone(&events));
            move || serve(&http, &events)
        })?;
        Ok(Server {
            http,
            events,
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http.server_addr())
    }
}

/// Each request has a thread of its own, so that a slow page does not delay others.
fn serve(http: &tiny_http::Server, events: &Events) {
    thread::scope(|scope| {
        for request in http.incoming_requests() {
            // Without a thread the request is dropped, which closes its connection.
            _ = thread::Builder::new().spawn_scoped(scope, || answer(request, events));
        }
    });
}

/// A client that has closed its connection is not an error.
fn answer(request: Request, events: &Events) {
    match request.url().split('/').nth(1) {
        Some("page") => {
            _ = events.closing.sleep(PAGE_DELAY);
            let text = format!("this is {}\n", request.url()).repeat(100);
            _ = request.respond(Response::from_string(text));
        }
        Some("fail") => {
            _ = events.hanging.sleep(Duration::MAX);
            _ = events.closing.sleep(FAIL_DELAY);
            _ = request.respond(Response::empty(500));
        }
        Some("hang") => {
            events.hanging.cancel();
            _ = events.closing.sleep(Duration::MAX);
        }
        _ => _ = request.respond(Response::empty(404)),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.events.closing.cancel();
        self.http.unblock();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
