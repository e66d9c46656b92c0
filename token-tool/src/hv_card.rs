//! The HV key in a card.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hv_card::{
    CardKeyName, HvCardError, HvCardKey, HvPinKeeper, PcscReaders, PinKeeper, PinRefused, Stated,
};
use proto::card::Pin;
use proto::hv::HvCertificate;

use crate::error::ToolError;
use crate::input;
use crate::passphrase::{self, Secret};

/// Finds the key of `certificate` in its card. The PIN is in `pin_file`, or asked for on the terminal
/// when the card wants it.
pub(crate) fn open(
    name: &CardKeyName,
    certificate: &HvCertificate,
    pin_file: Option<&Path>,
) -> Result<HvCardKey, ToolError> {
    let keeper = keeper(name, pin_file)?;
    let key = HvCardKey::open(&PcscReaders, name, certificate, keeper, PATIENCE, false);
    key.map_err(of_card)
}

/// Finds a key that has no certificate yet. It is the one that the card says, or its certificate, or
/// the file; the file must not contradict the card.
pub(crate) fn open_uncertified(
    name: &CardKeyName,
    public_key: Option<&Path>,
    pin_file: Option<&Path>,
) -> Result<HvCardKey, ToolError> {
    let keeper = keeper(name, pin_file)?;
    let stated = public_key.map(stated).transpose()?;
    let key = HvCardKey::open_uncertified(&PcscReaders, name, stated, keeper, PATIENCE);
    key.map_err(of_card)
}

fn stated(file: &Path) -> Result<Stated, ToolError> {
    Ok(Stated {
        key: input::public_key(file)?,
        place: file.display().to_string(),
    })
}

/// The PIN, from where it will be taken. A file that cannot be used is said before the card is looked
/// for.
fn keeper(name: &CardKeyName, pin_file: Option<&Path>) -> Result<Box<HvPinKeeper>, ToolError> {
    if let Some(file) = pin_file {
        read_pin(file)?;
    }
    Ok(Box::new(PinGiver {
        name: name.to_string(),
        file: pin_file.map(Path::to_owned),
    }))
}

/// What a fault of a card means for the process.
pub(crate) fn of_card(error: HvCardError) -> ToolError {
    if error.is_absence() {
        return ToolError::Missing(error.to_string());
    }
    if error.is_about_pin() {
        return ToolError::Refused(error.to_string());
    }
    ToolError::Unusable {
        file: error.name.to_string(),
        why: error.fault.to_string(),
    }
}

/// Gives the PIN once. There is no record of what was tried before: the card's own counter, which is
/// looked at first, keeps the last try from being spent.
struct PinGiver {
    name: String,
    file: Option<PathBuf>,
}

impl PinKeeper for PinGiver {
    type Error = PinRefused;

    fn pin_to_send(&self) -> Result<Pin, PinRefused> {
        let pin = match &self.file {
            Some(file) => read_pin(file),
            None => ask_pin(&self.name),
        };
        pin.map_err(|error| PinRefused(error.to_string()))
    }

    fn accepted(&self) -> Result<(), PinRefused> {
        Ok(())
    }
}

fn read_pin(file: &Path) -> Result<Pin, ToolError> {
    let digits = passphrase::from_file(file)?;
    let pin = Pin::new(digits.trim_ascii());
    pin.map_err(|_| ToolError::unusable(file, "does not hold 4 to 8 digits"))
}

fn ask_pin(name: &str) -> Result<Pin, ToolError> {
    let digits = passphrase::from_terminal(Secret::Pin, name)?;
    let pin = Pin::new(digits.trim_ascii());
    pin.map_err(|_| ToolError::Refused("a PIN has 4 to 8 digits".to_owned()))
}

/// How long another program, such as the service of this host, may hold the card.
const PATIENCE: Duration = Duration::from_secs(10);
