//! A PIV card with one key, for tests.

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use proto::apdu::{CommandApdu, CommandChain, ResponseApdu, StatusWord};
use proto::hv::HvCertificate;
use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, ObjectTag, PinReference, PivCommand, Slot,
    authenticate_response,
};
use rcgen::{CertificateParams, KeyPair};
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

/// Test keys of RSA.
pub(crate) const RSA_2048: &str = include_str!("../../../integration/keys/rsa2048-card.key.pem");
pub(crate) const RSA_4096: &str = include_str!("../../../integration/keys/rsa4096-card.key.pem");

/// The card.
pub(crate) struct SoftCard {
    pub(crate) slot: Slot,
    key: Key,
    /// What the slot holds, and padding of cards behind it.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) discovery: Option<Discovery>,
    /// What it says to GET METADATA, if it knows the instruction.
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) pin: Vec<u8>,
    pub(crate) tries: u8,
    /// Answers this to VERIFY without PIN.
    pub(crate) mute_counter: Option<u16>,
    /// Turns a signature into what the card gives instead.
    pub(crate) spoil: Option<fn(&mut Vec<u8>)>,
    pub(crate) log: Vec<CommandApdu>,
    verified: bool,
    chain: CommandChain,
    rest: Vec<u8>,
}

enum Key {
    Rsa(Box<RsaPrivateKey>),
    P256(SigningKey),
}

impl SoftCard {
    pub(crate) fn rsa(slot: Slot, pem: &str) -> Self {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a test key");
        let pair = KeyPair::from_pem(pem).expect("a test key");
        Self::with(slot, Key::Rsa(Box::new(key)), &pair)
    }

    pub(crate) fn p256(slot: Slot) -> Self {
        let pair = KeyPair::generate().expect("P-256");
        let key = SigningKey::from_pkcs8_der(&pair.serialize_der()).expect("P-256");
        Self::with(slot, Key::P256(key), &pair)
    }

    fn with(slot: Slot, key: Key, pair: &KeyPair) -> Self {
        let params = CertificateParams::default();
        let certificate = params.self_signed(pair).expect("sound");
        Self {
            slot,
            key,
            certificate: Some(certificate.der().to_vec()),
            discovery: Some(Discovery::APPLICATION_PIN),
            metadata: None,
            pin: b"123456".to_vec(),
            tries: 3,
            mute_counter: None,
            spoil: None,
            log: Vec::new(),
            verified: false,
            chain: CommandChain::new(2000),
            rest: Vec::new(),
        }
    }

    pub(crate) fn hv_certificate(&self) -> HvCertificate {
        let certificate = self.certificate.as_ref().expect("it holds one");
        HvCertificate::from_der(certificate).expect("a certificate")
    }

    /// How many PINs it was sent.
    pub(crate) fn pins(&self) -> usize {
        let is_pin = |command: &&CommandApdu| command.ins == 0x20 && !command.data().is_empty();
        self.log.iter().filter(is_pin).count()
    }

    pub(crate) fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        self.log.push(command.clone());
        if command.ins == 0xC0 {
            return self.next_block();
        }
        let whole = match self.chain.push(command.clone()) {
            Ok(Some(whole)) => whole,
            Ok(None) => return status(0x9000),
            Err(_) => return status(0x6700),
        };
        let command = PivCommand::try_from(&whole).map_err(|_| 0x6D00);
        match command.and_then(|command| self.answer(command)) {
            Ok(data) => {
                self.rest = data;
                self.next_block()
            }
            Err(sw) => status(sw),
        }
    }

    fn next_block(&mut self) -> ResponseApdu {
        let rest = self.rest.split_off(self.rest.len().min(256));
        let block = std::mem::replace(&mut self.rest, rest);
        let sw = match self.rest.len() {
            0 => 0x9000,
            left => 0x6100 | u16::try_from(left.min(255)).expect("one byte"),
        };
        ResponseApdu::new(block, StatusWord(sw))
    }

    fn answer(&mut self, command: PivCommand) -> Result<Vec<u8>, u16> {
        let own = self.discovery.unwrap_or(Discovery::APPLICATION_PIN).pin();
        let of_own = |reference: PinReference| (reference == own).then_some(()).ok_or(0x6A88_u16);
        match command {
            PivCommand::Select(_) => Ok(ApplicationProperties::plain().encode()),
            PivCommand::GetData(ObjectTag::DISCOVERY) => {
                let object = self.discovery.as_ref().ok_or(0x6A82_u16)?;
                Ok(ObjectTag::DISCOVERY.wrap(&object.encode()))
            }
            PivCommand::GetData(tag) if tag == self.slot.certificate() => {
                let der = self.certificate.clone().ok_or(0x6A82_u16)?;
                let compressed = false;
                Ok(tag.wrap(&CertificateObject { der, compressed }.encode()))
            }
            PivCommand::GetData(_) => Err(0x6A82),
            PivCommand::GetMetadata(slot) if slot == self.slot => {
                self.metadata.clone().ok_or(0x6D00)
            }
            PivCommand::GetMetadata(_) => Err(0x6A88),
            PivCommand::PinStatus(reference) => {
                of_own(reference)?;
                match (self.mute_counter, self.verified) {
                    (Some(sw), _) => Err(sw),
                    (None, true) => Ok(Vec::new()),
                    (None, false) => Err(self.counter()),
                }
            }
            PivCommand::VerifyPin(reference, pin) => {
                of_own(reference)?;
                self.verified = self.tries > 0 && pin.as_bytes() == self.pin;
                self.tries = match self.verified {
                    true => 3,
                    false => self.tries.saturating_sub(1),
                };
                self.verified.then(Vec::new).ok_or_else(|| self.counter())
            }
            PivCommand::GeneralAuthenticate(order) => {
                let needs = order.slot.needs_pin();
                if needs && !std::mem::take(&mut self.verified) {
                    return Err(0x6982);
                }
                let mut signature = self.sign(&order.input);
                if let Some(spoil) = self.spoil {
                    spoil(&mut signature);
                }
                Ok(authenticate_response(&signature))
            }
        }
    }

    fn counter(&self) -> u16 {
        match self.tries {
            0 => 0x6983,
            tries => 0x63C0 | u16::from(tries),
        }
    }

    /// Whatever it is given.
    fn sign(&self, input: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Rsa(key) => {
                let number = BigUint::from_bytes_be(input);
                let signature = number.modpow(key.d(), key.n()).to_bytes_be();
                let mut block = vec![0; key.size() - signature.len()];
                block.extend(signature);
                block
            }
            Key::P256(key) => {
                let signature: Signature = key.sign_prehash(input).expect("a digest");
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

fn status(sw: u16) -> ResponseApdu {
    ResponseApdu::new(Vec::new(), StatusWord(sw))
}
