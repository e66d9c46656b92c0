//! One handshake, record by record.

use std::sync::Arc;

use proto::tls::{Alert, FlightError, FlightItem, ProtocolVersion, Record, RecordReader};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::time_provider::TimeProvider;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;

use super::callbacks::{self, SignDoor};
use super::error::{Fault, internal};
use super::keys;
use super::secrets::ApplicationSecrets;
use super::store::SessionStore;
use super::tickets::TicketTaker;
use super::wire::Wire;
use crate::card::{self, CardSession, HandshakeFault, SessionError, Trust};

/// One handshake that waits for the server.
///
/// rustls is given one record at a time, so that what follows the handshake stays as it came. What
/// it has read and not yet done with stays in `inbox`: it panics on a buffer that lacks that.
pub struct Engine {
    connection: Box<UnbufferedClientConnection>,
    inbox: Vec<u8>,
    wire: Box<Wire>,
    terms: Box<Terms>,
}

/// What a handshake needs besides rustls's own configuration.
pub(super) struct Terms {
    pub(super) server_name: Arc<str>,
    pub(super) name: ServerName<'static>,
    pub(super) trust: Arc<Trust>,
    pub(super) clock: Arc<dyn TimeProvider>,
    /// Where the session is kept; nowhere if it must not be resumed.
    pub(super) store: Option<Arc<SessionStore>>,
    pub(super) secrets: Arc<ApplicationSecrets>,
    pub(super) max_bytes: usize,
}

/// What follows the server's records.
pub enum EngineStep {
    /// The server must say more.
    AwaitServer {
        /// The handshake.
        engine: Engine,
        /// Records for the server; may be empty.
        out: Vec<u8>,
    },
    /// The handshake is over. In TLS 1.3 the server's word on the certificate is still to come.
    Established {
        /// The keys and what is known of the session; its `card_time` is zero.
        session: Box<CardSession>,
        /// Records for the server; may be empty.
        out: Vec<u8>,
        /// What takes the session's tickets; `None` before TLS 1.3 and where nothing is resumed.
        tickets: Option<TicketTaker>,
    },
    /// The handshake has failed.
    Failed {
        /// Why.
        error: SessionError,
        /// Records that the server should still get, an alert the last of them.
        alert: Option<Vec<u8>>,
    },
}

enum Progress {
    AwaitServer,
    Done,
}

impl Engine {
    /// Begins; the ClientHello comes with it.
    pub(super) fn begin(
        config: Arc<ClientConfig>,
        terms: Terms,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let connection = UnbufferedClientConnection::new(config, terms.name.clone())
            .map_err(|error| Fault::Tls(error).into_error(None))?;
        let mut engine = Self {
            connection: Box::new(connection),
            inbox: Vec::new(),
            wire: Box::new(Wire::new(terms.max_bytes)),
            terms: Box::new(terms),
        };
        let mut out = Vec::new();
        match engine.advance(&mut out) {
            Ok(Progress::AwaitServer) => Ok((engine, out)),
            Ok(Progress::Done) => Err(internal("over before the server spoke")),
            Err(fault) => Err(fault.into_error(None)),
        }
    }

    /// The server has sent `records`, all of them whole. What lies behind the end of the handshake
    /// is not looked at; [`CardSession::consumed`] says where that is.
    ///
    /// Waits in `card` when its signature is needed, which is once at most in a handshake and never
    /// when an earlier session is resumed.
    pub fn on_records(self, records: &[u8], card: Box<dyn SignDoor>) -> EngineStep {
        let server_name = Arc::clone(&self.terms.server_name);
        callbacks::during(card, server_name, || self.take(records))
    }

    fn take(mut self, records: &[u8]) -> EngineStep {
        let mut out = Vec::new();
        match self.take_each(records, &mut out) {
            Ok(Progress::AwaitServer) => EngineStep::AwaitServer { engine: self, out },
            Ok(Progress::Done) => match self.conclude() {
                Ok((session, tickets)) => EngineStep::Established {
                    session,
                    out,
                    tickets,
                },
                Err(error) => EngineStep::Failed { error, alert: None },
            },
            Err(fault) => self.fail(fault, out),
        }
    }

    fn take_each(&mut self, records: &[u8], out: &mut Vec<u8>) -> Result<Progress, Fault> {
        let mut reader = RecordReader::new();
        reader.push(records);
        while let Some(record) = reader
            .next_record()
            .map_err(HandshakeFault::ServerRecords)?
        {
            self.wire.on_server_record(&record)?;
            self.inbox.extend_from_slice(record.bytes());
            if let Progress::Done = self.advance(out)? {
                return Ok(Progress::Done);
            }
        }
        if !reader.buffered().is_empty() {
            Record::decode(reader.buffered()).map_err(HandshakeFault::ServerRecords)?;
        }
        Ok(Progress::AwaitServer)
    }

