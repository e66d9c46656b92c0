//! A PIV card as a directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use proto::piv::{CertificateObject, ObjectTag, Slot};
use rand::RngCore;
use rand::rngs::OsRng;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::files;
use super::open::{CardDirectory, StoreError, at};
use super::pins::PinFile;
use crate::eeprom::Eeprom;
use crate::pin::PinState;
use crate::piv::{Memory, Objects, PivCard, SlotKey, SlotPem};
use crate::profile::Profile;

impl CardDirectory {
    /// Puts a key and its certificate, compressed if that is wanted, in a slot of a PIV card. The
    /// first one brings PIN and PUK; later ones must come with the same PIN.
    ///
    /// # Errors
    /// Key and certificate do not fit together, the slot is taken, the PIN is another, the card is
    /// of another profile, or a file cannot be written. The card is then as it was.
    pub fn personalise_piv(
        &mut self,
        slot: Slot,
        parts: SlotPem<'_>,
        compress: bool,
        pins: &PinState,
    ) -> Result<(), StoreError> {
        let unusable = |source| StoreError::Identity {
            name: slot.to_string(),
            source,
        };
        let (key, certificate) = parts.load().map_err(unusable)?;
        let certificate = CertificateObject {
            der: certificate.to_vec(),
            compressed: compress,
        };
        let index = self.read_index(Profile::Piv)?;
        let mut memory = PivFiles::of(self.path());
        let mut objects = if index.is_some() {
            self.expect_pin(pins)?;
            memory.read_objects()?
        } else {
            let mut guid = [0; 16];
            OsRng.fill_bytes(&mut guid);
            Objects::fresh(guid)
        };
        if memory.key_path(slot).exists() {
            let name = slot.to_string();
            return Err(StoreError::NameTaken { name });
        }
        objects
            .insert_certificate(slot, &certificate)
            .map_err(|source| unusable(source.into()))?;
        memory.make_folders()?;
        if index.is_none() {
            memory.write_pins(pins).map_err(at(memory.pins.path()))?;
        }
        for (tag, content) in objects.iter() {
            let path = memory.object_path(tag);
            files::replace(&path, content).map_err(at(&path))?;
        }
        let path = memory.key_path(slot);
        memory.write_key(slot, &key).map_err(at(&path))?;
        self.write_index(&index.unwrap_or_else(|| Profile::Piv.into()))
    }

    /// The PIV card that this directory holds, just powered on.
    ///
    /// # Errors
    /// A file is missing or damaged, or the card is of another profile.
    pub fn piv_card(&self) -> Result<PivCard, StoreError> {
        self.read_index(Profile::Piv)?;
        let memory = PivFiles::of(self.path());
        let pins = memory.pins.read().map_err(at(memory.pins.path()))?;
        let (keys, objects) = (memory.read_keys()?, memory.read_objects()?);
        Ok(PivCard::new(keys, objects, pins, Box::new(memory)))
    }
}

/// The memory of a PIV card: files.
#[derive(Debug)]
struct PivFiles {
    pins: PinFile,
    keys: PathBuf,
    objects: PathBuf,
}

impl PivFiles {
    fn of(directory: &Path) -> Self {
        Self {
            pins: PinFile::of(directory),
            keys: directory.join("keys"),
            objects: directory.join("objects"),
        }
    }

    fn make_folders(&self) -> Result<(), StoreError> {
        for folder in [&self.keys, &self.objects] {
            files::make_directory(folder).map_err(at(folder))?;
        }
        Ok(())
    }

    fn key_path(&self, slot: Slot) -> PathBuf {
        self.keys.join(format!("{slot}.pem"))
    }

    fn object_path(&self, tag: ObjectTag) -> PathBuf {
        self.objects.join(format!("{:06x}", tag.0))
    }

    fn read_keys(&self) -> Result<BTreeMap<Slot, SlotKey>, StoreError> {
        let mut keys = BTreeMap::new();
        for slot in Slot::all() {
            let path = self.key_path(slot);
            let Some(pem) = read(&path)? else { continue };
            let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|err| err.to_string());
            let key = der.and_then(|der| SlotKey::from_der(&der).map_err(|err| err.to_string()));
            let key = key.map_err(|reason| StoreError::Damaged { path, reason })?;
            keys.insert(slot, key);
        }
        Ok(keys)
    }

    fn read_objects(&self) -> Result<Objects, StoreError> {
        let mut objects = Objects::default();
        for tag in Objects::all_tags() {
            if let Some(content) = read(&self.object_path(tag))? {
                objects.insert(tag, content.to_vec());
            }
        }
        Ok(objects)
    }
}

impl Eeprom for PivFiles {
    fn write_pins(&mut self, pins: &PinState) -> io::Result<()> {
        self.pins.write_pins(pins)
    }
}

impl Memory for PivFiles {
    fn write_key(&mut self, slot: Slot, key: &SlotKey) -> io::Result<()> {
        files::replace(&self.key_path(slot), &key.to_pem())
    }

    fn write_object(&mut self, tag: ObjectTag, content: Option<&[u8]>) -> io::Result<()> {
        let path = self.object_path(tag);
        match content {
            Some(content) => files::replace(&path, content),
            None => match std::fs::remove_file(&path) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
                _ => Ok(()),
            },
        }
    }
}

/// A file, if it is there.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(at(path)(err)),
    }
}
