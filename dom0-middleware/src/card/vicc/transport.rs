//! One connected virtual card as a [`CardTransport`].

use std::time::Instant;

use proto::apdu::{Atr, CommandApdu, Protocol, ResponseApdu};

use super::connection::{Connection, LONG_BODY, SHORT_BODY};
use super::stream::Stream;
use crate::card::transport::{CardTransport, TransportError};

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const ASK_ATR: u8 = 0x04;

/// A virtual card that was powered up.
#[derive(Debug)]
pub(super) struct ViccTransport {
    connection: Connection,
    atr: Atr,
    /// Commands whose responses did not come in time and may come yet.
    unanswered: usize,
}

impl ViccTransport {
    /// Powers the card up and asks for its answer to reset.
    pub(super) fn power_up(stream: Stream, deadline: Instant) -> Result<Self, TransportError> {
        let mut connection = Connection::new(stream);
        connection.send(&[POWER_ON], deadline)?;
        connection.send(&[ASK_ATR], deadline)?;
        let atr = Atr::decode(&connection.receive(SHORT_BODY, deadline)?)?;
        Ok(Self {
            connection,
            atr,
            unanswered: 0,
        })
    }
}

impl CardTransport for ViccTransport {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        self.unanswered += 1;
        // What a virtual card does not say, it does not mind.
        let protocol = Protocol::first_offered(&self.atr).unwrap_or(Protocol::T1);
        self.connection
            .send(&command.encode_for(protocol), deadline)?;
        let max = match command.is_extended() {
            true => LONG_BODY,
            false => SHORT_BODY,
        };
        let body = self.connection.receive(max, deadline)?;
        self.unanswered = self.unanswered.saturating_sub(1);
        Ok(ResponseApdu::decode(&body)?)
    }

    fn cold_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset_by(&[POWER_OFF, POWER_ON], deadline)
    }

    fn warm_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset_by(&[RESET], deadline)
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        if self.connection.is_closed() {
            return Err(TransportError::Removed);
        }
        Ok(())
    }
}

impl ViccTransport {
    /// Has the card reset by these controls, none of which it answers, and asks for its answer to reset.
    fn reset_by(&mut self, controls: &[u8], deadline: Instant) -> Result<Atr, TransportError> {
        for &control in controls.iter().chain(&[ASK_ATR]) {
            self.connection.send(&[control], deadline)?;
        }
        // The card answers in order: what it still owed comes before the answer to reset.
        loop {
            let body = self.connection.receive(LONG_BODY, deadline)?;
            let known = body.as_slice() == self.atr.as_bytes();
            if self.unanswered > 0 && !known {
                self.unanswered -= 1;
                continue;
            }
            self.atr = Atr::decode(&body)?;
            self.unanswered = 0;
            return Ok(self.atr.clone());
        }
    }
}
