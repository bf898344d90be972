//! The probe: sleeps on the token, and reads from a socket that a cancellation shuts down.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use rayon_errgroup::CancelToken;

use crate::tell;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer.
const LONGEST: u64 = 1024;

/// A part that connects to the service now and then, and fails if it does not answer as it should.
pub(crate) struct Probe {
    pub(crate) address: SocketAddr,
    pub(crate) expected: String,
    pub(crate) interval: Duration,
    /// Without one it never ends by itself.
    pub(crate) count: Option<u32>,
}

impl Probe {
    pub(crate) fn watch(&self, token: &CancelToken) -> anyhow::Result<()> {
        for number in 1..=self.count.map_or(u64::MAX, u64::from) {
            token.sleep(self.interval)?;
            let answer = self.ask(token);
            // After a cancellation it may be cut short, and an error is only that of the shutdown.
            token.check()?;
            let answer = answer.with_context(|| format!("no answer to number {number}"))?;
            ensure!(
                answer == self.expected,
                "number {number} was answered {answer:?}, and not {:?}",
                self.expected
            );
            tell(format_args!(
                "probe: number {number} was answered {answer:?}"
            ));
        }
        Ok(())
    }

    fn ask(&self, token: &CancelToken) -> io::Result<String> {
        let connection = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let handle = connection.try_clone()?;
        let _abort = token.on_cancel(move || _ = handle.shutdown(Shutdown::Both));

        let mut line = String::new();
        BufReader::new(connection.take(LONGEST)).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
