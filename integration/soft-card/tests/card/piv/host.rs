//! A host that drives a PIV card, in the plainest way that works.

use std::collections::BTreeMap;

use proto::piv::{Slot, TlvReader, TlvWriter};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use soft_card::cost::Operation;
use soft_card::pin::{PinState, StoredPin};
use soft_card::piv::{Objects, SlotKey, VolatileMemory};
use soft_card::{Applet, PivCard};

pub(crate) const RSA_2048: &str = include_str!("../../../../keys/rsa2048-card.key.pem");
pub(crate) const RSA_3072: &str = include_str!("../../../../keys/rsa3072-card.key.pem");
pub(crate) const RSA_4096: &str = include_str!("../../../../keys/rsa4096-card.key.pem");
/// The keys of RFC 6979 appendix A.2.5 and A.2.6, as SEC1.
pub(crate) const P256: &str = "30310201010420\
    C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721\
    A00A06082A8648CE3D030107";
pub(crate) const P384: &str = "303E0201010430\
    6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8\
    96D5724E4C70A825F872C9EA60D2EDF5\
    A00706052B81040022";

/// Their public points, from the same place.
pub(crate) const P256_PUBLIC: &str = "04\
    60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
    7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
pub(crate) const P384_PUBLIC: &str = "04\
    EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64\
    DEF8F0EA9055866064A254515480BC13\
    8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1\
    288B231C3AE0D4FE7344FD2533264720";

pub(crate) const PIN: &[u8] = b"123456\xFF\xFF";
pub(crate) const PUK: &[u8] = b"12345678";

/// A card with PIN 123456 and PUK 12345678: RSA-2048 in 9A, P-256 in 9C, RSA-3072 in 9D, P-384 in
/// 9E, RSA-4096 in 82.
pub(crate) fn card() -> PivCard {
    card_with(fresh_pins())
}

/// The same card with other PINs.
pub(crate) fn card_with(pins: PinState) -> PivCard {
    let pem = |text: &str| PrivateKeyDer::from_pem_slice(text.as_bytes()).expect("a key");
    let sec1 = |hex: &str| PrivateKeyDer::Sec1(from_hex(hex).into());
    let keys = [
        ("9a", pem(RSA_2048)),
        ("9c", sec1(P256)),
        ("9d", pem(RSA_3072)),
        ("9e", sec1(P384)),
        ("82", pem(RSA_4096)),
    ];
    let keys: BTreeMap<Slot, SlotKey> = keys
        .iter()
        .map(|(name, key)| (slot(name), SlotKey::from_der(key).expect("a kind of key")))
        .collect();
    let guid = *b"0123456789abcdef";
    let memory = Box::new(VolatileMemory::default());
    PivCard::new(keys, Objects::fresh(guid), pins, memory)
}

pub(crate) fn fresh_pins() -> PinState {
    pins(b"123456")
}

/// This PIN, and PUK 12345678.
pub(crate) fn pins(pin: &[u8]) -> PinState {
    let stored = |digits| StoredPin::padded(digits).expect("short enough");
    PinState::new(stored(pin), stored(PUK))
}

pub(crate) fn slot(name: &str) -> Slot {
    name.parse().expect("a slot")
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("two digits")
    });
    pairs.collect()
}

/// A card, what it cost so far, and how the host sends.
pub(crate) struct Host {
    pub(crate) card: Box<dyn Applet>,
    pub(crate) cost: Vec<Operation>,
    /// Long commands in the extended form instead of chains.
    pub(crate) extended: bool,
}

/// Data, or the status word of a refusal.
pub(crate) type Result = std::result::Result<Vec<u8>, u16>;

impl Host {
    /// A card that is selected, without PIN.
    pub(crate) fn new(card: impl Applet + 'static) -> Self {
        let mut host = Self {
            card: Box::new(card),
            cost: Vec::new(),
            extended: false,
        };
        let name = b"\xA0\x00\x00\x03\x08\x00\x00\x10\x00";
        assert!(host.command(0xA4, 0x04, 0x00, name).is_ok());
        host
    }

    /// A card that is selected, and its PIN verified.
    pub(crate) fn open(card: impl Applet + 'static) -> Self {
        let mut host = Self::new(card);
        assert_eq!(host.verify(PIN), Ok(vec![]));
        host.cost.clear();
        host
    }

    pub(crate) fn verify(&mut self, pin: &[u8]) -> Result {
        self.command(0x20, 0x00, 0x80, pin)
    }

    /// GENERAL AUTHENTICATE for a signature; algorithm and slot by their bytes.
    pub(crate) fn sign(&mut self, algorithm: u8, slot: u8, input: &[u8]) -> Result {
        let inner = TlvWriter::new().with(0x82, &[]).with(0x81, input);
        let template = TlvWriter::new().with(0x7C, &inner.into_bytes());
        let answer = self.command(0x87, algorithm, slot, &template.into_bytes())?;
        let inner = expect(&answer, 0x7C);
        Ok(expect(&inner, 0x82))
    }

    /// One command, and GET RESPONSE as long as there is more.
    pub(crate) fn command(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Result {
        let (mut all, mut sw) = match (self.extended, data.len()) {
            (true, 1..) => {
                let length = u16::try_from(data.len()).expect("fits");
                let [high, low] = length.to_be_bytes();
                let header = [0x00, ins, p1, p2, 0, high, low];
                self.transmit(&[&header[..], data, &[0, 0]].concat())
            }
            _ => self.chained(ins, p1, p2, data),
        };
        while sw >> 8 == 0x61 {
            assert!(!self.extended, "all of it fits");
            let (block, next) = self.transmit(&[0x00, 0xC0, 0, 0, sw.to_be_bytes()[1]]);
            all.extend_from_slice(&block);
            sw = next;
        }
        if sw == 0x9000 { Ok(all) } else { Err(sw) }
    }

    fn chained(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> (Vec<u8>, u16) {
        let mut pieces = data.chunks(255).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            let is_last = pieces.peek().is_none();
            let mut command = vec![if is_last { 0x00 } else { 0x10 }, ins, p1, p2];
            if let Ok(length @ 1..) = u8::try_from(piece.len()) {
                command.push(length);
                command.extend_from_slice(piece);
            }
            if is_last {
                command.extend((!piece.is_empty()).then_some(0));
                return self.transmit(&command);
            }
            assert_eq!(self.transmit(&command), (vec![], 0x9000));
        }
    }

    pub(crate) fn transmit(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        let answer = self.card.transmit(command);
        self.cost.extend(answer.cost);
        let (data, sw) = answer.response.split_last_chunk().expect("a status word");
        (data.to_vec(), u16::from_be_bytes(*sw))
    }
}

/// The value of the first data object, which has this tag.
pub(crate) fn expect(bytes: &[u8], tag: u32) -> Vec<u8> {
    let value = TlvReader::new(bytes).expect(tag, "object");
    value.expect("the object that was asked for").to_vec()
}
