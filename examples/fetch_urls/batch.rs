//! The run: every URL in parallel, under one policy.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
use ureq::Agent;

use crate::client::{self, Error, Limits, Page};
use crate::tally::Tally;

/// A request that has come to its end.
pub(crate) struct Ended {
    /// Which of the URLs it was for.
    pub(crate) index: usize,
    pub(crate) elapsed: Duration,
    pub(crate) result: Result<Page, Error>,
}

/// Fetches all URLs, and hands each request that ended to `on_end`, which decides what stops the
/// run: it does if `on_end` returns an error.
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
        // One URL at a time for each thread: behind a slow page no other has to wait.
        .with_max_len(1)
        .with_group(group)
        .try_for_each(|token, (index, url)| {
            token.check()?;
            let begun = Instant::now();
            tally.begin();

            // A thread that waits for a server cannot look at a token, so whoever cancels the run
            // (another URL that fails, the time limit, Ctrl-C) closes the connections instead.
            let connections = agent.clone();
            let _abort = token.on_cancel(move || connections.shutdown());

            let result = client::get(agent, url, limits, token);
            tally.end(&result);
            on_end(Ended {
                index,
                elapsed: begun.elapsed(),
                result,
            })
        })
}
