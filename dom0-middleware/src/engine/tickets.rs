//! Tickets that the server sends after the handshake (TLS 1.3).

use std::fmt;

use proto::tls::{HandshakeReader, HandshakeType};

use super::error::of_rustls;
use super::keys::Rest;
use crate::card::{HandshakeFault, SessionError};

/// Takes the tickets of one connection, so that the next one of the same card, identity, domain
/// and server can be resumed. Once those were purged, what it takes is of no use to anybody.
pub struct TicketTaker {
    rest: Box<Rest>,
    left: usize,
}

impl TicketTaker {
    pub(super) fn new(rest: Rest) -> Self {
        Self {
            rest: Box::new(rest),
            left: MAX_TICKETS,
        }
    }

    /// Takes one whole NewSessionTicket message, its header included, as the guest has decrypted
    /// it. What comes after the first four is not kept, nor what is longer than 4 KiB: the guest
    /// may have made it up to fill our memory. A guest that makes one up spoils its own
    /// next resumption with this server, which then is a full handshake.
    ///
    /// # Errors
    /// [`SessionError::TooManyBytes`] for more than a ticket can have,
    /// [`SessionError::HandshakeFailed`] for anything that is not one message of that kind.
    pub fn take(&mut self, message: &[u8]) -> Result<(), SessionError> {
        if message.len() > MAX_TICKET {
            return Err(SessionError::TooManyBytes { max: MAX_TICKET });
        }
        let mut rest = message;
        let read = HandshakeReader::new(MAX_TICKET).read(&mut rest);
        let ticket = match read.map_err(HandshakeFault::ServerRecords)? {
            Some(ticket) if ticket.kind() == HandshakeType::NewSessionTicket && rest.is_empty() => {
                ticket
            }
            _ => return Err(not_a_ticket()),
        };
        if self.left == 0 || message.len() > MAX_KEPT_TICKET {
            return Ok(());
        }
        self.rest
            .handle_new_session_ticket(ticket.body())
            .map_err(|error| of_rustls(&error, None))?;
        self.left -= 1;
        Ok(())
    }
}

/// Shows no key of the connection.
impl fmt::Debug for TicketTaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketTaker({} left)", self.left)
    }
}

fn not_a_ticket() -> SessionError {
    let reason = "not one whole NewSessionTicket".to_owned();
    HandshakeFault::Engine { reason }.into()
}

/// Tickets taken of one connection.
const MAX_TICKETS: usize = 4;
/// Bytes of a message.
const MAX_TICKET: usize = 16 << 10;
/// Bytes of a message that is kept. Servers that put their whole state in a ticket, with the client's
/// certificate, send two kilobytes or three.
const MAX_KEPT_TICKET: usize = 4 << 10;
