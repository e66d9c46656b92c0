//! The record layer itself.

use std::fmt;

use super::control::Control;
use super::error::RecordError;
use super::limits::{KeyLimit, MAX_PLAINTEXT, MAX_POST_HANDSHAKE};
use super::opened::Opened;
use super::post_handshake::{PostHandshake, key_update};
use super::protection::{ReadHalf, WriteHalf};
use super::repetition::Repetition;
use super::setup::{self, Side};
use crate::error::DecodeError;
use crate::tls::alert::{Alert, AlertDescription, AlertLevel};
use crate::tls::cipher_suite::{Aead, CipherSuite};
use crate::tls::content_type::ContentType;
use crate::tls::error::TlsError;
use crate::tls::established::Established;
use crate::tls::handshake::HandshakeReader;
use crate::tls::record::{RECORD_HEADER_LEN, RecordHeader};
use crate::tls::version::ProtocolVersion;

/// Seals and opens the records of one connection, on the client's side.
///
/// Sans-IO: [`seal`](Self::seal) appends records to a buffer of the caller,
/// [`open`](Self::open) decrypts a record where it lies. Neither allocates on the way of data.
///
/// The layer may owe the peer an answer after a record was opened. It goes out in front of the
/// next data; a caller with none to send asks [`has_pending_control`](Self::has_pending_control)
/// and calls [`flush_control`](Self::flush_control).
pub struct RecordLayer {
    version: ProtocolVersion,
    cipher_suite: CipherSuite,
    pub(super) write: WriteHalf,
    read: ReadHalf,
    messages: HandshakeReader,
    control: Control,
    repetition: Repetition,
    read_closed: bool,
    write_closed: bool,
}

impl RecordLayer {
    /// Takes over the keys of a finished handshake: TLS 1.2 or 1.3, AES-GCM or
    /// ChaCha20-Poly1305.
    ///
    /// # Errors
    /// [`RecordError`] if version, suite, keys, sequence numbers and explicit nonce do not all
    /// fit together.
    pub fn new(established: Established) -> Result<Self, RecordError> {
        Self::on_side(established, Side::Client, KeyLimit::of)
    }

    /// As [`Self::new`], with keys that are used up after `records_per_key` records if their
    /// algorithm does not end them sooner; never after fewer than
    /// [`MIN_RECORDS_PER_KEY`](super::MIN_RECORDS_PER_KEY).
    ///
    /// # Errors
    /// As there.
    pub fn with_records_per_key(
        established: Established,
        records_per_key: u64,
    ) -> Result<Self, RecordError> {
        let limit = |aead| KeyLimit::of(aead).at_most(records_per_key);
        Self::on_side(established, Side::Client, limit)
    }

    pub(super) fn on_side(
        established: Established,
        side: Side,
        limit: impl Fn(Aead) -> KeyLimit,
    ) -> Result<Self, RecordError> {
        let Established {
            version,
            cipher_suite,
            ..
        } = established;
        let (write, read) = setup::halves(established, side, limit)?;
        Ok(Self {
            version,
            cipher_suite,
            write,
            read,
            messages: HandshakeReader::new(MAX_POST_HANDSHAKE),
            control: Control::default(),
            repetition: Repetition::default(),
            read_closed: false,
            write_closed: false,
        })
    }

