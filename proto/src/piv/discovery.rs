//! The discovery object: which PINs the card has.

use super::command::PinReference;
use super::object::ObjectTag;
use super::tlv::{TlvReader, TlvWriter};
use crate::apdu::Aid;
use crate::error::DecodeError;

/// What a card says about its PINs.
///
/// ```text
/// 7E { 4F application identifier, 5F2F PIN usage policy (2 bytes) }
/// ```
///
/// Source: NIST SP 800-73-4 Part 1 §3.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// First byte: bit 40 the application's PIN is good for the keys, bit 20 the global one too.
    pub methods: u8,
    /// Second byte, when both are: 10 the application's comes first, 20 the global one.
    pub preferred: u8,
}

impl Discovery {
    /// A card with a PIN of the application alone.
    pub const APPLICATION_PIN: Self = Self {
        methods: APPLICATION,
        preferred: 0,
    };

    /// The PIN that is to be verified for the keys.
    #[must_use]
    pub fn pin(&self) -> PinReference {
        let global_alone = self.methods & (APPLICATION | GLOBAL) == GLOBAL;
        let global_first = self.methods & GLOBAL != 0 && self.preferred == PREFERS_GLOBAL;
        match global_alone || global_first {
            true => PinReference::Global,
            false => PinReference::Application,
        }
    }

    /// Reads the object, what is in 7E.
    ///
    /// # Errors
    /// [`DecodeError`] if it has no policy of two bytes.
    pub fn decode(object: &[u8]) -> Result<Self, DecodeError> {
        let what = "PIN usage policy";
        let policy = TlvReader::new(object).find(TAG_POLICY)?.unwrap_or_default();
        match *policy {
            [methods, preferred] => Ok(Self { methods, preferred }),
            _ => Err(DecodeError::Unexpected {
                what,
                got: policy.len() as u64,
            }),
        }
    }

    /// The PIN that is to be verified for the keys of a card that answers this to GET DATA.
    ///
    /// An answer that cannot be read counts as none: the card has the PIN of the application. Not so
    /// one that may speak of the global PIN, for a PIN that is sent as another one costs a try.
    ///
    /// # Errors
    /// [`DecodeError`] if which PIN it is would be a guess.
    pub fn pin_of_answer(answer: &[u8]) -> Result<PinReference, DecodeError> {
        let object = ObjectTag::DISCOVERY.unwrap(answer);
        match object.and_then(Self::decode) {
            Ok(discovery) => Ok(discovery.pin()),
            Err(error) if may_mean_global(answer) => Err(error),
            Err(_) => Ok(PinReference::Application),
        }
    }

    /// The object.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        TlvWriter::new()
            .with(TAG_APPLICATION, Aid::PIV_WITH_VERSION.as_bytes())
            .with(TAG_POLICY, &[self.methods, self.preferred])
            .into_bytes()
    }
}

/// Whether anything in bytes that cannot be read looks like a policy with the global PIN, or like one
/// of which that is not known.
fn may_mean_global(answer: &[u8]) -> bool {
    let [high, low] = TAG_POLICY_BYTES;
    let mut places = answer.windows(2).enumerate();
    let is_tag = |(_, pair): &(usize, &[u8])| **pair == [high, low];
    places.any(|place| {
        // Behind the tag is a length, and then the first byte of the policy.
        let methods = place.0.checked_add(3).and_then(|at| answer.get(at));
        is_tag(&place) && methods.is_none_or(|methods| methods & GLOBAL != 0)
    })
}

const TAG_APPLICATION: u32 = 0x4F;
const TAG_POLICY_BYTES: [u8; 2] = [0x5F, 0x2F];
const TAG_POLICY: u32 = 0x5F2F;
const APPLICATION: u8 = 0x40;
const GLOBAL: u8 = 0x20;
const PREFERS_GLOBAL: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_the_bytes_of_the_standard() {
        let object = Discovery::APPLICATION_PIN.encode();
        // The example of Part 1 §3.3.2: 7E 12 4F 0B .. 5F2F 02 40 00.
        let head = [0x4F, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08];
        assert_eq!(object[..7], head);
        assert_eq!(object[13..], [0x5F, 0x2F, 2, 0x40, 0x00]);
        assert_eq!(object.len(), 0x12);
        assert_eq!(Discovery::decode(&object), Ok(Discovery::APPLICATION_PIN));
    }

    #[test]
    fn the_policy_says_which_pin() {
        let cases = [
            (0x40, 0x00, PinReference::Application),
            (0x60, 0x10, PinReference::Application),
            (0x60, 0x20, PinReference::Global),
            (0x20, 0x00, PinReference::Global),
            (0x48, 0x20, PinReference::Application),
            (0x00, 0x00, PinReference::Application),
        ];
        for (methods, preferred, pin) in cases {
            assert_eq!(Discovery { methods, preferred }.pin(), pin);
        }
    }

    #[test]
    fn an_odd_answer_counts_as_none_unless_it_may_mean_the_global_pin() {
        let good = |preferred| {
            let methods = 0x60;
            ObjectTag::DISCOVERY.wrap(&Discovery { methods, preferred }.encode())
        };
        let pin = Discovery::pin_of_answer;
        assert_eq!(pin(&good(0x10)), Ok(PinReference::Application));
        assert_eq!(pin(&good(0x20)), Ok(PinReference::Global));
        let odd: [&[u8]; 6] = [
            &[0],
            &[0x53, 0],
            &[0x7E, 0x12, 0x4F],
            &[0x7E, 2, 0x4F, 0],
            &[0x7E, 4, 0x5F, 0x2F, 1, 0x40],
            &[0x7E, 6, 0x5F, 0x2F, 3, 0x40, 0x20, 0x20],
        ];
        for odd in odd {
            assert_eq!(pin(odd), Ok(PinReference::Application), "{odd:02X?}");
        }
        let unsafe_ones: [&[u8]; 5] = [
            &[0x7E, 4, 0x5F, 0x2F, 1, 0x20],
            &[0x7E, 3, 0x5F, 0x2F, 0],
            &[0x7E, 9, 0x5F, 0x2F, 2, 0x60, 0x20],
            &[0x53, 5, 0x5F, 0x2F, 2, 0x60, 0x10],
            &[0x5F, 0x2F],
        ];
        for bad in unsafe_ones {
            assert!(pin(bad).is_err(), "{bad:02X?}");
        }
        let whole = good(0x20);
        // Cut off behind the tag of the policy or later, it may mean the global PIN.
        for len in 1..whole.len() {
            let cut = pin(&whole[..len]);
            assert_eq!(cut.is_err(), len > whole.len() - 4, "{len}");
        }
    }

    #[test]
    fn an_object_without_policy_is_refused() {
        for bad in [&[][..], &[0x5F, 0x2F, 1, 0x40], &[0x5F, 0x2F, 2, 0x40]] {
            assert!(Discovery::decode(bad).is_err(), "{bad:02X?}");
        }
    }
}
