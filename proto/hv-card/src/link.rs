//! The card in its reader, through PC/SC.

use std::ffi::{CStr, CString};
use std::thread;
use std::time::{Duration, Instant};

use pcsc::{
    Card, Context, Error, MAX_BUFFER_SIZE_EXTENDED, Protocols, ReaderState, Scope, ShareMode, State,
};
use proto::apdu::{CommandApdu, Protocol, ResponseApdu};
use proto::error::DecodeError;
use zeroize::Zeroizing;

/// The readers that cards are in.
pub trait Readers: Send + Sync {
    /// Connects to the card in the reader of that name. Waits up to `patience` for another program to
    /// let it go; with `for_arrival` for reader and card to come, too.
    ///
    /// # Errors
    /// [`LinkError`] if it is not to be had.
    fn connect(
        &self,
        reader: &CStr,
        patience: Duration,
        for_arrival: bool,
    ) -> Result<Box<dyn CardLink>, LinkError>;

    /// Looks whether a card is in the reader, without connecting to it.
    ///
    /// # Errors
    /// [`LinkError`] if there is none, or nobody to ask.
    fn look(&self, reader: &CStr) -> Result<(), LinkError>;
}

/// A card that nobody else speaks to. It is reset when this is dropped, and forgets the PIN.
pub trait CardLink: Send {
    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`LinkError`] when there is none.
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, LinkError>;
}

/// The readers of this machine, through PC/SC.
#[derive(Debug, Clone, Copy)]
pub struct PcscReaders;

impl Readers for PcscReaders {
    fn connect(
        &self,
        reader: &CStr,
        patience: Duration,
        for_arrival: bool,
    ) -> Result<Box<dyn CardLink>, LinkError> {
        let deadline = Instant::now() + patience;
        loop {
            let error = match connect(reader) {
                Ok(link) => return Ok(Box::new(link)),
                Err(error) => error,
            };
            let may_change = match error {
                LinkError::InUse { .. } => true,
                _ => for_arrival && error.is_absence(),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if !may_change || left.is_zero() {
                return Err(error);
            }
            thread::sleep(LOOK_AGAIN.min(left));
        }
    }

    fn look(&self, reader: &CStr) -> Result<(), LinkError> {
        look(reader)
    }
}

/// A card in one of them.
struct PcscLink {
    card: Card,
    protocol: Protocol,
    buffer: Zeroizing<Vec<u8>>,
}

impl CardLink for PcscLink {
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, LinkError> {
        let command = command.encode_for(self.protocol);
        let response = self.card.transmit(&command, &mut self.buffer);
        let response = response.map_err(|error| match error {
            Error::ResetCard => LinkError::Reset,
            Error::RemovedCard
            | Error::NotTransacted
            | Error::NoSmartcard
            | Error::ReaderUnavailable
            | Error::InvalidHandle => LinkError::Removed,
            Error::NoService | Error::ServiceStopped | Error::CommError => LinkError::NoService,
            other => LinkError::Other(other.to_string()),
        })?;
        Ok(ResponseApdu::decode(response)?)
    }
}

fn connect(reader: &CStr) -> Result<PcscLink, LinkError> {
    let context = Context::establish(Scope::System).map_err(|error| fault(error, reader, None))?;
    let in_reader = |error| fault(error, reader, Some(&context));
    let card = context.connect(reader, ShareMode::Exclusive, Protocols::ANY);
    let card = card.map_err(in_reader)?;
    let status = card.status2_owned().map_err(in_reader)?;
    let protocol = match status.protocol2() {
        Some(pcsc::Protocol::T0) => Protocol::T0,
        _ => Protocol::T1,
    };
    Ok(PcscLink {
        card,
        protocol,
        buffer: Zeroizing::new(vec![0; MAX_BUFFER_SIZE_EXTENDED]),
    })
}

fn look(reader: &CStr) -> Result<(), LinkError> {
    let context = Context::establish(Scope::System).map_err(|error| fault(error, reader, None))?;
    let mut state = [ReaderState::new(reader, State::UNAWARE)];
    let seen = context.get_status_change(Duration::ZERO, &mut state);
    seen.map_err(|error| fault(error, reader, Some(&context)))?;
    let [state] = state;
    let state = state.event_state();
    if state.intersects(State::UNKNOWN | State::IGNORE) {
        return Err(fault(Error::UnknownReader, reader, Some(&context)));
    }
    match state.contains(State::PRESENT) {
        true => Ok(()),
        false => Err(fault(Error::NoSmartcard, reader, Some(&context))),
    }
}

/// What an error of the library means for who wants the card.
fn fault(error: Error, reader: &CStr, context: Option<&Context>) -> LinkError {
    let name = || reader.to_string_lossy().into_owned();
    match error {
        Error::NoSmartcard | Error::RemovedCard => LinkError::NoCard { reader: name() },
        Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => {
            let there = context.map(readers).unwrap_or_default();
            LinkError::NoReader {
                reader: name(),
                there,
            }
        }
        Error::SharingViolation => LinkError::InUse { reader: name() },
        Error::SecurityViolation => LinkError::Denied,
        Error::NoService
        | Error::ServiceStopped
        | Error::CommError
        | Error::InvalidHandle
        | Error::InternalError => LinkError::NoService,
        other => LinkError::Other(other.to_string()),
    }
}

/// The readers that are there, for people.
fn readers(context: &Context) -> String {
    let names: Vec<CString> = context.list_readers_owned().unwrap_or_default();
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("{:?}", name.to_string_lossy()))
        .collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

/// How long until the next look at a card that somebody else has.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why a card cannot be spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The daemon of the readers does not answer.
    #[error("no PC/SC service answers; is pcscd running? (systemctl start pcscd.socket)")]
    NoService,
    /// The daemon does not let us.
    #[error(
        "PC/SC access denied; allow this user org.debian.pcsc-lite.access_pcsc and access_card in \
         polkit"
    )]
    Denied,
    /// There is no reader of that name.
    #[error("no reader {reader:?}; plug it in, or correct its name; there is: {there}")]
    NoReader {
        /// The name.
        reader: String,
        /// What there is.
        there: String,
    },
    /// There is no card in it.
    #[error("no card in reader {reader:?}; put the card with the HV key in")]
    NoCard {
        /// The reader.
        reader: String,
    },
    /// Somebody else has the card.
    #[error("another program holds the card in reader {reader:?}; end it, or try again")]
    InUse {
        /// The reader.
        reader: String,
    },
    /// The card left while it was spoken to.
    #[error("the card was removed")]
    Removed,
    /// Somebody has reset the card.
    #[error("the card was reset by somebody else; try again")]
    Reset,
    /// What came is not a response APDU.
    #[error("garbled answer: {0}")]
    Garbled(#[from] DecodeError),
    /// Anything else, in the library's words.
    #[error("PC/SC: {0}")]
    Other(String),
}

impl LinkError {
    /// Whether card, reader or daemon are not there now, and may be later.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NoService
                | Self::NoReader { .. }
                | Self::NoCard { .. }
                | Self::InUse { .. }
                | Self::Removed
                | Self::Reset
        )
    }
}
