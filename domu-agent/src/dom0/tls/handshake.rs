//! One handshake with dom0, without its socket.

use std::sync::Arc;

use proto::tls::{CipherSuite, Established, ProtocolVersion, RecordLayer, SessionKeys};
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus};

use super::error::TlsError;
use super::pin::HvPin;
use super::records::Records;
use super::secrets::SecretCatcher;

/// Most bytes of dom0 that may wait to make a message: far more than its certificates take.
const MAX_INCOMING: usize = 128 << 10;

/// A handshake in progress. Feed what dom0 sends, send what [`Self::to_send`] holds.
pub(in crate::dom0) struct Handshake {
    connection: UnbufferedClientConnection,
    secrets: Arc<SecretCatcher>,
    alpn: &'static [u8],
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// How far a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dom0) enum Progress {
    /// dom0 must say more.
    Waiting,
    /// It is over: [`Handshake::finish`].
    Done,
}

impl Handshake {
    pub(super) fn new(
        connection: UnbufferedClientConnection,
        secrets: Arc<SecretCatcher>,
        alpn: &'static [u8],
    ) -> Self {
        Self {
            connection,
            secrets,
            alpn,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        }
    }

    /// dom0 has sent `bytes`.
    pub(in crate::dom0) fn on_bytes(&mut self, bytes: &[u8]) {
        self.incoming.extend_from_slice(bytes);
    }

    /// Bytes for dom0.
    pub(in crate::dom0) fn to_send(&self) -> &[u8] {
        &self.outgoing
    }

    /// The first `n` bytes of [`Self::to_send`] are out.
    pub(in crate::dom0) fn on_sent(&mut self, n: usize) {
        self.outgoing.drain(..n.min(self.outgoing.len()));
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// [`TlsError`]; an alert for dom0 may be left to send.
    pub(in crate::dom0) fn advance(&mut self) -> Result<Progress, TlsError> {
        if self.incoming.len() > MAX_INCOMING {
            return Err(TlsError::TooEarly(self.incoming.len()));
        }
        loop {
            // What comes behind the handshake is for the record layer, and kept from rustls.
            let is_over = !self.connection.is_handshaking();
            let incoming = if is_over {
                &mut [][..]
            } else {
                &mut self.incoming
            };
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(incoming);
            let progress = match state {
                Err(error) => Err(error),
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outgoing, |room| data.encode(room));
                    Ok(None)
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(None)
                }
                Ok(ConnectionState::WriteTraffic(_)) => Ok(Some(Progress::Done)),
                Ok(ConnectionState::BlockedHandshake) => Ok(Some(Progress::Waiting)),
                Ok(_) => Err(rustls::Error::HandshakeNotComplete),
            };
            self.incoming.drain(..discard.min(self.incoming.len()));
            match progress {
                Ok(None) => {}
                Ok(Some(progress)) => return Ok(progress),
                Err(error) => {
                    self.append_alert();
                    return Err(TlsError::of(error));
                }
            }
        }
    }

    /// What rustls still wants to tell dom0 after an error.
    fn append_alert(&mut self) {
        // As long as it wants to write, rustls does not look at what came: it must not after an
        // error.
        while self.connection.wants_write() {
            let status = self.connection.process_tls_records(&mut self.incoming);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else {
                return;
            };
            append(&mut self.outgoing, |room| data.encode(room));
        }
    }

    /// The records after it, and who vouches for dom0.
    ///
    /// # Errors
    /// [`TlsError`] when dom0 speaks another protocol, or did not wait for the agent.
    pub(in crate::dom0) fn finish(self) -> Result<(Records, Option<HvPin>), TlsError> {
        if self.connection.alpn_protocol() != Some(self.alpn) {
            return Err(TlsError::OtherProtocol("no ALPN".to_owned()));
        }
        if !self.incoming.is_empty() {
            return Err(TlsError::TooEarly(self.incoming.len()));
        }
        let missing = || TlsError::OtherProtocol("no secrets".to_owned());
        let suite = self
            .connection
            .negotiated_cipher_suite()
            .ok_or_else(missing)?;
        let established = Established {
            version: ProtocolVersion::TLS1_3,
            cipher_suite: CipherSuite(u16::from(suite.suite())),
            keys: SessionKeys::TrafficSecrets(self.secrets.take().ok_or_else(missing)?),
            client_sequence: 0,
            server_sequence: 0,
            client_explicit_nonce: None,
        };
        let chain = self.connection.peer_certificates();
        let pin = chain.and_then(<[_]>::last).map(|hv| HvPin::of(hv));
        let records = Records::new(RecordLayer::new(established)?, self.outgoing);
        Ok((records, pin))
    }
}

/// Appends what `encode` gives, which is asked again with as much room as it says.
fn append(out: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let start = out.len();
    let mut room = 0;
    loop {
        out.resize(start + room, 0);
        let written = match encode(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => written,
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
                continue;
            }
            Err(_) => 0,
        };
        out.truncate(start + written);
        return;
    }
}
