//! One handshake, record by record.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proto::tls::{Alert, ProtocolVersion, Record, RecordReader};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;

use super::callbacks::{self, SignDoor};
use super::drive::{Driver, Progress};
use super::error::{Fault, internal};
use super::keys;
use super::secrets::ApplicationSecrets;
use super::store::SessionStore;
use super::tickets::TicketTaker;
use super::wire::Wire;
use crate::card::{self, CardSession, HandshakeFault, SessionError, Trust};

/// One handshake that waits for the server.
pub struct Engine {
    driver: Driver,
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
#[derive(Debug)]
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

impl Engine {
    /// Begins; the ClientHello comes with it.
    pub(super) fn begin(
        config: Arc<ClientConfig>,
        terms: Terms,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let mut engine = Self {
            driver: Driver::new(config, terms.name.clone())?,
            wire: Box::new(Wire::new(terms.max_bytes)),
            terms: Box::new(terms),
        };
        let mut out = Vec::new();
        let begun = engine.driver.advance(&mut out);
        begun.map_err(|fault| fault.into_error(None))?;
        engine.wire.on_client_records(&out)?;
        Ok((engine, out))
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
            let start = out.len();
            let progress = self.driver.take(&record, out);
            let progress = progress.map_err(|fault| fault.at(&record, self.wire.server_hello()))?;
            let said = out.get(start..).unwrap_or_default();
            self.wire.on_client_records(said)?;
            if let Progress::Done = progress {
                return Ok(progress);
            }
        }
        if !reader.buffered().is_empty() {
            Record::decode(reader.buffered()).map_err(HandshakeFault::ServerRecords)?;
        }
        Ok(Progress::AwaitServer)
    }

    /// Takes the keys, once everything is as it must be.
    fn conclude(self) -> Result<(Box<CardSession>, Option<TicketTaker>), SessionError> {
        let connection = self.driver.connection();
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let certificates = connection.peer_certificates().unwrap_or_default();
        let peer_certificates: Vec<Vec<u8>> = certificates.iter().map(|der| der.to_vec()).collect();
        if resumed {
            self.check_again(&peer_certificates)?;
        }
        let alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
        let hello = self.wire.server_hello();
        let extended_master_secret = hello.is_some_and(|hello| hello.extended_master_secret);

        let taken = self.wire.taken();
        let last_sent = self.wire.last_sent();
        let connection = self.driver.into_connection();
        let (keys, rest) = keys::take(connection, &self.terms.secrets, last_sent)?;
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
        let tickets = (keeps.is_some() && is_tls13).then(|| TicketTaker::new(rest));
        let session = CardSession {
            keys,
            abbreviated: resumed,
            extended_master_secret,
            encrypt_then_mac: false,
            consumed: u64::try_from(taken).unwrap_or(u64::MAX),
            alpn,
            peer_certificates,
            card_time: Duration::ZERO,
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
        let words = Record::decode_all(&self.driver.last_words()).ok()?;
        let mut words = words.into_iter();
        words
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

/// Shows how far it is; no secret.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, taken) = (&self.terms.server_name, self.wire.taken());
        write!(f, "Engine({name}, {taken} bytes taken)")
    }
}

/// Bytes of a server's handshake whose session is kept; one that is longer is not resumed.
const MAX_KEPT_HANDSHAKE: usize = 32 << 10;
