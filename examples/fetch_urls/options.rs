//! The command line, and the URLs that it names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use rayon_errgroup::ErrGroup;
use ureq::http::Uri;

use crate::client::Limits;

/// Fetch URLs in parallel, and stop at the first that fails
///
/// Prints status, bytes and URL of each page, in the given order. Without a URL or a file it runs a
/// demonstration with a server of its own.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit status: 0 if every URL was fetched, 1 if not, 2 if nothing was started, \
    130 after Ctrl-C. Press Ctrl-C twice to exit without waiting for connections in progress."
)]
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
    /// The URLs, those of the command line first. `None` if it names neither a URL nor a file.
    pub(crate) fn targets(&self) -> Option<anyhow::Result<Vec<String>>> {
        (!self.urls.is_empty() || self.file.is_some()).then(|| self.read_targets())
    }

    fn read_targets(&self) -> anyhow::Result<Vec<String>> {
        let mut urls = Vec::new();
        for url in &self.urls {
            urls.push(checked(url)?);
        }
        if let Some(file) = &self.file {
            let (name, text) = read(file)?;
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
    pub(crate) fn group(&self, urls: usize) -> ErrGroup {
        let group = ErrGroup::new().concurrency(self.concurrency().min(urls).max(1));
        match self.timeout {
            Some(limit) => group.timeout(limit),
            None => group,
        }
    }
}

fn read(file: &Path) -> anyhow::Result<(String, String)> {
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), io::read_to_string(io::stdin()))
    } else {
        (file.display().to_string(), fs::read_to_string(file))
    };
    let text = text.with_context(|| format!("cannot read {name}"))?;
    Ok((name, text))
}

/// Rejects a malformed URL before the first request is made.
fn checked(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url.parse().with_context(|| format!("bad URL {url:?}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        bail!("bad URL {url:?}: it does not begin with http:// or https://");
    }
    ensure!(
        uri.host().is_some_and(|host| !host.is_empty()),
        "bad URL {url:?}: no host"
    );
    // `Uri` accepts any digits as a port, but then has none, which would mean port 80.
    let port = uri
        .authority()
        .and_then(|authority| authority.as_str().rsplit_once(':'));
    if let Some((_, digits)) = port.filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())) {
        ensure!(
            digits.is_empty() || uri.port().is_some(),
            "bad URL {url:?}: no port {digits}"
        );
    }
    Ok(url.to_owned())
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let limit = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(!limit.is_zero(), "it must be more than zero");
    Ok(limit)
}
