//! What comes out of a record.

use std::fmt;

use zeroize::Zeroizing;

use crate::tls::alert::Alert;

/// The content of one opened record.
#[derive(PartialEq, Eq)]
pub enum Opened<'r> {
    /// Application data, decrypted where the record lay; never empty.
    Data(&'r [u8]),
    /// The peer will send nothing more.
    CloseNotify,
    /// The peer has given up the connection.
    Alert(Alert),
    /// The peer warns; the connection goes on.
    Warning(Alert),
    /// Tickets of TLS 1.3 that this record completed, nearly always one: whole NewSessionTicket
    /// messages, header included.
    NewSessionTickets(Vec<Zeroizing<Vec<u8>>>),
    /// Nothing for the caller: part of a message, a KeyUpdate or HelloRequest (see
    /// [`has_pending_control`](super::RecordLayer::has_pending_control)), an empty record.
    Nothing,
}

/// Shows kinds and lengths, neither data nor tickets.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::CloseNotify => f.write_str("CloseNotify"),
            Self::Alert(alert) => write!(f, "Alert({alert})"),
            Self::Warning(alert) => write!(f, "Warning({alert})"),
            Self::NewSessionTickets(tickets) => write!(f, "NewSessionTickets({})", tickets.len()),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}
