//! Reads server flights against the grammar.

use super::error::{FlightError, FlightItem, grammar};
use super::progress::{ExpectedFlight, Flight, FlightLimits, FlightProgress};
use super::states::{Next, State};
use crate::tls::alert::Alert;
use crate::tls::content_type::ContentType;
use crate::tls::handshake::HandshakeReader;
use crate::tls::record::Record;
use crate::tls::version::ProtocolVersion;

/// Reads one flight of a server, record by record.
///
/// Push records until the flight is complete or wrong; a reader is good for one flight. After an
/// error no byte of the flight may be passed on, and every further record is an error too.
pub struct FlightReader {
    state: State,
    messages: HandshakeReader,
    version: Option<ProtocolVersion>,
    bytes: Vec<u8>,
    limits: FlightLimits,
}

impl FlightReader {
    /// A reader at the start of a flight.
    #[must_use]
    pub fn new(expected: ExpectedFlight, limits: FlightLimits) -> Self {
        let (state, version) = match expected {
            ExpectedFlight::First => (State::first(), None),
            ExpectedFlight::Last(version) => (State::last(), Some(version.on_records())),
        };
        Self {
            state,
            messages: HandshakeReader::new(limits.max_bytes),
            version,
            bytes: Vec::new(),
            limits,
        }
    }

    /// Takes the next record of the server.
    ///
    /// # Errors
    /// [`FlightError`] if the record has no place in the flight.
    pub fn push(&mut self, record: Record) -> Result<FlightProgress, FlightError> {
        // Whatever goes wrong below leaves the end state behind, which accepts nothing.
        let state = std::mem::replace(&mut self.state, State::Ended);
        if matches!(state, State::Ended) {
            return Err(grammar(
                state.expected(),
                FlightItem::Record(record.content_type()),
            ));
        }
        if self.bytes.len().saturating_add(record.bytes().len()) > self.limits.max_bytes {
            return Err(FlightError::TooLong {
                max: self.limits.max_bytes,
            });
        }
        let next = match record.content_type() {
            ContentType::Alert => return Err(alert(&record, &state)),
            ContentType::Handshake => self.on_handshake(state, &record)?,
            ContentType::ChangeCipherSpec => self.on_change_cipher_spec(state, &record)?,
            other => return Err(grammar(state.expected(), FlightItem::Record(other))),
        };
        self.bytes.extend_from_slice(record.bytes());
        match next {
            Next::State(state) => {
                self.state = state;
                Ok(FlightProgress::NeedMore)
            }
            Next::Complete(kind) => Ok(FlightProgress::Complete(self.take(kind))),
            Next::Tls13(kind) => Ok(FlightProgress::Tls13(self.take(kind))),
        }
    }

    fn on_handshake(&mut self, mut state: State, record: &Record) -> Result<Next, FlightError> {
        let mut payload = record.payload();
        if payload.is_empty() {
            let empty = FlightItem::EmptyRecord(ContentType::Handshake);
            return Err(grammar(state.expected(), empty));
        }
        self.check_version(&state, record)?;
        if matches!(state, State::ExpectEncrypted { .. }) {
            return state.on_encrypted();
        }
        while let Some(message) = self.messages.read(&mut payload)? {
            match state.on_message(&message, record.version())? {
                Next::State(next) => state = next,
                ended if payload.is_empty() => return Ok(ended),
                _ => return Err(grammar("nothing more", FlightItem::Surplus(payload.len()))),
            }
        }
        Ok(Next::State(state))
    }

    fn on_change_cipher_spec(
        &mut self,
        state: State,
        record: &Record,
    ) -> Result<Next, FlightError> {
        if self.messages.is_mid_message() {
            return Err(grammar(
                "the rest of a message",
                FlightItem::UnfinishedMessage,
            ));
        }
        self.check_version(&state, record)?;
        if record.payload() != [1] {
            return Err(grammar(state.expected(), FlightItem::BadChangeCipherSpec));
        }
        state.on_change_cipher_spec()
    }

    fn check_version(&mut self, state: &State, record: &Record) -> Result<(), FlightError> {
        if *self.version.get_or_insert_with(|| record.version()) == record.version() {
            return Ok(());
        }
        Err(grammar(
            state.expected(),
            FlightItem::RecordVersion(record.version()),
        ))
    }

    fn take(&mut self, kind: super::FlightKind) -> Flight {
        Flight {
            bytes: std::mem::take(&mut self.bytes),
            kind,
        }
    }
}

/// An alert in clear; after ChangeCipherSpec it is encrypted, longer, and says nothing to us.
fn alert(record: &Record, state: &State) -> FlightError {
    match Alert::decode(record.payload()) {
        Ok(alert) => FlightError::Alert(alert),
        Err(_) if matches!(state, State::ExpectEncrypted { .. }) => {
            grammar(state.expected(), FlightItem::Record(ContentType::Alert))
        }
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests;
