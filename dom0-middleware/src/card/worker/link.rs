//! The card in the worker's hand: APDUs with a deadline, and their time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu};

use crate::card::eap_tls::closing;
use crate::card::error::CardError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::transport::{CardTransport, ChainLink, Chains, TransportError};

/// A transport, the longest an APDU may take on it, and what APDUs have taken so far.
pub(super) struct Link {
    pub(super) transport: Box<dyn CardTransport>,
    apdu_timeout: Duration,
    card_time: Duration,
    /// Commands that the card has had already, with their answers: the next ones of the driver.
    ahead: VecDeque<(CommandApdu, Result<ResponseApdu, TransportError>)>,
    /// An answer made the driver go on in another way than was foreseen: no commands go together any more.
    goes_alone: bool,
}

impl Link {
    pub(super) fn new(transport: Box<dyn CardTransport>, apdu_timeout: Duration) -> Self {
        Self {
            transport,
            apdu_timeout,
            card_time: Duration::ZERO,
            ahead: VecDeque::new(),
            goes_alone: false,
        }
    }

    pub(super) fn transmit(
        &mut self,
        command: &CommandApdu,
    ) -> Result<ResponseApdu, TransportError> {
        self.ahead.clear();
        let start = Instant::now();
        let result = self.transport.transmit(command, start + self.apdu_timeout);
        self.card_time += start.elapsed();
        result
    }

    /// The same, where `chain` says which commands follow this one whatever data the card answers with,
    /// this one being the first, of those that may go together. Where they do the driver gets the answers one
    /// by one, as if each had gone when it asked for it.
    pub(super) fn transmit_ahead(
        &mut self,
        command: &CommandApdu,
        chain: impl FnOnce(Chains) -> Vec<ChainLink>,
    ) -> Result<ResponseApdu, TransportError> {
        if let Some((sent, result)) = self.ahead.pop_front() {
            if sent == *command {
                return result;
            }
            self.ahead.clear();
            self.goes_alone = true;
            let why = "a command other than the one that was sent ahead is to be sent";
            return Err(TransportError::Refused(why.to_owned()));
        }
        let chain = match self.transport.takes_chains() {
            _ if self.goes_alone => Vec::new(),
            Chains::None => Vec::new(),
            chains => chain(chains),
        };
        let is_plain = chain.len() < 2 && chain.iter().all(|link| link.fetch.is_none());
        if is_plain || chain.is_empty() {
            return self.transmit(command);
        }
        let start = Instant::now();
        let done = self.transport.transmit_all(&chain, self.apdu_timeout);
        self.card_time += start.elapsed();
        let results = done.responses.into_iter().map(Ok);
        let results = results.chain(done.error.map(Err));
        let commands = chain.into_iter().map(|link| link.command);
        self.ahead = commands.zip(results).collect();
        let first = self.ahead.pop_front();
        first.map_or(Err(TransportError::Removed), |(_, result)| result)
    }

    pub(super) fn cold_reset(&mut self) -> Result<(), TransportError> {
        self.ahead.clear();
        self.transport
            .cold_reset(Instant::now() + self.apdu_timeout)
            .map(|_| ())
    }

    pub(super) fn warm_reset(&mut self) -> Result<(), TransportError> {
        self.ahead.clear();
        self.transport
            .warm_reset(Instant::now() + self.apdu_timeout)
            .map(|_| ())
    }

    /// Brings the card to rest after a use.
    pub(super) fn close(
        &mut self,
        first: Result<closing::Step, CardFault>,
    ) -> Result<(), CardError> {
        // What a handshake that failed has not asked for.
        self.ahead.clear();
        let mut step = first?;
        loop {
            step = match step {
                closing::Step::Transmit(closing, command) => {
                    let response = self.transmit_ahead(&command, |_| closing.chain(&command));
                    let response = response.map_err(|source| failure(closing.step(), source))?;
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
        let response = self.transmit(command);
        response.map_err(|source| failure(step, source))
    }

    /// Time spent in APDUs since the last call to [`Self::restart_clock`].
    pub(super) fn card_time(&self) -> Duration {
        self.card_time
    }

    pub(super) fn restart_clock(&mut self) {
        self.card_time = Duration::ZERO;
    }
}

fn failure(step: CardStep, source: TransportError) -> CardError {
    match source {
        TransportError::Removed => CardError::Transport(source),
        source => CardFault::Transport { step, source }.into(),
    }
}
