//! rustls, fed with one record at a time.

use std::sync::Arc;

use proto::tls::{Alert, FlightError, FlightItem, Record};
use rustls::ClientConfig;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls_pki_types::ServerName;

use super::callbacks;
use super::error::{Fault, internal};
use crate::card::{HandshakeFault, SessionError};

/// A connection of rustls that has not finished its handshake.
///
/// rustls is given one record at a time, so that what follows the handshake stays as it came. What
/// it has read and not yet done with stays in `inbox`: it panics on a buffer that lacks that.
pub(super) struct Driver {
    connection: Box<UnbufferedClientConnection>,
    inbox: Vec<u8>,
}

/// How far a handshake is.
pub(super) enum Progress {
    /// The server must say more.
    AwaitServer,
    /// Both sides have finished.
    Done,
}

impl Driver {
    pub(super) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, SessionError> {
        let connection = UnbufferedClientConnection::new(config, name);
        Ok(Self {
            connection: Box::new(connection.map_err(|error| Fault::Tls(error).into_error(None))?),
            inbox: Vec::new(),
        })
    }

    /// The server has sent `record`; what the client says to it is appended to `out`.
    pub(super) fn take(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        self.inbox.extend_from_slice(record.bytes());
        self.advance(out)
    }

    /// Lets rustls go on as far as it can with what there is.
    pub(super) fn advance(&mut self, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        let progress = loop {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut self.inbox);
            let turn = match (callbacks::take_failure(), state) {
                (Some(error), _) => Err(Fault::Own(error)),
                (None, Err(error)) => Err(Fault::Tls(error)),
                (None, Ok(state)) => on_state(state, out),
            };
            self.discard(discard);
            if let Some(progress) = turn? {
                break progress;
            }
        };
        match (&progress, self.inbox.len()) {
            (Progress::Done, 1..) => Err(grammar(FlightItem::Surplus(self.inbox.len())).into()),
            _ => Ok(progress),
        }
    }

    /// What rustls still wants to say after an error: an alert, if any, behind parts of a flight
    /// that has no end.
    pub(super) fn last_words(&mut self) -> Vec<u8> {
        let mut words = Vec::new();
        // As long as it wants to write, rustls does not look at what came; it must not after an
        // error.
        while self.connection.wants_write() {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut self.inbox);
            let Ok(ConnectionState::EncodeTlsData(chunk)) = state else {
                break;
            };
            if encode(chunk, &mut words).is_err() {
                break;
            }
            self.discard(discard);
        }
        words
    }

    /// The connection, to be looked at.
    pub(super) fn connection(&self) -> &UnbufferedClientConnection {
        &self.connection
    }

    /// The connection, whose handshake is over.
    pub(super) fn into_connection(self) -> UnbufferedClientConnection {
        *self.connection
    }

    fn discard(&mut self, count: usize) {
        self.inbox.drain(..count.min(self.inbox.len()));
    }
}

/// What one state of rustls means; nothing if it goes on.
fn on_state(
    state: ConnectionState<'_, '_, ClientConnectionData>,
    out: &mut Vec<u8>,
) -> Result<Option<Progress>, Fault> {
    match state {
        ConnectionState::EncodeTlsData(chunk) => encode(chunk, out).map(|()| None),
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Ok(None)
        }
        ConnectionState::BlockedHandshake => Ok(Some(Progress::AwaitServer)),
        ConnectionState::WriteTraffic(_) => Ok(Some(Progress::Done)),
        ConnectionState::PeerClosed | ConnectionState::Closed => {
            Err(HandshakeFault::ServerFlight(FlightError::Alert(Alert::CLOSE_NOTIFY)).into())
        }
        _ => Err(internal("data within the handshake").into()),
    }
}

/// Appends what rustls wants to send, which says itself how much room it needs.
fn encode(
    mut chunk: EncodeTlsData<'_, ClientConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = out.len();
    let Err(EncodeError::InsufficientSize(need)) = chunk.encode(&mut []) else {
        return Err(internal("rustls has nothing to send and says it has").into());
    };
    out.resize(start + need.required_size, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = chunk
        .encode(room)
        .map_err(|error| internal(error.to_string()))?;
    out.truncate(start + written);
    Ok(())
}

fn grammar(got: FlightItem) -> SessionError {
    let expected = "the end of the handshake";
    HandshakeFault::ServerFlight(FlightError::Grammar { expected, got }).into()
}
