//! Opening a card, as far as one slot goes: select, which PIN, which key. No PIN is sent.
//!
//! ```text
//! begin -> Select -> Discovery -------------> ReadCertificate -> Opened
//!                              -> Metadata -> ReadCertificate -> Opened   a key without certificate
//! ```

use std::fmt;

use proto::apdu::{Aid, CommandApdu, ResponseApdu};
use proto::hv::{HvCertificate, HvPublicKey};
use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, KeyAlgorithm, ObjectTag, PinReference,
    PivCommand, Slot, TlvReader, TlvWriter, metadata_public_key,
};

use crate::command::{Answer, Pending, Progress};
use crate::fault::{CardStep, KeyFault};

/// Begins to open a card that was just connected to.
#[must_use]
pub fn begin(slot: Slot, wanted: Wanted) -> Step {
    let pin = PinReference::Application;
    let opening = Opening { slot, wanted, pin };
    opening.send(CardStep::Select, &PivCommand::Select(Aid::PIV))
}

/// Which key will do.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// One whose certificate is in its slot.
    Certified,
    /// One of which the card says what it is, or its certificate, or at last the operator.
    Any(Option<Stated>),
}

/// What an operator says that the key is.
#[derive(Debug, Clone)]
pub struct Stated {
    /// Its public part.
    pub key: HvPublicKey,
    /// Where that stands, for people.
    pub place: String,
}

/// Who says what the key in a slot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The card, asked with GET METADATA.
    Metadata,
    /// The certificate in the slot.
    Certificate,
    /// The operator, in this place.
    Stated(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the card's metadata",
            Self::Certificate => "the certificate there",
            Self::Stated(place) => place,
        })
    }
}

/// What an opening wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command and feed its response to [`AwaitCard::on_response`].
    Transmit(AwaitCard, CommandApdu),
    /// The slot's key is known.
    Opened(Opened),
}

/// A slot with a key that can sign tokens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The slot.
    pub slot: Slot,
    /// Its key.
    pub key: HvPublicKey,
    /// Who says so.
    pub source: KeySource,
    /// The key as the card has it.
    pub algorithm: KeyAlgorithm,
    /// Which PIN the key wants.
    pub pin: PinReference,
}

/// An opening that waits for its card.
pub struct AwaitCard {
    pending: Pending,
    opening: Opening,
}

/// What is known of the card so far, and what is wanted of it.
struct Opening {
    slot: Slot,
    wanted: Wanted,
    pin: PinReference,
}

impl AwaitCard {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`KeyFault`] when the card or its slot cannot be used.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, KeyFault> {
        let Self {
            pending,
            mut opening,
        } = self;
        let answer = match pending.on_response(response)? {
            Progress::Transmit(pending, command) => {
                return Ok(Step::Transmit(Self { pending, opening }, command));
            }
            Progress::Complete(answer) => answer,
        };
        match answer.step {
            CardStep::Select => {
                require_piv(&answer)?;
                let discovery = PivCommand::GetData(ObjectTag::DISCOVERY);
                Ok(opening.send(CardStep::Discovery, &discovery))
            }
            CardStep::Discovery => {
                opening.pin = pin_of(&answer)?;
                Ok(match opening.wanted {
                    Wanted::Certified => opening.read_certificate(),
                    Wanted::Any(_) => {
                        let metadata = PivCommand::GetMetadata(opening.slot);
                        opening.send(CardStep::Metadata, &metadata)
                    }
                })
            }
            // A certificate may be that of a former key; the card speaks of the one it has.
            CardStep::Metadata => match metadata_of(&answer, opening.slot)? {
                Some(key) => opening.opened(key, KeySource::Metadata),
                None => Ok(opening.read_certificate()),
            },
            _ => opening.on_certificate(&answer),
        }
    }
}

impl Opening {
    fn send(self, step: CardStep, command: &PivCommand) -> Step {
        let (pending, command) = Pending::start(step, command);
        let opening = self;
        Step::Transmit(AwaitCard { pending, opening }, command)
    }

    fn read_certificate(self) -> Step {
        let certificate = PivCommand::GetData(self.slot.certificate());
        self.send(CardStep::ReadCertificate, &certificate)
    }

    fn on_certificate(mut self, answer: &Answer) -> Result<Step, KeyFault> {
        let slot = self.slot;
        if let Some(certificate) = certificate_of(answer, slot)? {
            return self.opened(certificate.key().clone(), KeySource::Certificate);
        }
        match &mut self.wanted {
            Wanted::Certified => Err(KeyFault::NoCertificate { slot }),
            Wanted::Any(stated) => {
                let stated = stated.take().ok_or(KeyFault::NoPublicKey { slot })?;
                self.opened(stated.key, KeySource::Stated(stated.place))
            }
        }
    }

    fn opened(self, key: HvPublicKey, source: KeySource) -> Result<Step, KeyFault> {
        let Self { slot, wanted, pin } = self;
        let kind = || key.to_string();
        if let Wanted::Any(Some(stated)) = wanted
            && stated.key.spki_der() != key.spki_der()
        {
            return Err(KeyFault::NotStated {
                by: source,
                kind: kind(),
                stated: KeySource::Stated(stated.place),
            });
        }
        let algorithm = key.piv_algorithm();
        let algorithm = algorithm.ok_or_else(|| KeyFault::UnfitKey { kind: kind() })?;
        Ok(Step::Opened(Opened {
            slot,
            key,
            source,
            algorithm,
            pin,
        }))
    }
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

/// The key, if the card says what it is. Cards that do not know the question say no in many ways, and
/// what the instruction means to other cards is not known.
fn metadata_of(answer: &Answer, slot: Slot) -> Result<Option<HvPublicKey>, KeyFault> {
    if !answer.response.sw.is_success() {
        return Ok(None);
    }
    let Ok(Some(spki)) = metadata_public_key(answer.response.data()) else {
        return Ok(None);
    };
    let key = HvPublicKey::from_spki_der(&spki);
    let key = key.map_err(|source| KeyFault::PublicKey { slot, source })?;
    Ok(Some(key))
}

fn certificate_of(answer: &Answer, slot: Slot) -> Result<Option<HvCertificate>, KeyFault> {
    let Some(data) = object_of(answer)? else {
        return Ok(None);
    };
    let unreadable = |source| KeyFault::CertificateObject { slot, source };
    let object = slot.certificate().unwrap(data);
    let object = object.map_err(|source| unreadable(source.into()))?;
    let object = CertificateObject::decode(object).map_err(unreadable)?;
    let Some(object) = object else {
        return Ok(None);
    };
    // Cards may pad.
    let certificate = TlvReader::new(&object.der).expect(SEQUENCE, "certificate");
    let certificate = certificate.map_err(|source| unreadable(source.into()))?;
    let certificate = TlvWriter::new().with(SEQUENCE, certificate).into_bytes();
    let certificate = HvCertificate::from_der(&certificate);
    let certificate = certificate.map_err(|source| KeyFault::Certificate { slot, source })?;
    Ok(Some(certificate))
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
        write!(f, "AwaitCard({}, {:?})", self.opening.slot, self.pending)
    }
}
