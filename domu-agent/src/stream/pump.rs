//! The two sockets around a [`StreamRelay`].

use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use proto::agent::RefusalCode;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::error::StreamError;
use super::relay::StreamRelay;
use crate::dom0::revocation;
use crate::presence;

/// Bytes read at once from either side: four full records.
const READ_SIZE: usize = 65_536;
/// How long a stream that is closing may stand still with something left to send.
const LINGER: Duration = Duration::from_secs(5);

/// Both ends of a stream, and the right to it.
pub(crate) struct Ends {
    /// The application.
    pub(crate) app: UnixStream,
    /// The server.
    pub(crate) server: TcpStream,
    /// Becomes a code when the right ends.
    pub(crate) revoked: watch::Receiver<Option<RefusalCode>>,
}

/// Runs a stream to its end. Tickets that the server sends are passed to `on_ticket`.
///
/// # Errors
/// [`StreamError`] unless both directions ended in order.
pub(crate) async fn pump(
    mut relay: StreamRelay,
    ends: &mut Ends,
    mut on_ticket: impl FnMut(Zeroizing<Vec<u8>>),
) -> Result<(), StreamError> {
    let mut half_closed = HalfClosed::default();
    loop {
        while let Some(ticket) = relay.next_ticket() {
            on_ticket(ticket);
        }
        half_closed.follow(&relay, ends);
        if relay.is_over() {
            break;
        }
        let is_closing = relay.is_closing();
        let step = ends.step(&mut relay);
        if !is_closing {
            step.await;
        } else if timeout(LINGER, step).await.is_err() {
            break;
        }
        if let Some(StreamError::Revoked(_) | StreamError::App(_)) = relay.failure() {
            break;
        }
    }
    relay.into_failure().map_or(Ok(()), Err)
}

impl Ends {
    /// Waits until one of the sockets can do what the relay wants, and does it.
    async fn step(&mut self, relay: &mut StreamRelay) {
        let app = interest(relay.wants_app_bytes(), !relay.to_app().is_empty());
        let server = interest(relay.wants_server_bytes(), !relay.to_server().is_empty());
        // Reading or writing would show that the application has left; else it is looked for.
        let app_is_silent = app.is_none() && !relay.is_closing();
        tokio::select! {
            ready = ready_unix(&self.app, app) => match ready {
                Ok(ready) => with_buffer(|buffer| self.serve_app(relay, buffer, ready)),
                Err(error) => relay.fail(StreamError::App(error)),
            },
            ready = ready_tcp(&self.server, server) => match ready {
                Ok(ready) => with_buffer(|buffer| self.serve_server(relay, buffer, ready)),
                Err(error) => relay.fail(StreamError::Server(error)),
            },
            code = revocation(&mut self.revoked) => relay.fail(StreamError::Revoked(code)),
            () = presence::left(&self.app), if app_is_silent => relay.on_app_gone(),
        }
    }

    fn serve_app(&self, relay: &mut StreamRelay, buffer: &mut [u8], ready: Ready) {
        if ready.is_writable() && !relay.to_app().is_empty() {
            match self.app.try_write(relay.to_app()) {
                Ok(n) => relay.on_sent_to_app(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => relay.on_app_gone(),
            }
        }
        if ready.is_readable() && relay.wants_app_bytes() {
            match self.app.try_read(buffer) {
                Ok(0) => relay.on_app_end(),
                Ok(n) => relay.on_app_bytes(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => relay.on_app_gone(),
            }
        }
    }

    fn serve_server(&self, relay: &mut StreamRelay, buffer: &mut [u8], ready: Ready) {
        if ready.is_writable() && !relay.to_server().is_empty() {
            match self.server.try_write(relay.to_server()) {
                Ok(n) => relay.on_sent_to_server(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => relay.on_server_write_failed(error),
            }
        }
        if ready.is_readable() && relay.wants_server_bytes() {
            match self.server.try_read(buffer) {
                Ok(0) => relay.on_server_end(),
                Ok(n) => relay.on_server_bytes(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => relay.fail(StreamError::Server(error)),
            }
        }
    }
}

/// Which directions were shut down.
#[derive(Default)]
struct HalfClosed {
    app: bool,
    server: bool,
}

impl HalfClosed {
    /// Shuts down a direction once nothing more will go there. The socket may be dead by then,
    /// which reading or the next write shows.
    fn follow(&mut self, relay: &StreamRelay, ends: &Ends) {
        if relay.is_closing() {
            return;
        }
        if relay.app_has_all() && !std::mem::replace(&mut self.app, true) {
            shut_down_sending(&ends.app);
        }
        if relay.server_has_all() && !std::mem::replace(&mut self.server, true) {
            shut_down_sending(&ends.server);
        }
    }
}

/// Lends a buffer of [`READ_SIZE`]. There is one for each thread: a stream that is silent needs
/// none.
fn with_buffer(read: impl FnOnce(&mut [u8])) {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
    }
    BUFFER.with_borrow_mut(|buffer| read(buffer));
}

fn shut_down_sending(socket: &impl AsRawFd) {
    if let Err(error) = shutdown(socket.as_raw_fd(), Shutdown::Write) {
        tracing::debug!(%error, "shutdown");
    }
}

fn interest(read: bool, write: bool) -> Option<Interest> {
    match (read, write) {
        (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
        (true, false) => Some(Interest::READABLE),
        (false, true) => Some(Interest::WRITABLE),
        (false, false) => None,
    }
}

async fn ready_unix(socket: &UnixStream, interest: Option<Interest>) -> io::Result<Ready> {
    match interest {
        Some(interest) => socket.ready(interest).await,
        None => std::future::pending().await,
    }
}

async fn ready_tcp(socket: &TcpStream, interest: Option<Interest>) -> io::Result<Ready> {
    match interest {
        Some(interest) => socket.ready(interest).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "pump_tests.rs"]
mod tests;