    /// Lets rustls go on as far as it can with what is in `inbox`.
    fn advance(&mut self, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        let start = out.len();
        let progress = loop {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut self.inbox);
            let turn = match (callbacks::take_failure(), state) {
                (Some(error), _) => Err(Fault::Own(error)),
                (None, Err(error)) => Err(Fault::Tls(error)),
                (None, Ok(state)) => on_state(state, out),
            };
            self.inbox.drain(..discard.min(self.inbox.len()));
            if let Some(progress) = turn? {
                break progress;
            }
        };
        self.wire
            .on_client_records(out.get(start..).unwrap_or_default())?;
        match (&progress, self.inbox.len()) {
            (Progress::Done, 1..) => Err(grammar(FlightItem::Surplus(self.inbox.len())).into()),
            _ => Ok(progress),
        }
    }

    /// Takes the keys, once everything is as it must be.
    fn conclude(self) -> Result<(Box<CardSession>, Option<TicketTaker>), SessionError> {
        let resumed = self.connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let certificates = self.connection.peer_certificates().unwrap_or_default();
        let peer_certificates: Vec<Vec<u8>> = certificates.iter().map(|der| der.to_vec()).collect();
        if resumed {
            self.check_again(&peer_certificates)?;
        }
        let alpn = self.connection.alpn_protocol().map(<[u8]>::to_vec);
        let hello = self.wire.server_hello();
        let extended_master_secret = hello.is_some_and(|hello| hello.extended_master_secret);

        let taken = self.wire.taken();
        let last_sent = self.wire.last_sent();
        let (keys, connection) = keys::take(*self.connection, &self.terms.secrets, last_sent)?;
        let Terms { store, name, .. } = *self.terms;
        let keeps = store.filter(|store| {
            // The session keeps the server's certificates, and in TLS 1.2 a ticket.
            let small = taken <= MAX_KEPT_HANDSHAKE;
            if !small {
                store.forget(&name);
            }
            small
        });
        let is_tls13 = keys.version == ProtocolVersion::TLS1_3;
        let tickets = (keeps.is_some() && is_tls13).then(|| TicketTaker::new(connection));
        let session = CardSession {
            keys,
            abbreviated: resumed,
            extended_master_secret,
            encrypt_then_mac: false,
            consumed: u64::try_from(taken).unwrap_or(u64::MAX),
            alpn,
            peer_certificates,
            card_time: std::time::Duration::ZERO,
        };
        Ok((Box::new(session), tickets))
    }

    /// A resumed session stands on certificates that were checked when it began; they may have
    /// expired since. The next handshake is then a full one, in which the server may show others.
    fn check_again(&self, certificates: &[Vec<u8>]) -> Result<(), SessionError> {
        let Some(now) = self.terms.clock.current_time() else {
            return Err(internal("the clock cannot be read"));
        };
        let checked = self
            .terms
            .trust
            .verify(certificates, &self.terms.server_name, now);
        if let (Err(_), Some(store)) = (&checked, &self.terms.store) {
            store.forget(&self.terms.name);
        }
        Ok(checked?)
    }

    /// `out` holds what rustls made before the server's fault, which must precede its alert.
    fn fail(mut self, fault: Fault, mut out: Vec<u8>) -> EngineStep {
        let alert = self.alert_of_rustls();
        let error = fault.into_error(self.wire.server_hello());
        let alert = match alert {
            Some(alert) => {
                out.extend_from_slice(&alert);
                Some(out)
            }
            None => self.alert_in_clear(&error),
        };
        EngineStep::Failed { error, alert }
    }

    /// The alert that rustls has made, if any. Whatever else it had ready is not sent: a flight
    /// without its end.
    fn alert_of_rustls(&mut self) -> Option<Vec<u8>> {
        let mut made = Vec::new();
        // As long as it wants to write, rustls does not look at what came; it must not after an
        // error.
        while self.connection.wants_write() {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut self.inbox);
            let Ok(ConnectionState::EncodeTlsData(chunk)) = state else {
                break;
            };
            encode(chunk, &mut made).ok()?;
            self.inbox.drain(..discard.min(self.inbox.len()));
        }
        Record::decode_all(&made)
            .ok()?
            .into_iter()
            .rfind(|record| self.wire.may_be_alert(record.content_type()))
            .map(Record::into_bytes)
    }

    fn alert_in_clear(&self, error: &SessionError) -> Option<Vec<u8>> {
        let description = card::alert_for(error)?;
        let alert = Alert::fatal(description);
        self.wire
            .takes_clear_alerts()
            .then(|| alert.encode_plain_record(ProtocolVersion::TLS1_2).to_vec())
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

/// Bytes of a server's handshake whose session is kept; one that is longer is not resumed.
const MAX_KEPT_HANDSHAKE: usize = 32 << 10;
