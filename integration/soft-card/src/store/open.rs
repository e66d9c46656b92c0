//! Personalising a card directory, and opening it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use proto::id::IdentityName;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files;
use super::pins::PinFile;
use crate::card::Card;
use crate::eeprom::Eeprom;
use crate::identity::{Identity, IdentityError, IdentityPem};
use crate::pin::PinState;
use crate::profile::Profile;
use crate::settings::CardSettings;

/// A card directory that this process has for itself.
///
/// The lock lasts as long as the value; a [`Card`] made of it does not hold it.
#[derive(Debug)]
pub struct CardDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why a card directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
    /// Another process has the card.
    #[error("{}: in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The card has an identity of that name.
    #[error("the card already has an identity {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The card has a user PIN, and it is another one.
    #[error("the user PIN differs from the one the card has")]
    OtherPin,
    /// The card is of another profile.
    #[error("{}: a card of profile {is}", path.display())]
    OtherProfile {
        /// The directory.
        path: PathBuf,
        /// What the card is.
        is: Profile,
    },
    /// The identity itself cannot be used.
    #[error("identity {name:?}: {source}")]
    Identity {
        /// Its name.
        name: String,
        /// The reason.
        source: IdentityError,
    },
}

impl StoreError {
    /// Names the file of a certificate that TLS does not take; other errors are as they were.
    pub(crate) fn of_certificate_in(self, path: &Path) -> Self {
        match self {
            Self::Identity {
                source: IdentityError::Version(_),
                ..
            } => Self::Damaged {
                path: path.to_owned(),
                reason: self.to_string(),
            },
            other => other,
        }
    }
}

impl CardDirectory {
    /// Opens a directory that [`Self::create`] made.
    ///
    /// # Errors
    /// It is not there, or another process has it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock_path = path.join("lock");
        let lock = files::private(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(at(&lock_path)(source)),
        }
    }

    /// Opens a directory, made 0700 if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or another process has it.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        files::make_directory(path).map_err(at(path))?;
        Self::open(path)
    }

    /// Puts an identity on the card. The first one brings the PINs; later ones must come with the
    /// same user PIN.
    ///
    /// # Errors
    /// The parts do not fit together, the name is taken, the PIN is another, or a file cannot be
    /// written. The card is then as it was.
    pub fn personalise(
        &mut self,
        name: &IdentityName,
        eap_id: &str,
        parts: IdentityPem<'_>,
        pins: &PinState,
    ) -> Result<(), StoreError> {
        load(name, eap_id, parts)?;
        let index = self.read_index(Profile::EapTls)?;
        let mut index = index.unwrap_or_default();
        if index.identity.iter().any(|entry| entry.name == *name) {
            return Err(StoreError::NameTaken {
                name: name.to_string(),
            });
        }
        let mut pin_file = PinFile::of(&self.path);
        if index.identity.is_empty() {
            pin_file.write_pins(pins).map_err(at(pin_file.path()))?;
        } else {
            self.expect_pin(pins)?;
        }
        let folder = self.path.join(folder_name(index.identity.len()));
        files::make_directory(&folder).map_err(at(&folder))?;
        for (file, content) in [
            (KEY, parts.key),
            (CERTIFICATE, parts.certificates),
            (CA, parts.ca),
        ] {
            let path = folder.join(file);
            files::replace(&path, content).map_err(at(&path))?;
        }
        index.identity.push(Entry {
            name: name.clone(),
            eap_id: eap_id.to_owned(),
        });
        self.write_index(&index)
    }

    /// What the card is; an EAP-TLS card unless it says otherwise.
    ///
    /// # Errors
    /// A file is damaged or cannot be read.
    pub fn profile(&self) -> Result<Profile, StoreError> {
        let index = self.read_any_index()?;
        Ok(index.map(|index| index.profile).unwrap_or_default())
    }

    /// The card that this directory holds, just powered on.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn card(&self, settings: CardSettings) -> Result<Card, StoreError> {
        let index = self.read_index(Profile::EapTls)?.unwrap_or_default();
        let identities = index.identity.iter().enumerate().map(|(place, entry)| {
            let folder = self.path.join(folder_name(place));
            let read = |file: &str| {
                let path = folder.join(file);
                std::fs::read(&path).map(Zeroizing::new).map_err(at(&path))
            };
            let (key, certificates, ca) = (read(KEY)?, read(CERTIFICATE)?, read(CA)?);
            let parts = IdentityPem {
                key: &key,
                certificates: &certificates,
                ca: &ca,
            };
            let loaded = load(&entry.name, &entry.eap_id, parts);
            loaded.map_err(|error| error.of_certificate_in(&folder.join(CERTIFICATE)))
        });
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        let pin_file = PinFile::of(&self.path);
        let pins = pin_file.read().map_err(at(pin_file.path()))?;
        Ok(Card::new(identities, pins, Box::new(pin_file), settings))
    }

    fn index_path(&self) -> PathBuf {
        self.path.join("card.toml")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails unless the card's user PIN is the one of `pins`.
    pub(super) fn expect_pin(&self, pins: &PinState) -> Result<(), StoreError> {
        let file = PinFile::of(&self.path);
        let present = file.read().map_err(at(file.path()))?;
        let is_the_same = present.user.pin.matches(&pins.user.pin);
        is_the_same.then_some(()).ok_or(StoreError::OtherPin)
    }

    pub(super) fn write_index(&self, index: &Index) -> Result<(), StoreError> {
        let text = toml::to_string(index).expect("names and texts are TOML strings");
        let path = self.index_path();
        files::replace(&path, text.as_bytes()).map_err(at(&path))
    }

    /// What is on a card of this profile; `None` if nothing was personalised yet.
    pub(super) fn read_index(&self, profile: Profile) -> Result<Option<Index>, StoreError> {
        let index = self.read_any_index()?;
        match &index {
            Some(other) if other.profile != profile => Err(StoreError::OtherProfile {
                path: self.path.clone(),
                is: other.profile,
            }),
            _ => Ok(index),
        }
    }

    fn read_any_index(&self) -> Result<Option<Index>, StoreError> {
        let path = self.index_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|err| StoreError::Damaged {
                    path,
                    reason: err.message().to_owned(),
                }),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }
}

/// `card.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    #[serde(default)]
    profile: Profile,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identity: Vec<Entry>,
}

impl From<Profile> for Index {
    fn from(profile: Profile) -> Self {
        Self {
            profile,
            identity: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: IdentityName,
    eap_id: String,
}

fn load(name: &IdentityName, eap_id: &str, parts: IdentityPem<'_>) -> Result<Identity, StoreError> {
    Identity::from_pem(name.clone(), eap_id.to_owned(), parts).map_err(|source| {
        StoreError::Identity {
            name: name.to_string(),
            source,
        }
    })
}

fn folder_name(place: usize) -> String {
    format!("identity-{place}")
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { path, source }
}

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "cert.pem";
const CA: &str = "ca.pem";
