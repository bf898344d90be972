//! The command line.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use rayon_errgroup::ErrGroup;

/// Checks files against their SHA-256 sums: those of this process's shard, if a launcher has set
/// one.
#[derive(clap::Parser)]
pub(crate) struct Options {
    /// The batch: the output of `sha256sum`.
    pub(crate) sums: PathBuf,
    /// The folder of the reports, which all processes share.
    #[arg(long)]
    pub(crate) reports: PathBuf,
    /// The folder that the paths in the list start from.
    #[arg(long, default_value = ".")]
    pub(crate) root: PathBuf,
    /// Prints what came of the whole batch, and runs nothing.
    #[arg(long)]
    pub(crate) merge: bool,
    /// Runs these items instead of a shard, as `--merge` names them. May be repeated.
    #[arg(long = "range", value_name = "START..END", value_parser = range)]
    pub(crate) ranges: Vec<Range<usize>>,
    /// How many files are read at once. The default is one for each core.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Waits before each file, for the sake of a file server that others use, too.
    #[arg(long, value_name = "MILLISECONDS", value_parser = milliseconds, default_value = "0")]
    pub(crate) pause: Duration,
}

impl Options {
    /// An exit status if there is nothing to do.
    pub(crate) fn parse() -> Result<Self, u8> {
        Options::try_parse().map_err(|error| {
            _ = error.print();
            if error.use_stderr() { crate::USAGE } else { 0 }
        })
    }

    pub(crate) fn group(&self) -> anyhow::Result<ErrGroup> {
        Ok(match self.jobs {
            Some(jobs) => ErrGroup::new().try_concurrency(jobs.get())?,
            None => ErrGroup::new(),
        })
    }
}

fn range(text: &str) -> anyhow::Result<Range<usize>> {
    let parts = text.split_once("..");
    let (start, end) = parts.ok_or_else(|| anyhow::anyhow!("it is not START..END"))?;
    Ok(start.parse()?..end.parse()?)
}

fn milliseconds(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(text.parse()?))
}
