//! The card in the worker's hand: APDUs with a deadline, and their time.

use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu};

use crate::card::eap_tls::closing;
use crate::card::error::CardError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::transport::{CardTransport, TransportError};

/// A transport, the longest an APDU may take on it, and what APDUs have taken so far.
pub(super) struct Link {
    pub(super) transport: Box<dyn CardTransport>,
    apdu_timeout: Duration,
    card_time: Duration,
}

impl Link {
    pub(super) fn new(transport: Box<dyn CardTransport>, apdu_timeout: Duration) -> Self {
        Self {
            transport,
            apdu_timeout,
            card_time: Duration::ZERO,
        }
    }

    pub(super) fn transmit(
        &mut self,
        command: &CommandApdu,
    ) -> Result<ResponseApdu, TransportError> {
        let start = Instant::now();
        let result = self.transport.transmit(command, start + self.apdu_timeout);
        self.card_time += start.elapsed();
        result
    }

    pub(super) fn cold_reset(&mut self) -> Result<(), TransportError> {
        self.transport
            .cold_reset(Instant::now() + self.apdu_timeout)
            .map(|_| ())
    }

    pub(super) fn warm_reset(&mut self) -> Result<(), TransportError> {
        self.transport
            .warm_reset(Instant::now() + self.apdu_timeout)
            .map(|_| ())
    }

    /// Brings the card to rest after a use.
    pub(super) fn close(
        &mut self,
        first: Result<closing::Step, CardFault>,
    ) -> Result<(), CardError> {
        let mut step = first?;
        loop {
            step = match step {
                closing::Step::Transmit(closing, command) => {
                    let response = self.transmit_step(&command, closing.step())?;
                    closing.on_response(response)?
                }
                closing::Step::Closed => return Ok(()),
            };
        }
    }

    /// [`Self::transmit`], with failures named by step.
    pub(super) fn transmit_step(
        &mut self,
        command: &CommandApdu,
        step: CardStep,
    ) -> Result<ResponseApdu, CardError> {
        self.transmit(command).map_err(|source| match source {
            TransportError::Removed => CardError::Transport(source),
            source => CardFault::Transport { step, source }.into(),
        })
    }

    /// Time spent in APDUs since the last call to [`Self::restart_clock`].
    pub(super) fn card_time(&self) -> Duration {
        self.card_time
    }

    pub(super) fn restart_clock(&mut self) {
        self.card_time = Duration::ZERO;
    }
}
