//! A card in a reader, connected exclusively.

use std::time::Instant;

use pcsc::{Card, Disposition, MAX_BUFFER_SIZE_EXTENDED, Protocols, ShareMode};
use proto::apdu::{Atr, CommandApdu, Protocol, ResponseApdu};
use zeroize::Zeroizing;

use super::error::transport_error;
use crate::card::transport::{CardTransport, TransportError};

/// The card's connection; the card is reset when it is dropped.
pub(super) struct PcscTransport {
    card: Card,
    atr: Atr,
    protocol: Protocol,
    buffer: Zeroizing<Vec<u8>>,
}

impl PcscTransport {
    pub(super) fn new(card: Card) -> Result<Self, TransportError> {
        let (atr, protocol) = read_status(&card)?;
        Ok(Self {
            card,
            atr,
            protocol,
            buffer: Zeroizing::new(vec![0; MAX_BUFFER_SIZE_EXTENDED]),
        })
    }

    fn reconnect(&mut self, first: Disposition) -> Result<Atr, TransportError> {
        self.card
            .reconnect(ShareMode::Exclusive, Protocols::ANY, first)
            .map_err(transport_error)?;
        (self.atr, self.protocol) = read_status(&self.card)?;
        Ok(self.atr.clone())
    }
}

/// The card's answer to reset, and the protocol that the daemon has chosen.
fn read_status(card: &Card) -> Result<(Atr, Protocol), TransportError> {
    let status = card.status2_owned().map_err(transport_error)?;
    let protocol = match status.protocol2() {
        Some(pcsc::Protocol::T0) => Protocol::T0,
        _ => Protocol::T1,
    };
    Ok((Atr::decode(status.atr())?, protocol))
}

impl CardTransport for PcscTransport {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        let command = command.encode_for(self.protocol);
        let response = self.card.transmit(&command, &mut self.buffer);
        let response = response.map_err(transport_error)?;
        let response = ResponseApdu::decode(response)?;
        // The library has no deadlines: an answer that came too late is as good as none.
        match Instant::now() > deadline {
            true => Err(TransportError::TimedOut),
            false => Ok(response),
        }
    }

    fn cold_reset(&mut self, _: Instant) -> Result<Atr, TransportError> {
        self.reconnect(Disposition::UnpowerCard)
    }

    fn warm_reset(&mut self, _: Instant) -> Result<Atr, TransportError> {
        self.reconnect(Disposition::ResetCard)
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        match self.card.status2_owned() {
            Ok(_) => Ok(()),
            Err(error) => Err(transport_error(error)),
        }
    }
}
