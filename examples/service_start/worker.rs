//! The workers wait for a job or for the cancellation with `select!`, whichever comes first.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{Receiver, select};
use rayon_errgroup::CancelToken;

use crate::tell;

/// A part that answers one connection after another.
pub(crate) struct Worker<'s> {
    number: usize,
    jobs: &'s Receiver<TcpStream>,
    answers: &'s Answers,
}

impl<'s> Worker<'s> {
    pub(crate) fn new(
        number: usize,
        jobs: &'s Receiver<TcpStream>,
        answers: &'s Answers,
    ) -> Worker<'s> {
        Worker {
            number,
            jobs,
            answers,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("worker {}", self.number)
    }

    pub(crate) fn work(&self, token: &CancelToken) -> anyhow::Result<()> {
        tell(format_args!("{}: ready", self.name()))?;
        loop {
            select! {
                recv(self.jobs) -> connection => self.answer(connection?),
                recv(token.done()) -> _ => return Ok(token.check()?),
            }
        }
    }

    /// One line, so that writing does not wait for the client. A client that has gone is not a
    /// failure.
    fn answer(&self, mut connection: TcpStream) {
        _ = writeln!(connection, "{}", self.answers.next());
    }
}

/// The answers of the workers.
pub(crate) struct Answers {
    right: String,
    given: AtomicU32,
    /// For the demonstration: later answers are empty.
    fail_after: Option<u32>,
}

impl Answers {
    pub(crate) fn new(right: String, fail_after: Option<u32>) -> Answers {
        Answers {
            right,
            given: AtomicU32::new(0),
            fail_after,
        }
    }

    fn next(&self) -> &str {
        // Relaxed is enough for a mere count.
        let before = self.given.fetch_add(1, Ordering::Relaxed);
        match self.fail_after {
            Some(limit) if before >= limit => "",
            _ => &self.right,
        }
    }
}
