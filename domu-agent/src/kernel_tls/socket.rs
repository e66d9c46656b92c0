//! A connection whose records the kernel seals and opens, as the agent keeps it beside the
//! application that has it.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use proto::tls::{Alert, AlertLevel, ContentType, RecordError};

use super::crypto_info::CryptoInfos;
use super::record_type::{Next, receive, send};
use crate::stream::StreamError;

/// Records other than data that a server may send in a row without ending the connection: warnings
/// and HelloRequests.
const MAX_IDLE_RECORDS: usize = 16;
/// Longest content of one that is of interest: a HelloRequest (RFC 5246 §7.4.1.1).
const MAX_CONTENT: usize = 4;
const HELLO_REQUEST: [u8; MAX_CONTENT] = [0; MAX_CONTENT];

/// Why the kernel did not take the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AttachError {
    /// Nothing has changed: the agent can go on with the connection itself.
    #[error("{step}: {errno}")]
    Unchanged {
        /// The socket option.
        step: &'static str,
        /// Why.
        errno: Errno,
    },
    /// One direction is the kernel's, the other is nobody's.
    #[error("TLS_RX after TLS_TX: {0}")]
    HalfWay(Errno),
}

/// A connection of which the application has another descriptor.
///
/// The agent never reads data from it. It looks when it is asked how the connection is doing, and
/// takes away only records that an application cannot read.
pub(crate) struct KernelTls {
    tcp: TcpStream,
    ending: Mutex<Option<Sight>>,
}

/// How the server's direction ended, as far as the next record shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// In order.
    CloseNotify,
    /// The server has given up.
    Alert(Alert),
    /// TCP ended without close_notify.
    Truncated,
    /// A record that does not open.
    BadRecord,
    /// One that opens and has no place here.
    Unexpected(ContentType),
    /// TCP broke.
    Broken(Errno),
}

impl KernelTls {
    /// Gives the kernel the keys of `tcp`, from which exactly the handshake was read.
    ///
    /// # Errors
    /// [`AttachError`] says what the connection is good for then.
    pub(crate) fn attach(tcp: &impl AsFd, keys: &CryptoInfos) -> Result<(), AttachError> {
        let unchanged = |step| move |errno| AttachError::Unchanged { step, errno };
        setsockopt(tcp, sockopt::TcpUlp::default(), b"tls").map_err(unchanged("TCP_ULP"))?;
        setsockopt(tcp, sockopt::TcpTlsTx, keys.send.get()).map_err(unchanged("TLS_TX"))?;
        setsockopt(tcp, sockopt::TcpTlsRx, keys.receive.get()).map_err(AttachError::HalfWay)
    }

    /// A connection that [`Self::attach`] was done to.
    pub(crate) const fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            ending: Mutex::new(None),
        }
    }

    /// Looks whether the server's direction is over: whether its end is what would be read next.
    /// Of records that an application cannot read and that end nothing, the way is cleared.
    pub(crate) fn look(&self) -> Option<Sight> {
        // Nothing that is done under the lock can panic half-way.
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if ending.is_none() {
            *ending = self.look_anew();
        }
        *ending
    }

    /// Sends a close_notify, behind which nothing more may be sent, and ends that direction of TCP.
    /// Without it if TCP takes nothing more.
    ///
    /// # Errors
    /// `WouldBlock` if it has to wait for the server; to be tried again. It may in addition wait
    /// as long as another thread of the application is within a call that sends.
    pub(crate) fn try_close(&self) -> io::Result<()> {
        match send(&self.tcp, ContentType::Alert, &Alert::CLOSE_NOTIFY.encode()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) => tracing::debug!(%error, "no close_notify"),
            Ok(()) => {}
        }
        self.shut_down(Shutdown::Write);
        Ok(())
    }

    /// Ends one direction of TCP or both, for every holder; whoever waits in a call wakes up.
    pub(crate) fn shut_down(&self, direction: Shutdown) {
        if let Err(error) = self.tcp.shutdown(direction) {
            tracing::debug!(%error, "shutdown");
        }
    }

    fn look_anew(&self) -> Option<Sight> {
        for _ in 0..MAX_IDLE_RECORDS {
            match self.look_once() {
                Ok(Looked::Open) => return None,
                Ok(Looked::Cleared) => {}
                Ok(Looked::Over(sight)) => return Some(sight),
                Err(Errno::EAGAIN) => return None,
                // A tag that is wrong, a record that is too long or of another version.
                Err(Errno::EBADMSG | Errno::EMSGSIZE | Errno::EINVAL) => {
                    return Some(Sight::BadRecord);
                }
                Err(errno) => return Some(Sight::Broken(errno)),
            }
        }
        Some(Sight::Unexpected(ContentType::Handshake))
    }

    fn look_once(&self) -> Result<Looked, Errno> {
        let mut content = [0; MAX_CONTENT];
        match receive(&self.tcp, &mut content, true)? {
            Next::Data => return Ok(Looked::Open),
            Next::End => return Ok(Looked::Over(Sight::Truncated)),
            Next::Control(..) => {}
        }
        let Next::Control(kind, length) = receive(&self.tcp, &mut content, false)? else {
            // The application has taken it in between.
            return Ok(Looked::Open);
        };
        Ok(meaning(kind, content.get(..length).unwrap_or_default()))
    }
}

/// What a look at the next record shows.
#[derive(Debug, PartialEq, Eq)]
enum Looked {
    Open,
    Cleared,
    Over(Sight),
}

/// What a record that is not data means for the connection.
fn meaning(kind: ContentType, content: &[u8]) -> Looked {
    match kind {
        // Two that came in a row come together.
        ContentType::Alert => content
            .chunks(2)
            .map(|alert| match Alert::decode(alert) {
                Ok(Alert::CLOSE_NOTIFY) => Looked::Over(Sight::CloseNotify),
                Ok(alert) if alert.level == AlertLevel::Warning => Looked::Cleared,
                Ok(alert) => Looked::Over(Sight::Alert(alert)),
                Err(_) => Looked::Over(Sight::BadRecord),
            })
            .find(|looked| *looked != Looked::Cleared)
            .unwrap_or(Looked::Cleared),
        // Nobody renegotiates, and a client may leave it unanswered (RFC 5246 §7.4.1.1).
        ContentType::Handshake if content == HELLO_REQUEST => Looked::Cleared,
        kind => Looked::Over(Sight::Unexpected(kind)),
    }
}

impl AsFd for KernelTls {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Sight {
    /// As a stream that the agent carries would have ended.
    pub(crate) fn as_result(self) -> Result<(), StreamError> {
        Err(match self {
            Self::CloseNotify => return Ok(()),
            Self::Alert(alert) => StreamError::Alert(alert),
            Self::Truncated => StreamError::Truncated,
            Self::BadRecord => StreamError::Record(RecordError::Decrypt),
            Self::Unexpected(got) => StreamError::Record(RecordError::UnexpectedRecord { got }),
            Self::Broken(errno) => StreamError::Server(errno.into()),
        })
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
