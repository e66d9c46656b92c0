//! What a card of any profile is to the socket it sits in.

use std::fmt::Debug;

use proto::apdu::{Protocol, ResponseApdu};
use zeroize::Zeroizing;

use crate::cost::Operation;
use crate::fault::FaultKind;

/// A card, powered on: commands in, answers out.
pub trait Applet: Debug + Send {
    /// Carries out one command APDU.
    fn transmit(&mut self, command: &[u8]) -> Answer;

    /// Power-off and power-on.
    fn reset(&mut self);

    /// Answer to reset of a card that speaks this protocol alone.
    fn atr(&self, protocol: Protocol) -> &'static [u8];

    /// Lets a fault happen inside the card, if it is one that can.
    fn suffer(&mut self, fault: FaultKind);
}

/// What the card sends back, and what it cost.
pub struct Answer {
    /// The response APDU: data, then status word.
    pub response: Zeroizing<Vec<u8>>,
    /// What this command had the card do.
    pub cost: Vec<Operation>,
}

impl Answer {
    /// The answer to `command`: the bytes of both are part of what it cost.
    pub(crate) fn new(command: &[u8], response: &ResponseApdu, work: Vec<Operation>) -> Self {
        let response = response.encode();
        let mut cost = vec![Operation::Bytes(command.len() + response.len())];
        cost.extend(work);
        Self { response, cost }
    }
}
