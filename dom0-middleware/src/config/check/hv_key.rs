//! Where the HV key is: in a file, or in a card.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hv_card::CardKeyName;
use proto::card::PinCharacters;
use toml::Spanned;

use super::{Check, ReaderConfig, ReaderPlace};
use crate::channel_key::{HvPinPlace, account};
use crate::config::error::ConfigError;
use crate::config::file::HvTable;

/// Where the HV key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HvKeyConfig {
    /// Its place.
    pub source: HvKeySource,
    /// The line that names the key.
    pub(in crate::config) line: usize,
}

/// A place of an HV key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HvKeySource {
    /// A file.
    File {
        /// The file with the key.
        file: PathBuf,
        /// The file with its passphrase, if the key is encrypted.
        passphrase_file: Option<PathBuf>,
    },
    /// A card.
    Card {
        /// The reader and the slot.
        name: CardKeyName,
        /// Where its PIN is; `None` for a slot that wants none.
        pin: Option<HvPinPlace>,
        /// The line that says so.
        pin_line: usize,
        /// Which characters the PIN may have.
        characters: PinCharacters,
    },
}

impl Check<'_> {
    /// The key of one `[[hv]]`, if it has one.
    pub(super) fn hv_key(
        &self,
        table: &HvTable,
        readers: &[ReaderConfig],
    ) -> Result<Option<HvKeyConfig>, ConfigError> {
        let Some(key) = &table.key else {
            let others = [
                (
                    span_of(&table.passphrase_file),
                    "hv.passphrase_file",
                    "passphrase",
                ),
                (span_of(&table.pin_file), "hv.pin_file", "PIN"),
                (span_of(&table.pin_credential), "hv.pin_credential", "PIN"),
                (span_of(&table.pin_characters), "hv.pin_characters", "PIN"),
            ];
            let surplus = others
                .into_iter()
                .find_map(|(span, key, what)| Some((span?, key, what)));
            return match surplus {
                None => Ok(None),
                Some((span, key, what)) => {
                    let problem = format!("a {what} without a key; name the key as well");
                    Err(self.error(span, key, problem))
                }
            };
        };
        let line = self.line(&key.span());
        let in_card = key.get_ref().to_str();
        let in_card = in_card.filter(|text| text.starts_with(CardKeyName::PREFIX));
        let source = match in_card {
            Some(name) => self.in_card(name, key.span(), table, readers)?,
            None => self.in_file(key.get_ref(), table)?,
        };
        Ok(Some(HvKeyConfig { source, line }))
    }

    fn in_file(&self, file: &Path, table: &HvTable) -> Result<HvKeySource, ConfigError> {
        let pin = span_of(&table.pin_file)
            .or_else(|| span_of(&table.pin_credential))
            .or_else(|| span_of(&table.pin_characters));
        if let Some(span) = pin {
            let problem = "only a key in a card (pcsc:READER#9c) has a PIN; a key in a file may have \
                           a passphrase_file";
            return Err(self.error(span, "hv.pin_file", problem));
        }
        let passphrase_file = table.passphrase_file.as_ref();
        Ok(HvKeySource::File {
            file: file.to_owned(),
            passphrase_file: passphrase_file.map(|file| file.get_ref().clone()),
        })
    }

    fn in_card(
        &self,
        name: &str,
        span: Range<usize>,
        table: &HvTable,
        readers: &[ReaderConfig],
    ) -> Result<HvKeySource, ConfigError> {
        if let Some(file) = &table.passphrase_file {
            let problem = "a key in a card has a PIN: pin_file or pin_credential";
            return Err(self.error(file.span(), "hv.passphrase_file", problem));
        }
        let name: CardKeyName = name
            .parse()
            .map_err(|error| self.error(span.clone(), "hv.key", error))?;
        for reader in readers {
            let seid = &reader.card.seid;
            if matches!(&reader.place, ReaderPlace::Reader(reader) if reader.as_c_str() == name.reader())
            {
                let problem = format!(
                    "card {seid}, which guests use, is in the same reader; the HV key needs a card \
                     and a reader of its own"
                );
                return Err(self.error(span, "hv.key", problem));
            }
            if *seid == account() {
                let problem = format!(
                    "the PIN of this card is accounted for under the name {seid}, which is that of a \
                     card_source; give that another seid"
                );
                return Err(self.error(span, "hv.key", problem));
            }
        }
        let (pin, pin_line) = self.hv_pin(table)?;
        if pin.is_none() && name.slot().needs_pin() {
            let problem = format!(
                "the key in slot {} wants a PIN; add pin_file or pin_credential",
                name.slot()
            );
            return Err(self.error(span, "hv.key", problem));
        }
        let characters = table.pin_characters.as_ref();
        let characters = characters.map(|given| PinCharacters::from(*given.get_ref()));
        Ok(HvKeySource::Card {
            name,
            pin,
            pin_line,
            characters: characters.unwrap_or(PinCharacters::PivDigits),
        })
    }

    fn hv_pin(&self, table: &HvTable) -> Result<(Option<HvPinPlace>, usize), ConfigError> {
        match (&table.pin_file, &table.pin_credential) {
            (None, None) => Ok((None, 0)),
            (Some(file), None) => {
                let line = self.line(&file.span());
                Ok((Some(HvPinPlace::File(file.get_ref().clone())), line))
            }
            (None, Some(credential)) => {
                let name = credential.get_ref();
                let is_name = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
                if !is_name {
                    let problem = "the name of a credential, as LoadCredential= in the unit has it \
                                   before the colon";
                    return Err(self.error(credential.span(), "hv.pin_credential", problem));
                }
                let line = self.line(&credential.span());
                Ok((Some(HvPinPlace::Credential(name.clone())), line))
            }
            (Some(_), Some(credential)) => {
                let problem = "give either pin_file or pin_credential";
                Err(self.error(credential.span(), "hv.pin_credential", problem))
            }
        }
    }
}

fn span_of<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
    value.as_ref().map(Spanned::span)
}
