//! What a card is and holds: application, which PIN, number, certificates. No PIN is sent.
//!
//! ```text
//! Select -> Discovery -> [Metadata] -> [Chuid] -> ReadCertificate (each slot) -> Done
//! ```

use std::collections::VecDeque;

use super::fault::{PivFault, PivStep};
use super::frame::{Answer, Frame, Next, Step, Task};
use super::key::{CertifiedKey, KeyError, PivKey};
use crate::apdu::Aid;
use crate::error::DecodeError;
use crate::piv::{
    ApplicationProperties, CertificateError, CertificateObject, Discovery, ObjectTag, PinReference,
    PivCommand, Slot, TlvReader, TransferError, metadata_public_key,
};

/// Begins to open a card that was just powered up or reset.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(inventory: Inventory) -> Result<Step<Opening>, PivFault> {
    let select = PivCommand::Select(inventory.aid);
    let metadata = inventory.metadata.map(Read::Metadata);
    let chuid = inventory.chuid.then_some(Read::Chuid);
    let unread = [Read::Discovery].into_iter().chain(metadata).chain(chuid);
    let certificates = inventory.slots.into_iter().map(Read::Certificate);
    let opening = Opening {
        unread: unread.chain(certificates).collect(),
        opened: Opened::default(),
    };
    // None of its commands is longer than a short APDU.
    Frame::begin(opening, false, Next::Command(PivStep::Select, select))
}

/// What is looked for on a card.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The application to select.
    pub aid: Aid,
    /// The slot of which the card is asked what key is there, and then, if it knows, for nothing more:
    /// a certificate may be that of a former key.
    pub metadata: Option<Slot>,
    /// Whether the card's number is read.
    pub chuid: bool,
    /// The slots whose certificates are read, in this order.
    pub slots: Vec<Slot>,
}

impl Inventory {
    /// All that tells one card from another.
    #[must_use]
    pub fn all(aid: Aid) -> Self {
        Self {
            aid,
            metadata: None,
            chuid: true,
            slots: Slot::all().collect(),
        }
    }

    /// One key.
    #[must_use]
    pub fn one(slot: Slot) -> Self {
        Self {
            aid: Aid::PIV,
            metadata: None,
            chuid: false,
            slots: vec![slot],
        }
    }
}

/// A card that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The data that answered SELECT.
    pub application: Vec<u8>,
    /// The public key that the card says it has, a SubjectPublicKeyInfo in DER.
    pub metadata: Option<Vec<u8>>,
    /// The object with its CHUID, if it has one; a card that nobody has issued yet lacks it.
    pub chuid: Option<Vec<u8>>,
    /// Which PIN its keys want.
    pub pin: PinReference,
    /// The keys that can be used, in the order of the inventory.
    pub keys: Vec<CertifiedKey>,
    /// Slots that hold something else. Those that hold nothing are in neither list.
    pub unusable: Vec<(Slot, Unusable)>,
}

impl Default for Opened {
    fn default() -> Self {
        Self {
            application: Vec::new(),
            metadata: None,
            chuid: None,
            pin: PinReference::Application,
            keys: Vec::new(),
            unusable: Vec::new(),
        }
    }
}

impl Opened {
    /// The key in this slot.
    #[must_use]
    pub fn key(&self, slot: Slot) -> Option<&CertifiedKey> {
        self.keys.iter().find(|held| held.key.slot() == slot)
    }
}

/// Why the key of a slot cannot be used although there is an object for its certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Its object holds no certificate that can be read.
    #[error(transparent)]
    Object(CertificateError),
    /// Its certificate cannot be read, or has a key of another kind.
    #[error("{why}")]
    Key {
        /// The certificate, DER.
        certificate: Vec<u8>,
        /// Why.
        why: KeyError,
    },
}

/// An opening: what is still to be read, and what was.
pub struct Opening {
    unread: VecDeque<Read>,
    opened: Opened,
}

/// What a card is asked for.
#[derive(Debug, Clone, Copy)]
enum Read {
    Discovery,
    Metadata(Slot),
    Chuid,
    Certificate(Slot),
}

impl Read {
    fn next<O>(self) -> Next<O> {
        let get = |step, object| Next::Command(step, PivCommand::GetData(object));
        match self {
            Self::Discovery => get(PivStep::Discovery, ObjectTag::DISCOVERY),
            Self::Metadata(slot) => Next::Command(PivStep::Metadata, PivCommand::GetMetadata(slot)),
            Self::Chuid => get(PivStep::Chuid, ObjectTag::CHUID),
            Self::Certificate(slot) => get(PivStep::ReadCertificate, slot.certificate()),
        }
    }
}

impl Task for Opening {
    type Output = Opened;
    /// 24 certificates of 17,000 bytes and what is around them.
    const MAX_COMMANDS: u32 = 4096;

