//! What a card is and holds: application, PIN, number, certificates.

use std::collections::VecDeque;

use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, ObjectTag, PivCommand, Slot,
};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::machine::{Context, Next, State};
use crate::card::answer::Answer;
use crate::card::error::CardError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::piv::key::PivKey;

/// Awaits the answer to SELECT.
pub(super) struct ExpectSelected;

impl ExpectSelected {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if !answer.is_success() {
            return Err(answer.refused().into());
        }
        // Some cards answer with less than the standard wants; what is there must fit.
        let properties = ApplicationProperties::decode(answer.data());
        if properties.is_ok_and(|properties| !properties.is_piv()) {
            return Err(CardFault::OtherApplication.into());
        }
        context.opened.application = Sha256::digest(answer.data()).into();
        let command = PivCommand::GetData(ObjectTag::DISCOVERY);
        let state = State::Discovery(ExpectDiscovery);
        Ok(Next::Command(CardStep::Discovery, command, state))
    }
}

/// Awaits the discovery object, which not all cards have.
pub(super) struct ExpectDiscovery;

impl ExpectDiscovery {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if let Some(data) = object_of(answer)? {
            let discovery = ObjectTag::DISCOVERY
                .unwrap(data)
                .and_then(Discovery::decode)
                .map_err(|source| malformed(answer, source))?;
            context.opened.pin = discovery.pin();
        }
        let command = PivCommand::GetData(ObjectTag::CHUID);
        Ok(Next::Command(
            CardStep::Chuid,
            command,
            State::Chuid(ExpectChuid),
        ))
    }
}

/// Awaits the CHUID, which a card nobody has issued yet lacks.
pub(super) struct ExpectChuid;

impl ExpectChuid {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        let chuid = object_of(answer)?;
        context.opened.chuid = chuid.map(|data| Sha256::digest(data).into());
        read_next(context, Slot::all().collect())
    }
}

/// Reads the certificate of the next slot, or looks at the PIN after the last.
fn read_next(context: &Context, mut slots: VecDeque<Slot>) -> Result<Next, CardError> {
    if let Some(slot) = slots.pop_front() {
        let command = PivCommand::GetData(slot.certificate());
        let state = State::Certificate(ExpectCertificate { slot, rest: slots });
        return Ok(Next::Command(CardStep::ReadCertificate, command, state));
    }
    let keys = &context.opened.keys;
    if keys.is_empty() {
        return Err(CardError::NoIdentity);
    }
    if !keys.iter().any(|key| key.slot().needs_pin()) {
        return Ok(Next::Opened);
    }
    let command = PivCommand::PinStatus(context.opened.pin);
    Ok(Next::Command(
        CardStep::PinStatus,
        command,
        State::PinStatus,
    ))
}

/// Awaits the certificate of one slot. Most slots of most cards are empty; one whose certificate
/// cannot be used is passed over, so that the others can be.
pub(super) struct ExpectCertificate {
    slot: Slot,
    rest: VecDeque<Slot>,
}

impl ExpectCertificate {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        let slot = self.slot;
        if let Some(data) = object_of(answer)? {
            let object = slot
                .certificate()
                .unwrap(data)
                .map_err(|source| malformed(answer, source))?;
            match CertificateObject::decode(object) {
                Ok(None) => {}
                Ok(Some(certificate)) => match PivKey::new(slot, &certificate.der) {
                    Ok(key) => context.opened.keys.push(key),
                    Err(error) => warn!(%slot, %error, "a key of the card is not used"),
                },
                Err(error) => warn!(%slot, %error, "a certificate of the card is not used"),
            }
        }
        read_next(context, self.rest)
    }
}

/// The data of an object, if the card has it and lets it be read. A card that was reset meanwhile is
/// not one without objects.
fn object_of(answer: &Answer) -> Result<Option<&[u8]>, CardFault> {
    match answer.sw().0 {
        0x9000 if answer.data().is_empty() => Ok(None),
        0x9000 => Ok(Some(answer.data())),
        // Not found, not supported, not to be read without PIN; 6985 and 6A86 where cards have no
        // such object either.
        0x6A80..=0x6A88 | 0x6982 | 0x6985 | 0x6B00 => Ok(None),
        _ => Err(answer.refused()),
    }
}

fn malformed(answer: &Answer, source: proto::error::DecodeError) -> CardFault {
    CardFault::Malformed {
        step: answer.step,
        source,
    }
}
