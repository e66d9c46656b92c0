//! The TLS client of the card: rustls, fed one record at a time.

use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{ClientConfig, Error};
use rustls_pki_types::ServerName;

/// A connection that has not finished its handshake.
///
/// Bytes that rustls has read but not discarded stay in `inbox` between calls: rustls panics on a
/// buffer that lacks them, and a server can bring that about by splitting a message over records.
pub(super) struct Engine {
    connection: Box<UnbufferedClientConnection>,
    inbox: Vec<u8>,
}

/// What the engine wants after a record.
pub(super) enum Step {
    /// More records are needed; the bytes to send, if any, are in the output.
    NeedRecord(Engine),
    /// The handshake is over and everything to send is in the output.
    Done(Box<UnbufferedClientConnection>),
}

impl Engine {
    /// Begins a handshake. The ClientHello record is appended to `out`.
    ///
    /// # Errors
    /// The configuration cannot make a ClientHello.
    pub(super) fn start(
        config: Arc<ClientConfig>,
        server_name: ServerName<'static>,
        out: &mut Vec<u8>,
    ) -> Result<Self, Error> {
        let connection = Box::new(UnbufferedClientConnection::new(config, server_name)?);
        let engine = Self {
            connection,
            inbox: Vec::new(),
        };
        match engine.run(out)? {
            Step::NeedRecord(engine) => Ok(engine),
            Step::Done(_) => Err(Error::General("done before the server spoke".into())),
        }
    }

    /// Feeds one whole TLS record. Records to send are appended to `out`.
    ///
    /// # Errors
    /// The handshake failed, or the record reached past its end. The alert that rustls made is
    /// dropped, since a card sends none (EAP-TLS card specification §7.2).
    pub(super) fn feed(mut self, record: &[u8], out: &mut Vec<u8>) -> Result<Step, Error> {
        self.inbox.extend_from_slice(record);
        self.run(out)
    }

    fn run(mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut self.inbox);
            let blocked = match state? {
                ConnectionState::EncodeTlsData(chunk) => {
                    encode(chunk, out)?;
                    None
                }
                ConnectionState::TransmitTlsData(sent) => {
                    sent.done();
                    None
                }
                ConnectionState::BlockedHandshake => Some(false),
                ConnectionState::WriteTraffic(_) => Some(true),
                _ => return Err(Error::General("traffic inside the handshake".into())),
            };
            self.inbox.drain(..discard);
            match blocked {
                None => {}
                Some(false) => return Ok(Step::NeedRecord(self)),
                Some(true) if self.inbox.is_empty() => {
                    return Ok(Step::Done(self.connection));
                }
                Some(true) => return Err(Error::General("bytes past the handshake".into())),
            }
        }
    }
}

fn encode(
    mut chunk: EncodeTlsData<'_, ClientConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(need)) = chunk.encode(&mut []) {
        out.resize(start + need.required_size, 0);
        chunk
            .encode(&mut out[start..])
            .map_err(|err| Error::General(err.to_string()))?;
    }
    Ok(())
}