    fn on_answer(&mut self, answer: &Answer) -> Result<Next<Opened>, PivFault> {
        if answer.step == PivStep::Select {
            require_piv(answer)?;
            self.opened.application = answer.data().to_vec();
        } else if let Some(read) = self.unread.pop_front() {
            self.take(read, answer)?;
        }
        Ok(self.next())
    }

    /// Without one certificate the others can be used. Of what is not read otherwise, the card could not
    /// be known again, or its PIN be another one.
    fn on_broken_answer(
        &mut self,
        step: PivStep,
        source: TransferError,
    ) -> Result<Next<Opened>, PivFault> {
        let Some(Read::Certificate(slot)) = self.unread.front().copied() else {
            return Err(PivFault::Transfer { step, source });
        };
        if step != PivStep::ReadCertificate {
            return Err(PivFault::Transfer { step, source });
        }
        self.unread.pop_front();
        let unusable = Unusable::Object(source.into());
        self.opened.unusable.push((slot, unusable));
        Ok(self.next())
    }
}

impl Opening {
    fn take(&mut self, read: Read, answer: &Answer) -> Result<(), PivFault> {
        match read {
            Read::Discovery => {
                if let Some(data) = object_of(answer)? {
                    let pin = Discovery::pin_of_answer(data);
                    self.opened.pin = pin.map_err(|source| malformed(answer, source))?;
                }
            }
            Read::Metadata(_) => {
                self.opened.metadata = metadata_of(answer);
                if self.opened.metadata.is_some() {
                    self.unread.clear();
                }
            }
            Read::Chuid => self.opened.chuid = object_of(answer)?.map(<[u8]>::to_vec),
            Read::Certificate(slot) => {
                if let Some(data) = object_of(answer)? {
                    self.take_certificate(slot, data);
                }
            }
        }
        Ok(())
    }

    /// Most slots of most cards are empty; one whose certificate cannot be used is set aside, so that
    /// the others can be.
    fn take_certificate(&mut self, slot: Slot, data: &[u8]) {
        let object = slot.certificate().unwrap(data);
        match object.map_or_else(|error| Err(error.into()), CertificateObject::decode) {
            Ok(None) => {}
            Ok(Some(object)) => {
                let certificate = without_padding(object.der);
                match PivKey::of_certificate(slot, &certificate) {
                    Ok(key) => self.opened.keys.push(CertifiedKey { key, certificate }),
                    Err(why) => {
                        let unusable = Unusable::Key { certificate, why };
                        self.opened.unusable.push((slot, unusable));
                    }
                }
            }
            Err(error) => self.opened.unusable.push((slot, Unusable::Object(error))),
        }
    }

    fn next(&mut self) -> Next<Opened> {
        match self.unread.front() {
            Some(read) => read.next(),
            None => Next::Done(std::mem::take(&mut self.opened)),
        }
    }
}

fn require_piv(answer: &Answer) -> Result<(), PivFault> {
    let sw = answer.sw();
    if !sw.is_success() {
        return Err(PivFault::NotPiv { sw });
    }
    // Some cards answer with less than the standard wants; what is there must fit.
    match ApplicationProperties::decode(answer.data()) {
        Ok(properties) if !properties.is_piv() => Err(PivFault::OtherApplication),
        _ => Ok(()),
    }
}

/// Cards that do not know the question say no in many ways, and what the instruction means to other cards
/// is not known.
fn metadata_of(answer: &Answer) -> Option<Vec<u8>> {
    let said = answer.sw().is_success().then(|| answer.data())?;
    metadata_public_key(said).ok().flatten()
}

/// The data of an object, if the card has it and lets it be read. A card that was reset meanwhile is
/// not one without objects.
fn object_of(answer: &Answer) -> Result<Option<&[u8]>, PivFault> {
    match answer.sw().0 {
        0x9000 if answer.data().is_empty() => Ok(None),
        0x9000 => Ok(Some(answer.data())),
        // Not found, not supported, not to be read without PIN; 6985 and 6A86 where cards have no
        // such object either.
        0x6A80..=0x6A88 | 0x6982 | 0x6985 | 0x6B00 => Ok(None),
        _ => Err(answer.refused()),
    }
}

/// Cards may pad behind a certificate. What is no certificate stays as it is.
fn without_padding(mut der: Vec<u8>) -> Vec<u8> {
    let mut reader = TlvReader::new(&der);
    if let Ok(Some(_)) = reader.take_next() {
        let len = der.len().saturating_sub(reader.remaining());
        der.truncate(len);
    }
    der
}

fn malformed(answer: &Answer, source: DecodeError) -> PivFault {
    let step = answer.step;
    PivFault::Malformed { step, source }
}
