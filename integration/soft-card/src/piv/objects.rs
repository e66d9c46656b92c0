//! The data objects of a PIV card, and those that every card has.

use std::collections::BTreeMap;

use proto::piv::{CertificateObject, Chuid, ObjectTag, Slot, TlvWriter};

/// The data objects of one card: what is inside of tag 53 of each.
#[derive(Debug, Default, Clone)]
pub struct Objects(BTreeMap<ObjectTag, Vec<u8>>);

impl Objects {
    /// The most bytes an object has.
    pub const MAX_LEN: usize = 4096;

    /// The objects of a card without certificates. `guid` tells it from all others.
    ///
    /// Source: NIST SP 800-73-4 part 1 §3.1, §3.3.3.
    pub fn fresh(guid: [u8; 16]) -> Self {
        let mut objects = Self::default();
        objects.insert(ObjectTag::CHUID, chuid(guid));
        objects.insert(ObjectTag::CAPABILITIES, ccc(guid));
        objects.update_key_history();
        objects
    }

    /// Puts a certificate in its object, and counts it.
    ///
    /// # Errors
    /// [`TooLong`] for one that the card has no room for.
    pub fn insert_certificate(
        &mut self,
        slot: Slot,
        certificate: &CertificateObject,
    ) -> Result<(), TooLong> {
        let content = certificate.encode();
        let got = content.len();
        if got > Self::MAX_LEN {
            return Err(TooLong { got });
        }
        self.insert(slot.certificate(), content);
        self.update_key_history();
        Ok(())
    }

    /// The tags that an object on this card may have: those of SP 800-73, `5FC1xx`.
    pub fn all_tags() -> impl Iterator<Item = ObjectTag> {
        (0x5F_C100..=0x5F_C1FF).map(ObjectTag)
    }

    /// Puts an object on the card, in place of the one there was.
    pub fn insert(&mut self, tag: ObjectTag, content: Vec<u8>) {
        self.0.insert(tag, content);
    }

    /// Takes an object from the card.
    pub fn remove(&mut self, tag: ObjectTag) {
        self.0.remove(&tag);
    }

    /// What an object holds.
    pub fn get(&self, tag: ObjectTag) -> Option<&[u8]> {
        self.0.get(&tag).map(Vec::as_slice)
    }

    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = (ObjectTag, &[u8])> {
        self.0
            .iter()
            .map(|(tag, content)| (*tag, content.as_slice()))
    }

    /// Source: NIST SP 800-73-4 part 1 §3.3.3.
    fn update_key_history(&mut self) {
        let retired = Slot::all().filter(|slot| matches!(slot, Slot::Retired(_)));
        let count = retired
            .filter(|slot| self.get(slot.certificate()).is_some())
            .count();
        let count = u8::try_from(count).expect("twenty at most");
        let history = TlvWriter::new().with(0xC1, &[count]).with(0xC2, &[0]);
        let history = history.with(TAG_ERROR_DETECTION, &[]).into_bytes();
        self.insert(ObjectTag::KEY_HISTORY, history);
    }
}

/// A certificate too long for a data object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("object of {got} bytes, the card has room for {}", Objects::MAX_LEN)]
pub struct TooLong {
    got: usize,
}

/// A card outside of the federal numbering: its FASC-N says so, and the GUID counts.
///
/// Source: NIST SP 800-73-4 part 1 §3.1.2, appendix A table 9.
fn chuid(guid: [u8; 16]) -> Vec<u8> {
    let chuid = Chuid {
        fasc_n: NOT_FEDERAL.to_vec(),
        guid: Some(guid),
        expiration: Some(*b"99991231"),
    };
    chuid.encode()
}

/// Source: NIST SP 800-73-4 part 1 appendix A table 8.
fn ccc(guid: [u8; 16]) -> Vec<u8> {
    let mut identifier = CCC_IDENTIFIER.to_vec();
    identifier.extend_from_slice(guid.get(..14).unwrap_or_default());
    let elements = [
        (0xF0, identifier.as_slice()),
        // Versions of the container and of its grammar: 2.1.
        (0xF1, &[0x21]),
        (0xF2, &[0x21]),
        (0xF3, &[]),
        // Not PKCS#15; data model 10.
        (0xF4, &[0x00]),
        (0xF5, &[0x10]),
        (0xF6, &[]),
        (0xF7, &[]),
        (0xFA, &[]),
        (0xFB, &[]),
        (0xFC, &[]),
        (0xFD, &[]),
        (TAG_ERROR_DETECTION, &[]),
    ];
    let write = |out: TlvWriter, (tag, value): (u32, &[u8])| out.with(tag, value);
    elements
        .into_iter()
        .fold(TlvWriter::new(), write)
        .into_bytes()
}

/// FASC-N of agency and system 9999, credential 999999, series 0, issue 1, person 0, category 3,
/// organisation 0000, association 1: 40 characters of five bits each, start and end among them.
const NOT_FEDERAL: [u8; 25] = [
    0xD4, 0xE7, 0x39, 0xDA, 0x73, 0x9C, 0xED, 0x39, 0xCE, 0x73, 0x9D, 0x83, 0x68, 0x58, 0x21, 0x08,
    0x42, 0x10, 0x84, 0x21, 0xC8, 0x42, 0x10, 0xC3, 0xEB,
];
/// GSC-RID, manufacturer unknown, card with a file system.
const CCC_IDENTIFIER: [u8; 7] = [0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02];
const TAG_ERROR_DETECTION: u32 = 0xFE;
