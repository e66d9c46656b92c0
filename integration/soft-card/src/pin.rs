//! The two PINs and their retry counters.

use std::fmt;

use proto::apdu::StatusWord;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::eeprom::Eeprom;
use crate::status;

/// A PIN as the card compares it: eight bytes, padded with FF.
#[derive(Clone)]
pub struct StoredPin(Zeroizing<[u8; PIN_LEN]>);

impl StoredPin {
    /// Bytes of a padded PIN.
    pub const LEN: usize = PIN_LEN;

    /// Pads `digits` with FF; `None` for more than eight bytes.
    ///
    /// The bytes need not be digits: a card compares whatever it is given.
    pub fn padded(digits: &[u8]) -> Option<Self> {
        let mut padded = Zeroizing::new([0xFF; Self::LEN]);
        padded.get_mut(..digits.len())?.copy_from_slice(digits);
        Some(Self(padded))
    }

    /// The eight bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for StoredPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPin(..)")
    }
}

/// One PIN in the card's permanent memory.
#[derive(Debug, Clone)]
pub struct PinRecord {
    /// The PIN.
    pub pin: StoredPin,
    /// Tries left; 0 is blocked.
    pub tries: u8,
}

/// Both PINs as permanent memory holds them.
#[derive(Debug, Clone)]
pub struct PinState {
    /// The bearer's PIN, three tries.
    pub user: PinRecord,
    /// The operator's PIN, ten tries.
    pub operator: PinRecord,
}

impl PinState {
    /// Tries of a fresh user PIN.
    pub const USER_TRIES: u8 = 3;
    /// Tries of a fresh operator PIN.
    pub const OPERATOR_TRIES: u8 = 10;

    /// Both PINs with all their tries.
    pub fn new(user: StoredPin, operator: StoredPin) -> Self {
        Self {
            user: PinRecord {
                pin: user,
                tries: Self::USER_TRIES,
            },
            operator: PinRecord {
                pin: operator,
                tries: Self::OPERATOR_TRIES,
            },
        }
    }
}

/// Whose PIN a command means: P2 00 or 01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    User,
    Operator,
}

impl Holder {
    fn all_tries(self) -> u8 {
        match self {
            Self::User => PinState::USER_TRIES,
            Self::Operator => PinState::OPERATOR_TRIES,
        }
    }
}

/// The PINs at work: permanent counters, and what was verified since SELECT.
///
/// Source: EAP-TLS card specification §5.2.
pub(crate) struct Pins {
    state: PinState,
    eeprom: Box<dyn Eeprom>,
    user_verified: bool,
    operator_verified: bool,
}

impl Pins {
    pub(crate) fn new(state: PinState, eeprom: Box<dyn Eeprom>) -> Self {
        Self {
            state,
            eeprom,
            user_verified: false,
            operator_verified: false,
        }
    }

    /// SELECT or power-off: nothing is verified any more.
    pub(crate) fn forget(&mut self) {
        self.user_verified = false;
        self.operator_verified = false;
    }

    /// Opens a protected command, or says why not.
    ///
    /// The word is 6301 or'ed with the user's counter, so it is exact in no case but one:
    /// three or two tries left give 6303, one or none give 6301.
    pub(crate) fn require_either(&self) -> Result<(), StatusWord> {
        if self.user_verified || self.operator_verified {
            return Ok(());
        }
        Err(status::pin(1 | self.state.user.tries))
    }

    /// VERIFY: any wrong PIN costs a try, an empty one too. The operator's PIN unblocks the
    /// user's.
    pub(crate) fn verify(&mut self, holder: Holder, digits: &[u8]) -> StatusWord {
        let Some(candidate) = StoredPin::padded(digits) else {
            return status::WRONG_LENGTH;
        };
        if let Err(refused) = self.try_pin(holder, &candidate) {
            return refused;
        }
        match holder {
            Holder::User => self.user_verified = true,
            Holder::Operator => {
                self.operator_verified = true;
                self.state.user.tries = PinState::USER_TRIES;
            }
        }
        self.save()
    }

