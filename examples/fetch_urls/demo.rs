//! The demonstration, which runs without arguments: fetches twice from a server on the loopback.

use std::fmt;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rayon_errgroup::{CancelToken, ErrGroup, GroupError};
use ureq::Agent;

use crate::batch;
use crate::client::{Error, Limits};
use crate::server::{PAGE_DELAY, Server};
use crate::tally::Tally;
use crate::tell::tell;

const PAGES: u32 = 200;
const CONCURRENCY: usize = 32;
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    request: None,
};

/// A run that has ended.
struct Report {
    result: Result<(), GroupError<Error>>,
    tally: Tally,
    elapsed: Duration,
    /// How long the hanging request was in flight when it was aborted.
    hung: Option<Duration>,
}

pub(crate) fn run(stop: &CancelToken) -> anyhow::Result<ExitCode> {
    let server = Server::start()?;
    let first = all_is_well(&server, stop)?;
    if first.result.is_err() {
        return Ok(crate::explain(first.result, &first.tally));
    }
    let second = one_hangs(&server, stop)?;
    if let Err(GroupError::Cancelled(_)) = second.result {
        return Ok(crate::explain(second.result, &second.tally));
    }
    Ok(ExitCode::SUCCESS)
}

fn all_is_well(server: &Server, stop: &CancelToken) -> anyhow::Result<Report> {
    tell(format_args!(
        "{PAGES} pages of {PAGE_DELAY:?} each, {CONCURRENCY} at a time:"
    ))?;
    let page = |n| server.url(&format!("/page/{n}"));
    let urls: Vec<_> = (0..PAGES).map(page).collect();
    let report = fetch(&urls, stop)?;
    let (tally, alone) = (&report.tally, PAGE_DELAY * PAGES);
    row("result", outcome(&report.result))?;
    row("requests", format_args!("{tally}, {} bytes", tally.bytes()))?;
    row(
        "time",
        format_args!(
            "{:.2?}, one after the other at least {alone:?}",
            report.elapsed
        ),
    )?;
    Ok(report)
}

fn one_hangs(server: &Server, stop: &CancelToken) -> anyhow::Result<Report> {
    tell(format_args!(
        "The same, but every 20th page fails and one never answers:"
    ))?;
    let page = |n| match n {
        0 => server.url("/hang"),
        _ if n % 20 == 10 => server.url(&format!("/fail/{n}")),
        _ => server.url(&format!("/page/{n}")),
    };
    let urls: Vec<_> = (0..PAGES).map(page).collect();
    let report = fetch(&urls, stop)?;
    let tally = &report.tally;
    row("result", outcome(&report.result))?;
    row("started", format_args!("{} of {PAGES}", tally.started()))?;
    row("fetched", tally.fetched())?;
    row("failed", tally.failed())?;
    row("aborted", tally.aborted())?;
    row("never started", tally.never_started())?;
    if let Some(hung) = report.hung {
        row(
            "/hang",
            format_args!("in flight for {hung:.2?}, then aborted by on_cancel"),
        )?;
    }
    row("time", format_args!("{:.2?}", report.elapsed))?;
    Ok(report)
}

fn fetch(urls: &[String], stop: &CancelToken) -> anyhow::Result<Report> {
    let group = ErrGroup::new().try_concurrency(CONCURRENCY)?.token(stop);
    // No proxy for the loopback, and no idle connections: tiny_http may leave a new connection
    // waiting until another is closed.
    let agent = Agent::config_builder()
        .proxy(None)
        .max_idle_connections(0)
        .build()
        .new_agent();
    let tally = Tally::new(urls.len());
    let hung = OnceLock::new();
    let progress = crate::progress_bar(urls.len())?;

    let start = Instant::now();
    let result = batch::run(urls, &agent, LIMITS, &group, &tally, |ended| {
        progress.inc(1);
        let aborted = matches!(ended.result, Err(Error::Cancelled(_)));
        if aborted && urls[ended.index].ends_with("/hang") {
            _ = hung.set(ended.elapsed);
        }
        ended.result.map(drop)
    });
    let elapsed = start.elapsed();
    progress.finish_and_clear();
    Ok(Report {
        result,
        tally,
        elapsed,
        hung: hung.into_inner(),
    })
}

fn outcome(result: &Result<(), GroupError<Error>>) -> String {
    match result {
        Ok(()) => "Ok".to_owned(),
        Err(GroupError::Failed { error, .. }) => format!("Err: {error}"),
        Err(other) => format!("Err: {other}"),
    }
}

fn row(name: &str, value: impl fmt::Display) -> anyhow::Result<()> {
    tell(format_args!("  {name:<14} {value}"))
}
