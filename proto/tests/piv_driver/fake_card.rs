//! A PIV card made of switches, with real keys.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proto::apdu::{CommandApdu, CommandChain, ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::piv::{
    ApplicationProperties, CertificateObject, Chuid, Discovery, GeneralAuthenticate, KeyAlgorithm,
    ObjectTag, PinReference, PivCommand, Slot, authenticate_response,
};
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, SHA384, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
};
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

/// Test keys of RSA: 2048, 3072 and 4096 bits.
pub(crate) const RSA_KEYS: [&str; 3] = [
    include_str!("../../../integration/keys/rsa2048-card.key.pem"),
    include_str!("../../../integration/keys/rsa3072-card.key.pem"),
    include_str!("../../../integration/keys/rsa4096-card.key.pem"),
];

/// A key and its certificate.
pub(crate) struct Held {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
    pub(crate) compressed: bool,
}

pub(crate) enum Key {
    Rsa(Box<RsaPrivateKey>),
    Curve(KeyAlgorithm, Box<EcdsaKeyPair>),
}

impl Held {
    /// A key of 2048 bits.
    pub(crate) fn rsa() -> Self {
        let [shortest, ..] = RSA_KEYS;
        Self::rsa_of(shortest)
    }

    /// One of [`RSA_KEYS`].
    pub(crate) fn rsa_of(pem: &str) -> Self {
        let pair = KeyPair::from_pem(pem).expect("a test key");
        let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a test key");
        Self::new(Key::Rsa(Box::new(key)), &pair)
    }

    pub(crate) fn curve(algorithm: KeyAlgorithm) -> Self {
        let (for_certificate, for_signing) = match algorithm {
            KeyAlgorithm::P384 => (
                &rcgen::PKCS_ECDSA_P384_SHA384,
                &ECDSA_P384_SHA384_ASN1_SIGNING,
            ),
            _ => (
                &rcgen::PKCS_ECDSA_P256_SHA256,
                &ECDSA_P256_SHA256_ASN1_SIGNING,
            ),
        };
        let pair = KeyPair::generate_for(for_certificate).expect("a key");
        let pkcs8 = pair.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(for_signing, &pkcs8, &SystemRandom::new());
        let key = Box::new(key.expect("just made"));
        Self::new(Key::Curve(algorithm, key), &pair)
    }

    fn new(key: Key, pair: &KeyPair) -> Self {
        let parameters = CertificateParams::new(vec!["card.example".to_owned()]).expect("a name");
        let certificate = parameters.self_signed(pair).expect("a certificate");
        Self {
            key,
            certificate: certificate.der().to_vec(),
            compressed: false,
        }
    }

    fn algorithm(&self) -> KeyAlgorithm {
        match &self.key {
            Key::Rsa(key) => KeyAlgorithm::rsa(key.size() * 8).expect("a known length"),
            Key::Curve(algorithm, _) => *algorithm,
        }
    }

    /// Signs as a card does: whatever it is given. For curves `messages` are what may be signed: ring
    /// signs no digest that it has not made.
    fn sign(&self, input: &[u8], messages: &[Vec<u8>]) -> Option<Vec<u8>> {
        match &self.key {
            Key::Rsa(key) => {
                let number = BigUint::from_bytes_be(input);
                if input.len() != key.size() || number >= *key.n() {
                    return None;
                }
                let signature = number.modpow(key.d(), key.n()).to_bytes_be();
                let mut block = vec![0; key.size() - signature.len()];
                block.extend(signature);
                Some(block)
            }
            Key::Curve(algorithm, key) => {
                let hash = match algorithm {
                    KeyAlgorithm::P384 => &SHA384,
                    _ => &SHA256,
                };
                let message = messages
                    .iter()
                    .find(|message| digest(hash, message).as_ref() == input)?;
                let signature = key.sign(&SystemRandom::new(), message).ok()?;
                Some(signature.as_ref().to_vec())
            }
        }
    }
}

