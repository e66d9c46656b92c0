//! Managing the card: the management key, and the commands that it opens.

use aes::Aes192;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt, KeyInit};
use des::TdesEde3;
use proto::apdu::StatusWord;
use proto::piv::{KeyAlgorithm, ObjectTag, Slot, TlvReader};
use rand::RngCore;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq;

use super::card::{CURRENT_OBJECTS, PivCard, TAG_LIST, answered};
use super::key::SlotKey;
use super::objects::Objects;
use super::template::{self, Template};
use crate::output::Reply;
use crate::status;

/// Who manages the card, at work.
///
/// The key is the one that cards leave the factory with, and cannot be changed: this card is for
/// tests. It serves as a triple-DES key and as one of AES-192, both being 24 bytes long.
///
/// Source: NIST SP 800-73-4 part 2 §3.2.4, appendix A.1 and A.2; SP 800-78-4 table 6-2.
#[derive(Default)]
pub(super) struct Manager {
    is_here: bool,
    /// What was asked, and what the right answer is.
    asked: Option<(Asked, Vec<u8>)>,
}

enum Asked {
    /// The card showed a nonce encrypted and waits for it in clear.
    Witness(Cipher),
    /// The card showed a nonce in clear and waits for it encrypted.
    Challenge,
}

/// A block cipher under the management key.
#[derive(Clone, Copy)]
enum Cipher {
    TripleDes,
    Aes192,
}

impl Manager {
    /// Nobody manages the card any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// One step of a mutual authentication (witness, then witness and challenge) or of an external
    /// one (challenge, then response).
    pub(super) fn authenticate(
        &mut self,
        algorithm: u8,
        said: Template<'_>,
    ) -> Result<Vec<u8>, StatusWord> {
        let cipher = Cipher::from_byte(algorithm).ok_or(status::INCORRECT_PARAMETERS)?;
        self.is_here = false;
        let asked = self.asked.take();
        match (said.witness, said.challenge, said.response, asked) {
            (Some([]), None, None, _) => {
                let nonce = cipher.nonce();
                let shown = template::witness(&cipher.encrypt(&nonce));
                self.asked = Some((Asked::Witness(cipher), nonce));
                Ok(shown)
            }
            (None, Some([]), None, _) => {
                let nonce = cipher.nonce();
                let shown = template::challenge(&nonce);
                self.asked = Some((Asked::Challenge, cipher.encrypt(&nonce)));
                Ok(shown)
            }
            (
                Some(witness),
                Some(challenge),
                None | Some([]),
                Some((Asked::Witness(cipher), nonce)),
            ) => {
                if challenge.len() != cipher.block_len() {
                    return Err(status::WRONG_DATA);
                }
                self.accept(witness, &nonce)?;
                Ok(template::response(&cipher.encrypt(challenge)))
            }
            (None, None, Some(response), Some((Asked::Challenge, expected))) => {
                self.accept(response, &expected)?;
                Ok(Vec::new())
            }
            _ => Err(status::WRONG_DATA),
        }
    }

    fn accept(&mut self, said: &[u8], expected: &[u8]) -> Result<(), StatusWord> {
        self.is_here = said.ct_eq(expected).into();
        self.require()
    }

    fn require(&self) -> Result<(), StatusWord> {
        self.is_here.then_some(()).ok_or(status::SECURITY_STATUS)
    }
}

impl Cipher {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x00 | 0x03 => Some(Self::TripleDes),
            0x0A => Some(Self::Aes192),
            _ => None,
        }
    }

    fn block_len(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes192 => 16,
        }
    }

    fn nonce(self) -> Vec<u8> {
        let mut nonce = vec![0; self.block_len()];
        OsRng.fill_bytes(&mut nonce);
        nonce
    }

    /// Encrypts one block.
    fn encrypt(self, block: &[u8]) -> Vec<u8> {
        let mut block = block.to_vec();
        match self {
            Self::TripleDes => TdesEde3::new(&FACTORY_KEY.into())
                .encrypt_block(GenericArray::from_mut_slice(&mut block)),
            Self::Aes192 => Aes192::new(&FACTORY_KEY.into())
                .encrypt_block(GenericArray::from_mut_slice(&mut block)),
        }
        block
    }
}

impl PivCard {
    /// GENERATE ASYMMETRIC KEY PAIR: a new key in a slot; the certificate there stays what it was.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.3.2.
    pub(super) fn generate(&mut self, p1: u8, p2: u8, data: &[u8]) -> Reply {
        self.generate_in(p1, p2, data)
            .map_or_else(Reply::status, answered)
    }

    fn generate_in(&mut self, p1: u8, p2: u8, data: &[u8]) -> Result<Vec<u8>, StatusWord> {
        let slot = Slot::from_key_reference(p2).filter(|_| p1 == 0);
        let slot = slot.ok_or(status::INCORRECT_PARAMETERS)?;
        self.manager.require()?;
        let control = template::only(TAG_CONTROL, data).ok_or(status::WRONG_DATA)?;
        let mechanism = TlvReader::new(control).find(TAG_MECHANISM);
        let algorithm = match mechanism {
            Ok(Some(&[byte])) => KeyAlgorithm::from_byte(byte),
            _ => None,
        };
        let algorithm = algorithm.ok_or(status::WRONG_DATA)?;
        let key = SlotKey::generate(algorithm).ok_or(status::TECHNICAL)?;
        self.memory.write_key(slot, &key).map_err(|err| {
            tracing::error!("cannot write the key of slot {slot}: {err}");
            status::TECHNICAL
        })?;
        let public = key.public_template();
        self.keys.insert(slot, key);
        Ok(public)
    }

    /// PUT DATA: an object in place of the one there was; an empty one takes it away.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.3.1.
    pub(super) fn put_data(&mut self, p1: u8, p2: u8, data: &[u8]) -> StatusWord {
        self.put(p1, p2, data).err().unwrap_or(status::OK)
    }

    fn put(&mut self, p1: u8, p2: u8, data: &[u8]) -> Result<(), StatusWord> {
        if [p1, p2] != CURRENT_OBJECTS {
            return Err(status::INCORRECT_PARAMETERS);
        }
        self.manager.require()?;
        let (tag, content) = object(data).ok_or(status::WRONG_DATA)?;
        if !Objects::all_tags().any(|known| known == tag) {
            return Err(status::UNKNOWN_OBJECT);
        }
        if content.len() > Objects::MAX_LEN {
            return Err(status::FULL);
        }
        let content = (!content.is_empty()).then_some(content);
        self.memory.write_object(tag, content).map_err(|err| {
            tracing::error!("cannot write object {tag}: {err}");
            status::TECHNICAL
        })?;
        match content {
            Some(content) => self.objects.insert(tag, content.to_vec()),
            None => self.objects.remove(tag),
        }
        Ok(())
    }
}

/// The object of a PUT DATA: its tag in 5C, what it holds in 53.
fn object(data: &[u8]) -> Option<(ObjectTag, &[u8])> {
    let mut reader = TlvReader::new(data);
    let tag = reader.expect(TAG_LIST, "tag list").ok()?;
    let tag = ObjectTag::try_from(tag).ok()?;
    let content = reader.expect(TAG_CONTENT, "object").ok()?;
    matches!(reader.take_next(), Ok(None)).then_some((tag, content))
}

/// The key reference of the management key.
pub(super) const MANAGEMENT_KEY: u8 = 0x9B;
/// 01 to 08, three times.
const FACTORY_KEY: [u8; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
];
const TAG_CONTENT: u32 = 0x53;
const TAG_CONTROL: u32 = 0xAC;
const TAG_MECHANISM: u32 = 0x80;
