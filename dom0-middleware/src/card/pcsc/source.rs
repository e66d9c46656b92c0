//! One reader, looked at for a card.

use std::ffi::CString;
use std::time::Instant;

use pcsc::{Context, Error, Protocols, Scope, ShareMode};
use tracing::{info, warn};

use super::error::{is_without_card, is_without_daemon, transport_error};
use super::transport::PcscTransport;
use crate::card::transport::{CardSource, CardTransport, TransportError};

/// The card in the reader of a name.
pub struct PcscSource {
    reader: CString,
    context: Option<Context>,
    /// What was wrong when it was looked at last; said once.
    trouble: Option<Error>,
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

    /// Says what is wrong when it changes.
    fn note(&mut self, trouble: Option<Error>) {
        // A reader without a card is in order.
        let trouble =
            trouble.filter(|error| !matches!(error, Error::NoSmartcard | Error::RemovedCard));
        if self.trouble == trouble {
            return;
        }
        let reader = self.reader.to_string_lossy();
        match trouble {
            None => info!(%reader, "reader is there"),
            Some(Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable) => {
                warn!(%reader, "no such reader; is it plugged in, and is its name right?");
            }
            Some(error) if is_without_daemon(error) => {
                warn!(%reader, %error, "no PC/SC service; is pcscd running?");
            }
            Some(Error::SharingViolation) => {
                warn!(%reader, "another program holds the card in this reader");
            }
            Some(error) => warn!(%reader, %error, "cannot connect to the card"),
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
        self.note(Some(error));
        if is_without_daemon(error) {
            self.context = None;
        }
        let is_nothing =
            is_without_card(error) || is_without_daemon(error) || error == Error::SharingViolation;
        match is_nothing {
            true => Ok(None),
            false => Err(transport_error(error)),
        }
    }
}
