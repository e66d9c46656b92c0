//! A TCP connection that an application gets as it is, for modes `keys` and `socket`.

use std::io;
use std::net::TcpStream;

use proto::agent::RefusalCode;
use tokio::sync::watch;

use crate::app::connect::Connected;
use crate::app::destination::Destination;
use crate::app::error::AppError;
use crate::dom0::Session;
use crate::handshake::Handover;

/// What the agent keeps of it: enough to shut it down.
pub(super) struct Given {
    /// Where to; for the log.
    pub(super) destination: Destination,
    /// The connection, whose calls block.
    pub(super) server: TcpStream,
    /// Dropping it tells dom0 that the session is over.
    pub(super) session: Session,
    /// Says when the right to the card ends.
    pub(super) revoked: watch::Receiver<Option<RefusalCode>>,
}

impl Given {
    /// Takes a connection apart, and gives the keys with it.
    ///
    /// # Errors
    /// What the application is told: the right to the card may have ended since the handshake.
    pub(super) fn take(connected: Connected) -> Result<(Self, Box<Handover>), AppError> {
        let Connected {
            destination,
            server,
            session,
            handover,
            records_per_key: _,
        } = connected;
        let revoked = session.revoked();
        if let Some(code) = *revoked.borrow() {
            let text = "the right to the card has ended";
            return Err(AppError::refused(code, text));
        }
        let given = Self {
            destination,
            server: blocking(server).map_err(|error| {
                AppError::refused(RefusalCode::Internal, format!("the connection: {error}"))
            })?,
            session,
            revoked,
        };
        Ok((given, handover))
    }
}

/// Whether calls block goes with a connection, whoever holds it.
fn blocking(server: tokio::net::TcpStream) -> io::Result<TcpStream> {
    let server = server.into_std()?;
    server.set_nonblocking(false)?;
    Ok(server)
}
