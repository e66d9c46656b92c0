//! The HV key in a card.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hv_card::{
    CardKeyName, HvCardError, HvCardKey, HvPinKeeper, PcscReaders, PinKeeper, PinRefused, Stated,
};
use proto::card::{Pin, PinCharacters};
use proto::hv::HvCertificate;

use crate::error::ToolError;
use crate::input;
use crate::passphrase::{self, Secret};

/// Where the PIN of a card is, and what it may consist of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PinPlace<'a> {
    /// Its file; without one it is asked for on the terminal, when the card wants it.
    pub(crate) file: Option<&'a Path>,
    /// Which characters it may have.
    pub(crate) characters: PinCharacters,
}

/// Finds the key of `certificate` in its card.
pub(crate) fn open(
    name: &CardKeyName,
    certificate: &HvCertificate,
    pin: PinPlace<'_>,
) -> Result<HvCardKey, ToolError> {
    let keeper = keeper(name, pin)?;
    let key = HvCardKey::open(&PcscReaders, name, certificate, keeper, PATIENCE, false);
    key.map_err(of_card)
}

/// Finds a key that has no certificate yet. It is the one that the card says, or its certificate, or
/// the file; the file must not contradict the card.
pub(crate) fn open_uncertified(
    name: &CardKeyName,
    public_key: Option<&Path>,
    pin: PinPlace<'_>,
) -> Result<HvCardKey, ToolError> {
    let keeper = keeper(name, pin)?;
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
fn keeper(name: &CardKeyName, pin: PinPlace<'_>) -> Result<Box<HvPinKeeper>, ToolError> {
    if let Some(file) = pin.file {
        read_pin(file, pin.characters)?;
    }
    Ok(Box::new(PinGiver {
        name: name.to_string(),
        file: pin.file.map(Path::to_owned),
        characters: pin.characters,
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
    characters: PinCharacters,
}

impl PinKeeper for PinGiver {
    type Error = PinRefused;

    fn pin_to_send(&self) -> Result<Pin, PinRefused> {
        let pin = match &self.file {
            Some(file) => read_pin(file, self.characters),
            None => ask_pin(&self.name, self.characters),
        };
        pin.map_err(|error| PinRefused(error.to_string()))
    }

    fn accepted(&self) -> Result<(), PinRefused> {
        Ok(())
    }
}

fn read_pin(file: &Path, characters: PinCharacters) -> Result<Pin, ToolError> {
    let read = passphrase::from_file(file)?;
    let pin = Pin::of(characters, read.trim_ascii());
    pin.map_err(|_| {
        let why = format!("does not hold {characters}{}", option(characters));
        ToolError::unusable(file, why)
    })
}

fn ask_pin(name: &str, characters: PinCharacters) -> Result<Pin, ToolError> {
    let typed = passphrase::from_terminal(Secret::Pin, name)?;
    let pin = Pin::of(characters, typed.trim_ascii());
    pin.map_err(|_| {
        let why = format!("that is no PIN of {characters}{}", option(characters));
        ToolError::Refused(why)
    })
}

/// How other characters are allowed.
fn option(characters: PinCharacters) -> &'static str {
    match characters {
        PinCharacters::Digits | PinCharacters::PivDigits => {
            "; for a token that takes other characters: --pin-characters printable"
        }
        PinCharacters::Printable => "",
    }
}

/// How long another program, such as the service of this host, may hold the card.
const PATIENCE: Duration = Duration::from_secs(10);
