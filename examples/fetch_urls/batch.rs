//! The run: every URL in parallel, under one policy.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
use ureq::Agent;

use crate::client::{self, Error, Limits, Page};
use crate::tally::Tally;

/// A request that has ended.
pub(crate) struct Ended {
    /// The index of its URL.
    pub(crate) index: usize,
    pub(crate) elapsed: Duration,
    pub(crate) result: Result<Page, Error>,
}

/// Fetches all URLs, and passes each request that has ended to `on_end`. The run stops if `on_end`
/// returns an error.
pub(crate) fn run(
    urls: &[String],
    agent: &Agent,
    limits: Limits,
    group: &ErrGroup,
    tally: &Tally,
    on_end: impl Fn(Ended) -> Result<(), Error> + Sync,
) -> Result<(), GroupError<Error>> {
    urls.par_iter()
        .enumerate()
        // Each thread takes one URL at a time, so that no URL waits for a slow one before it.
        .with_max_len(1)
        .with_group(group)
        .try_for_each(|token, (index, url)| {
            token.check()?;
            let start = Instant::now();
            tally.start();

            // A thread that waits for a server cannot check the token. Instead the cancellation
            // itself (by another URL that fails, the time limit or Ctrl-C) closes the connections.
            let connections = agent.clone();
            let _abort = token.on_cancel(move || connections.shutdown());

            let result = client::get(agent, url, limits, token);
            tally.end(&result);
            on_end(Ended {
                index,
                elapsed: start.elapsed(),
                result,
            })
        })
}