/// The card.
pub(crate) struct FakePivCard {
    pub(crate) slots: BTreeMap<Slot, Arc<Held>>,
    pub(crate) pin: Vec<u8>,
    pub(crate) tries: u8,
    pub(crate) chuid: Option<Chuid>,
    pub(crate) discovery: Option<Discovery>,
    /// What it says to GET METADATA, if it knows the instruction.
    pub(crate) metadata: Option<Vec<u8>>,
    /// What it answers instead of an object.
    pub(crate) odd: BTreeMap<ObjectTag, Vec<u8>>,
    /// What may be signed with a curve.
    pub(crate) messages: Vec<Vec<u8>>,
    /// Turns a signature into what the card gives instead.
    pub(crate) spoil: Option<fn(&mut Vec<u8>)>,
    /// How many signatures it refuses although the PIN was verified: it has forgotten that.
    pub(crate) forgets: usize,
    /// Answers this to VERIFY without PIN.
    pub(crate) mute_counter: Option<u16>,
    pub(crate) log: Vec<CommandApdu>,
    selected: bool,
    pub(crate) verified: bool,
    /// Whether the last command was a VERIFY that succeeded.
    just_verified: bool,
    chain: CommandChain,
    rest: VecDeque<u8>,
}

impl FakePivCard {
    /// One with a key of RSA in 9A and one of P-256 in 9E.
    pub(crate) fn new() -> Self {
        Self::with([
            (Slot::Authentication, Held::rsa()),
            (Slot::CardAuthentication, Held::curve(KeyAlgorithm::P256)),
        ])
    }

    pub(crate) fn with(slots: impl IntoIterator<Item = (Slot, impl Into<Arc<Held>>)>) -> Self {
        Self {
            slots: slots
                .into_iter()
                .map(|(slot, held)| (slot, held.into()))
                .collect(),
            pin: b"123456".to_vec(),
            tries: 3,
            chuid: Some(Chuid {
                fasc_n: vec![0xD4; 25],
                guid: Some([1; 16]),
                expiration: Some(*b"20391231"),
            }),
            discovery: Some(Discovery::APPLICATION_PIN),
            metadata: None,
            odd: BTreeMap::new(),
            messages: Vec::new(),
            spoil: None,
            forgets: 0,
            mute_counter: None,
            log: Vec::new(),
            selected: false,
            verified: false,
            just_verified: false,
            chain: CommandChain::new(2000),
            rest: VecDeque::new(),
        }
    }

    /// Power off and on.
    pub(crate) fn reset(&mut self) {
        (self.selected, self.verified, self.just_verified) = (false, false, false);
        self.chain.clear();
        self.rest.clear();
    }

    /// How often this instruction came with data, and so how often a PIN did for 20.
    pub(crate) fn count(&self, ins: u8) -> usize {
        let with_data = |command: &&CommandApdu| command.ins == ins && !command.data().is_empty();
        self.log.iter().filter(with_data).count()
    }

