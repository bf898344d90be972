//! The command line, and the URLs that it names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bytesize::ByteSize;
use clap::Parser;
use clap::error::ErrorKind;
use rayon_errgroup::{CancelToken, ErrGroup};
use ureq::http::Uri;

use crate::bounded;
use crate::client::Limits;
use crate::exit::STATUSES;
use crate::input::Input;
use crate::message::quoted;

/// How long a list of URLs may be.
const LONGEST_LIST: ByteSize = ByteSize::mib(64);

/// Fetch URLs in parallel, and stop at the first that fails
///
/// Prints status, bytes and URL of each page, in the given order. Without a URL or a file it runs a
/// demonstration with a server of its own.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_help = STATUSES)]
#[command(allow_negative_numbers = true)]
#[command(group = clap::ArgGroup::new("targets").args(["urls", "file"]).multiple(true))]
pub(crate) struct Options {
    /// URLs to fetch, beginning with http:// or https://
    #[arg(value_name = "URL")]
    urls: Vec<String>,

    /// Also fetch the URLs in this file, one per line, "-" for standard input; blank lines and
    /// lines that begin with "#" are skipped
    #[arg(short, long, requires = "targets")]
    file: Option<PathBuf>,

    /// How many requests may be in flight at once
    #[arg(
        short = 'P',
        long,
        value_name = "N",
        default_value_t = 32,
        requires = "targets"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,

    /// Report each failure and go on with the other URLs
    #[arg(short, long, requires = "targets")]
    pub(crate) keep_going: bool,

    /// How long each request may take, including its body
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, requires = "targets")]
    max_time: Option<Duration>,

    /// How long resolving and connecting to a host may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    #[arg(requires = "targets")]
    connect_timeout: Duration,

    /// How long the whole run may take
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, requires = "targets")]
    timeout: Option<Duration>,
}

impl Options {
    /// Whether the command line names a URL or a file.
    pub(crate) fn has_targets(&self) -> bool {
        !self.urls.is_empty() || self.file.is_some()
    }

    /// The URLs, those of the command line first.
    pub(crate) fn targets(&self, stop: &CancelToken) -> anyhow::Result<Vec<String>> {
        let mut urls = Vec::new();
        for url in &self.urls {
            urls.push(checked(url).unwrap_or_else(|error| {
                clap::Error::raw(ErrorKind::ValueValidation, format!("{error:#}\n")).exit()
            }));
        }
        if let Some(file) = &self.file {
            let (name, text) = read(file, stop)?;
            for (number, line) in (1..).zip(text.lines().map(str::trim)) {
                if !line.is_empty() && !line.starts_with('#') {
                    urls.push(checked(line).with_context(|| format!("line {number} of {name}"))?);
                }
            }
            ensure!(!urls.is_empty(), "no URL in {name}");
        }
        Ok(urls)
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency.into()
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connect: self.connect_timeout,
            request: self.max_time,
        }
    }

    /// The policy of a run over this many URLs, which may be fewer than the threads allowed.
    pub(crate) fn group(&self, urls: usize) -> anyhow::Result<ErrGroup> {
        let threads = self.concurrency().min(urls).max(1);
        let group = ErrGroup::new().try_concurrency(threads)?;
        Ok(match self.timeout {
            Some(limit) => group.timeout(limit),
            None => group,
        })
    }
}

/// The name and the text of a list.
fn read(file: &Path, stop: &CancelToken) -> anyhow::Result<(String, String)> {
    let name = match file.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => quoted(file),
    };
    let bytes = Input::open(file, stop).and_then(|input| bounded::read(input, LONGEST_LIST));
    // After a signal an error is only a consequence.
    stop.check()?;
    let text = bytes.map_err(anyhow::Error::from);
    let text = text.and_then(|bytes| Ok(String::from_utf8(bytes)?));
    let text = text.with_context(|| format!("cannot read {name}"))?;
    Ok((name, text))
}

/// Rejects a malformed URL before the first request is made.
fn checked(url: &str) -> anyhow::Result<String> {
    check(url).with_context(|| format!("bad URL {}", quoted(url)))?;
    Ok(url.to_owned())
}

fn check(url: &str) -> anyhow::Result<()> {
    let scheme = url.split_once("://").map(|(scheme, rest)| {
        let scheme = scheme.to_ascii_lowercase();
        (scheme == "http" || scheme == "https").then_some(rest)
    });
    let rest = scheme.flatten();
    let rest = rest.ok_or_else(|| anyhow!("it does not begin with http:// or https://"))?;
    ensure!(!rest.is_empty() && !rest.starts_with('/'), "no host");
    let uri: Uri = url.parse()?;
    ensure!(uri.host().is_some_and(|host| !host.is_empty()), "no host");
    // `Uri` accepts anything behind the host, but then has no port, which would mean port 80.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // The colons of an IPv6 address are in brackets.
    let bracket = host.rfind(']').map_or(0, |index| index + 1);
    let behind = host[bracket..].split_once(':');
    ensure!(
        bracket == 0
            || behind.is_some_and(|(between, _)| between.is_empty())
            || host.ends_with(']'),
        "invalid authority"
    );
    if let Some((_, port)) = behind {
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
            && (port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0));
        ensure!(is_port, "{} is not a port", quoted(port));
    }
    Ok(())
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let limit = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(!limit.is_zero(), "it must be more than zero");
    Ok(limit)
}
