//! The listener blocks in a system call, and is woken by `on_cancel`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Sender, select};
use rayon_errgroup::CancelToken;

use crate::tell;

/// How long waking may take. If the queue of the port is full, the listener is awake anyway.
const WAKE: Duration = Duration::from_millis(100);

/// A port on the loopback.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Port 0 means any free port.
    pub(crate) fn bind(port: u16) -> anyhow::Result<Listener> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let context = || format!("cannot listen on {wanted}");
        let socket = TcpListener::bind(wanted).with_context(context)?;
        let address = socket.local_addr().with_context(context)?;
        Ok(Listener { socket, address })
    }

    /// Passes each connection to the workers, and closes the port at the end.
    pub(crate) fn serve(self, jobs: &Sender<TcpStream>, token: &CancelToken) -> anyhow::Result<()> {
        let address = self.address;
        tell(format_args!("listener: on {address}"))?;

        // A thread that blocks in `accept` cannot check the token, so the cancellation connects to
        // it.
        let _wake = token.on_cancel(move || _ = TcpStream::connect_timeout(&address, WAKE));

        loop {
            let accepted = self.socket.accept();
            token.check()?;
            let connection = match accepted {
                Ok((connection, _)) => connection,
                // The client gave up before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("cannot accept a connection"),
            };
            select! {
                send(jobs, connection) -> sent => sent?,
                recv(token.done()) -> _ => return Ok(token.check()?),
            }
        }
    }
}
