//! One connected virtual card as a [`CardTransport`].

use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, Protocol, ResponseApdu};

use super::connection::{Connection, LONG_BODY, SHORT_BODY};
use super::stream::Stream;
use crate::card::transport::{CardTransport, ChainLink, Chained, Chains, TransportError};

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const ASK_ATR: u8 = 0x04;

/// Most commands that are sent before the first is answered. Those that go together are short; a card that
/// does not take them all meets the deadline.
const AT_ONCE: usize = 4;

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
        let apdu = command.encode_for(self.protocol());
        self.connection.send(&apdu, deadline)?;
        self.receive(command, deadline)
    }

    fn cold_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset_by(&[POWER_OFF, POWER_ON], deadline)
    }

    fn warm_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset_by(&[RESET], deadline)
    }

    /// A virtual card answers in order, however much was sent. One that speaks T=0 must be asked again for
    /// what it has to say.
    fn takes_chains(&self) -> Chains {
        match self.protocol() {
            Protocol::T1 => Chains::Independent,
            Protocol::T0 => Chains::None,
        }
    }

    fn transmit_all(&mut self, chain: &[ChainLink], apdu_timeout: Duration) -> Chained {
        let mut done = Chained::default();
        while let Some(rest) = chain.get(done.responses.len()..)
            && !rest.is_empty()
        {
            let independent = rest.iter().take_while(|link| !link.must_succeed).count();
            // The first that must succeed goes with them.
            let count = independent.saturating_add(1).min(rest.len()).min(AT_ONCE);
            let group = rest.get(..count).unwrap_or(rest);
            if let Err(error) = self.transmit_group(group, apdu_timeout, &mut done.responses) {
                return done.failed(error);
            }
            let last = group.last().zip(done.responses.last());
            if last.is_some_and(|(link, answer)| link.must_succeed && !answer.sw.is_success()) {
                break;
            }
        }
        done
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        if self.connection.is_closed() {
            return Err(TransportError::Removed);
        }
        Ok(())
    }
}

impl ViccTransport {
    fn protocol(&self) -> Protocol {
        // What a virtual card does not say, it does not mind.
        Protocol::first_offered(&self.atr).unwrap_or(Protocol::T1)
    }

    fn receive(
        &mut self,
        command: &CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        let max = match command.is_extended() {
            true => LONG_BODY,
            false => SHORT_BODY,
        };
        let body = self.connection.receive(max, deadline)?;
        self.unanswered = self.unanswered.saturating_sub(1);
        Ok(ResponseApdu::decode(&body)?)
    }

    /// Sends all of them, then waits for each.
    fn transmit_group(
        &mut self,
        group: &[ChainLink],
        apdu_timeout: Duration,
        responses: &mut Vec<ResponseApdu>,
    ) -> Result<(), TransportError> {
        let protocol = self.protocol();
        let apdus = group.iter().map(|link| link.command.encode_for(protocol));
        self.unanswered += group.len();
        let begun = Instant::now();
        self.connection.send_all(apdus, begun + apdu_timeout)?;
        let mut since = begun;
        for link in group {
            responses.push(self.receive(&link.command, since + apdu_timeout)?);
            since = Instant::now();
        }
        Ok(())
    }

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
