//! PIN and PUK of a PIV card.

use proto::apdu::StatusWord;
use proto::card::{Pin, PinCharacters};
use subtle::ConstantTimeEq;

use super::memory::Memory;
use crate::pin::{PinRecord, PinState, StoredPin};
use crate::status;

/// The key references that VERIFY and its like know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// 80: the PIN of the application.
    Pin,
    /// 81: the PIN unblocking key.
    Puk,
}

impl Reference {
    /// The global PIN, 00, is none of this card's; nor are biometrics and the pairing code.
    pub(super) fn from_p2(p2: u8) -> Option<Self> {
        match p2 {
            0x80 => Some(Self::Pin),
            0x81 => Some(Self::Puk),
            _ => None,
        }
    }

    fn all_tries(self) -> u8 {
        match self {
            Self::Pin => PinState::USER_TRIES,
            Self::Puk => PinState::OPERATOR_TRIES,
        }
    }
}

/// PIN and PUK at work: permanent counters, and what was verified since power-on.
///
/// The PIN is in the place of a [`PinState`]'s user, the PUK in that of its operator.
///
/// Source: NIST SP 800-73-4 part 2 §2.4.3, §3.2.
pub(super) struct Pins {
    state: PinState,
    /// A card whose PIN has other characters than digits takes any, as many tokens do.
    characters: PinCharacters,
    verified: bool,
    /// The last command was a VERIFY, and the PIN was right.
    fresh: bool,
}

impl Pins {
    pub(super) fn new(state: PinState) -> Self {
        let has_digits = as_pin(PinCharacters::PivDigits, state.user.pin.as_bytes()).is_some();
        Self {
            characters: match has_digits {
                true => PinCharacters::PivDigits,
                false => PinCharacters::Printable,
            },
            state,
            verified: false,
            fresh: false,
        }
    }

    /// Nothing is verified any more.
    pub(super) fn forget(&mut self) {
        self.verified = false;
        self.fresh = false;
    }

    /// Whether the PIN was verified.
    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }

    /// Whether the command before was a VERIFY with the right PIN: to be asked once a command.
    pub(super) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// VERIFY without data: whether it is needed, and how many tries there are. Costs none.
    pub(super) fn status(&self) -> StatusWord {
        match self.state.user.tries {
            _ if self.verified => status::OK,
            0 => status::BLOCKED,
            left => status::tries(left),
        }
    }

    /// VERIFY. What cannot be a PIN is refused and costs no try.
    pub(super) fn verify(&mut self, pin: &[u8], memory: &mut dyn Memory) -> StatusWord {
        let Some(candidate) = as_pin(self.characters, pin) else {
            return status::WRONG_DATA;
        };
        self.done(|pins| {
            pins.try_one(Reference::Pin, &candidate, memory)?;
            pins.save(memory)?;
            pins.verified = true;
            pins.fresh = true;
            Ok(())
        })
    }

    /// CHANGE REFERENCE DATA: the old one, then the new one. A wrong old one costs a try.
    pub(super) fn change(
        &mut self,
        reference: Reference,
        data: &[u8],
        memory: &mut dyn Memory,
    ) -> StatusWord {
        let Some((old, new)) = two(data) else {
            return status::WRONG_DATA;
        };
        let new = match reference {
            Reference::Pin => as_pin(self.characters, new),
            Reference::Puk => StoredPin::padded(new),
        };
        let (Some(old), Some(new)) = (StoredPin::padded(old), new) else {
            return status::WRONG_DATA;
        };
        self.done(|pins| {
            pins.try_one(reference, &old, memory)?;
            pins.record(reference).pin = new;
            pins.save(memory)?;
            pins.verified |= reference == Reference::Pin;
            Ok(())
        })
    }

    /// RESET RETRY COUNTER: the PUK, then a new PIN, which has all its tries and is not verified.
    pub(super) fn unblock(&mut self, data: &[u8], memory: &mut dyn Memory) -> StatusWord {
        let Some((puk, new)) = two(data) else {
            return status::WRONG_DATA;
        };
        let new = as_pin(self.characters, new);
        let (Some(puk), Some(new)) = (StoredPin::padded(puk), new) else {
            return status::WRONG_DATA;
        };
        self.done(|pins| {
            pins.try_one(Reference::Puk, &puk, memory)?;
            pins.state.user = PinRecord {
                pin: new,
                tries: PinState::USER_TRIES,
            };
            pins.forget();
            pins.save(memory)
        })
    }

    fn done(&mut self, act: impl FnOnce(&mut Self) -> Result<(), StatusWord>) -> StatusWord {
        act(self).err().unwrap_or(status::OK)
    }

    /// One try. The counter goes down in permanent memory before the comparison, so that pulling
    /// the card gives no free try; on success all tries are back, not yet saved.
    fn try_one(
        &mut self,
        reference: Reference,
        candidate: &StoredPin,
        memory: &mut dyn Memory,
    ) -> Result<(), StatusWord> {
        if reference == Reference::Pin {
            self.forget();
        }
        let record = self.record(reference);
        let left = record.tries.checked_sub(1).ok_or(status::BLOCKED)?;
        record.tries = left;
        let matches: bool = record.pin.as_bytes().ct_eq(candidate.as_bytes()).into();
        self.save(memory)?;
        if !matches {
            return Err(status::tries(left));
        }
        self.record(reference).tries = reference.all_tries();
        Ok(())
    }

    fn save(&mut self, memory: &mut dyn Memory) -> Result<(), StatusWord> {
        memory.write_pins(&self.state).map_err(|err| {
            tracing::error!("cannot write the PIN counters: {err}");
            self.forget();
            status::TECHNICAL
        })
    }

    fn record(&mut self, reference: Reference) -> &mut PinRecord {
        match reference {
            Reference::Pin => &mut self.state.user,
            Reference::Puk => &mut self.state.operator,
        }
    }
}

/// A PIN as it comes in a command: six to eight characters, then FF up to eight bytes.
fn as_pin(characters: PinCharacters, bytes: &[u8]) -> Option<StoredPin> {
    let length = bytes.iter().take_while(|byte| **byte != 0xFF).count();
    let (pin, padding) = bytes.split_at_checked(length)?;
    let fits = bytes.len() == StoredPin::LEN
        && Pin::of(characters, pin).is_ok()
        && padding.iter().all(|byte| *byte == 0xFF);
    fits.then(|| StoredPin::padded(bytes))?
}

fn two(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, second) = data.split_at_checked(StoredPin::LEN)?;
    (second.len() == StoredPin::LEN).then_some((first, second))
}