    /// The version of the connection.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The suite of the connection.
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Appends `data` to `out` as records of at most [`MAX_PLAINTEXT`] bytes each, behind what
    /// the layer owes the peer. All of it or, on an error, none of it; no data makes no record.
    ///
    /// TLS 1.3 changes its key when it is nearly used up.
    ///
    /// # Errors
    /// [`RecordError::LimitReached`] if the key cannot protect `data` (TLS 1.2: close the
    /// connection); [`RecordError::WriteClosed`] after a close_notify or fatal alert of ours.
    pub fn seal(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let records = u64::try_from(data.len().div_ceil(MAX_PLAINTEXT)).unwrap_or(u64::MAX);
        let is_tls12 = matches!(self.write, WriteHalf::Tls12(_));
        if is_tls12 && !self.write_closed && records > self.records_left() {
            return Err(RecordError::LimitReached);
        }
        self.flush_control(out)?;
        out.reserve(data.len() + data.len().div_ceil(MAX_PLAINTEXT) * MAX_OVERHEAD);
        for content in data.chunks(MAX_PLAINTEXT) {
            if !is_tls12 && self.records_left() == 0 {
                self.update_write_key(false, out)?;
            }
            self.write
                .seal(ContentType::ApplicationData, content, out)?;
        }
        Ok(())
    }

    /// Appends the alert that ends our direction in order. Nothing can be sealed afterwards;
    /// records of the peer can still be opened.
    ///
    /// # Errors
    /// [`RecordError::WriteClosed`] if it was closed before.
    pub fn seal_close_notify(&mut self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.seal_last(Alert::CLOSE_NOTIFY, out)
    }

    /// Appends a fatal alert: what [`RecordError::alert`] says. Nothing can be sealed afterwards.
    ///
    /// # Errors
    /// [`RecordError::WriteClosed`] if our direction was closed before.
    pub fn seal_alert(
        &mut self,
        description: AlertDescription,
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        self.seal_last(Alert::fatal(description), out)
    }

    /// Whether the layer owes the peer an answer.
    #[must_use]
    pub fn has_pending_control(&self) -> bool {
        !self.write_closed && self.control.is_pending()
    }

    /// Appends what the layer owes the peer, if anything.
    ///
    /// # Errors
    /// [`RecordError::WriteClosed`] after a close_notify or fatal alert of ours;
    /// [`RecordError::LimitReached`] if the key is used up.
    pub fn flush_control(&mut self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        if self.write_closed {
            return Err(RecordError::WriteClosed);
        }
        let Control {
            decline_renegotiation,
            answer_key_update,
            request_key_update,
        } = std::mem::take(&mut self.control);
        if decline_renegotiation {
            let warning = Alert::warning(AlertDescription::NO_RENEGOTIATION);
            self.write
                .seal(ContentType::Alert, &warning.encode(), out)?;
        }
        if answer_key_update {
            self.update_write_key(false, out)?;
        }
        if request_key_update {
            self.update_write_key(true, out)?;
        }
        Ok(())
    }

