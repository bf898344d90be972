//! The probe sleeps on the token, and reads from a socket that a cancellation shuts down.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use rayon_errgroup::CancelToken;

use crate::tell;

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1024;

/// A part that connects to the service at intervals, and fails if an answer is wrong.
pub(crate) struct Probe {
    pub(crate) address: SocketAddr,
    pub(crate) expected: String,
    pub(crate) interval: Duration,
    /// Without a count the probe never ends by itself.
    pub(crate) count: Option<u32>,
}

impl Probe {
    pub(crate) fn watch(&self, token: &CancelToken) -> anyhow::Result<()> {
        for number in 1..=self.count.map_or(u64::MAX, u64::from) {
            token.sleep(self.interval)?;
            let answer = self.ask(token);
            // After a cancellation the answer may be truncated, and an error is only a consequence.
            token.check()?;
            let answer = answer.with_context(|| format!("no answer to probe {number}"))?;
            ensure!(
                answer == self.expected,
                "answer {number} is {answer:?} instead of {:?}",
                self.expected
            );
            tell(format_args!("probe: answer {number} is {answer:?}"))?;
        }
        Ok(())
    }

    fn ask(&self, token: &CancelToken) -> io::Result<String> {
        let connection = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        let handle = connection.try_clone()?;
        let _abort = token.on_cancel(move || _ = handle.shutdown(Shutdown::Both));

        let mut line = String::new();
        BufReader::new(connection.take(LONGEST)).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
