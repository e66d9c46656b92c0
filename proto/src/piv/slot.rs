//! Where a key is on a PIV card.

use std::fmt;
use std::str::FromStr;

use super::object::ObjectTag;

/// A place for a private key and its certificate. As text: the key reference, `9a`.
///
/// | Slot | Key reference | Certificate in | PIN |
/// |---|---|---|---|
/// | authentication | 9A | 5FC105 | once |
/// | signature | 9C | 5FC10A | before each use |
/// | key management | 9D | 5FC10B | once |
/// | card authentication | 9E | 5FC101 | never |
/// | retired key management 1 to 20 | 82 to 95 | 5FC10D to 5FC120 | once |
///
/// Source: NIST SP 800-73-4 Part 1, table 3 (tags) and table 4b (key references); Part 1 §3.3 for
/// the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// 9A.
    Authentication,
    /// 9C.
    Signature,
    /// 9D.
    KeyManagement,
    /// 9E.
    CardAuthentication,
    /// 82 to 95.
    Retired(RetiredSlot),
}

/// One of the twenty places for retired key management keys, 1 to 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetiredSlot(u8);

impl RetiredSlot {
    /// How many there are.
    pub const COUNT: u8 = 20;

    /// The one of that number; `None` if there is none.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (1..=Self::COUNT).contains(&number).then_some(Self(number))
    }

    /// Its number, 1 to 20.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl Slot {
    /// The four that every card has, in the order of their key references.
    pub const STANDARD: [Self; 4] = [
        Self::Authentication,
        Self::Signature,
        Self::KeyManagement,
        Self::CardAuthentication,
    ];

    /// All 24: the standard ones, then the retired ones in their order.
    pub fn all() -> impl Iterator<Item = Self> {
        let retired = (1..=RetiredSlot::COUNT).map(|number| Self::Retired(RetiredSlot(number)));
        Self::STANDARD.into_iter().chain(retired)
    }

    /// The slot with this key reference.
    #[must_use]
    pub fn from_key_reference(byte: u8) -> Option<Self> {
        Self::all().find(|slot| slot.key_reference() == byte)
    }

    /// P2 of GENERAL AUTHENTICATE.
    #[must_use]
    pub fn key_reference(self) -> u8 {
        match self {
            Self::Authentication => 0x9A,
            Self::Signature => 0x9C,
            Self::KeyManagement => 0x9D,
            Self::CardAuthentication => 0x9E,
            Self::Retired(RetiredSlot(number)) => BEFORE_RETIRED_KEYS + number,
        }
    }

    /// The object that holds its certificate.
    #[must_use]
    pub fn certificate(self) -> ObjectTag {
        ObjectTag(match self {
            Self::Authentication => 0x5F_C105,
            Self::Signature => 0x5F_C10A,
            Self::KeyManagement => 0x5F_C10B,
            Self::CardAuthentication => 0x5F_C101,
            Self::Retired(RetiredSlot(number)) => BEFORE_RETIRED_CERTIFICATES + u32::from(number),
        })
    }

    /// Whether the PIN must be verified right before each use of the key.
    #[must_use]
    pub fn pin_always(self) -> bool {
        self == Self::Signature
    }

    /// Whether the key wants the PIN at all.
    #[must_use]
    pub fn needs_pin(self) -> bool {
        self != Self::CardAuthentication
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.key_reference())
    }
}

impl FromStr for Slot {
    type Err = SlotError;

    /// Reads a key reference, two hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, SlotError> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = digits.then(|| u8::from_str_radix(text, 16).ok()).flatten();
        byte.and_then(Self::from_key_reference).ok_or(SlotError)
    }
}

/// Not the name of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIV slot is 9a, 9c, 9d, 9e or one of 82 to 95")]
pub struct SlotError;

/// The key reference and the object before those of the first retired key.
const BEFORE_RETIRED_KEYS: u8 = 0x81;
const BEFORE_RETIRED_CERTIFICATES: u32 = 0x5F_C10C;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn slots_have_the_references_and_objects_of_the_standard() {
        let retired = |number| Slot::Retired(RetiredSlot::new(number).expect("1 to 20"));
        let table = [
            (Slot::Authentication, "9a", 0x9A, 0x5F_C105),
            (Slot::Signature, "9c", 0x9C, 0x5F_C10A),
            (Slot::KeyManagement, "9d", 0x9D, 0x5F_C10B),
            (Slot::CardAuthentication, "9e", 0x9E, 0x5F_C101),
            (retired(1), "82", 0x82, 0x5F_C10D),
            (retired(20), "95", 0x95, 0x5F_C120),
        ];
        for (slot, name, reference, object) in table {
            assert_eq!(slot.to_string(), name);
            assert_eq!(name.to_uppercase().parse(), Ok(slot));
            assert_eq!(slot.key_reference(), reference);
            assert_eq!(slot.certificate(), ObjectTag(object));
        }
        assert_eq!(RetiredSlot::new(0), None);
        assert_eq!(RetiredSlot::new(21), None);
    }

    #[test]
    fn every_slot_is_its_name_and_no_two_are_one() {
        let names: BTreeSet<String> = Slot::all().map(|slot| slot.to_string()).collect();
        let objects: BTreeSet<u32> = Slot::all().map(|slot| slot.certificate().0).collect();
        assert_eq!((names.len(), objects.len()), (24, 24));
        for slot in Slot::all() {
            assert_eq!(slot.to_string().parse(), Ok(slot));
        }
        for other in ["9b", "81", "96", "", "9", "9aa", "+9", " 9a", "ｅ9"] {
            assert_eq!(other.parse::<Slot>(), Err(SlotError), "{other}");
        }
    }

    #[test]
    fn the_pin_is_asked_for_as_the_slot_says() {
        let (always, never) = (Slot::Signature, Slot::CardAuthentication);
        for slot in Slot::all() {
            assert_eq!(slot.pin_always(), slot == always);
            assert_eq!(slot.needs_pin(), slot != never);
        }
    }
}