    /// Opens one whole record, header included, where it lies.
    ///
    /// # Errors
    /// [`RecordError`] if the record is not what the peer may send here. The peer's direction is
    /// closed by it; tell the peer [`RecordError::alert`].
    pub fn open<'r>(&mut self, record: &'r mut [u8]) -> Result<Opened<'r>, RecordError> {
        if self.read_closed {
            return Err(RecordError::ReadClosed);
        }
        let opened = self.open_record(record);
        self.read_closed = matches!(
            opened,
            Err(_) | Ok(Opened::CloseNotify) | Ok(Opened::Alert(_))
        );
        opened
    }

    fn open_record<'r>(&mut self, record: &'r mut [u8]) -> Result<Opened<'r>, RecordError> {
        let (header, _) = RecordHeader::split(record)?;
        if header.version != ProtocolVersion::TLS1_2 {
            return Err(RecordError::RecordVersion {
                got: header.version,
            });
        }
        let payload = record.get_mut(RECORD_HEADER_LEN..).unwrap_or_default();
        if payload.len() != header.payload_len {
            let (what, need, got) = ("TLS record", header.payload_len, payload.len());
            return Err(TlsError::Decode(DecodeError::Truncated { what, need, got }).into());
        }
        let (content_type, content) = self.read.open(header.content_type, payload)?;
        self.ask_for_a_new_key_in_time();
        if self.messages.is_mid_message() && content_type != ContentType::Handshake {
            return Err(RecordError::Interleaved { got: content_type });
        }
        match content_type {
            ContentType::ApplicationData if content.is_empty() => {
                self.repetition.on_empty_record()?;
                Ok(Opened::Nothing)
            }
            ContentType::ApplicationData => {
                self.repetition.on_data();
                Ok(Opened::Data(content))
            }
            ContentType::Alert => self.on_alert(Alert::decode(content)?),
            ContentType::Handshake => self.on_handshake(content),
            got => Err(RecordError::UnexpectedRecord { got }),
        }
    }

    fn on_alert(&mut self, alert: Alert) -> Result<Opened<'static>, RecordError> {
        if alert.description == AlertDescription::CLOSE_NOTIFY {
            return Ok(Opened::CloseNotify);
        }
        // TLS 1.3 gives the level no meaning: user_canceled alone is no end (RFC 8446 §6).
        let is_warning = match self.version {
            ProtocolVersion::TLS1_3 => alert.description == AlertDescription::USER_CANCELED,
            _ => alert.level == AlertLevel::Warning,
        };
        if !is_warning {
            return Ok(Opened::Alert(alert));
        }
        self.repetition.on_warning()?;
        Ok(Opened::Warning(alert))
    }

    fn on_handshake(&mut self, mut content: &[u8]) -> Result<Opened<'static>, RecordError> {
        if content.is_empty() {
            return Err(TlsError::EmptyHandshakeRecord.into());
        }
        let mut tickets = Vec::new();
        while let Some(message) = self.messages.read(&mut content)? {
            match PostHandshake::decode(message, self.version)? {
                PostHandshake::HelloRequest => {
                    self.repetition.on_hello_request()?;
                    self.control.decline_renegotiation = true;
                }
                PostHandshake::NewSessionTicket(message) => {
                    self.repetition.on_ticket()?;
                    tickets.push(message.into_bytes());
                }
                PostHandshake::KeyUpdate { requested } => {
                    if !content.is_empty() {
                        return Err(RecordError::AfterKeyUpdate { got: content.len() });
                    }
                    self.repetition.on_key_update()?;
                    if let ReadHalf::Tls13(half) = &mut self.read {
                        half.update();
                    }
                    self.control.request_key_update = false;
                    self.control.answer_key_update |= requested;
                }
            }
        }
        if tickets.is_empty() {
            return Ok(Opened::Nothing);
        }
        Ok(Opened::NewSessionTickets(tickets))
    }

    /// Only the peer can change its key. It is asked once for each of its keys.
    fn ask_for_a_new_key_in_time(&mut self) {
        let ReadHalf::Tls13(half) = &self.read else {
            return;
        };
        let (limit, sequence) = (half.direction().limit(), half.direction().sequence());
        if limit.is_near(sequence) && !limit.is_near(sequence - 1) {
            self.control.request_key_update = true;
        }
    }

    fn records_left(&self) -> u64 {
        let direction = self.write.direction();
        direction.limit().left_for_data(direction.sequence())
    }

    /// Sends a KeyUpdate under the old key, then changes to the next (RFC 8446 §4.6.3).
    fn update_write_key(&mut self, request: bool, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let WriteHalf::Tls13(half) = &mut self.write else {
            return Err(RecordError::LimitReached);
        };
        half.seal(ContentType::Handshake, &key_update(request), out)?;
        half.update();
        Ok(())
    }

    fn seal_last(&mut self, alert: Alert, out: &mut Vec<u8>) -> Result<(), RecordError> {
        if self.write_closed {
            return Err(RecordError::WriteClosed);
        }
        self.write.seal(ContentType::Alert, &alert.encode(), out)?;
        self.write_closed = true;
        Ok(())
    }
}

/// Shows version and suite, no state.
impl fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordLayer({}, {})", self.version, self.cipher_suite)
    }
}

/// Most bytes that protection adds to a record: header, explicit nonce, tag.
const MAX_OVERHEAD: usize = RECORD_HEADER_LEN + 8 + super::limits::TAG_LEN;
