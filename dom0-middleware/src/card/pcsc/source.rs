//! One reader, looked at for a card.

use std::ffi::CString;
use std::time::Instant;

use pcsc::{Context, Error, Protocols, Scope, ShareMode};
use tracing::{info, warn};

use super::error::{is_without_card, is_without_daemon, transport_error};
use super::transport::PcscTransport;
use crate::card::transport::{CardSource, CardTransport, SourceTrouble, TransportError};

/// The card in the reader of a name.
pub struct PcscSource {
    reader: CString,
    context: Option<Context>,
    /// What was wrong when it was looked at last; said once.
    trouble: Option<SourceTrouble>,
}

impl PcscSource {
    /// Looks at the reader that PC/SC calls `reader`, whether it is there or not.
    #[must_use]
    pub fn new(reader: CString) -> Self {
        Self {
            reader,
            context: None,
            trouble: None,
        }
    }

    fn connect(&mut self) -> Result<pcsc::Card, Error> {
        let context = match &self.context {
            Some(context) => context,
            None => self.context.insert(Context::establish(Scope::System)?),
        };
        context.connect(&self.reader, ShareMode::Exclusive, Protocols::ANY)
    }

    /// What an error means for who waits for a card.
    fn trouble_of(&self, error: Error) -> Option<SourceTrouble> {
        let reader = || self.reader.to_string_lossy().into_owned();
        match error {
            // A reader without a card is in order.
            Error::NoSmartcard | Error::RemovedCard => None,
            Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => {
                Some(SourceTrouble::NoReader { reader: reader() })
            }
            Error::SharingViolation => Some(SourceTrouble::InUse { reader: reader() }),
            Error::SecurityViolation => Some(SourceTrouble::Denied),
            error if is_without_daemon(error) => Some(SourceTrouble::NoService),
            error => Some(SourceTrouble::Other(error.to_string())),
        }
    }

    /// Says what is wrong when it changes.
    fn note(&mut self, trouble: Option<SourceTrouble>) {
        if self.trouble == trouble {
            return;
        }
        let reader = self.reader.to_string_lossy();
        match &trouble {
            None => info!(%reader, "reader is there"),
            Some(trouble) => warn!(%reader, "{trouble}"),
        }
        self.trouble = trouble;
    }
}

impl CardSource for PcscSource {
    fn poll(&mut self, _: Instant) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        let error = match self.connect() {
            Ok(card) => {
                self.note(None);
                return Ok(Some(Box::new(PcscTransport::new(card)?)));
            }
            Err(error) => error,
        };
        self.note(self.trouble_of(error));
        if is_without_daemon(error) {
            self.context = None;
        }
        let is_nothing = is_without_card(error)
            || is_without_daemon(error)
            || matches!(error, Error::SharingViolation | Error::SecurityViolation);
        match is_nothing {
            true => Ok(None),
            false => Err(transport_error(error)),
        }
    }

    fn trouble(&self) -> Option<SourceTrouble> {
        self.trouble.clone()
    }
}
