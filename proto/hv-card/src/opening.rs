//! Opening a card, as far as one slot goes: select, which PIN, the certificate. No PIN is sent.
//!
//! ```text
//! begin -> Select -> Discovery -> ReadCertificate -> Opened
//! ```

use std::fmt;

use proto::apdu::{Aid, CommandApdu, ResponseApdu};
use proto::hv::HvCertificate;
use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, KeyAlgorithm, ObjectTag, PinReference,
    PivCommand, Slot, TlvReader, TlvWriter,
};

use crate::command::{Answer, Pending, Progress};
use crate::fault::{CardStep, KeyFault};

/// Begins to open a card that was just connected to.
#[must_use]
pub fn begin(slot: Slot) -> Step {
    let pin = PinReference::Application;
    send(CardStep::Select, &PivCommand::Select(Aid::PIV), slot, pin)
}

/// What an opening wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command and feed its response to [`AwaitCard::on_response`].
    Transmit(AwaitCard, CommandApdu),
    /// The slot's key is known.
    Opened(Opened),
}

/// A slot with a certificate whose key can sign tokens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The slot.
    pub slot: Slot,
    /// What the slot holds.
    pub certificate: HvCertificate,
    /// Its key, as the card has it.
    pub algorithm: KeyAlgorithm,
    /// Which PIN the key wants.
    pub pin: PinReference,
}

/// An opening that waits for its card.
pub struct AwaitCard {
    pending: Pending,
    slot: Slot,
    pin: PinReference,
}

impl AwaitCard {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`KeyFault`] when the card or its slot cannot be used.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, KeyFault> {
        let Self { pending, slot, pin } = self;
        let answer = match pending.on_response(response)? {
            Progress::Transmit(pending, command) => {
                return Ok(Step::Transmit(Self { pending, slot, pin }, command));
            }
            Progress::Complete(answer) => answer,
        };
        Ok(match answer.step {
            CardStep::Select => {
                require_piv(&answer)?;
                let discovery = PivCommand::GetData(ObjectTag::DISCOVERY);
                send(CardStep::Discovery, &discovery, slot, pin)
            }
            CardStep::Discovery => {
                let pin = pin_of(&answer)?;
                let certificate = PivCommand::GetData(slot.certificate());
                send(CardStep::ReadCertificate, &certificate, slot, pin)
            }
            _ => {
                let certificate = certificate_of(&answer, slot)?;
                let key = certificate.key();
                let kind = || key.to_string();
                let algorithm = key.piv_algorithm();
                let algorithm = algorithm.ok_or_else(|| KeyFault::UnfitKey { kind: kind() })?;
                Step::Opened(Opened {
                    slot,
                    algorithm,
                    certificate,
                    pin,
                })
            }
        })
    }
}

fn send(step: CardStep, command: &PivCommand, slot: Slot, pin: PinReference) -> Step {
    let (pending, command) = Pending::start(step, command);
    Step::Transmit(AwaitCard { pending, slot, pin }, command)
}

fn require_piv(answer: &Answer) -> Result<(), KeyFault> {
    let sw = answer.response.sw;
    if !sw.is_success() {
        return Err(KeyFault::NotPiv { sw });
    }
    // Some cards answer with less than the standard wants; what is there must fit.
    match ApplicationProperties::decode(answer.response.data()) {
        Ok(properties) if !properties.is_piv() => Err(KeyFault::NotPiv { sw }),
        _ => Ok(()),
    }
}

/// Not all cards have a discovery object; the PIN of those is the application's.
fn pin_of(answer: &Answer) -> Result<PinReference, KeyFault> {
    let Some(data) = object_of(answer)? else {
        return Ok(PinReference::Application);
    };
    let discovery = ObjectTag::DISCOVERY.unwrap(data);
    let discovery = discovery.and_then(Discovery::decode);
    let step = answer.step;
    Ok(discovery
        .map_err(|source| KeyFault::Malformed { step, source })?
        .pin())
}

fn certificate_of(answer: &Answer, slot: Slot) -> Result<HvCertificate, KeyFault> {
    let data = object_of(answer)?.ok_or(KeyFault::NoCertificate { slot })?;
    let unreadable = |source| KeyFault::CertificateObject { slot, source };
    let object = slot.certificate().unwrap(data);
    let object = object.map_err(|source| unreadable(source.into()))?;
    let object = CertificateObject::decode(object).map_err(unreadable)?;
    let object = object.ok_or(KeyFault::NoCertificate { slot })?;
    // Cards may pad.
    let certificate = TlvReader::new(&object.der).expect(SEQUENCE, "certificate");
    let certificate = certificate.map_err(|source| unreadable(source.into()))?;
    let certificate = TlvWriter::new().with(SEQUENCE, certificate).into_bytes();
    HvCertificate::from_der(&certificate).map_err(|source| KeyFault::Certificate { slot, source })
}

/// The data of an object, if the card has it.
fn object_of(answer: &Answer) -> Result<Option<&[u8]>, KeyFault> {
    match answer.response.sw.0 {
        0x9000 if answer.response.data().is_empty() => Ok(None),
        0x9000 => Ok(Some(answer.response.data())),
        // Not found, not supported, not to be read without PIN; 6985 and 6A86 where cards have no
        // such object either.
        0x6A80..=0x6A88 | 0x6982 | 0x6985 | 0x6B00 => Ok(None),
        _ => Err(answer.refused()),
    }
}

/// The tag of a certificate.
const SEQUENCE: u32 = 0x30;

impl fmt::Debug for AwaitCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitCard({}, {:?})", self.slot, self.pending)
    }
}
