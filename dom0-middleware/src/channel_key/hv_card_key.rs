//! The HV key in a card, with the account of its PIN.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hv_card::{CardKeyName, HvCardError, HvCardKey, LinkError, PinKeeper, PinRefused, Readers};
use proto::card::{Pin, PinCharacters};
use proto::hv::HvCertificate;
use proto::id::Seid;

use crate::card::{CREDENTIALS, PinLedger, PinSource, credentials};
use crate::error::Causes;

/// Where the PIN of the card with the HV key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HvPinPlace {
    /// A file for its owner alone.
    File(PathBuf),
    /// A credential of the service, by its name: systemd's `LoadCredential=`.
    Credential(String),
}

impl HvPinPlace {
    /// The file. A credential is in the folder that systemd makes for the service.
    ///
    /// # Errors
    /// [`PinRefused`] for a credential of a process that has none.
    pub fn file(&self) -> Result<PathBuf, PinRefused> {
        match self {
            Self::File(file) => Ok(file.clone()),
            Self::Credential(name) => match credentials() {
                Some(folder) => Ok(folder.join(name)),
                None => Err(PinRefused(format!(
                    "credential {name:?} is not there: {CREDENTIALS} is not set; add \
                     LoadCredential={name}:FILE to the service's unit, or name a file with \
                     hv.pin_file"
                ))),
            },
        }
    }
}

/// As the configuration has it.
impl fmt::Display for HvPinPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

/// The key in its card: looked for each time it signs, and let go in between.
#[derive(Clone)]
pub struct HvCardPlace {
    /// Its name.
    pub name: CardKeyName,
    /// The certificate whose key it has to be.
    pub certificate: HvCertificate,
    /// Where the PIN is; `None` for slot 9e, whose key wants none.
    pub pin: Option<HvPinPlace>,
    /// Which characters it may have.
    pub characters: PinCharacters,
    /// The account of PINs that were sent and not accepted.
    pub ledger: Arc<dyn PinLedger>,
    /// The readers of this machine.
    pub readers: Arc<dyn Readers>,
}

impl HvCardPlace {
    /// Finds the key. Waits for another program to let the card go, and `for_arrival`, too.
    pub(super) fn load(&self, for_arrival: bool) -> Result<HvCardKey, HvCardError> {
        let pin = HvPin {
            place: self.pin.clone(),
            characters: self.characters,
            ledger: Arc::clone(&self.ledger),
            seid: account(),
        };
        let pin = Box::new(pin);
        let (readers, certificate) = (&*self.readers, &self.certificate);
        HvCardKey::open(readers, &self.name, certificate, pin, PATIENCE, for_arrival)
    }

    /// Whether a card is in the reader; nobody is disturbed.
    pub(super) fn look(&self) -> Result<(), LinkError> {
        self.readers.look(self.name.reader())
    }
}

/// The name under which the account of this card is kept, beside those of the guests' cards.
///
/// # Panics
/// Never: it is a name.
#[must_use]
pub fn account() -> Seid {
    HV_ACCOUNT.parse().expect("a valid SEID")
}

/// The PIN, and the account of its attempts.
struct HvPin {
    place: Option<HvPinPlace>,
    characters: PinCharacters,
    ledger: Arc<dyn PinLedger>,
    seid: Seid,
}

impl PinKeeper for HvPin {
    type Error = PinRefused;

    fn pin_to_send(&self) -> Result<Pin, PinRefused> {
        let place = self.place.as_ref().ok_or_else(|| {
            let why = "the card wants a PIN; name it with hv.pin_file or hv.pin_credential";
            PinRefused(why.to_owned())
        })?;
        let source = PinSource::File(place.file()?);
        let offered = source.read(self.characters).map_err(refused)?;
        if !self
            .ledger
            .may_verify(&self.seid, &offered)
            .map_err(refused)?
        {
            return Err(PinRefused(format!(
                "the card did not accept the PIN in {place} before, so it is not sent again; write \
                 the right one there; if it is the right one, add an empty line and start the \
                 service again"
            )));
        }
        self.ledger
            .record_attempt(&self.seid, &offered)
            .map_err(refused)?;
        Ok(offered.pin)
    }

    fn accepted(&self) -> Result<(), PinRefused> {
        self.ledger.record_accepted(&self.seid).map_err(refused)
    }
}

fn refused(error: impl std::error::Error) -> PinRefused {
    PinRefused(Causes(&error).to_string())
}

const HV_ACCOUNT: &str = "hv-key";

/// How long another program may hold the card, and at start, how long card, reader and their daemon
/// may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

impl fmt::Debug for HvCardPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HvCardPlace({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::card::MemoryPinLedger;

    fn keeper(place: Option<HvPinPlace>) -> HvPin {
        HvPin {
            place,
            characters: PinCharacters::PivDigits,
            ledger: Arc::new(MemoryPinLedger::new().expect("randomness")),
            seid: account(),
        }
    }

    fn write(file: &Path, pin: &str) {
        fs::write(file, pin).expect("writable");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("ours");
    }

    #[test]
    fn a_pin_that_was_not_accepted_goes_out_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("pin");
        write(&file, "123456\n");
        let keeper = keeper(Some(HvPinPlace::File(file.clone())));
        for _ in 0..2 {
            let pin = keeper.pin_to_send().expect("good");
            assert_eq!(pin.as_bytes(), b"123456");
            keeper.accepted().expect("recorded");
        }
        keeper.pin_to_send().expect("good");
        let refused = keeper.pin_to_send().expect_err("not accepted");
        assert!(refused.0.contains("not sent again"), "{refused}");
        write(&file, "654321\n");
        keeper.pin_to_send().expect("another one");
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |place| keeper(place).pin_to_send().expect_err("no PIN").0;
        assert!(refused(None).contains("hv.pin_file"));
        let no_file = refused(Some(HvPinPlace::File("/nowhere/pin".into())));
        assert!(no_file.contains("/nowhere/pin"), "{no_file}");
        if credentials().is_none() {
            let no_credential = refused(Some(HvPinPlace::Credential("hv-pin".to_owned())));
            assert!(
                no_credential.contains("LoadCredential=hv-pin:"),
                "{no_credential}"
            );
        }
    }
}