    /// CHANGE PIN: a wrong old PIN costs a try. Afterwards the PIN counts as not verified.
    pub(crate) fn change(&mut self, holder: Holder, old: &[u8], new: &[u8]) -> StatusWord {
        let (Some(old), Some(new)) = (StoredPin::padded(old), StoredPin::padded(new)) else {
            return status::WRONG_LENGTH;
        };
        if let Err(refused) = self.try_pin(holder, &old) {
            return refused;
        }
        self.record(holder).pin = new;
        self.save()
    }

    /// One try. The counter goes down in permanent memory before the comparison, so that pulling
    /// the card gives no free try; on success all tries are back, not yet saved.
    fn try_pin(&mut self, holder: Holder, candidate: &StoredPin) -> Result<(), StatusWord> {
        *self.verified(holder) = false;
        let record = self.record(holder);
        let Some(left) = record.tries.checked_sub(1) else {
            return Err(status::pin(0));
        };
        record.tries = left;
        let matches = record.pin.matches(candidate);
        match self.save() {
            status::OK if matches => {
                self.record(holder).tries = holder.all_tries();
                Ok(())
            }
            status::OK => Err(status::pin(left)),
            failed => Err(failed),
        }
    }

    fn save(&mut self) -> StatusWord {
        match self.eeprom.write_pins(&self.state) {
            Ok(()) => status::OK,
            Err(err) => {
                tracing::error!("cannot write the PIN counters: {err}");
                self.forget();
                status::TECHNICAL
            }
        }
    }

    fn record(&mut self, holder: Holder) -> &mut PinRecord {
        match holder {
            Holder::User => &mut self.state.user,
            Holder::Operator => &mut self.state.operator,
        }
    }

    fn verified(&mut self, holder: Holder) -> &mut bool {
        match holder {
            Holder::User => &mut self.user_verified,
            Holder::Operator => &mut self.operator_verified,
        }
    }
}

const PIN_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Debug, Default, Clone)]
    struct Written(Arc<Mutex<Vec<(u8, u8)>>>);

    impl Eeprom for Written {
        fn write_pins(&mut self, pins: &PinState) -> io::Result<()> {
            self.0
                .lock()
                .expect("no panic")
                .push((pins.user.tries, pins.operator.tries));
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Broken;

    impl Eeprom for Broken {
        fn write_pins(&mut self, _: &PinState) -> io::Result<()> {
            Err(io::Error::other("worn out"))
        }
    }

    fn state() -> PinState {
        let pin = |digits: &[u8]| StoredPin::padded(digits).expect("short enough");
        PinState::new(pin(b"0000"), pin(b"00000000"))
    }

    #[test]
    fn the_counter_is_saved_before_the_comparison_and_restored_after_it() {
        let written = Written::default();
        let mut pins = Pins::new(state(), Box::new(written.clone()));
        assert_eq!(pins.verify(Holder::User, b"0000"), status::OK);
        assert_eq!(*written.0.lock().expect("no panic"), [(2, 10), (3, 10)]);
    }

    #[test]
    fn memory_that_cannot_be_written_verifies_nothing() {
        let mut pins = Pins::new(state(), Box::new(Broken));
        assert_eq!(pins.verify(Holder::User, b"0000"), status::TECHNICAL);
        assert!(pins.require_either().is_err());
    }

    #[test]
    fn a_pin_longer_than_eight_bytes_costs_no_try() {
        let mut pins = Pins::new(state(), Box::new(Written::default()));
        assert_eq!(
            pins.verify(Holder::User, b"000000000"),
            status::WRONG_LENGTH
        );
        assert_eq!(pins.verify(Holder::User, b"1"), status::pin(2));
    }

    #[test]
    fn the_operator_pin_has_its_own_counter() {
        let mut pins = Pins::new(state(), Box::new(Written::default()));
        for left in (0..10).rev() {
            assert_eq!(pins.verify(Holder::Operator, b"1"), status::pin(left));
        }
        assert_eq!(pins.verify(Holder::Operator, b"00000000"), status::pin(0));
        assert_eq!(pins.verify(Holder::User, b"0000"), status::OK);
    }

    #[test]
    fn debug_shows_no_pin() {
        let shown = format!("{:?}", state());
        assert!(!shown.contains("48"), "{shown}");
    }
}
