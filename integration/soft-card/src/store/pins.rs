//! The file of the PINs, and the memory that writes it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files;
use crate::eeprom::Eeprom;
use crate::pin::{PinRecord, PinState, StoredPin};

/// `pins.toml` of a card directory.
#[derive(Debug)]
pub(super) struct PinFile {
    path: PathBuf,
}

impl PinFile {
    pub(super) fn of(directory: &Path) -> Self {
        Self {
            path: directory.join("pins.toml"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the PINs.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for a file that holds something else, without quoting it.
    pub(super) fn read(&self) -> io::Result<PinState> {
        let text = Zeroizing::new(std::fs::read_to_string(&self.path)?);
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "damaged PIN file");
        let file: Pins = toml::from_str(&text).map_err(|_| damaged())?;
        let record = |pin: Pin, most: u8| {
            let bytes = Zeroizing::new(from_hex(&pin.pin)?);
            let pin_bytes = (bytes.len() == StoredPin::LEN).then_some(&bytes)?;
            let stored = StoredPin::padded(pin_bytes)?;
            Some(PinRecord {
                pin: stored,
                tries: pin.tries.min(most),
            })
        };
        Ok(PinState {
            user: record(file.user, PinState::USER_TRIES).ok_or_else(damaged)?,
            operator: record(file.operator, PinState::OPERATOR_TRIES).ok_or_else(damaged)?,
        })
    }
}

impl Eeprom for PinFile {
    fn write_pins(&mut self, pins: &PinState) -> io::Result<()> {
        let pin = |record: &PinRecord| Pin {
            pin: Zeroizing::new(to_hex(record.pin.as_bytes())),
            tries: record.tries,
        };
        let file = Pins {
            user: pin(&pins.user),
            operator: pin(&pins.operator),
        };
        let text = Zeroizing::new(toml::to_string(&file).map_err(io::Error::other)?);
        files::replace(&self.path, text.as_bytes())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    user: Pin,
    operator: Pin,
}

/// One PIN; eight bytes as hexadecimal, since CHANGE PIN takes any bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    #[serde(with = "secret_text")]
    pin: Zeroizing<String>,
    tries: u8,
}

mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        text: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|d| u8::try_from(d).ok()));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes = [0x30, 0xFF, 0x00, 0xA5];
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes.to_vec()));
        assert_eq!(from_hex("3"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