    pub(crate) fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        self.log.push(command.clone());
        if command.ins == 0xC0 {
            return self.next_block(command.le().unwrap_or(256));
        }
        self.rest.clear();
        let whole = match self.chain.push(command.clone()) {
            Ok(Some(whole)) => whole,
            Ok(None) => return status(0x9000),
            Err(_) => return status(0x6700),
        };
        let Ok(command) = PivCommand::try_from(&whole) else {
            return status(0x6D00);
        };
        let just_verified = std::mem::take(&mut self.just_verified);
        match self.answer(command, just_verified) {
            Ok(data) => {
                self.rest = data.into();
                self.next_block(256)
            }
            Err(sw) => status(sw),
        }
    }

    fn next_block(&mut self, le: u32) -> ResponseApdu {
        let len = (le as usize).min(256).min(self.rest.len());
        let data: Vec<u8> = self.rest.drain(..len).collect();
        let sw = match self.rest.len() {
            0 => 0x9000,
            left => 0x6100 | u16::try_from(left.min(255)).expect("one byte"),
        };
        ResponseApdu::new(data, StatusWord(sw))
    }

    fn answer(&mut self, command: PivCommand, just_verified: bool) -> Result<Vec<u8>, u16> {
        if let PivCommand::Select(aid) = &command {
            self.selected = *aid == proto::apdu::Aid::PIV;
            return match self.selected {
                true => Ok(ApplicationProperties::plain().encode()),
                false => Err(0x6A82),
            };
        }
        if !self.selected {
            return Err(0x6D00);
        }
        match command {
            PivCommand::PinStatus(reference) => {
                self.check_reference(reference)?;
                match (self.mute_counter, self.verified) {
                    (Some(sw), _) => Err(sw),
                    (None, true) => Ok(Vec::new()),
                    (None, false) => Err(self.counter()),
                }
            }
            PivCommand::VerifyPin(reference, pin) => {
                self.check_reference(reference)?;
                self.verify(&pin)
            }
            PivCommand::GetData(tag) => self.object(tag),
            PivCommand::GeneralAuthenticate(order) => self.sign(&order, just_verified),
            PivCommand::GetMetadata(_) => self.metadata.clone().ok_or(0x6D00),
            PivCommand::Select(_) => Err(0x6F00),
        }
    }

    fn check_reference(&self, reference: PinReference) -> Result<(), u16> {
        let own = self.discovery.unwrap_or(Discovery::APPLICATION_PIN).pin();
        (reference == own).then_some(()).ok_or(0x6A88)
    }

    fn counter(&self) -> u16 {
        match self.tries {
            0 => 0x6983,
            tries => 0x63C0 | u16::from(tries),
        }
    }

    fn verify(&mut self, pin: &Pin) -> Result<Vec<u8>, u16> {
        if self.tries == 0 {
            return Err(0x6983);
        }
        if pin.as_bytes() != self.pin {
            self.tries -= 1;
            self.verified = false;
            return Err(self.counter());
        }
        (self.tries, self.verified, self.just_verified) = (3, true, true);
        Ok(Vec::new())
    }

    fn object(&self, tag: ObjectTag) -> Result<Vec<u8>, u16> {
        if let Some(odd) = self.odd.get(&tag) {
            return Ok(odd.clone());
        }
        let object = match tag {
            ObjectTag::CHUID => self.chuid.as_ref().map(Chuid::encode),
            ObjectTag::DISCOVERY => self.discovery.as_ref().map(Discovery::encode),
            tag => {
                let mut slots = self.slots.iter();
                let found = slots.find(|(slot, _)| slot.certificate() == tag);
                found.map(|(_, held)| {
                    let object = CertificateObject {
                        der: held.certificate.clone(),
                        compressed: held.compressed,
                    };
                    object.encode()
                })
            }
        };
        object.map(|object| tag.wrap(&object)).ok_or(0x6A82)
    }

    fn sign(&mut self, order: &GeneralAuthenticate, just_verified: bool) -> Result<Vec<u8>, u16> {
        let held = self.slots.get(&order.slot).ok_or(0x6A88_u16)?;
        if held.algorithm() != order.algorithm {
            return Err(0x6A86);
        }
        if self.forgets > 0 {
            self.forgets -= 1;
            self.verified = false;
            return Err(0x6982);
        }
        let allowed = match order.slot {
            Slot::Signature => just_verified,
            Slot::CardAuthentication => true,
            _ => self.verified,
        };
        if !allowed {
            return Err(0x6982);
        }
        let signature = held.sign(&order.input, &self.messages);
        let mut signature = signature.ok_or(0x6A80_u16)?;
        if let Some(spoil) = self.spoil {
            spoil(&mut signature);
        }
        Ok(authenticate_response(&signature))
    }
}

fn status(sw: u16) -> ResponseApdu {
    ResponseApdu::new(Vec::new(), StatusWord(sw))
}
