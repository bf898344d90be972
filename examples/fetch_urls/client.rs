//! One request.

use std::io;
use std::time::Duration;

use rayon_errgroup::{CancelToken, Cancelled};
use ureq::{Agent, Timeout};

use crate::message::quoted;

/// How much longer than the run a request may take to connect, so that a run that exceeds its time
/// limit reports that limit, and not the URL that was connecting.
const GRACE_PERIOD: Duration = Duration::from_millis(200);

/// The response to a request.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) bytes: u64,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) request: Option<Duration>,
}

/// Why an item of the run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {cause}", quoted(.url))]
    Request { url: String, cause: Failure },
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why a request failed, with the option behind a limit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("it took longer than {0:?} (--max-time)")]
    Slow(Duration),
    #[error("no connection within {0:?} (--connect-timeout)")]
    Unconnected(Duration),
    #[error(transparent)]
    Other(ureq::Error),
}

impl Failure {
    fn new(error: ureq::Error, limits: Limits) -> Failure {
        match (&error, limits.request) {
            (ureq::Error::Timeout(Timeout::Global), Some(limit)) => Failure::Slow(limit),
            (ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect), _) => {
                Failure::Unconnected(limits.connect)
            }
            _ => Failure::Other(error),
        }
    }
}

/// The client of one run. Aborting the run makes it unusable.
pub(crate) fn agent(concurrency: usize) -> Agent {
    Agent::config_builder()
        .max_idle_connections(concurrency)
        .max_idle_connections_per_host(concurrency)
        .build()
        .new_agent()
}

/// Reads a page to its end. A status of 400 or more is a failure.
pub(crate) fn get(
    agent: &Agent,
    url: &str,
    limits: Limits,
    token: &CancelToken,
) -> Result<Page, Error> {
    let page = request(agent, url, limits, token);
    // After a cancellation the page may be truncated, and an error is only a consequence.
    token.check()?;
    page.map_err(|cause| Error::Request {
        url: url.to_owned(),
        cause: Failure::new(cause, limits),
    })
}

fn request(
    agent: &Agent,
    url: &str,
    limits: Limits,
    token: &CancelToken,
) -> Result<Page, ureq::Error> {
    // Shutting down the agent does not interrupt connecting, so that is limited to the time left.
    let left = token
        .remaining()
        .map_or(Duration::MAX, |left| left.saturating_add(GRACE_PERIOD));
    let connect = limits.connect.min(left);
    let mut response = agent
        .get(url)
        .config()
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_global(limits.request)
        .build()
        .call()?;
    let bytes = io::copy(&mut response.body_mut().as_reader(), &mut io::sink())?;
    Ok(Page {
        status: response.status().as_u16(),
        bytes,
    })
}
